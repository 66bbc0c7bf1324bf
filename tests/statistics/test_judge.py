"""The judge on simulated traffic against the tables of facts/analysis.md §3, seed by seed.

Each figure is that of the table (10,000 runs, whole rollouts 2,000); what a trial of fewer runs may differ by chance
is added as three and a half standard errors of both. `make test` runs a few hundred of each, `make test-full` more,
`python -m bench.judging` prints the tables.
"""

import math
from random import Random

import pytest

from tests.statistics import traffic
from tests.statistics.traffic import Rates, World, slower, steady
from tests.statistics.trials import (
    SLOW,
    Times,
    false_incidents,
    rollbacks,
    rollouts,
    shared_fault,
)

FEW, MANY = pytest.param(200, marks=pytest.mark.slow), pytest.param(2000, marks=pytest.mark.full)
RUNS = pytest.mark.parametrize("runs", [FEW, MANY])


def chance(figure: float, runs: int, of: int = 10_000) -> float:
    """How far a percentage of `runs` may lie from the table's one by chance: 3.5 standard errors."""
    share = min(max(figure / 100, 0.0005), 0.9995)  # the table's last digit
    return 350 * math.sqrt(share * (1 - share) * (1 / runs + 1 / of))


FALSE = [
    # world, requests/s, false rollbacks within 30 minutes in the table
    ("iid", steady(), 50, 0.0),
    ("iid", steady(), 500, 0.0),
    ("burst", traffic.burst, 50, 0.2),
    ("burst", traffic.burst, 500, 0.9),
    ("hetero", traffic.different, 50, 0.1),
    ("hetero", traffic.different, 500, 0.1),
    ("incident", traffic.incident, 50, 0.0),
    ("incident", traffic.incident, 500, 0.0),
]


@RUNS
@pytest.mark.parametrize(("name", "rates", "rate", "figure"), FALSE, ids=[f"{c[0]}-{c[2]}" for c in FALSE])
def test_a_good_release_is_not_taken_back(name: str, rates: Rates, rate: float, figure: float, runs: int) -> None:
    """Looked at 180 times. 3.2 % of 200 runs at most for the worst figure, .9 %; 1.7 % of 2000."""
    found = rollbacks(World(rate, rates), runs, seed=1)
    assert found.percent <= figure + chance(figure, runs)


@RUNS
@pytest.mark.parametrize(("rate", "figure"), [(50, 0.29), (500, 0.09)])
def test_at_the_edge_of_what_is_tolerated(rate: float, figure: float, runs: int) -> None:
    """1.5 times the errors: by construction at most 1 %. The table's test had no spread, ours can only be stricter."""
    assert rollbacks(World(rate, steady(new=0.015)), runs, seed=2).percent <= figure + chance(figure, runs)


CAUGHT = [
    # requests/s, new rate, median and 90 % of the table, what the median of 200 runs may differ by
    (50, 0.03, 290, 580, 60),
    (500, 0.03, 40, 70, 10),
    (50, 0.2, 10, 20, 10),
    (5, 0.2, 60, 120, 20),
    (1, 0.2, 300, 600, 60),
    (5, 1.0, 10, 10, 10),
    (1, 1.0, 50, 100, 20),
    (0.5, 1.0, 120, 240, 30),
]


@pytest.mark.slow
@pytest.mark.parametrize(("rate", "bad", "median", "late", "apart"), CAUGHT, ids=[f"{c[0]}-{c[1]}" for c in CAUGHT])
def test_a_bad_release_is_caught_in_time(rate: float, bad: float, median: float, late: float, apart: float) -> None:
    """The 90 % of the table where it has one (3 %), else twice the median."""
    found = rollbacks(World(rate, steady(new=bad)), 200, seed=3)
    assert found.percent == 100
    assert abs(found.quantile(0.5) - median) <= apart
    assert found.quantile(0.9) <= late + 2 * apart


