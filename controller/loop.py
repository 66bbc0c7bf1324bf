"""The control loop: one watch on active rollouts, one task for each of them.

Idle workloads cost nothing: only Deployments with our label are watched. A task looks, decides, acts and waits for
the next event or due time; it knows nothing that is not in the cluster, so it may die at any line (crash-only).
"""

import asyncio
import math
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import structlog

from controller.act import tell, write
from controller.history import History
from controller.judge import Judge
from controller.notify.notice import notice
from controller.notify.outbox import Outbox
from controller.observe import Sight, Watcher
from controller.recording import Recording
from controller.settings import Settings
from controller.sources.choice import Sources
from controller.telemetry import Telemetry
from controller.web.board import Board
from penstock.core import keys
from penstock.core.decide import decide
from penstock.core.decision import RESYNC, Decision
from penstock.core.guard import active, annotation, record_of
from penstock.core.observation import Observation
from penstock.core.ownership import entries, ours
from penstock.core.reasons import ENDS, Reason
from penstock.core.record import Record
from penstock.core.release import failed_version
from penstock.kube import ApiError, Client, Conflict, Lease, LeaseLost, NotFound, Reflector, objects
from penstock.kube.backoff import LONGEST_WISH, Backoff
from penstock.kube.metadata import metadata

Object = dict[str, Any]
Said = tuple[Reason, str]
log = structlog.get_logger()

SETTLE = 0.3
"""Seconds to wait for the event of our own write before looking again anyway."""

DOUBT = 1.0
"""Seconds between two looks while the lease may be another's."""

BUG_PAUSE = 30.0
"""Seconds before a workload whose look raised an error of our own is looked at again; the others go on."""

PATIENT, LONGEST_PAUSE = 3, 5.0
"""Conflicts in a row that are natural, since others write too; after these the pauses grow, up to so many seconds.
Where all reads come from a cache that has stopped, each write is a conflict."""

RELIST = 90.0
"""Seconds after which active rollouts are listed: the event that told of one may have been lost."""

NUMBERS, LIVELY, NUMBERS_HELD = 5.0, 900.0, 60.0
"""Seconds between two tellings of the checks' numbers, for so long after the last change, and from then on."""

REVERTED = "the stable version was declared again; the rollout is over"
RELEASED = "opted out; every field is as its owner had it"


async def lead(
    client: Client,
    settings: Settings,
    lease: Lease,
    telemetry: Telemetry,
    sources: Sources,
    board: Board,
    outbox: Outbox,
) -> None:
    """Step every active rollout of the shard while the lease is held."""
    telemetry.leads(lease)
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(outbox.run())
            shard = Shard(client, settings, lease, telemetry, sources, board, outbox, group)
            for path in [objects.deployments(n) for n in settings.namespaces] or [objects.deployments()]:
                reflector = Reflector(
                    client,
                    path,
                    {"labelSelector": keys.ROLLOUT},
                    shard.changed,
                    relist=RELIST,
                    listed=telemetry.listed,
                )
                group.create_task(reflector.run())
                await reflector.synced.wait()
                await shard.find_unlabelled(path)
            telemetry.ready = True
            log.info("leading", lease=settings.lease, identity=settings.identity)
    finally:
        telemetry.leads_no_more()


