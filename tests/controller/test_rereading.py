"""A rollout is read from the API server again every 30 seconds, whatever its watches say, and never without pause.

The decisions are the test's own: what is looked at here is when the loop reads, and what it then knows.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from controller import loop
from controller.loop import Rollout
from controller.notify.ledger import Ledger
from controller.notify.outbox import Outbox
from controller.settings import Settings
from controller.telemetry import Telemetry
from controller.web.board import Board
from penstock.core import keys
from penstock.core.decision import RESYNC, Decision, Delete
from penstock.core.observation import Observation
from penstock.core.reasons import Reason
from penstock.kube import Client, Lease, objects
from penstock.kube.reflector import WATCH_SECONDS
from penstock.signals.targets import Notifications
from tests.kube.memory import Asked, Memory, Said, refusal, said, stream

pytestmark = [pytest.mark.looptime, pytest.mark.asyncio]

Object = dict[str, Any]
Decide = Callable[[Observation], Decision]

PATH = objects.deployment("shop", "web")
QUIET = Decision(Reason.WINDOW, "nothing to do", shown=False)


class Deaf:
    """An API server whose watches never say anything."""

    def __init__(self) -> None:
        self.version, self.replicas = 10, 3
        self.memory = Memory(self._respond)
        self.refusal: Said | None = None

    def scale(self, replicas: int) -> None:
        """Nobody is told."""
        self.version, self.replicas = self.version + 1, replicas

    @property
    def deployment(self) -> Object:
        labels = {keys.ROLLOUT: "holding"}
        meta = {"namespace": "shop", "name": "web", "uid": "u1", "resourceVersion": str(self.version), "labels": labels}
        template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": []}}
        selector = {"matchLabels": {"app": "web"}}
        return {"metadata": meta, "spec": {"replicas": self.replicas, "selector": selector, "template": template}}

    async def _respond(self, asked: Asked) -> Said:
        if asked.query.get("watch"):
            return Said(stream=stream(WATCH_SECONDS))
        if asked.method != "GET" or (self.refusal and asked.path == PATH):
            return self.refusal or refusal(409, "Conflict")
        if asked.path == PATH:
            return said(self.deployment)
        kind = {"metadata": {"resourceVersion": str(self.version)}, "items": []}
        return said({"metadata": {"labels": {}}} if asked.path == objects.namespace("shop") else kind)

    def reads(self) -> list[float]:
        """When the Deployment itself was read."""
        return [asked.at for asked in self.memory.asked if (asked.path, asked.method) == (PATH, "GET")]


class Shard:
    """What a rollout needs of its shard."""

    def __init__(self, client: Client) -> None:
        self.client, self.telemetry, self.recording = client, Telemetry(), None
        self.settings, self.lease = Settings(), Lease("me", lambda: 0.0)
        self.lease.taken(1, 0.0)
        self.sources = self.group = None
        self.board = Board(kept=False)
        self._rollouts: Object = {}

    _find_unlabelled = loop.Shard._find_unlabelled


@contextmanager
def running(server: Deaf, decide: Decide, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rollout]:
    monkeypatch.setattr(loop, "decide", decide)
    rollout = Rollout(Shard(server.memory.client()), server.deployment)  # type: ignore[arg-type]
    monkeypatch.setattr(rollout._judge, "run", lambda *_: asyncio.sleep(0))
    task = asyncio.create_task(rollout.run())
    try:
        yield rollout
    finally:
        task.cancel()


async def test_what_no_watch_told_of_is_seen_within_thirty_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    """A look at caches alone would repeat what they said before, for ever."""
    server, seen = Deaf(), []

    def decide(observation: Observation) -> Decision:
        seen.append(observation.deployment.replicas)
        return QUIET

    with running(server, decide, monkeypatch):
        await asyncio.sleep(5)
        server.scale(7)
        await asyncio.sleep(RESYNC)
        assert seen[-1] == 7
        await asyncio.sleep(600)
        assert set(seen[seen.index(7) :]) == {7}
        assert 600 / RESYNC <= len(server.reads()) <= 600 / RESYNC + 2


async def test_reading_again_does_not_come_on_top_of_reading_before_a_write(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks every second, none of them with a write: one reading in thirty seconds all the same."""
    server = Deaf()
    often = Decision(Reason.WINDOW, "soon", wait=1.0, shown=False)
    with running(server, lambda _: often, monkeypatch):
        await asyncio.sleep(300)
        assert 300 / RESYNC - 1 <= len(server.reads()) <= 300 / RESYNC + 1


