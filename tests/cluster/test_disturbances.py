"""Pods come and go and lose their readiness while rollouts run, as on any real cluster, and no bound gives way.

From a seed that is printed, so that a failure can be played again.
"""

import asyncio
import os
import random
from contextlib import suppress

import pytest

from penstock.kube import NotFound, objects
from tests.cluster.ends import restored
from tests.cluster.reading import Amount
from tests.cluster.sight import Late
from tests.cluster.stage import Scenario, Stage
from tests.cluster.workload import Workload
from tests.cluster.world import World

pytestmark = pytest.mark.cluster

SEED = int(os.environ.get("PENSTOCK_TEST_SEED", "0")) or (
    random.randrange(1, 10**6) if os.environ.get("PENSTOCK_RANDOM") else 920128
)
"""Another one in each run of `make test-full`."""

BEAT = 0.5
SHARE = 0.03
"""Of all pods, how many are hit at each beat."""

STORM = 60.0
"""The longest one, in seconds."""

PEACE = 150.0
"""Seconds for what is left after it: twenty pods, one by one, on a machine of unknown load."""

STRATEGIES: tuple[tuple[Amount, Amount], ...] = (
    ("25%", "25%"), (1, 0), (0, 1), ("50%", 0), ("100%", 0), ("10%", "10%"), (2, 2),
)  # fmt: skip


async def unready(here: World, name: str, seconds: float) -> None:
    """A pod that fails its readiness probe for a while."""
    here.recorder.excused.add(name)
    path = objects.status(objects.pod(here.namespace, name))

    async def show(status: str) -> None:
        now = objects.rfc3339(here.now())
        conditions = [{"type": t, "status": status, "lastTransitionTime": now} for t in ("Ready", "ContainersReady")]
        with suppress(NotFound):
            await here.client.strategic(path, {"status": {"conditions": conditions}})

    await show("False")
    try:
        await asyncio.sleep(seconds)
    finally:  # also when the storm is over: nobody else would make it Ready again
        await show("True")


async def disturb(here: World, dice: random.Random) -> None:
    """Hit pods until cancelled."""
    async with asyncio.TaskGroup() as group:
        while True:
            await asyncio.sleep(BEAT)
            for name in here.names("1") + here.names("2"):
                if dice.random() >= SHARE:
                    continue
                if dice.random() < 0.5:
                    await here.delete_pod(name)
                else:
                    group.create_task(unready(here, name, dice.uniform(0.3, 2.0)))


def over(here: World) -> bool:
    """On all pods, or taken back; a storm may end while it still goes back."""
    rejected = here.phase() == "Rejected" and here.stable_alone()
    return rejected or (here.at_rest() and here.pods("2") > 0)


def disturbed(workload: Workload, seed: int) -> Scenario:
    """A rollout among falling pods. New pods that lose their readiness again and again may get the release taken
    back, rightly; then it is tried again in peace."""

    async def scenario(here: World) -> None:
        dice = random.Random(seed)
        await here.start_controller()
        await here.create(workload.manifest())
        await here.release(workload, "2")
        storm = asyncio.create_task(disturb(here, dice))
        with suppress(Late):
            await here.until("over", lambda: over(here), STORM)
        storm.cancel()
        await asyncio.gather(storm, return_exceptions=True)
        await here.until("over", lambda: over(here), PEACE)
        if here.phase() == "Rejected":
            await here.until("told", lambda: here.condition("reason") == "Rejected")
            await here.ask("retry")
        await here.until_promoted("2", PEACE)
        await restored(here)

    return scenario


def storms(count: int, seed: int) -> dict[str, Scenario]:
    """As many rollouts of all kinds."""
    dice = random.Random(seed)
    found = {}
    for number in range(count):
        surge, unavailable = dice.choice(STRATEGIES)
        replicas, steps = dice.choice((2, 3, 4, 6, 10, 20)), dice.choice(("1, 50%", "2, 3", "30%, 60%, 90%", "1, 100%"))
        workload = Workload(replicas, surge, unavailable, steps, "1s..60s", ready_after=f"{dice.randint(200, 2000)}ms")
        name = f"{number}: {replicas} pods, {surge}/{unavailable}, steps {steps}, seed {seed}"
        found[name] = disturbed(workload, seed + number)
    return found


@pytest.mark.full
async def test_pods_that_fall_do_not_move_a_bound(stage: Stage) -> None:
    """Every bound holds for what the pods do, not for what they should do."""
    await stage.play(storms(10, SEED), width=10)


@pytest.mark.full
async def test_eighty_rollouts_among_falling_pods(stage: Stage) -> None:
    """As many as it takes to meet the rare order of events."""
    await stage.play(storms(80, SEED), width=12)
