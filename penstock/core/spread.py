"""How much the old pods differ among themselves, as a factor that evidence is divided by.

Requests that fail independently would scatter by chance alone (factor 1). Bursts and pods that differ for good
scatter more, and one new pod would then stand out by nothing but being a pod. The factor is at least 1, so dividing
by it can only make a rollback rarer and the bound of 1 % stands whatever is estimated here.

Each pod is compared with what the others did in the same interval, not over the whole rollout as in the facts: a
pod that left before an incident is no different pod, and the error rate may move.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from penstock.core.counters import Count

KEPT = 64
"""Pods that are followed by name; beyond it, those that are gone are kept as one sum."""


@dataclass(frozen=True)
class Spread:
    """Pearson's statistic of the old pods: over all time by pod, and summed over the intervals."""

    pods: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """By pod: its bad requests, and as many as it would have had like all."""
    gone: tuple[float, int] = (0.0, 0)
    """Squared deviations and number of pods no longer followed."""
    chi: float = 0.0
    freedom: int = 0
    factor: float = 1.0


START = Spread()


def scatter(spread: Spread, old: Mapping[str, Count]) -> Spread:
    """With one more interval."""
    bad, requests = sum([x for _, x in old.values()]), sum([n for n, _ in old.values()])
    rate = bad / requests if requests > 0 else 0.0
    active = [(name, n, x) for name, (n, x) in old.items() if n * rate > 0]
    if len(active) < 2:
        return spread
    pods, chi = dict(spread.pods), 0.0
    for name, n, x in active:
        expected = n * rate
        chi += (x - expected) ** 2 / expected
        known = pods.get(name)
        pods[name] = (x, expected) if known is None else (known[0] + x, known[1] + expected)
    gone = spread.gone
    if len(pods) > KEPT:
        left = [pods.pop(name) for name in list(pods) if name not in old]
        gone = (gone[0] + _deviation(left), gone[1] + len(left))
    chi, freedom = spread.chi + chi, spread.freedom + len(active) - 1
    lasting = (gone[0] + _deviation(list(pods.values()))) / (gone[1] + len(pods) - 1)
    return Spread(pods, gone, chi, freedom, max(1.0, lasting, chi / freedom))


def _deviation(pods: list[tuple[float, float]]) -> float:
    return sum([(bad - expected) ** 2 / expected for bad, expected in pods])
