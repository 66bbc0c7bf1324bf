"""The controller is killed at its every write, on each side of it, and nothing comes of it but delay.

It is crash-only: whatever it must remember stands in the record, and is changed in the same write as the fields it
speaks of. If that is so, no write is special; so each one is tried.
"""

import asyncio
from collections.abc import Iterable

import pytest

from tests.cluster.ends import restored
from tests.cluster.nursery import alive
from tests.cluster.proxy import Cut
from tests.cluster.stage import Scenario, Stage
from tests.cluster.workload import Workload
from tests.cluster.world import World

pytestmark = pytest.mark.cluster

SMALL = Workload(4, "25%", "25%", "1, 50%", "1s..60s")
MANY_WINDOWS = Workload(4, 1, 0, "2", "1s..60s")
ONE_LESS = Workload(3, 0, 1, "1, 2", "1s..60s")
LARGE = Workload(10, "25%", "25%", "2, 50%", "1s..60s")
ALONE = Workload(1, "25%", "25%", "1", "1s..60s")

MOST_WRITES = 40
"""No rollout of these needs so many; a trap that does not spring ends the search."""


async def ended(here: World, good: bool) -> None:
    """The end of the story: promoted, or taken back."""
    if good:
        await here.until_promoted("2")
        await restored(here)
        return
    await here.until_rejected()
    deployment = here.deployment
    assert (deployment["spec"]["paused"], here.pods("2")) == (True, 0)
    assert deployment["spec"]["template"]["spec"]["containers"][0]["image"] == "app:2"


async def begin(here: World, workload: Workload, good: bool) -> None:
    """A version that works, or one that crashes at once."""
    if not good:
        here.recorder.failing.add("app:2")
    behaviour = {} if good else {"behaviour": "crash-loop", "after": "300ms", "back_off": "300ms"}
    await here.release(workload, "2", **behaviour)


def killed(workload: Workload, at: int, cut: Cut, pause: float, *, good: bool = True) -> Scenario:
    """One death at one write, a pause, and a new process."""

    async def scenario(here: World) -> None:
        await here.start_controller()
        await here.create(workload.manifest())
        here.kill_at(at, cut)
        await begin(here, workload, good)
        end = asyncio.create_task(ended(here, good))
        death = asyncio.create_task(here.died())
        await asyncio.wait((end, death), return_when=asyncio.FIRST_COMPLETED)
        if death.done():
            await death
            here.proxy.trap = None
            await here.silence(pause)
            await here.start_controller()
        death.cancel()
        await end

    return scenario


def killed_each_time(workload: Workload, cut: Cut, pause: float, *, good: bool = True) -> Scenario:
    """Every life of the controller ends at its second write; the first is its mark in the record, the fence."""

    async def scenario(here: World) -> None:
        await here.start_controller()
        await here.create(workload.manifest())
        here.kill_at(2, cut)
        await begin(here, workload, good)
        end = asyncio.create_task(ended(here, good))
        while not end.done():
            death = asyncio.create_task(here.died())
            await asyncio.wait((end, death), return_when=asyncio.FIRST_COMPLETED)
            if not death.done():
                death.cancel()
                break
            await here.silence(pause)
            await here.start_controller()
        await end

    return scenario


async def writes_of(stage: Stage, workload: Workload, *, good: bool = True) -> int:
    """How many writes an undisturbed rollout takes."""
    found: list[int] = []

    async def scenario(here: World) -> None:
        await killed(workload, MOST_WRITES, Cut.AFTER, 0, good=good)(here)
        found.append(len(here.proxy.stored))

    await stage.play({f"undisturbed, {'good' if good else 'bad'}": scenario})
    assert found[0] < MOST_WRITES
    return found[0]


def every_write(workload: Workload, count: int, pause: float, name: str, *, good: bool = True) -> dict[str, Scenario]:
    """One scenario for each write and each side of it."""
    return {
        f"{name}: killed at write {at}, {cut}": killed(workload, at, cut, pause, good=good)
        for at in range(1, count + 1)
        for cut in Cut
    }


