"""From samples with labels to the judge's counters of one pod, the same for every source.

A value that can be no counter spoils its pod for this time, not just its series: a series that is left out once and
comes back later would look born with all its counts.
"""

import math
from collections.abc import Iterable, Mapping

from penstock.core.histogram import Spread, same
from penstock.core.reading import Counters

Labels = Mapping[str, str]
Samples = Iterable[tuple[Labels, float]]

MOST_SERIES = 5000
"""Of one pod and check. More is no breakdown of requests but a mistake (an identity as a label), or an attack."""

INFINITE = float("inf")


class Unusable(Exception):
    """This pod's values cannot be used; says why."""


class NoBucket(Exception):
    """A pod's histogram without the bound that is asked for; names those it has."""

    def __init__(self, bounds: Iterable[float]) -> None:
        self.bounds = sorted(set(bounds))
        self.pod = ""
        super().__init__()

    def words(self, histogram: str, bound: float) -> str:
        """For people: old and new pods may differ."""
        have = ", ".join(f"{b:g}" for b in self.bounds) or "none"
        return f"{histogram} of pod {self.pod} has no bucket with the bound {bound:g} s; it has {have}"


def key(labels: Labels, without: str = "") -> str:
    """A series' identity beside its pod."""
    return ",".join(f"{name}={value!r}" for name, value in sorted(labels.items()) if name != without)


def series(samples: Samples, without: str = "") -> dict[str, float]:
    """Values by series. Raises Unusable."""
    out: dict[str, float] = {}
    for labels, value in samples:
        if not math.isfinite(value) or value < 0:
            raise Unusable("a value that is no count (NaN, infinite or negative)")
        name = key(labels, without)
        if name in out:
            raise Unusable("the same series twice")
        out[name] = value
        if len(out) > MOST_SERIES:
            raise Unusable(f"more than {MOST_SERIES} series")
    return out


def errors(total: Samples, bad: Samples, time: float) -> Counters:
    """Of an `errors` check. Raises Unusable."""
    return Counters(series(total), series(bad), time)


def slow(counts: Samples, buckets: Samples, bound: float, time: float) -> Counters:
    """Of a `slow` check on a classic histogram. Raises Unusable, NoBucket."""
    listed = list(buckets)
    bounds = [(labels, value, upper(labels)) for labels, value in listed]
    total = series(counts)
    fast = series(((labels, value) for labels, value, le in bounds if same(le, bound)), without="le")
    if not total.keys() <= fast.keys():
        raise NoBucket(le for _, _, le in bounds if math.isfinite(le))
    bad = {name: value - fast[name] for name, value in total.items()}
    if min(bad.values(), default=0) < 0:
        raise Unusable("a bucket that has more than its histogram's count")
    return Counters(total, bad, time)


def upper(labels: Labels) -> float:
    """A bucket's bound. Raises Unusable."""
    try:
        le = float(labels.get("le", ""))
    except ValueError:
        le = math.nan
    if math.isnan(le):
        raise Unusable("a bucket whose bound is no number")
    return le


def spread(buckets: Samples) -> Spread:
    """Of a classic histogram's buckets, all its series together. Raises Unusable."""
    fast: dict[float, float] = {}
    for labels, value in buckets:
        if not math.isfinite(value) or value < 0:
            raise Unusable("a value that is no count (NaN, infinite or negative)")
        fast[upper(labels)] = fast.get(upper(labels), 0) + value
    total = fast.pop(INFINITE, 0.0)
    return Spread(total, {bound: max(0.0, total - count) for bound, count in fast.items()})