class Shard:
    """The active rollouts of one controller."""

    def __init__(
        self,
        client: Client,
        settings: Settings,
        lease: Lease,
        telemetry: Telemetry,
        sources: Sources,
        board: Board,
        outbox: Outbox,
        group: asyncio.TaskGroup,
    ) -> None:
        self.sources, self.board, self.outbox = sources, board, outbox
        self.client, self.settings, self.lease, self.telemetry = client, settings, lease, telemetry
        self.recording = Recording(Path(settings.record)) if settings.record else None
        self.group = group
        self._rollouts: dict[str, Rollout] = {}

    def changed(self, key: str, old: Object | None, new: Object | None) -> None:
        """An event of the watch on active rollouts."""
        rollout = self._rollouts.get(key)
        if rollout is None and new is not None:
            self.start(key, new)
        elif rollout is not None:
            rollout.saw(new, old)

    def start(self, key: str, deployment: Object) -> None:
        """Begin to look after one Deployment."""
        rollout = Rollout(self, deployment)
        self._rollouts[key] = rollout
        self.telemetry.active.set(len(self._rollouts))
        task = self.group.create_task(rollout.run(), name=key)
        task.add_done_callback(lambda _: self._ended(key, rollout))

    def _ended(self, key: str, rollout: "Rollout") -> None:
        if self._rollouts.get(key) is rollout:
            del self._rollouts[key]
        self.telemetry.active.set(len(self._rollouts))
        self.telemetry.forget(rollout.namespace, rollout.name)
        self.outbox.told((rollout.namespace, rollout.name), None)  # what was to be told if it lasts has not
        self.board.forget(key)
        if rollout.again is not None:  # a new rollout began while the last one was cleared away
            self.start(key, rollout.again)
            if rollout.left:  # and has gone as well
                self._rollouts[key].saw(None, rollout.again)

    async def find_unlabelled(self, path: str) -> None:
        """Once at the start: rollouts that lost their label, or ended by admission, while no controller lived. An API
        server that refuses is waited for: a process that ended here would come back ever more slowly."""
        backoff = Backoff()
        while True:
            try:
                await self._find_unlabelled(path)
                return
            except ApiError as error:
                log.warning("lost rollouts are looked for again", error=str(error))
                await asyncio.sleep(max(backoff.pause(), min(error.retry_after or 0.0, LONGEST_WISH)))

    async def _find_unlabelled(self, path: str) -> None:
        async for item in metadata(self.client, path):
            traces = annotation(item, keys.RECORD) or any(map(ours, entries(item)))
            if traces and objects.key(item) not in self._rollouts:
                path_of_one = objects.deployment(objects.namespace_of(item), objects.name(item))
                with suppress(NotFound):  # deleted meanwhile
                    whole = await self.client.get(path_of_one)
                    if objects.key(item) not in self._rollouts:  # our watch may have told of it meanwhile
                        self.start(objects.key(item), whole)


