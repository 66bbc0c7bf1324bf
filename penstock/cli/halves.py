"""Every Deployment in a cluster that carries something of ours, from metadata alone, and what becomes of each.

A half-done rollout is found by its record, not by its label: that may have been taken off by hand.
"""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from penstock.cli.ending import clear, end
from penstock.cli.errors import Refusal
from penstock.core import keys
from penstock.core.guard import annotation, label
from penstock.core.ownership import entries, ours
from penstock.core.reasons import Reason
from penstock.core.record import Record, RecordError, decode
from penstock.core.rollout import Phase
from penstock.kube import ApiError, Client, NotFound, objects
from penstock.kube.metadata import metadata

Object = dict[str, Any]

WIDTH = 8
"""Deployments at once: two hundred are done in a minute, and the API server hardly notices."""


@dataclass(frozen=True)
class Trace:
    """One Deployment with something of ours."""

    namespace: str
    name: str
    record: Record | None
    problem: str
    """Why the record cannot be read."""
    enabled: str | None

    @property
    def key(self) -> str:
        return f"{self.namespace}/{self.name}"

    @property
    def half_done(self) -> bool:
        return bool(self.record or self.problem)

    @property
    def failed(self) -> str:
        """Why its version is bad, as far as is known."""
        leaving = self.record is None or self.record.phase is Phase.LEAVING
        return "" if leaving or self.record is None else self.record.failed


@dataclass(frozen=True)
class Done:
    """What became of one."""

    key: str
    did: str
    trouble: str = ""


async def survey(client: Client) -> tuple[Trace, ...]:
    """All of them, by namespace and name."""
    found = [trace async for item in metadata(client, objects.deployments()) if (trace := _trace(item))]
    return tuple(sorted(found, key=lambda trace: trace.key))


def _trace(item: Object) -> Trace | None:
    text = annotation(item, keys.RECORD)
    marks = [annotation(item, key) for key in keys.OUR_ANNOTATIONS] + [label(item, keys.ROLLOUT)]
    if not any(mark is not None for mark in marks) and not any(map(ours, entries(item))):
        return None
    record, problem = None, ""
    try:
        record = decode(text) if text else None
    except RecordError as error:
        problem = str(error)
    place = objects.namespace_of(item), objects.name(item)
    return Trace(*place, record, problem, label(item, keys.ENABLED))


async def settle(client: Client, traces: Iterable[Trace], how: str) -> list[Done]:
    """Release them, put their former versions back, or leave them held with a word on how to go on."""
    places = asyncio.Semaphore(WIDTH)

    async def one(trace: Trace) -> Done:
        async with places:
            try:
                return await _settled(client, trace, how)
            except NotFound:
                return Done(trace.key, "deleted meanwhile")
            except Refusal as refusal:
                return Done(trace.key, "", refusal.message)
            except ApiError as error:
                return Done(trace.key, "", error.message)

    return list(await asyncio.gather(*map(one, traces)))


async def _settled(client: Client, trace: Trace, how: str) -> Done:
    if how == "hold":
        await _say_held(client, trace)
        return Done(trace.key, "left held")
    ended = await end(client, trace.namespace, trace.name, back=how == "undo")
    words = "former version put back" if how == "undo" else "released"
    return Done(trace.key, words if ended else "had ended")


async def tidy(client: Client, traces: Iterable[Trace]) -> list[Done]:
    """Take what is left of former rollouts off Deployments: the note of which version may come back, our name."""
    places = asyncio.Semaphore(WIDTH)

    async def one(trace: Trace) -> Done:
        async with places:
            try:
                gone = dict.fromkeys(keys.OUR_ANNOTATIONS)
                body = {"metadata": {"annotations": gone, "labels": {keys.ROLLOUT: None}}}
                path = objects.deployment(trace.namespace, trace.name)
                await client.merge(path, body, fieldManager=keys.MANAGER)
                await clear(client, trace.namespace, trace.name, {}, trace.enabled)
            except NotFound:
                return Done(trace.key, "deleted meanwhile")
            except ApiError as error:
                return Done(trace.key, "", error.message)
            return Done(trace.key, "cleaned")

    return list(await asyncio.gather(*map(one, traces)))


async def wipe(client: Client) -> None:
    """Take the copies that the native controller has made of our annotations off all ReplicaSets. They do nothing, but
    `kubectl rollout undo` would bring one back to its Deployment."""
    marked = [
        objects.replicaset(objects.namespace_of(item), objects.name(item))
        async for item in metadata(client, objects.replicasets())
        if any(annotation(item, key) is not None for key in keys.OUR_ANNOTATIONS)
    ]
    gone = {"metadata": {"annotations": dict.fromkeys(keys.OUR_ANNOTATIONS)}}
    places = asyncio.Semaphore(WIDTH)

    async def one(path: str) -> None:
        async with places:
            with suppress(NotFound):
                await client.merge(path, gone, fieldManager=keys.MANAGER)

    await asyncio.gather(*map(one, marked))


async def forget(client: Client) -> int:
    """Delete the histories of all Deployments; how many there were."""
    found = [objects.key(item) async for item in metadata(client, objects.configmaps(), labelSelector=keys.HISTORY)]
    places = asyncio.Semaphore(WIDTH)

    async def one(place: str) -> None:
        namespace, _, name = place.partition("/")
        async with places:
            with suppress(NotFound):
                await client.delete(objects.configmap(namespace, name))

    await asyncio.gather(*map(one, found))
    return len(found)


async def _say_held(client: Client, trace: Trace) -> None:
    """I12: a held state says why and what to do; the controller that used to say it is gone."""
    message = (
        "Penstock was uninstalled; this rollout is left as it was, held by spec.paused. Install it again and it goes "
        f"on; or: penstock release {trace.name} -n {trace.namespace}, penstock undo {trace.name} -n "
        f"{trace.namespace}; with kubectl alone: docs/guide/recovery.md"
    )
    condition = {"type": keys.CONDITION, "status": "Unknown", "reason": Reason.UNINSTALLED, "message": message}
    path = objects.status(objects.deployment(trace.namespace, trace.name))
    await client.strategic(path, {"status": {"conditions": [condition]}}, fieldManager=keys.MANAGER)