async def test_a_death_at_any_write_of_a_rollout_changes_nothing_but_its_length(stage: Stage) -> None:
    """The heart of being crash-only: stored but unseen at every write, before it and after it at every fourth; the
    full run has each side of each write."""
    count = await writes_of(stage, SMALL)
    every = every_write(SMALL, count, 0.5, "four pods")
    some = {f"write {at}, {cut}" for at in range(1, count + 1) for cut in Cut if cut is Cut.UNSEEN or at % 4 == 2}
    await stage.play(
        {name: played for name, played in every.items() if name.partition("killed at ")[2] in some}, width=12
    )


SHORT_LIVED = {"1 pod": ALONE, "3 pods, 0/1": ONE_LESS, "4 pods, 1/0": MANY_WINDOWS, "10 pods": LARGE}


def short_lived(names: Iterable[str]) -> dict[str, Scenario]:
    """Each as a good release and as a bad one."""
    return {
        f"{name}, {'good' if good else 'bad'}: killed at each second write, {cut}": killed_each_time(
            SHORT_LIVED[name], cut, 0.1, good=good
        )
        for name in names
        for good, cut in ((True, Cut.UNSEEN), (False, Cut.AFTER))
    }


async def test_a_controller_that_lives_for_two_writes_at_a_time_still_gets_there(stage: Stage) -> None:
    """Memory between two writes would show here, in good releases and in bad ones, in one window or in many."""
    await stage.play(short_lived(["1 pod", "4 pods, 1/0"]))


@pytest.mark.full
async def test_so_it_does_for_every_kind_of_rollout(stage: Stage) -> None:
    """The others take longer: more windows, more lives."""
    await stage.play(short_lived(SHORT_LIVED))


def stopped(workload: Workload, at: int, *, late: bool) -> Scenario:
    """A leader falls asleep in the middle of a write, another one takes over, then the first one wakes up."""

    async def scenario(here: World) -> None:
        await here.start_controller()
        await here.create(workload.manifest())
        write = here.stop_at(at)
        await here.release(workload, "2")
        await here.died()
        here.proxy.trap = None
        await here.catch_up()
        before = here.record.get("epoch")
        await here.start_controller("another")
        if late:
            await here.until_promoted("2")
        else:
            await here.until("taken over", lambda: here.record.get("epoch") != before)
        write.set()
        here.wake_controller()
        await here.until_promoted("2")
        await restored(here)
        async with asyncio.timeout(20):
            while alive(here.sleeping):
                await here.silence(0.5)

    return scenario


def sleepers(writes: Iterable[int]) -> dict[str, Scenario]:
    """Asleep at each of these writes, until the other has begun, or until all is over."""
    return {
        f"asleep at write {at}, until {'the end' if late else 'the other has begun'}": stopped(LARGE, at, late=late)
        for at in writes
        for late in (False, True)
    }


@pytest.mark.full
async def test_a_leader_that_wakes_up_in_the_middle_of_a_write_does_no_harm(stage: Stage) -> None:
    """The lease cannot stop a write that was on its way already; the write itself must fail. A share of such leaders is
    in faults/test_leaders.py."""
    await stage.play(sleepers((1, 3, 4, 6, 9)), width=10)


@pytest.mark.full
@pytest.mark.parametrize("good", [True, False], ids=["good", "bad"])
@pytest.mark.parametrize(
    "workload", [SMALL, MANY_WINDOWS, ONE_LESS, LARGE, ALONE], ids=["4", "4 1/0", "3 0/1", "10", "1"]
)
async def test_a_death_of_ten_seconds_at_any_write_changes_nothing(
    stage: Stage, workload: Workload, good: bool
) -> None:
    """The same for each kind of rollout, for releases that fail too, with the pause of a real restart."""
    count = await writes_of(stage, workload, good=good)
    await stage.play(every_write(workload, count, 10.0, "good" if good else "bad", good=good), width=16)
