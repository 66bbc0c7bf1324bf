"""Pooling: what several looks have counted is weighed as one, where pods are not scraped at the same moment.

A Prometheus scrapes each pod when it likes, every 15 to 60 seconds. We look every 5, so a look would have a fresh
scrape of a new pod or of an old one and hardly ever of both; as nothing can be compared with nothing, all of it was
thrown away, for the whole rollout (measured: 4 of 8 releases with twenty times the errors were never taken back). So
counts are gathered by pod until all have had their turn. When that is depends on times of scrapes and never on errors,
or the bound on false rollbacks would not hold. Pods that are scraped at each look are never late: each look is weighed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from penstock.core.counters import Count, Increments

WAIT = 90.0
"""Seconds after which a pod is no longer waited for: a scrape a minute, and half of one. A hanging pod's scrape stays
its last for five minutes."""


@dataclass(frozen=True)
class Pool:
    """What was counted since it was weighed last."""

    since: float = 0.0
    """When that was; at first when the first look was."""
    new: Mapping[str, Count] = field(default_factory=dict)
    old: Mapping[str, Count] = field(default_factory=dict)
    step: int = 0
    step_requests: float = 0.0
    """Those to new pods that were counted at this step."""


EMPTY = Pool()


def pour(pool: Pool, seen: Increments, step: int, opened: float) -> Pool:
    """With one more look, at a step that was opened then; what was read before then is none of the step's."""
    requests = sum([count.requests for count in seen.new.values()]) if seen.time >= opened else 0.0
    return Pool(
        since=pool.since or seen.time,
        new=_added(pool.new, seen.new),
        old=_added(pool.old, seen.old),
        step=step,
        step_requests=requests + (pool.step_requests if pool.step == step else 0.0),
    )


def due(pool: Pool, seen: Increments) -> bool:
    """Whether it is to be weighed after this look: no pod that answers is still to come, or it took too long."""
    if seen.trouble:
        return False
    if all(name in pool.new or name in pool.old for name in seen.late):
        return True
    return bool(pool.new and pool.old) and seen.time - pool.since >= WAIT


def gathered(pool: Pool, seen: Increments) -> Increments:
    """The look with all that was pooled."""
    return replace(seen, new=pool.new, old=pool.old)


def emptied(pool: Pool, time: float) -> Pool:
    """After it was weighed."""
    return Pool(time, step=pool.step)


def _added(counts: Mapping[str, Count], more: Mapping[str, Count]) -> Mapping[str, Count]:
    return {**counts, **{name: counts[name].plus(*one) if name in counts else one for name, one in more.items()}}
