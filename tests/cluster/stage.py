"""Many scenarios at once on one control plane, each in a world of its own, and one table of what happened in each.

A rollout mostly waits, so eight of them take little longer than one. Every scenario runs to its end, also next to
one that failed; the invariants are judged for each, whatever else its test asserts.
"""

import asyncio
import itertools
import time
import traceback
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import aiohttp
import pytest

from penstock.kube import Client
from tests.cluster.cluster import Cluster
from tests.cluster.meeting import Action, Meeting
from tests.cluster.nursery import Nursery
from tests.cluster.recorder import Report
from tests.cluster.world import World, world

Scenario = Callable[[World], Awaitable[None]]

WIDTH = 8
"""Scenarios at once, on two cores."""

LIMIT = 240.0
"""Seconds for one scenario."""

COUNTER = itertools.count(1)


@dataclass
class Outcome:
    """How one scenario ended."""

    name: str
    seconds: float
    report: Report
    failure: str = ""

    def line(self) -> str:
        """For the table."""
        e = self.report.extremes
        verdict = "FAILED" if self.failure else "ok"
        ready = "-" if e.ready is None else f"{e.ready} ({e.floor})"
        total = f"{e.total} ({e.most})"
        return f"{self.name:<66}{verdict:<8}{self.seconds:6.1f}s{e.new:>6}{ready:>10}{total:>10}{e.events:>8}"


@dataclass
class Stage:
    """What scenarios share."""

    cluster: Cluster
    client: Client
    nursery: Nursery
    session: aiohttp.ClientSession
    logs: Path
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    @classmethod
    async def open(cls, cluster: Cluster, logs: Path) -> Self:
        """Connect."""
        stack = AsyncExitStack()
        client = await stack.enter_async_context(Client.connect(str(cluster.kubeconfig), user_agent="tests"))
        connector = aiohttp.TCPConnector(limit=0)
        session = await stack.enter_async_context(
            aiohttp.ClientSession(connector=connector, auto_decompress=False, timeout=aiohttp.ClientTimeout(total=None))
        )
        nursery = await Nursery.open()
        stack.push_async_callback(nursery.close)
        return cls(cluster, client, nursery, session, logs, stack)

    async def close(self) -> None:
        """Disconnect; controllers that still live die."""
        await self._stack.aclose()

    async def play(self, scenarios: Mapping[str, Scenario], *actions: Action, width: int = WIDTH) -> list[Outcome]:
        """Play them side by side; raises one error that shows every failure.

        Where there are `actions`, all scenarios run at once, and meet for each of these.
        """
        places = asyncio.Semaphore(len(scenarios) if actions else width)
        meeting = Meeting(len(scenarios), *actions)

        async def placed(name: str, scenario: Scenario) -> Outcome:
            async with places:
                outcome = await self._one(name, scenario, meeting)
            print(outcome.line(), flush=True)
            return outcome

        print(f"\n{'scenario':<66}{'':<8}{'time':>7}{'new':>6}{'ready':>10}{'total':>10}{'events':>8}")
        ended = await asyncio.gather(*(placed(*item) for item in scenarios.items()), return_exceptions=True)
        outcomes = [outcome for outcome in ended if isinstance(outcome, Outcome)]
        for error in ended:
            if isinstance(error, BaseException):  # of the tests' own machinery
                raise error
        failures = [outcome for outcome in outcomes if outcome.failure]
        if failures:
            shown = "\n\n".join(f"--- {o.name}\n{o.failure}" for o in failures)
            pytest.fail(f"{len(failures)} of {len(outcomes)} scenarios failed\n{shown}", pytrace=False)
        return outcomes

    async def _one(self, name: str, scenario: Scenario, meeting: Meeting) -> Outcome:
        begun, failure = time.monotonic(), ""
        namespace = f"test-{next(COUNTER)}-{int(time.time()) % 100000}"
        async with world(self.cluster, self.client, self.nursery, self.session, namespace, self.logs) as here:
            here.meeting = meeting
            try:
                async with asyncio.timeout(LIMIT):
                    await scenario(here)
                await here.silence(0.3)  # what the last act caused belongs to the history
            except AssertionError as error:
                failure = "".join(traceback.format_exception_only(error)) + _place(error)
            except Exception as error:
                failure = "".join(traceback.format_exception(error))
            finally:
                meeting.leave()
            report = here.recorder.report()
            (self.logs / f"{namespace}.history").write_text("\n".join(report.lines) + "\n")
            failure = "\n".join(filter(None, (failure, here.fault)))
            if report.violations:
                failure = f"{report}\n{failure}"
            if failure:
                failure += f"\nits controller and its history: {self.logs / namespace}.log, .history"
        return Outcome(name, time.monotonic() - begun, report, failure)


def _place(error: BaseException) -> str:
    """The line of the test at which it failed."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if Path(f.filename).name.startswith("test_")]
    return f"at {frames[-1].filename}:{frames[-1].lineno}: {frames[-1].line}" if frames else ""
