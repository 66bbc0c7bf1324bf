"""A histogram's share above a bound, and which bound to take where the user named none.

Chosen once, on the old pods before the rollout: a bound that follows the data under test would no longer be valid.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

TARGET = 0.05
"""Share of slow requests at which a test on it says most: 1 % needs long, 50 % hides a tail."""

FEWEST = 200
"""Requests below which a share of 5 % is a matter of luck."""


@dataclass(frozen=True)
class Bucket:
    """COUNT observations between two values."""

    low: float
    high: float
    count: float


@dataclass(frozen=True)
class Spread:
    """How long requests took: how many there were, and how many took longer than each bound."""

    total: float = 0.0
    above: Mapping[float, float] | None = None


def above(buckets: Iterable[Bucket], bound: float) -> float:
    """How many observations are above BOUND; within a bucket they are taken to lie evenly, hence fractions."""
    return sum(bucket.count * _share(bucket, bound) for bucket in buckets)


def _share(bucket: Bucket, bound: float) -> float:
    if bound <= bucket.low:
        return 1.0
    if bound >= bucket.high:
        return 0.0
    if bucket.high == float("inf"):
        return 1.0  # nothing is known of where; "slow" errs on the side of caution
    return (bucket.high - bound) / (bucket.high - bucket.low)


def same(one: float, other: float) -> bool:
    """Whether two spellings mean the same bound."""
    return math.isclose(one, other, rel_tol=1e-9)


def choose_bound(spreads: Sequence[Spread]) -> float | None:
    """The bound with a share above it nearest 5 %, among those all pods have; None below 200 requests."""
    total = sum(spread.total for spread in spreads)
    counted = [spread.above or {} for spread in spreads if spread.total]
    if not total >= FEWEST or not counted:  # so that NaN is refused
        return None
    common = set(counted[0]).intersection(*counted[1:])
    shares = {bound: sum(above[bound] for above in counted) / total for bound in common}
    return min(shares, key=lambda bound: (abs(shares[bound] - TARGET), bound), default=None)
