"""All that is read is of one moment, for a minute, while writes go live: an API server whose cache has stopped.

Each write is refused until the view thaws, or was right all the same; and nobody asks ten times a second meanwhile.
"""

import pytest

from tests.cluster.faults.frozen import View
from tests.cluster.faults.reference import WORKLOAD, begin, end, played
from tests.cluster.stage import Scenario, Stage
from tests.cluster.world import World

pytestmark = pytest.mark.cluster

BACK = (0, 1, 2, 3, 5, 8)
"""Events by which the view is older than the moment in which it stops."""

FROZEN = 60.0

MOST = 150
"""Writes that a controller may try in a minute in which all of them are refused."""


def frozen(phase: str, step: int, back: int, *, good: bool = True) -> Scenario:
    """The view stops when the rollout comes to a phase."""

    async def scenario(here: World) -> None:
        await here.start_controller()
        await here.create(WORKLOAD.manifest())
        await begin(here, good=good)
        await here.until(phase, lambda: here.phase() == phase and here.record["step"] >= step)
        weather = here.proxy.weather
        weather.view = view = View(here.recorder.events[-1 - back].version)
        sent = here.proxy.sent
        await here.silence(FROZEN)
        tried = here.proxy.sent - sent
        view.thaw()
        print(f"{here.namespace}: {tried} writes tried, {view.served} reads of the past")
        await end(here, good=good)
        assert view.served
        assert tried <= MOST

    return scenario


def places() -> dict[str, Scenario]:
    """Phases of a good release and of a bad one."""
    good = {
        f"{phase} {step}, {back} events back": frozen(phase, step, back)
        for phase, step in (("Opening", 1), ("Holding", 1), ("Opening", 2), ("Finishing", 2))
        for back in BACK
    }
    return good | {f"Retreating, {back} events back": frozen("Retreating", 0, back, good=False) for back in BACK}


@pytest.mark.full
async def test_a_view_that_stops_for_a_minute_moves_no_bound(stage: Stage) -> None:
    """At every phase, and from some events before it."""
    await played(stage, places(), width=15)