@RUNS
def test_warm_up_is_what_would_be_wrong(runs: int) -> None:
    """5 % errors in the first minute: 45 % (50 req/s) and 100 % (500) taken back if they count, .03 and 0 if not."""
    assert rollbacks(World(500, traffic.cold), runs // 10, seed=4).percent == 100
    counted = rollbacks(World(50, traffic.cold), runs, seed=4)
    assert abs(counted.percent - 45.5) <= chance(45.5, runs)
    for rate, figure in ((50, 0.03), (500, 0.0)):
        assert rollbacks(World(rate, traffic.cold), runs, seed=4, skip=6).percent <= figure + chance(figure, runs)


FEW_PODS = [
    # old pods beside one new, lasting differences at 500 req/s: with θ0 = 2 at one, 1.5 and φ at three
    (1, 1.3),
    (3, 0.43),
]


@RUNS
@pytest.mark.parametrize(("old", "figure"), FEW_PODS)
def test_few_pods_that_differ(old: int, figure: float, runs: int) -> None:
    """7.2 % would be taken back with one old pod at a tolerance of 1.5."""
    found = rollbacks(World(500, traffic.different, old + 1), runs, seed=5)
    assert found.percent <= figure + chance(figure, runs, of=4000)


LATENCY = [
    # requests/s, pods' medians apart by, false rollbacks
    (50, 0.0, 0.0),
    (500, 0.0, 0.0),
    (50, 0.05, 0.1),
    (500, 0.05, 0.0),
]


@RUNS
@pytest.mark.parametrize(("rate", "apart", "figure"), LATENCY)
def test_a_release_as_fast_as_before_is_not_taken_back(rate: float, apart: float, figure: float, runs: int) -> None:
    """The share above 250 ms, tolerated 1.25."""
    found = rollbacks(World(rate, slower(1.0, apart)), runs, seed=6, terms=SLOW)
    assert found.percent <= figure + chance(figure, runs, of=1000)


TAILS = [
    # requests/s, slower by, median of the table, may differ by
    (50, 1.25, 280, 60),
    (500, 1.25, 40, 10),
    (50, 1.5, 50, 20),
    (500, 1.5, 10, 10),
]


@pytest.mark.slow
@pytest.mark.parametrize(("rate", "factor", "median", "apart"), TAILS)
def test_a_slower_release_is_caught_in_time(rate: float, factor: float, median: float, apart: float) -> None:
    """A quarter slower, and half as much again."""
    found = rollbacks(World(rate, slower(factor)), 200, seed=7, terms=SLOW)
    assert found.percent >= 99
    assert abs(found.quantile(0.5) - median) <= apart


WHOLE = [
    # requests/s, max-impact, new rate: done, back, held %, median s, mean of extra failed requests, in the table
    (1, 0.05, 0.01, (99, 0, 1), 420, 0),
    (1, 0.05, 0.03, (47, 4, 50), 850, 5),
    (1, 0.05, 0.10, (0.2, 70, 30), 600, 8),
    (1, 0.05, 0.50, (0, 100, 0), 100, 5),
    (5, 0.05, 0.01, (100, 0, 0), 180, 0),
    (5, 0.05, 0.03, (89, 11, 0), 280, 10),
    (5, 0.05, 0.10, (0, 100, 0), 130, 9),
    (5, 0.05, 0.50, (0, 100, 0), 20, 5),
    (50, 0.01, 0.01, (100, 0.1, 0), 180, 0),
    (50, 0.01, 0.03, (0, 100, 0), 200, 33),
    (50, 0.01, 0.10, (0, 100, 0), 20, 10),
    (50, 0.01, 0.50, (0, 100, 0), 10, 24),
    (500, 0.01, 0.01, (100, 0, 0), 180, 0),
    (500, 0.01, 0.03, (0, 100, 0), 30, 37),
    (500, 0.01, 0.10, (0, 100, 0), 10, 45),
    (500, 0.01, 0.50, (0, 100, 0), 10, 245),
]


@RUNS
@pytest.mark.parametrize(("rate", "impact", "bad", "shares", "median", "extra"), WHOLE)
def test_whole_rollouts(
    rate: float, impact: float, bad: float, shares: tuple[float, float, float], median: float, extra: float, runs: int
) -> None:
    """1, 2, 5, 10 of 10 pods. Table figures are rounded to whole points, so one is added."""
    found = rollouts(rate, bad, impact, runs, seed=8)
    for state, figure in zip(("done", "back", "held"), shares, strict=True):
        assert abs(found.percent(state) - figure) <= 1 + chance(figure, runs, of=2000), state
    assert abs(found.median - median) <= max(10, 0.1 * median)
    assert abs(found.extra - extra) <= max(1, 0.2 * extra)


@pytest.mark.slow
@pytest.mark.parametrize(("rate", "noticed"), [(50, 20), (500, 10)])
def test_a_fault_of_all_pods_holds_a_good_release_and_lets_it_go_after(rate: float, noticed: float) -> None:
    """Without the comparison with the time before, the limit takes all of them back."""
    rng = Random(9)
    runs = [shared_fault(rate, rng) for _ in range(50)]
    assert [run.back for run in runs] == [False] * 50
    assert all(run.breached for run in runs)
    assert all(run.noticed is not None and run.noticed <= noticed for run in runs)
    assert all(run.over is not None and run.over <= 130 for run in runs)


@RUNS
@pytest.mark.parametrize("rate", [5, 50])
def test_bursts_are_no_incident(rate: float, runs: int) -> None:
    """Half an hour each as before the rollout: not one."""
    assert false_incidents(World(rate, traffic.burst), runs // 2, seed=10) == 0


def test_the_trials_can_fail() -> None:
    """In a few runs: a release that breaks everything is seen by the same trial that finds nothing in a good one."""
    assert rollbacks(World(50, steady(new=1.0)), 5, seed=11) == Times(5, (10.0,) * 5)
    assert rollbacks(World(50, steady()), 1, seed=11) == Times(1, ())
