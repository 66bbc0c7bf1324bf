"""When the next step is safe: the data must rule out that it breaks more than `max-impact` of all requests.

At the next step's share s' of traffic, an impact of b means that new pods fail b/s' more than old ones. Proven
against in two ways, one bet with half the stake on each: "they fail at least 1 + b/(s'p) times as often" (stays true
when the common rate moves) and "they fail at least p + b/s'" (needed where errors are rare: without any, a ratio
never closes). p is the old pods' rate before the rollout. So early steps need a handful of requests and the last one
the most, and no step needs a timer.

Evidence is carried: everything seen of this version counts at every step. When a step changes, the ratio's bet is
recomputed from counts that are summed by the share of new pods (steps of 20 %), which bounds them to 70 entries in a
rollout held for days. Sums of equal share lose nothing, however the error rate moved between; within one entry the
share differs by at most 10 % from its mean, so the ratio that is ruled out is at worst 10 % off, and only if the error
rate moved together with that difference.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from penstock.core.counters import NONE, Count
from penstock.core.mixture import log_mean

RATIOS = (1.0, 0.75, 0.5)
"""What a good release may look like, as multiples of the old rate."""
PARTS = (0.02, 0.1, 0.3, 0.6, 0.8)
"""The same as parts of the limit."""
NOTHING = (0.0,) * len(RATIOS)
WIDTH = 0.2
"""Of an entry, in the log of new to old requests."""


Entry = tuple[float, float, float, float]
"""New and old requests, new and old bad ones."""


@dataclass(frozen=True)
class Stakes:
    """What is to be ruled out before the next step."""

    ratio: float
    limit: float


def stakes(impact: float, share: float, base: Count) -> Stakes | None:
    """For a next step of `share` of traffic; None where nothing is known of the old pods.

    The ratio is taken against one error more than seen: no error in 200 requests is no proof of a rate of 0, and a
    ratio against a rate of 0 would be ruled out by the first error of an old pod.
    """
    if base.requests <= 0:
        return None
    slack = impact / share
    return Stakes(1 + slack * (base.requests + 1) / (base.bad + 1), min(base.rate + slack, 0.999))


@dataclass(frozen=True)
class Passing:
    """What speaks for the release."""

    new: Count = NONE
    """New pods' requests outside of incidents: what all pods suffer says nothing about the release."""
    shares: Mapping[str, Entry] = field(default_factory=dict)
    """By the log of new to old requests in units of WIDTH."""
    ratio: float = 0.0
    """The ratio that `logs` speak against."""
    logs: tuple[float, ...] = NOTHING


START = Passing()


def observe(passing: Passing, new: Count, old: Count, against: Stakes | None, *, calm: bool) -> Passing:
    """With one more look."""
    seen = passing.new.plus(*new) if calm else passing.new
    shares, logs = passing.shares, passing.logs
    if new.requests > 0 and old.requests > 0:
        entry = (new.requests, old.requests, new.bad, old.bad)
        key = str(round((math.log(new.requests) - math.log(old.requests)) / WIDTH))
        before = shares.get(key)
        shares = {**shares, key: entry if before is None else _sum(before, entry)}
        if against is not None and passing.ratio == against.ratio:
            logs = _add(logs, entry, against.ratio)
    if against is None or passing.ratio == against.ratio:
        return Passing(seen, shares, passing.ratio, logs)
    logs = NOTHING
    for entry in shares.values():
        logs = _add(logs, entry, against.ratio)
    return Passing(seen, shares, against.ratio, logs)


def proof(passing: Passing, against: Stakes) -> float:
    """The log of the evidence that the next step is safe. A ratio's bet against other stakes says nothing of these."""
    n, x = passing.new
    limit = log_mean([x * bad + (n - x) * good for bad, good in _bets(against.limit)])
    ratio = log_mean(passing.logs) if passing.ratio == against.ratio else 0.0
    return log_mean((ratio, limit))


def missing(passing: Passing, against: Stakes, needed: float) -> float | None:
    """About how many more requests to new pods are needed if they go on failing as they do; None where none are
    enough. By the limit alone, so at most so many."""
    n, x = passing.new
    rate = x / n if n else 0.0
    nats = needed + math.log(2 * len(PARTS))
    best = None
    for bad, good in _bets(against.limit):
        log = x * bad + (n - x) * good
        speed = rate * bad + (1 - rate) * good
        if speed > 0 and (best is None or (nats - log) / speed < best):
            best = max(0.0, (nats - log) / speed)
    return best


@lru_cache(maxsize=256)
def _bets(limit: float) -> tuple[tuple[float, float], ...]:
    """What a bad and a good request add, by part."""
    return tuple((math.log(part), math.log1p(-part * limit) - math.log1p(-limit)) for part in PARTS)


def _add(logs: tuple[float, ...], entry: Entry, ratio: float) -> tuple[float, ...]:
    n, m, x, y = entry
    k, total = x + y, ratio * n + m
    if k <= 0:
        return logs
    return tuple(
        [old + x * math.log(g / ratio) + k * math.log(total / (g * n + m)) for old, g in zip(logs, RATIOS, strict=True)]
    )


def _sum(a: Entry, b: Entry) -> Entry:
    return a[0] + b[0], a[1] + b[1], a[2] + b[2], a[3] + b[3]
