"""The control plane itself goes, API server, etcd or kube-controller-manager, in the middle of windows and of holds.

One cluster is shared by all, so every scenario comes to its place first, then what they all stand on is taken away.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.ends import restored
from tests.cluster.faults.reference import CONVERGED, WORKLOAD, windows
from tests.cluster.faults.weather import Held
from tests.cluster.stage import Scenario, Stage
from tests.cluster.workload import Workload
from tests.cluster.world import World

pytestmark = pytest.mark.cluster

LARGE = Workload(10, "25%", "25%", "2, 50%", "1s..60s")
STAYING = replace(LARGE, step_time="5s..60s")

Action = Callable[[], Awaitable[None]]


async def opening(here: World, workload: Workload) -> None:
    """A window is open, and its closing write waits on its way until all have met."""
    await here.release(workload, "2")
    await here.until("opening", lambda: here.phase() == "Opening")
    here.proxy.weather = Held(which=frozenset({"patch deployments"}))


async def holding(here: World, workload: Workload) -> None:
    """Between two steps."""
    await here.release(workload, "2")
    await here.until("holding", lambda: here.holding(1))


async def gated(here: World, workload: Workload) -> None:
    """Declared in the very moment."""
    await here.release(workload, "2")


async def abandoned(here: World, workload: Workload) -> None:
    """A window is open, and its controller is dead."""
    await opening(here, workload)
    here.kill_controller()


Place = Callable[[World, Workload], Awaitable[None]]


def struck(place: Place, workload: Workload, begun: asyncio.Event) -> Scenario:
    """A rollout at a place, an outage, and its end."""

    async def scenario(here: World) -> None:
        here.recorder.bridged = True
        await here.start_controller()
        await here.create(workload.manifest())
        await place(here, workload)
        meeting = asyncio.create_task(here.meet())
        await begun.wait()
        await here.silence(0.3)
        here.proxy.weather.clear()
        await meeting
        if here.dead.is_set():
            await here.start_controller()
        await here.until_promoted("2", CONVERGED)
        await restored(here)
        assert {step: count for step, count in windows(here).items() if count > 1} == {}

    return scenario


def everywhere(begun: asyncio.Event) -> dict[str, Scenario]:
    """Each place, with few pods and with many."""
    return {
        f"{name}, {pods} pods": struck(place, workload, begun)
        for name, place in {"opening": opening, "holding": holding, "gated": gated, "abandoned": abandoned}.items()
        for pods, workload in ((4, WORKLOAD), (10, LARGE if place is opening else STAYING))
    }


def gone(cluster: Cluster, name: str, seconds: float, begun: asyncio.Event) -> Action:
    """It is ended, and started again after a while."""

    async def action() -> None:
        await cluster.stop(name)
        begun.set()
        await asyncio.sleep(seconds)
        await cluster.restart(name)

    return action


async def played(stage: Stage, name: str, seconds: float) -> None:
    """All places in one outage."""
    begun = asyncio.Event()
    await stage.play(everywhere(begun), gone(stage.cluster, name, seconds, begun))


@pytest.mark.full
@pytest.mark.parametrize("name", ["kube-apiserver", "etcd"])
async def test_a_restart_of_the_control_plane_costs_nothing_but_time(stage: Stage, name: str) -> None:
    """No step twice, none too early, and the user's fields at the end."""
    await played(stage, name, 0.5)


@pytest.mark.full
@pytest.mark.parametrize("name", ["kube-apiserver", "kube-controller-manager"])
async def test_a_minute_without_it_costs_nothing_but_time(stage: Stage, name: str) -> None:
    """Longer than any lease, and than every deadline of a request."""
    await played(stage, name, 60.0)
