"""What the timer is said to have cost: arithmetic that anybody can redo, and that never flatters the judge."""

import pytest

from sandbox.demo.timer import Spell, Timer, crashes_within, crashing, steady

STEPS = (1, 3, 5)


def test_a_rate_goes_on_until_the_timer_ends() -> None:
    """7.5 requests a second, 6 of 200 bad: in the 280 s that are missing another 2100 requests and 63 bad ones."""
    assert steady(Spell(20.0, 150, 200, 6), STEPS) == Timer(caught=True, seconds=300.0, bad=69)


def test_exactly_the_limit_is_not_beyond_it() -> None:
    """1 of 100 is 1 %: the rule lets it pass, and the next steps have three and five pods."""
    assert steady(Spell(30.0, 300, 300, 3), STEPS) == Timer(caught=False, seconds=900.0, bad=270)
    assert steady(Spell(30.0, 299, 299, 3), STEPS).caught


def test_a_release_without_a_bad_request_costs_nothing_either_way() -> None:
    """The good ones."""
    assert steady(Spell(30.0, 300, 320, 0), STEPS) == Timer(caught=False, seconds=900.0, bad=0)
    assert steady(Spell(30.0, 0, 0, 0), STEPS) == Timer(caught=False, seconds=900.0, bad=0)


def test_a_decision_later_than_the_timer_is_shown_as_such() -> None:
    """Were the judge slower, the table would have to say so."""
    assert steady(Spell(600.0, 6000, 6000, 120), STEPS).bad == 60


@pytest.mark.parametrize(
    ("seconds", "crashes"),
    [(4.9, 0), (5, 1), (10, 2), (24, 2), (25, 3), (50, 4), (95, 5), (180, 6), (345, 7), (650, 8)],
)
def test_the_kubelet_waits_twice_as_long_after_each_crash(seconds: float, crashes: int) -> None:
    """5 s of life; restarted at once, then after 10, 20, 40, 80, 160 and from there on 300 s."""
    assert crashes_within(seconds, 5.0) == crashes


def test_crashes_cost_by_their_number_and_not_by_the_minute() -> None:
    """At the rate of the first seconds it would have been a hundred failed requests, which would be made up."""
    assert crashing(bad=8, crashes=2, life=5.0) == Timer(caught=True, seconds=300.0, bad=24)
    assert crashing(bad=0, crashes=0, life=5.0) == Timer(caught=True, seconds=300.0, bad=0)
