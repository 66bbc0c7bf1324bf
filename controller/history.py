"""Keeps how rollouts ended, one write for each, beside the work of the rollout and never before it.

Level-triggered like everything here: an end is read off the Deployment and off the copies of records that the native
controller leaves on ReplicaSets, so one that a dead controller has not written is found by the next. Only the clearing
away of these copies waits for the write, and not for long. The ConfigMap is never read: reading any ConfigMap is a
right that nobody should have who need not (an answer to our own write shows what is to be cleared out).
"""

import asyncio
from collections.abc import Iterator
from typing import Any

import structlog

from controller.observe import Sight
from penstock.core import keys
from penstock.core.decision import Decision
from penstock.core.guard import record_in, record_of
from penstock.core.history import Entry, Result, entry, found, key, name, rejection, surplus, written
from penstock.core.observation import moment
from penstock.core.reasons import ENDS, Reason
from penstock.core.record import Record
from penstock.core.rollout import Phase
from penstock.kube import ApiError, Client, Conflict, Denied, Invalid, LeaseLost, NotFound, objects

Object = dict[str, Any]
log = structlog.get_logger()

RESULTS = {Reason.PROMOTED: Result.PROMOTED, Reason.REVERTED: Result.REVERTED}
"""Of a decision that ends a rollout; any other one releases."""

PATIENCE = 3.0
"""Seconds for which the clearing away after a rollout waits for its entry."""

LONGEST_PAUSE = 30.0
TRIES = 20


class History:
    """Of one Deployment, while it is looked after."""

    def __init__(self, client: Client, group: asyncio.TaskGroup, deployment: Object) -> None:
        meta = deployment["metadata"]
        self._client, self._group = client, group
        self._place = meta["namespace"], meta["name"], meta["uid"]
        self._known: Record | None = None
        self._template: Object = {}
        self._told: dict[str, Result] = {}
        self._left: dict[str, Entry] = {}
        self._written = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def look(self, sight: Sight, decision: Decision, ended: Record | None = None) -> None:
        """Whatever has ended is written soon. `ended` is a rollout whose end was seen, and the decision tells of it."""
        for one in list(self._ends(sight, decision, ended)):
            if self._told.get(one.key) != one.result:
                self._told[one.key] = one.result
                self._left[one.key] = one
        record = record_of(sight.deployment)
        if record and record.phase is not Phase.LEAVING:
            self._known, self._template = record, _template(sight, record)
        if self._left and self._task is None:
            self._written.clear()
            self._task = self._group.create_task(self._write())

    async def settled(self) -> None:
        """Wait a moment for entries that are being written."""
        if self._left:
            try:
                async with asyncio.timeout(PATIENCE):
                    await self._written.wait()
            except TimeoutError:
                log.info("the history is written later")

    def _ends(self, sight: Sight, decision: Decision, ended: Record | None) -> Iterator[Entry]:
        current = record_of(sight.deployment)
        told = ended or current
        if told and told.phase is not Phase.LEAVING and decision.reason in ENDS and decision.shown:
            yield from self._told_end(sight, decision, told)
        elif current and current.phase is Phase.REJECTED and sight.seen.deployment.condition == Reason.REJECTED:
            when = _rejected_at(sight.deployment, sight.seen.now)
            yield rejection(current, when, _template(sight, current))
        for lost in self._lost(sight, current):
            if key(lost.id, lost.started) not in self._told:
                yield self._found(sight, lost, current)

    def _told_end(self, sight: Sight, decision: Decision, told: Record) -> Iterator[Entry]:
        if self._known and self._known.id == told.id:
            self._known = None
        if told.phase is Phase.REJECTED and decision.reason is Reason.REVERTED:
            return  # it had ended before
        result = RESULTS.get(decision.reason, Result.RELEASED)
        yield entry(told, result, decision.reason, decision.message, sight.seen.now, _template(sight, told))

    def _found(self, sight: Sight, lost: Record, current: Record | None) -> Entry:
        """One whose end nobody has told; found late, its time is the same whenever that is."""
        seen = lost is self._known
        template = self._template if seen else _template(sight, lost)
        when = sight.seen.now if seen else max(lost.since, lost.started)
        if lost.phase is Phase.REJECTED:
            return rejection(lost, when, template)
        return found(lost, sight.deployment, current, when, template)

    def _lost(self, sight: Sight, current: Record | None) -> Iterator[Record]:
        """Rollouts that were there: the one of the last look, one that is being left, and those of which a ReplicaSet
        still has a copy."""
        leaving = current if current and current.phase is Phase.LEAVING else None
        seen = {current.id} if current and not leaving else set[str]()
        texts = [objects.annotations(replicaset).get(keys.RECORD) for replicaset in sight.replicasets.values()]
        copies = [record_in(text, objects.uid(sight.deployment)) for text in texts]
        for record in (self._known, leaving, *copies):
            if record and record.id not in seen:
                seen.add(record.id)
                yield record

    async def _write(self) -> None:
        """Until nothing is left; a failure here is never one of the rollout."""
        pause = 1.0
        try:
            for _ in range(TRIES):
                entries = tuple(self._left.values())
                if not entries:
                    return
                try:
                    await keep(self._client, *self._place, entries)
                except (Denied, Invalid, NotFound) as error:  # no right, or the namespace goes: nothing will help
                    log.warning("the history cannot be written", error=str(error))
                    self._left.clear()
                    return
                except ApiError as error:
                    log.warning("the history is tried again", error=str(error))
                    await asyncio.sleep(pause)
                    pause = min(LONGEST_PAUSE, pause * 2)
                except LeaseLost:
                    raise
                except Exception:  # the task is one of the controller's group: what came out would end all rollouts
                    log.exception("the history cannot be written by an error of ours")
                    self._left.clear()
                    return
                else:
                    self._left = {key: one for key, one in self._left.items() if one not in entries}
        finally:
            self._task = None
            self._written.set()


async def keep(client: Client, namespace: str, deployment: str, uid: str, entries: tuple[Entry, ...]) -> None:
    """Write these entries; twice is as good as once."""
    body = written(namespace, deployment, uid, entries)
    path = objects.configmap(namespace, name(deployment))
    try:
        stored = await client.merge(path, body, fieldManager=keys.MANAGER)
    except NotFound:
        try:
            stored = await client.post(objects.configmaps(namespace), body, fieldManager=keys.MANAGER)
        except Conflict:  # somebody was faster
            stored = await client.merge(path, body, fieldManager=keys.MANAGER)
    gone = surplus(stored)
    if gone:
        await client.merge(path, {"data": dict.fromkeys(gone)}, fieldManager=keys.MANAGER)


def _template(sight: Sight, record: Record) -> Object:
    """The rolled-out template, where it can still be seen."""
    deployment = sight.seen.deployment
    if deployment.template == record.declared:
        return deployment.spec
    return next((rs.spec for rs in sight.seen.replicasets if rs.template == record.declared), {})


def _rejected_at(deployment: Object, now: float) -> float:
    """When it was told: the same moment for whoever looks."""
    for condition in objects.at(deployment, "status", "conditions", default=[]):
        if condition.get("type") == keys.CONDITION and condition.get("reason") == Reason.REJECTED:
            return moment(condition.get("lastTransitionTime")) or now
    return now
