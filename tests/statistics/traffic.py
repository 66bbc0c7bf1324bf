"""Simulated traffic for the judge, by the standard library alone: the worlds of facts/analysis.md §3.

Requests are Poisson and fail by themselves, so bad and good ones are two independent Poisson numbers.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

from penstock.core.counters import Count, Increments

TICK = 10.0

Rates = Callable[[Random, int], Callable[[int, int], float]]
"""For a run with so many pods: the error rate of a pod at a tick. Pod 0 is a new one."""


def poisson(rng: Random, mean: float) -> int:
    """By inversion, and above 10 by transformed rejection (Hörmann 1993, PTRS)."""
    if mean < 10:
        limit, product, n = math.exp(-mean), rng.random(), 0
        while product > limit:
            product *= rng.random()
            n += 1
        return n
    b = 0.931 + 2.53 * math.sqrt(mean)
    a, scale, log_mean = -0.059 + 0.02483 * b, 1.1239 + 1.1328 / (b - 3.4), math.log(mean)
    while True:
        u, v = rng.random() - 0.5, 1 - rng.random()
        us = 0.5 - abs(u)
        k = math.floor((2 * a / us + b) * u + mean + 0.43) if us > 0 else -1
        if us >= 0.07 and v <= 0.9277 - 3.6224 / (b - 2):
            return k
        if k < 0 or (us < 0.013 and v > us):
            continue
        if math.log(v * scale / (a / (us * us) + b)) <= k * log_mean - mean - math.lgamma(k + 1):
            return k


@dataclass(frozen=True)
class World:
    """Pods behind one Service, `new` of them of the new version, each with its share of `rate` requests a second."""

    rate: float
    rates: Rates
    pods: int = 10
    new: int = 1


def looks(world: World, rng: Random, ticks: int = 180) -> Iterator[Increments]:
    """What is counted in each tick."""
    mean, bad = world.rate * TICK / world.pods, world.rates(rng, world.pods)
    for tick in range(ticks):
        pods = [counted(rng, mean, min(bad(tick, pod), 1.0)) for pod in range(world.pods)]
        yield seen((tick + 1) * TICK, pods[: world.new], pods[world.new :])


def even(rng: Random, mean: float, rate: float, pods: int) -> list[Count]:
    """So many pods with exactly the same counts: a spread of 1, as in those tables that were made without it."""
    if not pods:
        return []
    together = counted(rng, mean * pods, rate)
    return [Count(together.requests / pods, together.bad / pods)] * pods


def seen(time: float, new: list[Count], old: list[Count]) -> Increments:
    """As `counters.count` reports pods that all answer."""
    return Increments(
        time,
        {f"new-{i}": c for i, c in enumerate(new)},
        {f"old-{i}": c for i, c in enumerate(old, start=1)},
        new_pods=len(new),
        new_seen=len(new),
        new_series=len(new),
        old_pods=len(old),
        old_seen=len(old),
        old_series=len(old),
        sampled=time,
    )


def counted(rng: Random, mean: float, rate: float) -> Count:
    """A pod's requests of one tick."""
    bad, good = poisson(rng, mean * rate), poisson(rng, mean * (1 - rate))
    return Count(float(bad + good), float(bad))


def steady(old: float = 0.01, new: float = 0.01) -> Rates:
    """Every request fails by itself."""
    return lambda rng, pods: lambda tick, pod: old if pod else new


def burst(rng: Random, pods: int) -> Callable[[int, int], float]:
    """1 %, times noise of each pod and tick: gamma, mean 1, deviation 1."""
    return lambda tick, pod: 0.01 * rng.expovariate(1.0)


def different(rng: Random, pods: int) -> Callable[[int, int], float]:
    """1 %, times a lasting factor of each pod: lognormal, sigma .25, mean 1."""
    factors = [math.exp(rng.gauss(-(0.25**2) / 2, 0.25)) for _ in range(pods)]
    return lambda tick, pod: 0.01 * factors[pod]


def incident(rng: Random, pods: int) -> Callable[[int, int], float]:
    """1 %, and ten times as many on all pods for three minutes."""
    start = rng.randrange(30, 140)
    return lambda tick, pod: 0.1 if start <= tick < start + 18 else 0.01


def cold(rng: Random, pods: int) -> Callable[[int, int], float]:
    """1 %, the new pod 5 % in its first minute."""
    return lambda tick, pod: 0.05 if pod == 0 and tick < 6 else 0.01


def slower(factor: float, apart: float = 0.0, bound: float = 0.25) -> Rates:
    """The share of requests above `bound`: lognormal, median 80 ms, sigma .7; the new pod's median is `factor` times
    that, and the pods' medians lie `apart` from each other."""

    def rates(rng: Random, pods: int) -> Callable[[int, int], float]:
        medians = [0.08 * math.exp(rng.gauss(0.0, apart)) * (1.0 if pod else factor) for pod in range(pods)]
        above = [0.5 * math.erfc(math.log(bound / median) / 0.7 / math.sqrt(2)) for median in medians]
        return lambda tick, pod: above[pod]

    return rates
