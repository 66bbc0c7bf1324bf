"""Carries out a decision: its one write, then the sentence for people in condition and Event.

Every write tests the resourceVersion that was looked at, so a write on an old view fails by itself. The condition
and the Event are told after the write, and a crash in between is mended at the next look: the condition is
compared, the Event's name is made from what it says, so it cannot come twice. A condition that was on its way for long
must not arrive after the end of its rollout, when nobody would take it away again: it too tests what it was said of.
"""

from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from controller.observe import Sight
from penstock import clock
from penstock.core import conditions, keys, patch
from penstock.core.decision import Align, Clean, Decision, Delete, Empty, Patch, Unmark, Unstall
from penstock.core.guard import annotation, record_of
from penstock.core.patch import Path
from penstock.core.reasons import ENDS, QUIET, WARNINGS
from penstock.core.template import digest
from penstock.kube import Client, Conflict, NotFound, objects

Object = dict[str, Any]

VERSION_PATH = ("metadata", "resourceVersion")


TRIES = 5
"""The native controller writes to the status too, several times in a window."""


async def write(client: Client, sight: Sight, decision: Decision) -> Object | None:
    """Carry out the decision's write. The Deployment after it, or None where there was nothing left to do."""
    meta = sight.deployment["metadata"]
    namespace, path = meta["namespace"], objects.deployment(meta["namespace"], meta["name"])
    match decision.write:
        case Patch(draft):
            return await _patch(client, path, sight.deployment, draft.operations(sight.deployment))
        case Empty(name):
            done = await _replicaset(client, namespace, sight.replicasets[name], [(("spec", "replicas"), 0)])
        case Clean(name):
            wanted = [(("metadata", "annotations", key), None) for key in keys.COPIED]
            done = await _replicaset(client, namespace, sight.replicasets[name], wanted)
        case Align(name, replicas):
            desired = [(("metadata", "annotations", keys.DESIRED), str(replicas))]
            done = await _replicaset(client, namespace, sight.replicasets[name], desired)
        case Delete(name, uid):
            done = await _delete(client, objects.replicaset(namespace, name), uid, sight.replicasets[name])
        case Unmark():
            return await _conditions(client, sight.deployment, conditions.removal(_present(sight.deployment)))
        case Unstall():
            stalled = [c for c in _present(sight.deployment) if c.get("type") == keys.STALLED]
            return await _conditions(client, sight.deployment, conditions.removal(stalled))
        case None:
            return None
    return sight.deployment if done else None


async def _replicaset(
    client: Client, namespace: str, replicaset: Object, wanted: Iterable[tuple[Path, Any]]
) -> Object | None:
    path = objects.replicaset(namespace, objects.name(replicaset))
    with suppress(NotFound):  # revisionHistoryLimit has removed it; NotFound would mean that the Deployment has gone
        return await _patch(client, path, replicaset, patch.operations(replicaset, wanted))
    return replicaset


async def _patch(client: Client, path: str, obj: Object, operations: tuple[patch.Operation, ...]) -> Object | None:
    if not operations:
        return None
    guard = patch.test(VERSION_PATH, obj["metadata"]["resourceVersion"])
    return await client.patch(path, [guard, *operations], fieldManager=keys.MANAGER)


async def _delete(client: Client, path: str, uid: str, replicaset: Object) -> Object:
    with suppress(NotFound):
        await client.delete(path, uid=uid, resource_version=objects.version(replicaset))
    return replicaset


async def tell(
    client: Client, sight: Sight, decision: Decision, instance: str, *, now: Object | None, changed: bool
) -> None:
    """Show the decision to people: the condition where it differs, and an Event where it tells of a change. `now` is
    the Deployment that the decision's write has left."""
    if decision.reason not in ENDS:
        await _condition(client, now or sight.deployment, decision)
    if changed and decision.reason not in QUIET:
        await _event(client, sight.deployment, decision, instance)


async def _condition(client: Client, deployment: Object, decision: Decision) -> None:
    """Of this rollout in this state; to the Deployment's status as a whole others write all the time."""
    meta, record = deployment["metadata"], annotation(deployment, keys.RECORD)
    for _ in range(TRIES):
        now = objects.rfc3339(int(clock.now()))
        changes = conditions.changes(decision.reason, decision.text, _present(deployment), now)
        try:
            await _conditions(client, deployment, changes)
            return
        except Conflict:
            deployment = await client.get(objects.deployment(meta["namespace"], meta["name"]))
            if deployment["metadata"]["uid"] != meta["uid"] or annotation(deployment, keys.RECORD) != record:
                raise
    raise Conflict(409, "Conflict", f"the status of {meta['name']} never rests")


def _present(deployment: Object) -> list[Object]:
    return list((deployment.get("status") or {}).get("conditions") or [])


async def _conditions(client: Client, deployment: Object, changes: list[Object]) -> Object | None:
    if not changes:
        return None
    path = objects.status(objects.deployment(objects.namespace_of(deployment), objects.name(deployment)))
    meta = {"uid": objects.uid(deployment), "resourceVersion": objects.version(deployment)}
    body = {"metadata": meta, "status": {"conditions": changes}}
    return await client.strategic(path, body, fieldManager=keys.MANAGER)


async def _event(client: Client, deployment: Object, decision: Decision, instance: str) -> None:
    meta = deployment["metadata"]
    identity = digest([meta["uid"], rollout_of(deployment), decision.reason, decision.message])
    body = {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": f"{meta['name'][:230]}.{identity}", "namespace": meta["namespace"]},
        "eventTime": objects.rfc3339(clock.now()),
        "reportingController": "penstock.dev/controller",
        "reportingInstance": instance[:128],
        "action": "Rollout",
        "reason": decision.reason,
        "type": "Warning" if decision.reason in WARNINGS else "Normal",
        "note": decision.text[:1000],
        "regarding": {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "namespace": meta["namespace"],
            "name": meta["name"],
            "uid": meta["uid"],
        },
    }
    with suppress(Conflict):  # told already, perhaps by the process before this one
        await client.post(objects.events(meta["namespace"]), body)


def rollout_of(deployment: Object) -> str:
    """What tells two rollouts of one Deployment, and two tries of one rollout, apart: for the names of Events."""
    record = record_of(deployment)
    return f"{record.id} {record.started}" if record else ""
