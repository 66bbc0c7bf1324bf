"""Opted out in every phase: by the Deployment's own label, and by its namespace's.

The way out in an emergency is not chosen in a quiet moment. Whatever the rollout was doing, every field is its owner's
again, byte for byte, and Kubernetes itself brings the declared version to all pods (I7). `penstock release` in every
phase is in test_commands_release.py.
"""

from collections.abc import Awaitable, Callable

import pytest

from tests.cluster.ends import fields, restored, spelled
from tests.cluster.stage import Scenario, Stage
from tests.cluster.test_kubectl import awaiting, between, braking, finishing, paused_during
from tests.cluster.test_release import by_label, by_namespace, dead_at, going_back, held, never_opened, rejected
from tests.cluster.workload import Workload, image
from tests.cluster.world import World

pytestmark = [pytest.mark.cluster, pytest.mark.full]

LONG = Workload(10, 3, 2, "2, 50%", "90s..120s", spec={"minReadySeconds": 1, "progressDeadlineSeconds": 300})
QUICK = Workload(10, 3, 2, "2, 50%", "1s..60s", spec={"minReadySeconds": 1, "progressDeadlineSeconds": 300})
WINDOWS = Workload(10, 1, 0, "3", "90s..120s")
ASKED = Workload(10, "25%", "25%", "2, 50%", "1s..60s", notes={"penstock.dev/approve": "each"})

PHASES: dict[str, tuple[Workload, Callable[[World, Workload], Awaitable[None]]]] = {
    "Pending": (LONG, never_opened),
    "Opening": (LONG, dead_at(1)),
    "Holding": (LONG, held),
    "Holding, approval awaited": (ASKED, awaiting),
    "Holding, one pod": (Workload(1, "25%", "25%", "1", "90s..120s"), held),
    "Braking": (QUICK, braking),
    "Retreating": (LONG, between),
    "Retreating, the stable template shown": (WINDOWS, going_back),
    "Rejected": (LONG, rejected),
    "Finishing": (QUICK, finishing),
}


def out(workload: Workload, moment: Callable[[World, Workload], Awaitable[None]], *, namespace: bool) -> Scenario:
    """The controller is dead when it is opted out. For the label the webhook is enough, for the namespace it is not."""

    async def scenario(here: World) -> None:
        await here.start_controller()
        await here.create(workload.manifest())
        await moment(here, workload)
        here.proxy.trap = None
        here.recorder.free.add(image("2"))
        if namespace:
            await by_namespace(here)
            await here.start_controller()
            await here.until("released", lambda: not here.deployment["spec"].get("paused") and not here.record)
        else:
            await by_label(here)
        assert not here.record
        assert spelled(fields(here.deployment)) == spelled(fields(here.born))
        await here.until("all new", lambda: here.at_rest() and here.pods("2") == workload.replicas)
        if not namespace:
            await here.start_controller()
        await restored(here, replicasets=namespace)

    return scenario


@pytest.mark.parametrize("namespace", [False, True], ids=["label", "namespace"])
async def test_an_opt_out_ends_it_in_every_phase(stage: Stage, namespace: bool) -> None:
    """Fields at once, then the pods."""
    await stage.play({name: out(*phase, namespace=namespace) for name, phase in PHASES.items()})


async def own_pause(here: World) -> None:
    """A pause of their own is theirs afterwards, and nothing moves until they lift it."""
    await here.start_controller()
    await here.create(LONG.manifest())
    await paused_during(here, LONG)
    await by_label(here)
    assert not here.record
    assert spelled(fields(here.deployment)) == spelled(fields(here.born) | {"paused": True})
    await here.silence(2)
    assert here.pods("2") <= 3
    here.recorder.free.add(image("2"))
    assert (await here.kubectl("rollout", "resume", "deployment/web")).code == 0
    await here.until("all new", lambda: here.at_rest() and here.pods("2") == 10)


async def test_an_opt_out_leaves_a_pause_of_the_owners_own(stage: Stage) -> None:
    """I7: nothing of ours is left paused, and what is theirs is left."""
    await stage.play({"own pause": own_pause})