class Rollout:
    """One Deployment whose rollout is active."""

    def __init__(self, shard: Shard, deployment: Object) -> None:
        meta = deployment["metadata"]
        self.shard, self.namespace, self.name = shard, meta["namespace"], meta["name"]
        self.uid: str = meta["uid"]
        self.again: Object | None = None
        self._latest = deployment
        self._record: Record | None = active(deployment)
        self.left = keys.ROLLOUT not in (meta.get("labels") or {})
        """Its label has gone, or it itself."""
        self._wake = asyncio.Event()
        self._due: float | None = None
        """When something first asked for the next look, on the monotonic clock."""
        self._watcher = Watcher(shard.client, deployment, self._woken, shard.telemetry.listed)
        self._judge = Judge(shard.client, shard.sources, shard.telemetry, self._watcher, self._woken)
        self._history = History(shard.client, shard.group, deployment)
        self._told: Said | None = None
        self._logged: Said | None = None
        self._numbers: tuple[str, ...] = ()
        self._numbered = self._since = 0.0
        self._failures = self._conflicts = 0
        self._read = _time()
        """When all of it was last read from the API server, or begun to be watched."""
        self._step = 0
        self._doubted = math.inf
        """Since when its record has been another leader's."""
        self._over = self._spoke = False
        self._ended = ""
        """Id of the rollout whose end this process itself has decided and told."""

    def saw(self, new: Object | None, old: Object | None) -> None:
        """The Deployment changed, or (None) left our watch: its label or it itself has gone."""
        self.left = new is None
        if new is not None and new["metadata"]["uid"] != self.uid:
            self._over, self.again = True, new
        elif new is not None:
            self._latest = new if _newer(new, self._latest) else self._latest
            self._record = active(new) or self._record
            self.again = new if self._over else None
        self._woken()

    def _woken(self) -> None:
        self._due = self._due or time.monotonic()
        self._wake.set()

    async def run(self) -> None:
        """Look, decide, act, wait; until nothing is left of the rollout."""
        structlog.contextvars.bind_contextvars(namespace=self.namespace, name=self.name)
        tasks = [asyncio.create_task(self._watcher.run())]
        try:
            await self._watcher.synced()
            tasks.append(asyncio.create_task(self._judge.run(lambda: self._latest, self._see)))
            while not self._over:
                wait = await self._measured_look()
                if not self._over:
                    await self._sleep(wait)
        finally:
            for task in tasks:
                task.cancel()

    async def _sleep(self, seconds: float) -> None:
        with suppress(TimeoutError):  # asyncio.wait_for of Python 3.11 loses a cancellation that comes with the event
            async with asyncio.timeout(min(seconds, max(self._read + RESYNC - _time(), 0.1))):
                await self._wake.wait()

    async def _measured_look(self) -> float:
        """One look, and how late it came to its end."""
        due, self._due = self._due or time.monotonic(), None
        self._wake.clear()
        with self.shard.telemetry.queue.track_inprogress():
            wait = await self._guarded_look()
        self.shard.telemetry.lag.observe(time.monotonic() - due)
        return wait

    async def _guarded_look(self) -> float:
        """One look; an error of the API server is waited out, longer each time."""
        try:
            wait = await self._look()
        except NotFound:
            self._over = True
            return 0.0
        except Conflict:
            self.shard.telemetry.errors.labels("conflict").inc()
            self._conflicts += 1
            growth = 2.0 ** max(0, min(self._conflicts, 20) - PATIENT)
            await asyncio.sleep(min(0.1 * growth, LONGEST_PAUSE) * random.uniform(0.2, 1.0))
            return 0.0
        except ApiError as error:
            self._failures += 1
            self.shard.telemetry.errors.labels(type(error).__name__).inc()
            log.warning("look failed", error=str(error), failures=self._failures)
            backoff = min(30.0, 0.5 * 2**self._failures) * random.uniform(0.8, 1.2)
            await asyncio.sleep(max(backoff, min(error.retry_after or 0.0, LONGEST_WISH)))
            return 0.0
        except (LeaseLost, asyncio.CancelledError):
            raise
        except Exception:  # one workload's bug must not stop the others; it is logged whole and counted
            self.shard.telemetry.errors.labels("bug").inc()
            log.exception("look failed by an error of ours")
            return BUG_PAUSE
        self._failures = self._conflicts = 0
        return wait

    async def _see(self) -> Sight:
        return await self._watcher.cached(self._latest, self.shard.lease.transitions + 1)

    async def _look(self) -> float:
        epoch = self.shard.lease.transitions + 1
        sight = await self._see()
        decision = decide(sight.seen)
        if decision.write is not None or self.left or _time() - self._read >= RESYNC:
            sight = await self._fresh(epoch)
            if sight.seen.deployment.uid != self.uid:  # another one of the same name
                self._over = True
                return 0.0
            decision = decide(sight.seen)
        ended = self._record
        decided, decision = decision, self._ended_by_admission(sight.seen, decision)
        numbers = self._note(sight.seen, decided, decision)
        if decision.over and not self.left:  # our watch is behind, or a new rollout has begun since we read
            return SETTLE
        if decision.over:
            self._over = True  # before anything is awaited: what is seen from here on is another rollout's
            self._history.look(sight, decision, ended)  # no other look would make up for an error in telling
            await self._tell(sight, decision, numbers)
            return 0.0
        if keys.RECORD not in sight.seen.deployment.annotations:
            self._history.look(sight, decision, ended)
            await self._history.settled()  # the traces that are cleared away are all that tells of its end
        written = await write(self.shard.client, sight, decision)
        if written:
            with _beside("metrics"):
                self.shard.telemetry.carried_out(sight.seen, record_of(sight.deployment), decision)
        await self._tell(sight, decision, numbers, written)
        if self._spoke:
            with _beside("traces"):
                self.shard.telemetry.traced(sight.seen, record_of(sight.deployment), decision)
        self._history.look(sight, decision, ended)
        doubtful = decision.reason is Reason.FORMER_LEADER and not self._leads(decision)
        return min(decision.wait, SETTLE if written else DOUBT if doubtful else math.inf)

    async def _fresh(self, epoch: int) -> Sight:
        """From the API server; what our watch did not tell of is known from now on all the same."""
        sight = await self._watcher.fresh(self.name, epoch)
        self._read = _time()
        if sight.seen.deployment.uid == self.uid and _newer(sight.deployment, self._latest):
            self._latest = sight.deployment
        return sight

    def _ended_by_admission(self, seen: Observation, decision: Decision) -> Decision:
        """The webhook ends rollouts by itself, on a revert or an opt-out; this is where people are told."""
        record, self._record = self._record, None if self.left else self._record
        if not self.left or record is None or record.id == self._ended or keys.RECORD in seen.deployment.annotations:
            return decision
        if seen.deployment.template == record.stable:
            return replace(decision, reason=Reason.REVERTED, message=REVERTED, shown=True)
        failed = failed_version(record, seen.deployment.template, seen.deployment.replicas, seen.deployment.place)
        if failed:
            return replace(decision, reason=Reason.FAILED_RELEASED, message=f"{RELEASED}; {failed}", shown=True)
        return replace(decision, reason=Reason.RELEASED, message=RELEASED, shown=True)

    async def _tell(self, sight: Sight, decision: Decision, numbers: bool, written: Object | None = None) -> None:
        said = (decision.reason, decision.message)
        changed = said != self._told
        if decision.shown and self._leads(decision) and (changed or numbers):
            instance = self.shard.settings.identity
            await tell(self.shard.client, sight, decision, instance, now=written, changed=changed)
            self._told = said
            if changed:
                with _beside("notifications"):
                    self._notify(sight, decision)
            rejected = decision.reason is Reason.REJECTED and decision.write is not None
            if changed and (decision.reason in ENDS or rejected):
                self.shard.telemetry.ended.labels(decision.reason).inc()
        if decision.reason in ENDS:
            record = record_of(sight.deployment)
            self._ended = record.id if record else self._ended

    def _leads(self, decision: Decision) -> bool:
        """Only a renewal from after the first sight of another leader's mark proves that the mark was forged, and is to
        be told of; until its next renewal a former leader knows no better, and would speak into the new one's work."""
        if decision.reason is not Reason.FORMER_LEADER:
            self._doubted = math.inf
            return True
        self._doubted = min(self._doubted, _time())
        return self.shard.lease.age() < _time() - self._doubted

    def _notify(self, sight: Sight, decision: Decision) -> None:
        record, place = record_of(sight.deployment), (self.namespace, self.name)
        rollout, started = (record.id, record.started) if record else ("", 0.0)
        news = notice(sight.seen.deployment.uid, place, rollout, started, decision, sight.seen.now)
        self.shard.outbox.told(place, news)

    def _note(self, seen: Observation, decided: Decision, decision: Decision) -> bool:
        """Metrics always; a log line, and a recorded file, where the decision says something new, or writes. Returns
        whether the checks' numbers are told again."""
        if decision.step != self._step:
            self._step = decision.step
            self._watcher.flaps.clear()
        with _beside("metrics"):
            self.shard.telemetry.decided(self.namespace, self.name, seen, self._record, decision)
        self.shard.board.looked(seen, decision)
        said, now = (decision.reason, decision.message), time.monotonic()
        changed = said != self._logged
        self._since = now if changed else self._since
        due = decision.sentences != self._numbers and now - self._numbered >= self._pause(now)
        if changed or due or decision.write is not None:
            self._logged, self._numbers, self._numbered = said, decision.sentences, now
            kind = type(decision.write).__name__ if decision.write else None
            log.info(decision.text, reason=decision.reason, step=decision.step, phase=decision.phase, write=kind)
        self._spoke = changed or decision.write is not None
        if self._spoke:
            self.shard.telemetry.decisions.labels(decision.reason).inc()
            if self.shard.recording:
                with _beside("recording"):  # its disk may be full
                    self.shard.recording.keep(seen, decided)
        return due

    def _pause(self, now: float) -> float:
        """Seconds between two tellings of numbers alone, which change at every look: a rollout that is held over a
        weekend would otherwise write its condition every few seconds."""
        return NUMBERS if now - self._since < LIVELY else NUMBERS_HELD


@contextmanager
def _beside(what: str) -> Iterator[None]:
    """What only shows a rollout to people; an error in it must not hold the rollout."""
    try:
        yield
    except Exception:  # whatever it is
        log.exception("a look was not shown", where=what)


def _time() -> float:
    return asyncio.get_running_loop().time()


def _newer(one: Object, other: Object) -> bool:
    return int(objects.version(one)) > int(objects.version(other))
