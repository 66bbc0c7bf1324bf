"""What a source still knows of the time before: the old pods' hour before the rollout, and all since its first window.

A query that failed once looks like a past in which nothing happened, and nobody asks a second time. So whatever
cannot be read raises Forgotten, and is asked for again.
"""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest

import structlog

from controller.stored import store
from penstock import clock
from penstock.core import keys
from penstock.core.counters import Count
from penstock.core.judgement import HOUR, NOT_YET, Answer, Bearings, Judgement, Memories, counted_before, look
from penstock.core.queries import Errors, Slow
from penstock.core.reading import Reading
from penstock.kube import ApiError, Client, NotFound, objects
from penstock.metrics.source import Source, Target

PATIENCE = 60.0
"""Seconds after which one check's past that cannot be read does not keep the other checks from going on."""
PACE = 50
"""Readings that are folded without a pause: half an hour's are 180, and other workloads are to be looked at."""

log = structlog.get_logger()


class Forgotten(Exception):
    """The past cannot be had now; says why."""

    wholly = False
    """That of no check: the source is away."""


async def before(source: Source, query: Errors | Slow, old: Sequence[Target], end: float, at: Bearings) -> Count:
    """What the old pods had in the hour before END. Raises Forgotten."""
    names = {t.name for t in old}
    lives = {name: life for name, life in at.pods.items() if name in names}
    history = _answered(await source.history(query, old, end - HOUR, 300.0))
    return counted_before([r for r in history if r.time <= end and not r.trouble], lives, end)


@dataclass(frozen=True)
class Past:
    """All that was counted since the first window."""

    judgement: Judgement
    memories: Memories
    checks: frozenset[str]
    """Those whose past it is."""


async def since_window(
    source: Source,
    name: str,
    asked: Mapping[str, Errors | Slow],
    targets: Sequence[Target],
    at: Bearings,
    *,
    patient: bool,
) -> Past:
    """From a source that keeps it. Raises Forgotten where a check's past cannot be read; unless PATIENT only where
    none can be: pods without a bucket stay so, and other checks have to be able to take the release back."""
    found = dict(
        zip(asked, await asyncio.gather(*(_past(source, q, targets, at) for q in asked.values())), strict=True)
    )
    learnt = {n: past[0] for n, past in found.items() if not isinstance(past, Forgotten)}
    histories = [past[1] for past in found.values() if not isinstance(past, Forgotten)]
    for check, past in found.items():
        if isinstance(past, Forgotten):
            past.wholly = not learnt
            if patient or past.wholly:
                raise past
            log.warning("a check begins anew", check=check, trouble=str(past))
    known, now = NOT_YET, clock.now()
    memories: Memories = {}
    for number, readings in enumerate(zip_longest(*histories)):
        answers: dict[str, Answer] = {n: r for n, r in zip(learnt, readings, strict=True) if r is not None}
        known, memories = look(known, memories, answers, at, time=now, source=name, before={} if number else learnt)
        if number % PACE == PACE - 1:
            await asyncio.sleep(0)
    return Past(known, memories, frozenset(learnt))


async def _past(
    source: Source, query: Errors | Slow, targets: Sequence[Target], at: Bearings
) -> tuple[Count, tuple[Reading, ...]] | Forgotten:
    try:
        learnt = await before(source, query, [t for t in targets if not t.new], at.began, at)
        return learnt, _answered(await source.history(query, targets, at.began, 10.0))
    except Forgotten as forgotten:
        return forgotten


def _answered(history: tuple[Reading, ...]) -> tuple[Reading, ...]:
    """A query that failed is one reading with the reason; values that could not be used then are only left out."""
    if len(history) == 1 and history[0].trouble:
        raise Forgotten(history[0].trouble)
    return history


async def keep(
    client: Client, namespace: str, replicaset: str, known: Judgement, memories: Memories, bounds: Mapping[str, float]
) -> None:
    """Write what was gathered where nobody else remembers it. A failure costs some of it, and only at a restart."""
    body = {"metadata": {"annotations": {keys.EVIDENCE: store(known, memories, bounds)}}}
    try:
        with contextlib.suppress(NotFound):
            await client.merge(objects.replicaset(namespace, replicaset), body, fieldManager=keys.MANAGER)
    except ApiError as error:
        log.warning("what the checks have gathered was not kept", error=str(error))
