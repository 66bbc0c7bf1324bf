"""Old pods against themselves before the rollout: an incident begins, lasts, ends, and may come again."""

import math

import msgspec
import pytest

from penstock.core.counters import NONE, Count
from penstock.core.incident import AFTERMATH, CALM, Incident, begin, watch

BEFORE = Count(100_000, 1_000)
GOOD, BAD, TWICE = Count(450, 4), Count(450, 45), Count(450, 9)


def course(before: Count, *looks: Count) -> list[bool]:
    """Whether an incident lasts after each look, ten seconds apart."""
    incident, lasting = begin(before), []
    for i, old in enumerate(looks, start=1):
        incident = watch(incident, i * 10.0, old)
        lasting.append(incident.since > 0)
    return lasting


def test_ten_times_the_errors_are_an_incident_at_once_and_a_minute_after_their_end_no_more() -> None:
    """Calm hours before it do not delay it. Limits look back a minute, so it lasts that much longer."""
    found = course(BEFORE, *[GOOD] * 360, *[BAD] * 18, *[GOOD] * 10)
    assert found == [False] * 360 + [True] * 18 + [True] * 6 + [False] * 4


def test_what_is_remembered_of_an_incident() -> None:
    """The whole of it: when, and how bad it was when it was noticed last."""
    incident = watch(watch(begin(BEFORE), 10.0, GOOD), 20.0, BAD)
    assert incident == Incident(BEFORE, begin(BEFORE).limit, since=20.0, rate=0.1)
    worse = watch(incident, 30.0, Count(450, 90))
    assert (worse.since, worse.rate) == (20.0, 0.2)
    ended = watch(watch(incident, 30.0, GOOD), 40.0, GOOD)
    assert (ended.since, ended.ended) == (20.0, 30.0)
    over = watch(ended, 30.0 + AFTERMATH, GOOD)
    assert (over.since, over.ended) == (0.0, 0.0)


def test_an_incident_that_comes_back_within_the_minute_goes_on() -> None:
    """A dependency that flaps does not let the release slip through between two failures."""
    assert course(BEFORE, BAD, GOOD, GOOD, GOOD, BAD, *[GOOD] * 7) == [True] * 11 + [False]


def test_twice_the_errors_are_no_incident() -> None:
    """Three times the odds are tolerated: days differ."""
    assert not any(course(BEFORE, *[TWICE] * 1000))


def test_evidence_is_divided_by_the_spread() -> None:
    """Both of its begin and of its end."""
    noticed = watch(begin(BEFORE), 10.0, Count(450, 45))
    assert (noticed.since, watch(begin(BEFORE), 10.0, Count(450, 45), spread=10.0).since) == (10.0, 0.0)
    assert (watch(noticed, 20.0, GOOD).ended, watch(noticed, 20.0, GOOD, spread=10.0).ended) == (20.0, 0.0)


def test_a_rate_that_stays_high_stays_an_incident() -> None:
    """Without requests nothing is known, so nothing changes either."""
    assert all(course(BEFORE, *[BAD] * 300, *[NONE] * 300))


def test_too_little_before_the_rollout_and_nothing_is_said() -> None:
    """Under 200 requests; the next one is enough, and then every request fails."""
    assert not any(course(Count(199, 0), *[Count(450, 450)] * 10))
    assert course(Count(200, 0), Count(450, 450)) == [True]
    assert watch(CALM, 10.0, BAD) == CALM


@pytest.mark.parametrize(
    ("before", "limit"),
    [
        (Count(1e9, 1e7), 3 * 0.01 / 1.02),  # known exactly: three times the odds of 1 %
        (Count(1e9, 5e8), 0.75),  # rates near one can be exceeded too
        (Count(200, 0), 0.0745),  # none of 200 may still be 2.6 %: (1-p)^200 = 0.005
    ],
)
def test_the_rate_it_is_measured_by(before: Count, limit: float) -> None:
    """Three times the odds of the highest rate that the time before leaves possible at half a percent."""
    assert begin(before).limit == pytest.approx(limit, rel=0.01)
    if before.bad == 0:
        highest = 1 - 0.005 ** (1 / before.requests)
        assert begin(before).limit == pytest.approx(3 * highest / (1 + 2 * highest))


def test_the_evidence_by_hand() -> None:
    """Just enough bad requests of 450 for a factor of 200 under the mean of the alternatives, and one fewer."""
    limit = begin(BEFORE).limit
    odds = limit / (1 - limit)

    def factor(x: int) -> float:
        grid = [1.25 * (64 / 1.25) ** (i / 11) for i in range(12)]
        rates = [odds * f / (1 + odds * f) for f in grid]
        return sum((q / limit) ** x * ((1 - q) / (1 - limit)) ** (450 - x) for q in rates) / 12

    enough = next(x for x in range(450) if factor(x) >= 200)
    assert course(BEFORE, Count(450, enough)) == [True]
    assert course(BEFORE, Count(450, enough - 1)) == [False]


def test_an_incident_comes_back_from_json_identically() -> None:
    """It outlives the controller."""
    incident = watch(watch(begin(Count(1000, 7)), 10.0, Count(33.5, 5.25)), 20.0, Count(10, 0))
    assert msgspec.json.decode(msgspec.json.encode(incident), type=Incident) == incident
    assert math.isfinite(incident.limit)


@pytest.mark.parametrize("before", [Count(500, 500), Count(100_000, 99_990)])
def test_where_nearly_all_failed_before_there_is_no_incident_to_be_found(before: Count) -> None:
    """Nothing can be three times as bad; a limit of 1 was divided by 0 at every look."""
    assert begin(before) == Incident(before)
    assert watch(begin(before), 10.0, Count(450, 450)) == Incident(before)
