"""Several controllers and one lease: stopped, robbed, deleted, with wrong clocks. One at a time writes, no step is made
twice.

The rollouts have stays that are longer than the troubles, or a death would fall between two of them.
"""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from penstock.kube import Client
from tests.cluster.faults.reference import WORKLOAD, end, played
from tests.cluster.faults.rival import Holders, Rival, rivals, trespasses
from tests.cluster.stage import Scenario, Stage
from tests.cluster.world import World

pytestmark = pytest.mark.cluster

RENEWAL = 10.0
"""Seconds after which a holder whose lease was edited writes no more, even if no renewal of it gets through."""

ASLEEP = 5.0
"""Less than it takes for a lease to be too old."""

Trouble = Callable[[World, Holders, list[Rival]], Awaitable[None]]


def contended(trouble: Trouble, *, grace: float = 0.0, stay: int = 6, **ahead: float) -> Scenario:
    """Two controllers, a rollout, and trouble once its first step is opened."""
    workload = replace(WORKLOAD, step_time=f"{stay}s..60s")

    async def scenario(here: World) -> None:
        async with rivals(here, "one", "two", **ahead) as (holders, both):
            for rival in both:
                await rival.start()
            await here.create(workload.manifest())
            await led(holders)
            await here.release(workload, "2")
            await here.until("opening", lambda: here.phase() == "Opening")
            await trouble(here, holders, both)
            await end(here)
            assert trespasses(holders, both, grace) == []
            assert any(entry.stored for rival in both for entry in rival.proxy.ledger)

    return scenario


async def led(holders: Holders, by: str = "") -> None:
    """Wait until somebody holds the lease."""
    async with asyncio.timeout(60):
        await holders.until(lambda: holders.now != "" and by in ("", holders.now))


def leader(holders: Holders, both: list[Rival]) -> tuple[Rival, Rival]:
    """Who leads, and who waits."""
    first, second = both
    return (first, second) if first.identity == holders.now else (second, first)


async def none(_here: World, _holders: Holders, _both: list[Rival]) -> None:
    """Two at once, and nothing else."""


def asleep(seconds: float) -> Trouble:
    """The leader is stopped, and goes on in the middle of what it did, once the other has taken over: 15 s after it
    last saw a change, which it looks for every 2.4 s at most."""

    async def trouble(here: World, holders: Holders, both: list[Rival]) -> None:
        first, second = leader(holders, both)
        first.signal(signal.SIGSTOP)
        await here.silence(seconds)
        await led(holders, second.identity)
        first.signal(signal.SIGCONT)
        await here.silence(1)

    return trouble


async def killed(_here: World, holders: Holders, both: list[Rival]) -> None:
    """The leader dies, and comes back at once under its own name."""
    leader(holders, both)[0].signal(signal.SIGKILL)


async def write(client: Client, path: str, holder: str) -> None:
    """A person edits the lease."""
    await client.merge(path, {"spec": {"holderIdentity": holder}})


async def robbed(here: World, holders: Holders, _both: list[Rival]) -> None:
    """Somebody who does nothing is written into it."""
    await write(here.client, holders.path, "a-thief")
    await led(holders, "a-thief")


async def handed_over(here: World, holders: Holders, both: list[Rival]) -> None:
    """The other controller finds its own name in it, and takes it at once."""
    first, second = leader(holders, both)
    await write(here.client, holders.path, second.identity)
    await led(holders, second.identity)
    await here.until("ended or taken over", lambda: first.lives > 1 or here.at_rest(), 30)


async def deleted(here: World, holders: Holders, _both: list[Rival]) -> None:
    """The lease is gone, three times."""
    for _ in range(3):
        await here.client.delete(holders.path)
        await here.silence(3)


async def handed_to_and_fro(here: World, holders: Holders, both: list[Rival]) -> None:
    """The lease changes hands every few seconds, by deaths."""
    for _ in range(4):
        first, _second = leader(holders, both)
        first.signal(signal.SIGSTOP)
        await here.silence(1)
        await here.client.merge(holders.path, {"spec": {"holderIdentity": ""}})
        await here.silence(ASLEEP - 1)
        first.signal(signal.SIGCONT)
        await here.silence(2)


SOON: dict[str, Scenario] = {
    "two at once": contended(none, stay=3),
    "lease handed over by hand": contended(handed_over, grace=RENEWAL, stay=3),
    "lease deleted, three times": contended(deleted, grace=RENEWAL, stay=3),
}

LATE: dict[str, Scenario] = {
    "leader killed": contended(killed),
    "leader asleep for 20 s": contended(asleep(20)),
    "leader asleep for 60 s": contended(asleep(60)),
    "lease stolen by nobody": contended(robbed, grace=RENEWAL),
    "lease emptied again and again, leaders asleep": contended(handed_to_and_fro, grace=RENEWAL + ASLEEP),
    "one clock 10 min ahead, leader killed": contended(killed, one=600.0),
    "one clock 10 min behind, leader killed": contended(killed, one=-600.0),
    "the other clock 10 min ahead, leader asleep": contended(asleep(20), two=600.0),
    "the other clock 10 min behind, leader asleep": contended(asleep(20), two=-600.0),
    "one clock 10 min ahead, lease handed over": contended(handed_over, grace=RENEWAL, one=600.0),
    "one clock 10 min behind, lease handed over": contended(handed_over, grace=RENEWAL, one=-600.0),
    "one clock 10 min ahead": contended(none, one=600.0),
    "both clocks 10 min behind": contended(none, one=-600.0, two=-600.0),
}


async def test_two_controllers_never_write_at_once(stage: Stage) -> None:
    """What may happen on any day."""
    await played(stage, SOON)


@pytest.mark.full
async def test_a_leader_is_the_only_one_that_writes_whatever_happens_to_its_lease(stage: Stage) -> None:
    """Sleep, theft, deaths, and clocks that are ten minutes wrong."""
    await played(stage, LATE, width=13)
