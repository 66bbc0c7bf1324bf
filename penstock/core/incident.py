"""Whether the old pods themselves are clearly worse than before the rollout: then it is an incident, not the release.

Comparison needs no such help, a common fault cancels out of it. Limits do: they would roll back in 37 to 72 % of such
incidents (facts). So while one lasts nothing advances and no limit rolls back.

Two sequential tests per look, each only on what has happened since nothing spoke for its claim any more (a CUSUM), so
that an incident on the third day is found as fast as one in the first minute, and its end as fast as its begin:
"the odds are not above three times those before the rollout" is refuted at 1 %, half of it spent on how well the time
before is known; the end is proven when "they are at or above it" is refuted at 5 %. An incident is over only a minute
after that: limits look at windows of a minute, which still hold the incident's numbers. The 1 % is for one stretch
and exactly threefold odds; at unchanged ones a false alarm is a matter of years.

The rollout's evidence is kept: the ratio of new to old is not touched by what both suffer. Only the proof by absolute
numbers leaves out the requests of an incident (`passing`).
"""

import math
from dataclasses import dataclass
from functools import lru_cache

from penstock.core.counters import NONE, Count
from penstock.core.mixture import log_mean, spaced

ENOUGH = 200
"""Requests before the rollout, below which nothing can be said about it."""
TIMES = 3.0
HIGHEST_LIMIT = 0.999
"""Where nearly all failed before the rollout, nothing is three times as bad, and odds without end cannot be bet on."""
ALARM = math.log(2 / 0.01)
OVER = math.log(1 / 0.05)
AFTERMATH = 60.0
"""Seconds."""
_WORSE = spaced(1.25, 64.0, 12)
_BETTER = (0.1, 0.3, 0.6, 0.8)


@dataclass(frozen=True)
class Incident:
    """What is known of the old pods of one check, now against before."""

    before: Count = NONE
    limit: float = 0.0
    """The rate that is three times the odds before the rollout; 0 where too little is known."""
    worse: Count = NONE
    """Counted since nothing spoke for an incident."""
    better: Count = NONE
    """Counted since nothing spoke for its end."""
    since: float = 0.0
    """When the present incident was noticed; 0 where none lasts."""
    ended: float = 0.0
    """When its end was proven; 0 before."""
    rate: float = 0.0
    """The old pods' rate when it was noticed last."""


CALM = Incident()


def begin(before: Count) -> Incident:
    """With the old pods' counts before the first window."""
    if before.requests < ENOUGH:
        return Incident(before)
    rate = _highest(before, math.log(2 / 0.01))
    limit = TIMES * rate / (1 + (TIMES - 1) * rate)
    return Incident(before, limit if limit < HIGHEST_LIMIT else 0.0)


def watch(incident: Incident, time: float, old: Count, spread: float = 1.0) -> Incident:
    """After one more look at the old pods. `spread`: how much more than by chance they differ among themselves; what
    comes in bursts at twice the rate before would exceed three times in some look (measured: 69 % of half hours)."""
    since, ended, rate = incident.since, incident.ended, incident.rate
    if ended and time >= ended + AFTERMATH:
        since, ended = 0.0, 0.0
    if not incident.limit or old.requests <= 0:
        return _with(incident, incident.worse, incident.better, since, ended, rate)
    worse, better = incident.worse.plus(*old), incident.better.plus(*old)
    against = _evidence(worse, incident.limit, _WORSE) / spread
    if against >= ALARM:
        return _with(incident, NONE, NONE, since or time, 0.0, worse.rate)
    worse = worse if against > 0 else NONE
    if not since or ended:
        return _with(incident, worse, NONE, since, ended, rate)
    calm = _evidence(better, incident.limit, _BETTER) / spread
    if calm >= OVER:
        return _with(incident, worse, NONE, since, time, rate)
    return _with(incident, worse, better if calm > 0 else NONE, since, 0.0, rate)


def _with(incident: Incident, worse: Count, better: Count, since: float, ended: float, rate: float) -> Incident:
    return Incident(incident.before, incident.limit, worse, better, since, ended, rate)


def _evidence(seen: Count, limit: float, factors: tuple[float, ...]) -> float:
    """The log of the evidence that the rate is at odds of `factors` times the limit's, and not at the limit."""
    n, x = seen
    return log_mean([x * bad + n * any_ for bad, any_ in _bets(limit, factors)])


@lru_cache(maxsize=256)
def _bets(limit: float, factors: tuple[float, ...]) -> tuple[tuple[float, float], ...]:
    """At odds f times as high a good request is (1 + odds) / (1 + f·odds) times as likely, a bad one f times that."""
    odds = limit / (1 - limit)
    return tuple((math.log(f), math.log((1 + odds) / (1 + f * odds))) for f in factors)


def _highest(seen: Count, nats: float) -> float:
    """An upper bound of the rate (Chernoff), missed with chance e^-nats at most."""
    n, rate = seen.requests, seen.rate
    low, high = rate, 1.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if n * _distance(rate, middle) < nats else (low, middle)
    return high


def _distance(p: float, q: float) -> float:
    """Kullback and Leibler's, of a coin of p from one of q."""
    bad = p * math.log(p / q) if p > 0 else 0.0
    return bad + ((1 - p) * math.log((1 - p) / (1 - q)) if p < 1 else 0.0)
