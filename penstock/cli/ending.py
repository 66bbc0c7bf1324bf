"""Ends a rollout from here, with the caller's own rights: nothing of Penstock has to be alive for it.

The controller, where it lives, does the clearing away as well; each step is stated so that the second one to come finds
nothing left to do. Only the first write must not fail: what follows is cosmetic, and said so where it is refused.
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from penstock.cli import restore
from penstock.cli.errors import Refusal
from penstock.core import keys
from penstock.core.conditions import removal
from penstock.core.guard import annotation, label
from penstock.core.observation import Deployment, ReplicaSet
from penstock.core.ownership import Owners
from penstock.core.record import Record, RecordError, decode
from penstock.core.rollout import Phase
from penstock.kube import Client, Conflict, Denied, NotFound, objects

Object = dict[str, Any]

TRIES = 20
PAUSE = 0.15
"""A living controller writes, too, several times in a second while it opens a window or goes back."""

SEEN = 5.0
"""Seconds until the native controller is taken for dead; it copies annotations of a Deployment that it has not seen yet
without ours to ReplicaSets, so these are cleaned after it has."""

GUIDE = "docs/guide/recovery.md tells how to do it with kubectl"


@dataclass(frozen=True)
class Half:
    """A Deployment, its ReplicaSets, and the record that stands in it."""

    obj: Object
    replicasets: tuple[ReplicaSet, ...]
    record: Record | None

    @property
    def former(self) -> ReplicaSet | None:
        """The version to go back to. Where a rollout began in the middle of a native one and no controller has seen it,
        nobody has named it yet; then it is the one with the most available pods, as the controller would find."""
        if self.record is None:
            return None
        stable, declared = self.record.stable, self.record.declared
        known = [rs for rs in self.replicasets if stable and rs.template == stable]
        if known:
            return max(known, key=lambda rs: (rs.replicas, rs.created))
        others = [rs for rs in self.replicasets if rs.replicas and rs.template != declared] if not stable else []
        return max(others, key=lambda rs: (rs.available, rs.ready, rs.created), default=None)


def recorded(obj: Object) -> Record | None:
    """The record, also one of another object (a backup): its saved fields are what the owner had. Refusal where this
    version cannot read it."""
    text = annotation(obj, keys.RECORD)
    try:
        return decode(text) if text else None
    except RecordError as error:
        name = f"{objects.namespace_of(obj)}/{objects.name(obj)}"
        raise Refusal(f"Deployment {name}: {error}", GUIDE) from None


async def half(client: Client, namespace: str, name: str) -> Half:
    """Read it. Raises NotFound."""
    obj = await client.get(objects.deployment(namespace, name))
    listed = await client.get(objects.replicasets(namespace), labelSelector=objects.selector(obj))
    own = [rs for rs in listed["items"] if objects.owner_uid(rs) == objects.uid(obj)]
    return Half(obj, tuple(map(ReplicaSet.of, own)), recorded(obj))


async def end(client: Client, namespace: str, name: str, *, back: bool = False) -> bool:
    """Release it, or (`back`) put the former version back. False where there is no record any more."""
    path = objects.deployment(namespace, name)
    for _ in range(TRIES):
        seen = await half(client, namespace, name)
        record = seen.record
        if record is None:
            return False
        enabled, known = label(seen.obj, keys.ENABLED), restore.known_owners(seen.obj, record)
        try:
            answer = await client.patch(path, _write(seen, record, back), fieldManager=keys.MANAGER)
        except Conflict:
            await asyncio.sleep(PAUSE)
            continue
        if annotation(answer, keys.RECORD) is None:
            await clear(client, namespace, name, known, enabled)
            return True
    raise Refusal(
        f"Deployment {namespace}/{name} changes all the time, nothing was done",
        "stop what writes it, then try again; " + GUIDE,
    )


def _write(seen: Half, record: Record, back: bool) -> tuple[dict[str, Any], ...]:
    if not back or record.phase is Phase.LEAVING:
        return restore.ended(seen.obj, record)
    if restore.shows_stable(seen.obj, record):
        return restore.hidden(seen.obj, record)  # the way back itself is the next turn
    former = seen.former
    if former is None:
        raise Refusal("no pods of the former version are left to go back to", "deploy it from its manifest")
    return restore.ended(seen.obj, record, former.spec)


async def clear(client: Client, namespace: str, name: str, known: Owners, enabled: str | None) -> None:
    """What is left of a rollout without a record: condition, copies on ReplicaSets, the opt-out, our name."""
    await _seen(client, namespace, name)
    await unmark(client, namespace, name)
    path = objects.deployment(namespace, name)
    for _ in range(TRIES):
        operations = restore.given(await client.get(path), known, enabled)
        if not operations:
            return
        try:
            await client.patch(path, operations, fieldManager=keys.MANAGER)
        except Conflict:
            await asyncio.sleep(PAUSE)


async def _seen(client: Client, namespace: str, name: str) -> None:
    """Until the native controller has seen the Deployment without our annotations."""
    for _ in range(int(SEEN / PAUSE)):
        if Deployment.of(await client.get(objects.deployment(namespace, name))).seen:
            return
        await asyncio.sleep(PAUSE)


async def unmark(client: Client, namespace: str, name: str) -> None:
    """Condition and copied annotations go. Status and ReplicaSets may be closed to people; what stays does nothing."""
    seen = await half(client, namespace, name)
    if restore.conditioned(seen.obj):
        body = {"status": {"conditions": removal(seen.obj["status"]["conditions"])}}
        path = objects.status(objects.deployment(namespace, name))
        with suppress(Denied):
            await client.strategic(path, body, fieldManager=keys.MANAGER)
    gone = {"metadata": {"annotations": dict.fromkeys(keys.OUR_ANNOTATIONS)}}
    for rs in seen.replicasets:
        if rs.marked:
            with suppress(Denied, NotFound):
                await client.merge(objects.replicaset(namespace, rs.name), gone, fieldManager=keys.MANAGER)
