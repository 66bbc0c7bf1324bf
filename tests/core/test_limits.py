"""N breaches in a row, and answers that are none."""

import math

import pytest

from penstock.core.judge import judge_limit
from penstock.core.limits import Breaches, breach
from penstock.core.queries import Limit
from penstock.core.reading import Scalar
from penstock.core.verdict import Numbers, State, Verdict

LIMIT = Limit("max(queue)", "<", 500.0, 3)
OK, HIGH = 10.0, 900.0


def said(*values: float | None, limit: Limit = LIMIT, calm: bool = True) -> Verdict:
    """After these answers, ten seconds apart."""
    breaches = Breaches()
    for i, value in enumerate(values, start=1):
        breaches = breach(breaches, Scalar(i * 10.0, value), limit, calm=calm)
    return judge_limit("limit.queue", breaches, limit, len(values) * 10.0)


NO_NUMBER = "limit.queue: the query gives no number"
SAID = [
    ((OK,), State.PASS, "limit.queue: 10, wanted < 500"),
    ((HIGH,), State.WAITING, "limit.queue: 900, wanted < 500, breached 1 of 3 times in a row"),
    ((HIGH, HIGH, HIGH), State.FAIL, "limit.queue: 900, wanted < 500, breached 3 times in a row"),
    ((HIGH, HIGH, OK, HIGH), State.WAITING, "limit.queue: 900, wanted < 500, breached 1 of 3 times in a row"),
    ((HIGH, HIGH, OK), State.PASS, "limit.queue: 10, wanted < 500"),
    ((500.0,), State.WAITING, "limit.queue: 500, wanted < 500, breached 1 of 3 times in a row"),
    ((), State.NO_SERIES, NO_NUMBER),
    ((None,), State.NO_SERIES, NO_NUMBER),
    ((OK, None), State.NO_SERIES, NO_NUMBER),
    ((OK, math.nan), State.NO_SERIES, NO_NUMBER),
    ((OK, -math.inf), State.NO_SERIES, NO_NUMBER),
    ((HIGH, HIGH, math.inf, math.nan, None), State.NO_SERIES, NO_NUMBER),
    ((HIGH, HIGH, None, HIGH), State.FAIL, "limit.queue: 900, wanted < 500, breached 3 times in a row"),
]


@pytest.mark.parametrize(("values", "state", "sentence"), SAID)
def test_what_a_limit_says(values: tuple[float | None, ...], state: State, sentence: str) -> None:
    """No number is neither a pass nor a breach, and does not end a row of them."""
    verdict = said(*values)
    assert (verdict.state, verdict.sentence, verdict.comparative) == (state, sentence, False)


@pytest.mark.parametrize(
    ("comparison", "kept"), [("<", (1,)), ("<=", (1, 2)), (">", (3,)), (">=", (2, 3))], ids=["<", "<=", ">", ">="]
)
def test_each_comparison(comparison: str, kept: tuple[float, ...]) -> None:
    """As written: what is wanted, not what is feared."""
    limit = Limit("q", comparison, 2.0, 1)
    assert tuple(v for v in (1, 2, 3) if said(float(v), limit=limit).state is State.PASS) == kept


def test_the_numbers_of_a_limit_are_breaches() -> None:
    """For the bars of the command line."""
    assert said(HIGH, HIGH).numbers == Numbers(evidence=2, needed=3)


def test_an_evaluation_counts_once() -> None:
    """Asked again before the source has evaluated anew."""
    breaches = Breaches()
    for _ in range(5):
        breaches = breach(breaches, Scalar(10.0, HIGH), LIMIT)
    assert breaches == Breaches(1, 10.0, HIGH)


def test_trouble_is_told_and_keeps_the_row() -> None:
    """An unreachable source neither fails nor passes a release."""
    breaches = breach(breach(Breaches(), Scalar(10.0, HIGH), LIMIT), Scalar(20.0, trouble="no answer in 5 s"), LIMIT)
    assert breaches == Breaches(1, 10.0, HIGH, "no answer in 5 s")
    verdict = judge_limit("limit.queue", breaches, LIMIT, 20.0)
    assert (verdict.state, verdict.sentence) == (State.UNREACHABLE, "limit.queue: no answer in 5 s")


def test_an_old_number_does_not_pass() -> None:
    """A source that answers the same evaluation for ever."""
    breaches = breach(Breaches(), Scalar(10.0, OK), LIMIT)
    assert judge_limit("limit.queue", breaches, LIMIT, 160.0).state is State.PASS
    verdict = judge_limit("limit.queue", breaches, LIMIT, 161.0)
    assert (verdict.state, verdict.sentence) == (State.UNREACHABLE, "limit.queue: the last number is 151 s old")


def test_an_incident_leaves_no_breaches_behind() -> None:
    """What all pods suffer is not held against the release, nor carried out of it."""
    verdict = said(*[HIGH] * 10, calm=False)
    assert (verdict.state, verdict.numbers.evidence) == (State.WAITING, 0)
    breaches = breach(Breaches(2, 10.0, HIGH), Scalar(20.0, None), LIMIT, calm=False)
    assert breaches.row == 0
