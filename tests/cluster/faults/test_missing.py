"""Events of watches that never come: one, any one, or two in a row.

A controller that acts on what it is told, instead of on what is, stops where the telling stopped. The real API server
loses none that it knows of; two changes in one look, a list after a break, and mistakes in between come to the same.
"""

import pytest

from tests.cluster.faults.reference import WORKLOAD, begin, end, played
from tests.cluster.faults.weather import Missing
from tests.cluster.stage import Scenario, Stage
from tests.cluster.world import World

pytestmark = pytest.mark.cluster


def missing(numbers: range) -> Scenario:
    """A rollout of which some events are not heard."""

    async def scenario(here: World) -> None:
        await here.start_controller()
        await here.create(WORKLOAD.manifest())
        here.proxy.weather = weather = Missing(numbers=numbers)
        await begin(here)
        await end(here)
        missed = len(weather.done)
        print(f"{here.namespace}: {weather.heard} events, not heard: {weather.done}")
        assert missed == len(numbers) or weather.heard < numbers.stop

    return scenario


async def events_of(stage: Stage) -> int:
    """How many events an undisturbed rollout has for its controller."""
    found: list[int] = []

    async def scenario(here: World) -> None:
        await missing(range(0))(here)
        found.append(here.proxy.weather.heard)

    await stage.play({"undisturbed": scenario})
    return found[0]


@pytest.mark.full
async def test_any_event_may_be_lost_and_any_two_in_a_row(stage: Stage) -> None:
    """What is not told is found out."""
    count = await events_of(stage)
    assert count > 20
    singles = {f"event {n} dropped": missing(range(n, n + 1)) for n in range(1, count + 1)}
    pairs = {f"events {n} and {n + 1} dropped": missing(range(n, n + 2)) for n in range(1, count)}
    await played(stage, singles | pairs, width=16)
