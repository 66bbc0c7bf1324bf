"""Amounts as people write them: what is read, and the exact sentence where it is not."""

import doctest

import pytest

from penstock.core import patch, units
from penstock.core.units import AnnotationError, IntOrPercent, Item

NOT_A_DURATION = 'column 1: "{}" is not a duration; allowed: whole numbers with h, m, s, ms; example: 1m30s'
OUT_OF_RANGE = 'column 1: "{}" is out of range; allowed: more than 0, at most 168h; example: 1m30s'
NOT_A_PERCENTAGE = 'column 1: "{}" is not a percentage; allowed: 1% to 100%; example: 5%'
NOT_A_COUNT = 'column 1: "{}" is not a whole number above 0; example: 3'


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1m30s", 90.0),
        ("250ms", 0.25),
        ("1h", 3600.0),
        ("90m", 5400.0),
        ("1h1m1s1ms", 3661.001),
        ("168h", 604800.0),
        ("604800s", 604800.0),
        ("010s", 10.0),
    ],
)
def test_a_duration_is_read_to_the_millisecond(text: str, seconds: float) -> None:
    """`m` and `ms` begin alike; 5 ms must never be 5 minutes."""
    assert units.duration(text) == seconds


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", NOT_A_DURATION),
        ("10", NOT_A_DURATION),
        ("1mm", NOT_A_DURATION),
        ("-5m", NOT_A_DURATION),
        ("1.5h", NOT_A_DURATION),
        ("30s1m", NOT_A_DURATION),
        ("1m 30s", NOT_A_DURATION),
        ("1m1m", NOT_A_DURATION),
        ("5M", NOT_A_DURATION),
        ("٣s", NOT_A_DURATION),
        ("1m\n", NOT_A_DURATION.replace("{}", "1m?")),
        ("NaN", NOT_A_DURATION),
        ("0s", OUT_OF_RANGE),
        ("0h0m", OUT_OF_RANGE),
        ("168h1ms", OUT_OF_RANGE),
        ("999999h", OUT_OF_RANGE),
    ],
)
def test_what_is_no_duration_is_refused_with_an_example(text: str, message: str) -> None:
    """Known parsers take most of these, and a rollout would stand still or run without anybody knowing why."""
    with pytest.raises(AnnotationError) as refused:
        units.duration(text)
    assert str(refused.value) == message.format(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(90, "1m30s"), (0.25, "250ms"), (3600, "1h"), (604800, "168h"), (3661.001, "1h1m1s1ms"), (0, "0s")],
)
def test_a_duration_is_printed_in_its_shortest_spelling(seconds: float, text: str) -> None:
    """The same value has one spelling, whoever prints it."""
    assert units.print_duration(seconds) == text


@pytest.mark.parametrize(("text", "share"), [("1%", 0.01), ("5%", 0.05), ("100%", 1.0), ("050%", 0.5)])
def test_a_percentage_is_a_share(text: str, share: float) -> None:
    """`5%` is 0.05 exactly, so that a bound printed again reads 5%."""
    assert units.percentage(text) == share


@pytest.mark.parametrize("text", ["", "5", "0%", "101%", "5.5%", "5 %", "-1%", "%", "٥%", "99999%"])
def test_what_is_no_percentage_is_refused(text: str) -> None:
    """A share of 0 or of more than all is a typing error."""
    with pytest.raises(AnnotationError) as refused:
        units.percentage(text)
    assert str(refused.value) == NOT_A_PERCENTAGE.format(text)


@pytest.mark.parametrize(("text", "number"), [("1", 1), ("007", 7), ("999999", 999999)])
def test_a_count_is_a_positive_whole_number(text: str, number: int) -> None:
    """Zeros in front are harmless."""
    assert units.count(text) == number


@pytest.mark.parametrize("text", ["", "0", "-1", "1.0", "1e3", "٣", "²", "1000000", "1 "])
def test_what_is_no_count_is_refused(text: str) -> None:
    """Python's own int() reads Arabic digits and blanks."""
    with pytest.raises(AnnotationError) as refused:
        units.count(text)
    assert str(refused.value) == NOT_A_COUNT.format(text)


@pytest.mark.parametrize(
    ("value", "replicas", "up", "pods"),
    [
        ("25%", 10, True, 3),
        ("25%", 10, False, 2),
        ("25%", 3, False, 0),
        ("25%", 1, True, 1),
        ("29%", 100, True, 29),
        ("58%", 50, False, 29),
        ("100%", 7, True, 7),
        ("150%", 4, True, 6),
        ("0%", 10, True, 0),
        ("10%", 0, True, 0),
        (3, 1, True, 3),
        (0, 10, False, 0),
    ],
)
def test_pods_of_an_amount_are_rounded_like_in_the_native_controller(
    value: IntOrPercent, replicas: int, up: bool, pods: int
) -> None:
    """Surge rounds up, unavailable down, in whole numbers: 29 % of 100 by floating point is 29.000000000000004."""
    assert units.pods(value, replicas, up=up) == pods


def test_items_of_a_list_know_their_column() -> None:
    """A message that points to the wrong item is worse than none."""
    assert units.split(" 1,  25%,,50% ") == (Item("1", 2), Item("25%", 6), Item("", 10), Item("50%", 11))


@pytest.mark.parametrize(
    ("text", "shown"),
    [("5x", '"5x"'), ("a\x1b[31m\n", '"a?[31m?"'), ("x" * 41, '"' + "x" * 37 + '..."'), ("x" * 40, f'"{"x" * 40}"')],
)
def test_a_quoted_value_is_short_and_printable(text: str, shown: str) -> None:
    """Messages reach terminals and logs; a value must not be able to paint there."""
    assert units.quoted(text) == shown


def test_an_error_can_be_moved_and_named() -> None:
    """Parsers of parts know neither where the part stands nor which annotation it is."""
    error = AnnotationError("bad", "good", 3).shifted(4).at("penstock.dev/steps")
    assert str(error) == "penstock.dev/steps, column 7: bad; example: good"


@pytest.mark.parametrize("module", [units, patch])
def test_the_examples_in_the_docstrings_are_true(module: object) -> None:
    """They are the first thing that a reader believes."""
    tested = doctest.testmod(module)  # type: ignore[arg-type]  # parametrize hands modules over as objects
    assert tested.attempted > 0
    assert tested.failed == 0
