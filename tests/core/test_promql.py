"""What is sent to Prometheus: restricted to our pods, and nothing breaks out of its quotes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.core import promql
from penstock.core.queries import Selector, limit
from penstock.core.queries import errors as errors_query


def test_a_selector_is_restricted_to_its_pods_and_keeps_the_users_matchers() -> None:
    """Exact names: `web-.*` would take the pods of `web-api` too, and long names are cut (facts/analysis.md §4)."""
    check = errors_query('http_requests_total{code=~"5..", path!="/{}"} / http_requests_total')
    own = promql.restriction("shop", ["web-b", "web-a", "web-a", "web.v2-c"], "namespace", "kubernetes_pod_name")

    assert [promql.raw(selector, "", own, 150) for selector in (check.bad, check.all)] == [
        'http_requests_total{namespace=~"shop",kubernetes_pod_name=~"web-a|web-b|web[.]v2-c",code=~"5..", path!="/{}"}'
        "[150000ms]",
        'http_requests_total{namespace=~"shop",kubernetes_pod_name=~"web-a|web-b|web[.]v2-c"}[150000ms]',
    ]


def test_no_pods_select_nothing() -> None:
    """An empty pattern would select series of no pod at all, such as those of a whole cluster."""
    own = promql.restriction("shop", [], "namespace", "pod")

    assert promql.raw(Selector("m"), "_count", own, 1.5) == 'm_count{namespace=~"shop",pod=~"-"}[1500ms]'


@pytest.mark.parametrize(
    ("bound", "matcher"),
    [
        (0.25, 'le=~"0[.]250*"'),
        (1.0, 'le=~"1([.]0*)?"'),
        (10.0, 'le=~"10([.]0*)?"'),
        (2.5, 'le=~"2[.]50*"'),
        (0.001, 'le=~"0[.]0010*"'),
        (604800.0, 'le=~"604800([.]0*)?"'),
    ],
)
def test_a_bucket_is_found_however_its_bound_is_written(bound: float, matcher: str) -> None:
    """Clients write 1, 1.0, 0.25 and 0.250."""
    assert promql.bucket(bound) == matcher


def test_a_limit_gets_its_values() -> None:
    """The names the annotation's reference promises, with blanks or without."""
    query = limit('max(q{ns="{{namespace}}",pod=~"{{ new }}|{{old}}"}[{{ window }}]) / n{d="{{ name }}"} < 5')
    values = promql.values("shop", "web.v2", ["web-b", "web-a.x"], [], 60)

    assert promql.render(query, values) == 'max(q{ns="shop",pod=~"web-a[.]x|web-b|-"}[60s]) / n{d="web.v2"}'


@given(st.text(max_size=20), st.sampled_from(["namespace", "name", "new", "old"]))
def test_no_value_breaks_out_of_any_quotes(text: str, name: str) -> None:
    """Whatever stands in an object: it is refused, or has no quote, backslash, brace or line end in it."""
    given_values = {"namespace": "shop", "name": "web", "new": ["a"], "old": ["b"]}
    given_values[name] = [text] if name in ("new", "old") else text
    try:
        values = promql.values(**given_values, window=60)  # type: ignore[arg-type]
    except promql.Unsafe:
        return
    assert not set("\"'`\\{}()\n\r ") & set("".join(values.values()))


@pytest.mark.parametrize("value", ['a"} or vector(1) or m{x="', "a\\", "a`b", "", "a b", "é", "a\n"])
def test_a_forged_value_is_refused_at_the_last_moment_too(value: str) -> None:
    """Whoever made the mapping."""
    with pytest.raises(promql.Unsafe):
        promql.render(limit('m{pod="{{ name }}"} < 1'), {"name": value})


@pytest.mark.parametrize("name", ["", "-", "a-", ".a", "A", "a_b", 'a"', "a" * 254, "a\n"])
def test_what_is_no_kubernetes_name_is_refused(name: str) -> None:
    """In a namespace as in a pod's name."""
    with pytest.raises(promql.Unsafe):
        promql.alternation([name])
    with pytest.raises(promql.Unsafe):
        promql.restriction(name, [], "namespace", "pod")
