"""Everything that may happen to requests and watches, at random from seeds, while controllers are killed too."""

import asyncio
import os
import random

import pytest

from tests.cluster.faults.frozen import View
from tests.cluster.faults.reference import WORKLOAD, begin, end, played
from tests.cluster.faults.weather import Foul
from tests.cluster.proxy import Cut
from tests.cluster.stage import Scenario, Stage
from tests.cluster.world import World

pytestmark = pytest.mark.cluster

SEED = int(os.environ.get("PENSTOCK_TEST_SEED", "0")) or (
    random.randrange(1, 10**6) if os.environ.get("PENSTOCK_RANDOM") else 741852
)
"""The first of the seeds; another one in each run of `make test-full`. A scenario's name holds its own."""


def foul(seed: int, lasting: float = 25.0) -> Scenario:
    """A rollout in foul weather, good or bad, its controller killed up to three times, its view perhaps frozen."""

    async def scenario(here: World) -> None:
        dice = random.Random(seed)
        good = dice.random() < 0.7
        await here.start_controller()
        await here.create(WORKLOAD.manifest())
        here.proxy.weather = weather = Foul(seed=seed)
        await begin(here, good=good)
        trouble = asyncio.create_task(_trouble(here, dice, weather))
        await here.silence(lasting)
        trouble.cancel()
        weather.clear()
        here.proxy.trap = None
        if here.dead.is_set():
            await here.start_controller()
        print(f"{here.namespace}: {len(weather.done)} faults among {len(here.proxy.ledger.entries)} requests")
        await end(here, good=good)

    return scenario


async def _trouble(here: World, dice: random.Random, weather: Foul) -> None:
    """Deaths, and a view that is frozen for a while."""
    if dice.random() < 0.3:
        await here.silence(dice.uniform(0, 6))
        events = here.recorder.events
        weather.view = View(events[-min(len(events), dice.randint(1, 6))].version)
        await here.silence(dice.uniform(5, 15))
        weather.view.thaw()
    for _ in range(dice.randint(0, 3)):
        here.kill_at(dice.randint(1, 4), dice.choice(tuple(Cut)))
        await here.dead.wait()
        here.proxy.trap = None
        await here.silence(dice.uniform(0.1, 3))
        await here.start_controller()


async def test_a_share_of_foul_weather(stage: Stage) -> None:
    """Enough of it to notice on the same day."""
    await played(stage, {f"seed {seed}": foul(seed, 6.0) for seed in range(SEED, SEED + 6)}, width=6)


@pytest.mark.full
@pytest.mark.parametrize("first", range(1000, 1200, 50))
async def test_two_hundred_rollouts_in_foul_weather(stage: Stage, first: int) -> None:
    """As many as it takes to meet the rare combination."""
    await played(stage, {f"seed {seed}": foul(seed) for seed in range(SEED + first, SEED + first + 50)}, width=16)
