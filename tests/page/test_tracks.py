"""Evidence over time in a bounded number of points."""

from itertools import pairwise

import pytest

from controller.web.tracks import MOST, Track, share
from penstock.core.queries import Limit
from penstock.core.verdict import Numbers, State, Verdict


def verdict(evidence: float = 1.0, proof: float = 1.0) -> Verdict:
    numbers = Numbers(evidence=evidence, needed=100.0, proof=proof, proof_needed=20.0)
    return Verdict("errors", State.TOO_LITTLE, "errors: …", numbers=numbers)


@pytest.mark.parametrize(
    ("value", "expected"), [(0.0, 0.0), (1.0, 0.0), (10.0, 0.5), (100.0, 1.0), (1e9, 1.0), (float("inf"), 1.0)]
)
def test_a_share_is_of_the_way_to_the_decision(value: float, expected: float) -> None:
    """The dashed line of the chart is the number at which something is decided."""
    assert share(value, 100.0) == pytest.approx(expected)


def test_a_held_weekend_takes_no_more_room_than_some_minutes() -> None:
    """500 rollouts that are held for days must not fill the controller's memory."""
    track = Track(verdict())
    for n in range(50_000):
        track.add(5.0 * n, verdict(evidence=100.0 if n == 49_999 else 1.0))
    points = list(track)

    assert MOST / 3 < len(points) <= MOST
    assert (points[0], points[-1]) == ((0.0, 0.0, 0.0), (249_995.0, 1.0, 0.0))
    steps = [after[0] - before[0] for before, after in pairwise(points[:-1])]
    assert max(steps) <= 4 * min(steps)


def test_a_limit_without_a_number_leaves_a_gap() -> None:
    """A query that fails is no zero."""
    track = Track(verdict(), Limit("max(queue)", "<", 500.0, 3))
    for time, value in ((0.0, 310.0), (5.0, None), (10.0, float("nan")), (15.0, 320.0)):
        track.add(time, verdict(), value)

    assert list(track) == [(0.0, 310.0, 500.0), (15.0, 320.0, 500.0)]