async def test_conflicts_without_end_are_tried_ever_more_rarely(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every read comes from a cache that has stopped, so every write is refused: 10 tries a second for a minute were
    600 writes and 1800 reads."""
    server = Deaf()
    write = Decision(Reason.WINDOW, "", Delete("web-1", "u2"), shown=False)

    async def refused(*_: Any) -> None:
        await server.memory.client().delete(objects.replicaset("shop", "web-1"))

    monkeypatch.setattr(loop, "write", refused)
    with running(server, lambda _: write, monkeypatch):
        await asyncio.sleep(60)
        writes = [asked.at for asked in server.memory.asked if asked.method == "DELETE"]
        assert 15 <= len(writes) <= 60
        assert writes[2] - writes[0] < 0.5  # natural ones are not waited for
        assert writes[-1] - writes[-2] <= 5.0


@pytest.mark.parametrize("renewed", [False, True])
async def test_another_leaders_mark_is_told_of_only_by_who_has_renewed_since(
    renewed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lease that was handed over by hand is taken for ours until the next renewal: what is said of it until then
    would stand in the new leader's status."""
    server, told = Deaf(), []

    async def tell(*_: Any, **__: Any) -> None:
        told.append(asyncio.get_running_loop().time())

    monkeypatch.setattr(loop, "tell", tell)
    with running(server, lambda _: Decision(Reason.FORMER_LEADER, "its record was edited"), monkeypatch) as rollout:
        now = asyncio.get_running_loop().time
        monkeypatch.setattr(rollout, "_notify", lambda *_: None)
        rollout.shard.lease = lease = Lease("me", now)
        begun = now()
        lease.renewed(begun)
        await asyncio.sleep(3)
        if renewed:
            lease.renewed(now())
        await asyncio.sleep(6)
        assert [3 <= at - begun < 5 for at in told] == [True] * renewed


@pytest.mark.parametrize("later", range(4))
async def test_a_cancellation_that_comes_with_an_event_is_not_lost(later: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rollout that went on after the lease was lost would hold up the process, and write."""
    with running(Deaf(), lambda _: QUIET, monkeypatch) as rollout:

        async def sleep() -> None:
            while True:
                await rollout._sleep(60)
                rollout._wake.clear()

        sleeping = asyncio.create_task(sleep())
        await asyncio.sleep(1)
        rollout._woken()
        for _ in range(later):
            await asyncio.sleep(0)
        sleeping.cancel()
        await asyncio.wait({sleeping}, timeout=5)
        assert sleeping.cancelled()


async def test_a_wish_to_be_left_alone_for_a_day_is_not_granted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retry-After that errs by a factor would hold the rollout for as long."""
    server = Deaf()
    server.refusal = refusal(429, "TooManyRequests", Retry_After="86400")
    with running(server, lambda _: QUIET, monkeypatch):
        await asyncio.sleep(RESYNC + 1)
        assert len(server.reads()) == 1
        server.refusal = None
        await asyncio.sleep(121)
        assert len(server.reads()) >= 2


async def test_an_api_server_that_refuses_at_the_start_is_waited_for() -> None:
    """The controller would end, and its container be started again after ever longer pauses."""
    answers = [refusal(500, "InternalError"), refusal(503, "ServiceUnavailable"), said({"items": []})]

    async def respond(_: Asked) -> Said:
        return answers.pop(0)

    memory = Memory(respond)
    await loop.Shard.find_unlabelled(Shard(memory.client()), objects.deployments())  # type: ignore[arg-type]
    assert (len(memory.asked), answers) == (3, [])
    assert memory.asked[-1].at < 2.0


async def test_what_came_and_went_while_the_one_before_it_was_cleared_away_is_not_looked_after(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It would be watched for half a minute after its Deployment, or the whole namespace, was deleted."""
    monkeypatch.setattr(loop, "decide", lambda _: QUIET)
    server = Deaf()
    lease = Lease("me", lambda: 0.0)
    lease.taken(1, 0.0)
    client, outbox = server.memory.client(), Outbox(Notifications(), Ledger(server.memory.client(), "", ""), None)  # type: ignore[arg-type]
    async with asyncio.TaskGroup() as group:
        board, telemetry = Board(kept=False), Telemetry()
        shard = loop.Shard(client, Settings(), lease, telemetry, None, board, outbox, group)  # type: ignore[arg-type]
        shard.start("shop/web", server.deployment)
        former = shard._rollouts["shop/web"]
        former._over = True
        shard.changed("shop/web", None, server.deployment)
        shard.changed("shop/web", server.deployment, None)
        server.refusal = refusal(404, "NotFound")
        await asyncio.sleep(1)
        assert shard._rollouts == {}
