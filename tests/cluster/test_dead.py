"""Controller and webhook die together, at any write of a rollout, and nobody comes back: it stays where it was.

Afterwards pods are deleted and lose their readiness, as they do on real clusters; the shares stay all the same.
"""

import pytest

from tests.cluster.ends import restored
from tests.cluster.proxy import Cut
from tests.cluster.stage import Scenario, Stage
from tests.cluster.workload import Workload
from tests.cluster.world import World

pytestmark = pytest.mark.cluster

SETTLING = 4.0
"""Seconds without any event, after which the native controllers have finished what was begun."""

SILENCE = 8.0
"""Seconds after that in which nothing may move."""

TWO_STEPS = Workload(10, "25%", "25%", "2, 50%", "1s..60s")
WINDOWS = Workload(4, 1, 0, "2, 3", "1s..60s")
TIGHT = Workload(3, 0, 1, "1, 2", "1s..60s")


def sizes(here: World) -> dict[str, int]:
    """Pods by version, by spec."""
    return {rs.image: rs.replicas for rs in here.state.replicasets.values() if rs.replicas}


def abandoned(workload: Workload, at: int, cut: Cut) -> Scenario:
    """A rollout whose controller dies at write `at`, then its webhook; both are back only at the end."""

    async def scenario(here: World) -> None:
        await here.start_controller()
        await here.create(workload.manifest())
        here.kill_at(at, cut)
        await here.release(workload, "2")
        await here.died()
        await here.meet()  # the webhook is stopped
        await here.calm(SETTLING)
        found, paused = sizes(here), here.deployment["spec"].get("paused")
        await here.silence(SILENCE)
        assert (sizes(here), here.deployment["spec"].get("paused")) == (found, paused)
        for version in "12":
            for name in here.names(version)[:1]:
                await here.delete_pod(name)
        await here.until("whole again", lambda: all(len(here.names(v[-1])) == n for v, n in found.items()))
        await here.silence(3)
        assert sizes(here) == found
        await here.meet()  # the webhook is started
        here.proxy.trap = None
        await here.start_controller()
        await here.until_promoted("2")
        await restored(here)

    return scenario


def points(workload: Workload, name: str, writes: range) -> dict[str, Scenario]:
    """Deaths at these writes, on the side that leaves most undone: stored, but unseen."""
    return {f"{name}: dead from write {at} on": abandoned(workload, at, Cut.UNSEEN) for at in writes}


async def test_a_rollout_without_controller_and_webhook_stays_where_it_was(stage: Stage) -> None:
    """A stable state at or below the step, pods serving, whatever dies and whenever (I6)."""
    cluster = stage.cluster
    scenarios = points(TWO_STEPS, "10 pods", range(1, 12)) | points(TIGHT, "3 pods", range(1, 8, 2))
    await stage.play(scenarios, lambda: cluster.stop("webhook"), lambda: cluster.restart("webhook"))


@pytest.mark.full
@pytest.mark.parametrize("workload", [TWO_STEPS, WINDOWS, TIGHT], ids=["10", "4 1/0", "3 0/1"])
async def test_it_stays_from_every_write_on(stage: Stage, workload: Workload) -> None:
    """All of them, in both states of the last write."""
    cluster = stage.cluster
    scenarios = points(workload, "stored", range(1, 18)) | {
        f"not sent: dead from write {at} on": abandoned(workload, at, Cut.BEFORE) for at in range(1, 18)
    }
    await stage.play(scenarios, lambda: cluster.stop("webhook"), lambda: cluster.restart("webhook"))
