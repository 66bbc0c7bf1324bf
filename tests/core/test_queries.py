"""The form of the metric annotations: what is read, and the exact sentence where it is not."""

import time
from collections.abc import Callable

import pytest

from penstock.core import queries
from penstock.core.queries import Errors, Limit, Selector, Slow
from penstock.core.units import AnnotationError

OF_ERRORS = """; example: 'http_requests_total{code=~"5.."} / http_requests_total'"""
OF_SLOW = "; example: 'http_request_duration_seconds > 250ms'"
OF_LIMIT = "; example: 'max(queue_length) < 500 for 3'"


@pytest.mark.parametrize(
    ("text", "read"),
    [
        (
            'http_requests_total{code=~"5.."} / http_requests_total',
            Errors(Selector("http_requests_total", 'code=~"5.."'), Selector("http_requests_total")),
        ),
        ("a/b", Errors(Selector("a"), Selector("b"))),
        ("job:errors:rate / job:all:rate", Errors(Selector("job:errors:rate"), Selector("job:all:rate"))),
        (
            'bad { a = "1" , b != "2" , } / all{}',
            Errors(Selector("bad", 'a = "1" , b != "2"'), Selector("all")),
        ),
        (
            r'bad{path="/a\"/}{"} / all{path!~"x|y"}',
            Errors(Selector("bad", r'path="/a\"/}{"'), Selector("all", 'path!~"x|y"')),
        ),
    ],
)
def test_errors_are_two_selectors(text: str, read: Errors) -> None:
    """A slash or a brace inside a quoted value belongs to the value."""
    assert queries.errors(text) == read


