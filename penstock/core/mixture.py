"""The test itself: how much the counts of one look speak for "new pods fail more than tolerated".

A likelihood ratio that may be looked at any number of times, at any moment, without more false alarms: under every
error rate, also one that moves, its expectation is at most 1 as long as new pods fail at most `tolerance` times as
often as old ones, so it exceeds 100 in at most 1 % of all such rollouts (Ville). A test for one look, repeated every
ten seconds, is wrong in a third of them (facts: 37 %).

Proof for one look, per alternative g > 1: with t = tolerance, a = g, c = (t·n+m)/(g·t·n+m) and requests that fail by
themselves with chance p on old and θp on new pods, E[a^x c^(x+y)] = (1+θp(ac-1))^n (1+p(c-1))^m
<= exp(p(nθ(ac-1) + m(c-1))) <= 1 for θ <= t, as 1+u <= e^u and the exponent is 0 at θ = t. A fraction w of a bad
request keeps it: (ac)^w <= 1+w(ac-1). The next look multiplies; its tolerance and its shares may be others, as long
as they are fixed before its errors are known.
"""

import math
from collections.abc import Sequence

POINTS = 24


def spaced(low: float, high: float, points: int) -> tuple[float, ...]:
    """Points from low to high in equal proportions."""
    return tuple(low * (high / low) ** (i / (points - 1)) for i in range(points))


GRID = spaced(1.25, 64.0, POINTS)
"""Alternatives, as multiples of what is tolerated. Between a quarter more and everything broken: one that is far
off costs ln 24 = 3.2 nats at most."""
_POINTS = tuple((math.log(g), g - 1.0) for g in GRID)

START = (0.0,) * POINTS


def add(logs: tuple[float, ...], n: float, x: float, m: float, y: float, tolerance: float) -> tuple[float, ...]:
    """The logs of the likelihood ratios after a look with x of n bad on new pods and y of m on old ones."""
    k = x + y
    if k <= 0 or n <= 0 or m <= 0:
        return logs  # all errors on the only side that had requests: they tell nothing
    expected = tolerance * n
    share, log1p = expected / (expected + m), math.log1p
    return tuple([old + x * g - k * log1p(more * share) for old, (g, more) in zip(logs, _POINTS, strict=True)])


def log_mean(logs: Sequence[float]) -> float:
    """The log of the mean of the ratios: the mean of fair bets is a fair bet."""
    top = max(logs)
    exp = math.exp
    return top + math.log(sum([exp(value - top) for value in logs]) / len(logs))
