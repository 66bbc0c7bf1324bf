"""Which source is asked for a rollout's counters.

Once for a rollout, then kept: the same series is called differently by each source, so after a change every one of
them would look new-born, with all its counts at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from controller.sources.source import Check, Source, Target
from penstock.core.reading import Reading

Wanted = Literal["auto", "prometheus", "pods", "none"]


@dataclass(frozen=True)
class Choice:
    """The source of counters, or None and why. `readings` is what it said about the old pods: the preflight."""

    name: Literal["prometheus", "pods", "none"]
    source: Source | None = None
    reason: str = ""
    readings: tuple[Reading, ...] = ()


def answers(readings: Sequence[Reading]) -> bool:
    """Whether every check has series on some pod."""
    return all(not reading.trouble and any(c.all for c in reading.pods.values()) for reading in readings)


async def choose(
    wanted: Wanted, checks: Sequence[Check], old: Sequence[Target], prometheus: Source | None, pods: Source
) -> Choice:
    """By what the annotation says; `auto` takes the first that has the series: Prometheus, then the pods."""
    if wanted == "none":
        return Choice("none", reason="source: none")
    if wanted == "prometheus" and prometheus is None:
        return Choice("none", reason="no Prometheus is configured in penstock.yaml")
    told = ""
    if prometheus is not None and wanted != "pods":
        readings = await prometheus.read(checks, old)
        if wanted == "prometheus" or answers(readings):
            return Choice("prometheus", prometheus, readings=readings)
        told = "; ".join(dict.fromkeys(r.trouble or "Prometheus has no such series of the old pods" for r in readings))
    if wanted == "pods" or any(pod.scrapeable for pod in old):
        return Choice("pods", pods, told, await pods.read(checks, old))
    nowhere = "no pod says where its metrics are (annotation prometheus.io/scrape, or a port named metrics)"
    return Choice("none", reason="; ".join(filter(None, [told, nowhere])))
