"""Evidence over time: what a chart is drawn from, in a bounded number of points however long a rollout is held.

The sentences of a check say where it stands, never how it came there. A point is 24 bytes and there are at most MOST of
them: when the place is used up every second one goes, so a weekend's chart is coarser than a minute's, and none grows.
"""

import math
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field

from penstock.core.queries import Limit
from penstock.core.verdict import Verdict

MOST = 240
"""Points of one check; with a look every 5 s these are the last 20 minutes at first."""

WIDTH = 3

Point = tuple[float, float, float]
"""When, then for a comparison how far the evidence against the release and the proof for the next step have come (0 to
1), for a limit the number and its bound."""


@dataclass
class Track:
    """One check of one rollout, as it went."""

    verdict: Verdict
    """The last one while it was asked: of a release that was taken back, the one that decided it."""
    bound: Limit | None = None
    _values: "array[float]" = field(default_factory=lambda: array("d"))
    _stride: float = 0.0
    """Seconds between two points that are kept."""

    def add(self, time: float, verdict: Verdict, value: float | None = None) -> None:
        """One look. A limit without a number leaves a gap."""
        self.verdict = verdict
        if self.bound is None:
            numbers = verdict.numbers
            point = (time, share(numbers.evidence, numbers.needed), share(numbers.proof, numbers.proof_needed))
        elif value is None or not math.isfinite(value):
            return
        else:
            point = (time, value, self.bound.number)
        values = self._values
        if len(values) >= 2 * WIDTH and time - values[-2 * WIDTH] < self._stride:
            del values[-WIDTH:]  # the newest point is always there, and moves on until it is far enough to stay
        values.extend(point)
        if len(values) > MOST * WIDTH:
            self._thin()

    def _thin(self) -> None:
        points = list(self)
        kept = [*points[:-1:2], points[-1]]
        self._values = array("d", (value for point in kept for value in point))
        self._stride = 2 * max(self._stride, (points[-1][0] - points[0][0]) / len(points))

    def __iter__(self) -> Iterator[Point]:
        values = self._values
        for start in range(0, len(values), WIDTH):
            yield values[start], values[start + 1], values[start + 2]

    def __len__(self) -> int:
        return len(self._values) // WIDTH


def share(value: float, needed: float) -> float:
    """How far a factor has come, from 0 to 1: on a logarithmic scale, for evidence multiplies."""
    if value <= 1 or needed <= 1:
        return 0.0
    return min(1.0, math.log(value) / math.log(needed))
