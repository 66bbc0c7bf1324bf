"""Notifications of the real controller on a real control plane: told, told once, and told by the next one."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import yaml
from aiohttp import web

from penstock.signals.signature import SIGNATURE, TIMESTAMP, genuine
from tests.certs.test_probe import free_port
from tests.cluster.stage import Scenario, Stage
from tests.cluster.workload import Workload
from tests.cluster.world import World

pytestmark = [pytest.mark.cluster, pytest.mark.full]

KEY = "the administrator's"
ASKING = Workload(replicas=4, steps="1", notes={"penstock.dev/approve": "each"})


@dataclass
class Inbox:
    """A receiver that may be away."""

    directory: Path
    port: int = field(default_factory=free_port)
    status: int = 204
    said: list[tuple[str, str]] = field(default_factory=list)
    tries: int = 0
    _came: asyncio.Event = field(default_factory=asyncio.Event)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Receive."""

        async def take(request: web.Request) -> web.Response:
            body, headers = await request.read(), request.headers
            self.tries += 1
            assert genuine(KEY.encode(), headers[TIMESTAMP], body, headers[SIGNATURE], float(headers[TIMESTAMP]))
            if self.status == 204:
                self.said += [(n["kind"], n["reason"]) for n in json.loads(body)["notifications"]]
            self._came.set()
            return web.Response(status=self.status)

        app = web.Application()
        app.router.add_post("/", take)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", self.port).start()
        try:
            yield
        finally:
            await runner.cleanup()

    async def until(self, holds: Callable[[], bool]) -> None:
        """A World waits for events of the cluster; these come from beside it."""
        async with asyncio.timeout(60):
            while not holds():
                self._came.clear()
                await self._came.wait()

    def configuration(self) -> tuple[str, str]:
        """Flags for the controller."""
        self.directory.mkdir()
        url, key, file = (self.directory / name for name in ("url", "key", "penstock.yaml"))
        url.write_text(f"http://127.0.0.1:{self.port}/")
        key.write_text(KEY)
        targets = {"hook": {"webhook": {"url-file": str(url), "key-file": str(key)}, "pause": 1}}
        file.write_text(yaml.safe_dump({"version": 1, "notifications": {"targets": targets}}))
        return "--configuration", str(file)


async def told(inbox: Inbox, *expected: tuple[str, str]) -> None:
    """Until just these have come."""
    await inbox.until(lambda: len(inbox.said) >= len(expected))
    assert inbox.said == list(expected)


def each_once(directory: Path) -> Scenario:
    """Approval, then promoted; a controller that is killed between them repeats nothing."""

    async def scenario(here: World) -> None:
        inbox = Inbox(directory)
        flags = inbox.configuration()
        async with inbox.open():
            await here.create(ASKING.manifest())
            await here.start_controller("", *flags)
            await here.release(ASKING, "2")
            await told(inbox, ("approval", "AwaitingApproval"))
            await asyncio.sleep(1)  # it is written down after it was sent
            here.kill_controller()
            await here.start_controller("", *flags)
            await asyncio.sleep(6)
            assert inbox.said == [("approval", "AwaitingApproval")]
            await here.ask("approve")
            await here.until_promoted("2")
            await told(inbox, ("approval", "AwaitingApproval"), ("promoted", "Promoted"))

    return scenario


def told_by_the_next(directory: Path) -> Scenario:
    """The receiver is away, and the controller dies before it could tell of a rejection."""

    async def scenario(here: World) -> None:
        inbox, workload = Inbox(directory, status=503), replace(ASKING, notes={})
        flags = inbox.configuration()
        async with inbox.open():
            await here.create(workload.manifest())
            await here.start_controller("", *flags)
            await here.release(workload, "2", "crash-loop", after="300ms", back_off="300ms")
            await here.until_rejected()
            await inbox.until(lambda: inbox.tries > 0)
            here.kill_controller()
            inbox.status = 204
            await here.start_controller("", *flags)
            await told(inbox, ("rejected", "Rejected"))

    return scenario


async def test_news_is_told_once_and_by_whoever_lives(stage: Stage, tmp_path: Path) -> None:
    """Nobody reads a channel that says everything twice, or trusts one that is silent after a restart."""
    await stage.play(
        {
            "approval, a restart, promoted: each once": each_once(tmp_path / "once"),
            "rejected while the receiver is away": told_by_the_next(tmp_path / "next"),
        }
    )
