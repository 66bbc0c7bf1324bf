"""Patterns of label matchers: RE2's meaning, and never more time than length × size."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.core.matchers import parsed, select
from penstock.core.pattern import LONGEST_TEXT, PatternError, compiled

PIECES = st.recursive(
    st.sampled_from(["a", "b", "5", ".", "[ab]", "[^a]", "[a-c5]", r"\d", r"\W", r"\.", "[.]"]),
    lambda inner: st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map(lambda two: f"({two[0]}|{two[1]})"),
        st.tuples(inner, st.sampled_from(["*", "+", "?", "{2}", "{1,3}", "{0,2}", "{2,}"])).map(
            lambda two: f"(?:{two[0]}){two[1]}"
        ),
    ),
    max_leaves=8,
)


@given(PIECES, st.text("ab5.c", max_size=8))
def test_it_means_what_python_means_where_both_can_say_it(pattern: str, text: str) -> None:
    """The common core of the two languages, anchored at both ends."""
    try:
        ours = compiled(pattern)
    except PatternError as error:
        assert str(error) == "the pattern is too large"  # noqa: PT017
        return
    assert ours.matches(text) == bool(re.fullmatch(pattern, text))


@pytest.mark.parametrize("pattern", ["(a+)+b", "(a|a)*b", "(a*)*b", "a*a*a*a*a*a*b", "(.{0,16}){0,8}b"])
def test_no_pattern_takes_long(pattern: str) -> None:
    """Each of them keeps Python's own engine busy for minutes and more."""
    began = time.process_time()

    assert not compiled(pattern).matches("a" * LONGEST_TEXT)
    assert time.process_time() - began < 1


@pytest.mark.parametrize(
    ("pattern", "problem"),
    [
        ("(a", "an opening parenthesis without a closing one"),
        ("a)", "a closing parenthesis without an opening one"),
        ("[a", "an unfinished or unsupported class of characters"),
        ("[[:alpha:]]", "an unfinished or unsupported class of characters"),
        ("[z-a]", "a range of characters out of order"),
        ("*a", "nothing before * to repeat"),
        ("a**", "a repetition of a repetition"),
        ("a{3,2}", "a repetition out of order or of more than 1000"),
        ("a{1001}", "a repetition out of order or of more than 1000"),
        ("((a{100}){100}){100}", "the pattern is too large"),
        ("a" * 1000, "the pattern is too large"),
        ("(" * 60 + ")" * 60, "too many parentheses in each other"),
        ("(?=a)", "groups with (? other than (?: are not supported"),
        (r"\pL", r"\p is not supported"),
        (r"(a)\1", r"\1 is not supported"),
        ("\\", "\\ is not supported"),
        ("^a$", "^ is not needed: the whole value has to match"),
    ],
)
def test_what_is_not_supported_is_refused_by_name(pattern: str, problem: str) -> None:
    """Silently matching something else would compare the wrong requests."""
    with pytest.raises(PatternError) as refused:
        compiled(pattern)

    assert str(refused.value) == problem


@pytest.mark.parametrize(
    ("matchers", "labels", "selected"),
    [
        ("", {"code": "500"}, True),
        ('code=~"5.."', {"code": "500"}, True),
        ('code=~"5.."', {"code": "5000"}, False),
        ('code=~"5..|429"', {"code": "429"}, True),
        ('code!~"5.."', {"code": "200"}, True),
        ('code!~"5.."', {}, True),
        ('code=""', {}, True),
        ('code=~".*"', {}, True),
        ('code=~".+"', {}, False),
        ('code!=""', {}, False),
        ('a="x" , b!="y",', {"a": "x", "b": "z"}, True),
        ('a="x",b!="y"', {"a": "x", "b": "y"}, False),
        (r'a="q\"u\\o\nte"', {"a": 'q"u\\o\nte'}, True),
        (r'a=~"v1\\.2"', {"a": "v1.2"}, True),
        (r'a=~"v1\\.2"', {"a": "v1x2"}, False),
        ('a=~"{x}"', {"a": "{x}"}, True),
    ],
)
def test_matchers_select_as_in_prometheus(matchers: str, labels: dict[str, str], selected: bool) -> None:
    """One annotation serves both sources."""
    assert select(parsed(matchers), labels) == selected


@pytest.mark.parametrize("matchers", ['a==""', "a='x'", r'a=~"\d"'])
def test_what_is_no_matcher_is_refused(matchers: str) -> None:
    """A backslash written once is a mistake in PromQL, too."""
    with pytest.raises(PatternError):
        parsed(matchers)