def test_what_only_scraped_series_cannot_match_is_accepted() -> None:
    """A Prometheus knows flags and classes that we do not; refusing them would take them from its users."""
    assert queries.errors(r'a{path=~"(?i)x\\pL"} / a').bad.matchers == r'path=~"(?i)x\\pL"'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", 'column 1: expected a metric with optional label matchers, found ""'),
        ("5xx / all", 'column 1: expected a metric with optional label matchers, found "5xx / all"'),
        ("bad", "column 4: expected '/' between two selectors, found \"\""),
        ("bad all", "column 5: expected '/' between two selectors, found \"all\""),
        ("bad /", 'column 6: expected a metric with optional label matchers, found ""'),
        ("bad / 7", 'column 6: expected a metric with optional label matchers, found "7"'),
        ("bad{code=5} / all", 'column 4: expected label matchers between braces, found "{code=5} / all"'),
        ('bad{code="5} / all', 'column 4: expected label matchers between braces, found "{code="5} / all"'),
        ("bad / all{", 'column 10: expected label matchers between braces, found "{"'),
        ("a / b / c", 'column 7: unexpected "/ c" after the second selector'),
        ("a / b[5m]", 'column 6: unexpected "[5m]" after the second selector'),
        ('a{code=~"5("} / a', 'column 2: an opening parenthesis without a closing one in "{code=~"5("} "'),
        ('a{code=~"*"} / a', 'column 2: nothing before * to repeat in "{code=~"*"} "'),
        ("rate(a[5m]) / b", "column 5: expected '/' between two selectors, found \"(a[5m]) / b\""),
    ],
)
def test_a_typing_error_in_errors_is_pointed_to(text: str, message: str) -> None:
    """It is found when it is written, not when a release is judged by it."""
    with pytest.raises(AnnotationError) as refused:
        queries.errors(text)
    assert str(refused.value) == message + OF_ERRORS


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("http_request_duration_seconds > 250ms", Slow(Selector("http_request_duration_seconds"), 0.25)),
        ('latency{job="web"}>1s', Slow(Selector("latency", 'job="web"'), 1.0)),
        ("latency", Slow(Selector("latency"), None)),
        ('latency{job="web"} ', Slow(Selector("latency", 'job="web"'), None)),
    ],
)
def test_slow_is_a_histogram_and_maybe_a_bound(text: str, read: Slow) -> None:
    """Without a bound the judge chooses it from the old pods."""
    assert queries.slow(text) == read


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("> 250ms", 'column 1: expected a metric with optional label matchers, found "> 250ms"'),
        ("latency < 1s", "column 9: expected '>' and a duration, found \"< 1s\""),
        (
            "latency >  0.25",
            'column 12: "0.25" is not a duration; allowed: whole numbers with h, m, s, ms',
        ),
        ("latency >", 'column 10: "" is not a duration; allowed: whole numbers with h, m, s, ms'),
        ("latency > 0s", 'column 11: "0s" is out of range; allowed: more than 0, at most 168h'),
    ],
)
def test_a_typing_error_in_slow_is_pointed_to(text: str, message: str) -> None:
    """People write the bound as Prometheus has it, in seconds without a unit."""
    with pytest.raises(AnnotationError) as refused:
        queries.slow(text)
    assert str(refused.value) == message + OF_SLOW


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("max(queue_length) < 500 for 3", Limit("max(queue_length)", "<", 500.0, 3)),
        ("max(queue_length) < 500", Limit("max(queue_length)", "<", 500.0, 3)),
        ("a>=1e3 for 1", Limit("a", ">=", 1000.0, 1)),
        ("a <= -0.5", Limit("a", "<=", -0.5, 3)),
        ("(a > 3) > 0", Limit("(a > 3)", ">", 0.0, 3)),
        ('max(queue{pod=~"{{ new }}"}) < 500', Limit('max(queue{pod=~"{{ new }}"})', "<", 500.0, 3)),
    ],
)
def test_a_limit_is_a_query_and_the_last_comparison(text: str, read: Limit) -> None:
    """Comparisons inside the query are the query's own."""
    assert queries.limit(text) == read


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "column 1: expected a query, then <, <=, > or >=, a number, and optionally 'for N'" + OF_LIMIT),
        ("< 5", "column 3: expected a query, then <, <=, > or >=, a number, and optionally 'for N'" + OF_LIMIT),
        ("a == 5", "column 6: expected a query, then <, <=, > or >=, a number, and optionally 'for N'" + OF_LIMIT),
        ("a < five", "column 8: expected a query, then <, <=, > or >=, a number, and optionally 'for N'" + OF_LIMIT),
        ("a < NaN", "column 7: expected a query, then <, <=, > or >=, a number, and optionally 'for N'" + OF_LIMIT),
        ("a < 5 for 0", 'column 11: "0" is not a whole number above 0' + OF_LIMIT),
        ("a < 5 for 3m", 'column 11: "3m" is not a whole number above 0' + OF_LIMIT),
        ("a < 1e999", 'column 5: "1e999" is too large a number' + OF_LIMIT),
        (
            "a{{ pod }} < 5",
            'column 2: "pod" is not known between braces; allowed: namespace, name, new, old, window; '
            """example: 'max(queue{pod=~"{{ new }}"}) < 500'""",
        ),
    ],
)
def test_a_typing_error_in_a_limit_is_pointed_to(text: str, message: str) -> None:
    """A limit that compares with nothing would never fail."""
    with pytest.raises(AnnotationError) as refused:
        queries.limit(text)
    assert str(refused.value) == message


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        (queries.errors, "bad{" + 'a="b" ,' * 250),
        (queries.errors, "bad{" + 'a="b" ,' * 250 + "}"),
        (queries.errors, "a" * 2000 + "{"),
        (queries.slow, "latency{" + 'a = "\\' * 300),
        (queries.limit, "{{" * 1000),
        (queries.limit, "a < 1 for " * 200),
        (queries.limit, "<" * 2000),
    ],
)
def test_a_long_line_is_refused_at_once(parse: Callable[[str], object], text: str) -> None:
    """Admission has two seconds, and anybody may write an annotation; patterns that try every split take minutes."""
    begun = time.process_time()
    with pytest.raises(AnnotationError):
        parse(text)
    assert time.process_time() - begun < 1
