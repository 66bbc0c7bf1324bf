"""Backtest: the past is judged as releases that changed nothing."""

import random
from collections.abc import Sequence

from penstock.core.backtest import backtest
from penstock.core.plan import Plan, plan
from penstock.core.reading import Counters, Reading
from penstock.core.verdict import Together

PODS = [f"web-{number}" for number in range(10)]
NOW = 1_800_000_000.0
SHARES = (0.25, 0.5, 1.0)
PLAN = plan({"penstock.dev/errors": 'a{code="500"} / a', "penstock.dev/step-time": "1m..10m"})


def past(hours: float, rates: Sequence[float], requests: int = 150, seed: int = 1) -> list[Reading]:
    """Counters of ten pods, every 30 seconds, each failing at its rate."""
    luck = random.Random(seed)
    total, bad = [0.0] * len(PODS), [0.0] * len(PODS)
    readings = []
    for tick in range(int(hours * 120)):
        for pod, rate in enumerate(rates):
            total[pod] += requests
            bad[pod] += sum(luck.random() < rate for _ in range(requests))
        time = NOW + 30.0 * tick
        counters = {name: Counters({"a": total[i]}, {"a": bad[i]}, time) for i, name in enumerate(PODS)}
        readings.append(Reading(time, counters))
    return readings


def outcomes(readings: list[Reading], chosen: Plan = PLAN) -> list[tuple[str, Together | None, float]]:
    """Of one trial per pod and hour."""
    return [(t.pod, t.outcome, t.seconds) for t in backtest({"errors": readings}, chosen, SHARES, PODS, 3600)]


def test_pods_that_are_alike_are_promoted_within_minutes() -> None:
    """No false alarm in twenty trials, and the time is what the data allow."""
    found = outcomes(past(3, [0.01] * 10))
    assert len(found) == 30
    assert {outcome for _, outcome, _ in found[:20]} == {Together.ADVANCE}
    assert all(180 <= seconds <= 600 for _, _, seconds in found[:20])


def test_a_pod_that_always_fails_more_is_found_and_only_it() -> None:
    """A lasting difference between pods is what a user must learn of before the first release."""
    found = outcomes(past(2, [0.01] * 9 + [0.1]))
    back = {pod for pod, outcome, _ in found if outcome is Together.ROLLBACK}
    assert back == {"web-9"}


def test_a_day_without_requests_is_held_not_promoted() -> None:
    """No data is never a pass."""
    found = outcomes(past(2, [0.01] * 10, requests=0))
    assert {outcome for _, outcome, _ in found[:10]} == {Together.WAIT}


def test_a_trial_that_history_cuts_off_has_no_outcome() -> None:
    """It counts neither as good nor as bad."""
    found = outcomes(past(0.6, [0.01] * 10, requests=1))
    assert {outcome for _, outcome, _ in found} <= {None, Together.WAIT}


def test_without_history_there_are_no_trials() -> None:
    """Nothing is made up."""
    assert outcomes([]) == []
