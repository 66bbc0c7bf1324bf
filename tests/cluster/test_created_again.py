"""A Deployment is deleted while its release runs, and another one of the same name is there at once; or all goes.

Names are used again, uids never. Whatever was decided about the first one must not reach the second: no write, no
condition, no Event; and nothing waits for what has gone.
"""

from collections.abc import Callable
from typing import Any

import pytest

from penstock.kube import Conflict, NotFound, objects
from tests.cluster.ends import restored, traces
from tests.cluster.stage import Scenario, Stage
from tests.cluster.test_scaling import BAD, GOOD, Moment
from tests.cluster.workload import Workload, image
from tests.cluster.world import USER, World

pytestmark = pytest.mark.cluster

WORKLOAD = Workload(10, "25%", "25%", "20%, 50%", "4s..60s")


async def reached(here: World, moment: Moment, good: bool) -> None:
    """A release in the middle of something."""
    await here.start_controller()
    await here.create(WORKLOAD.manifest())
    if good:
        await here.release(WORKLOAD, "2")
    else:
        here.recorder.failing.add(image("2"))
        await here.release(WORKLOAD, "2", "crash-loop", after="300ms", back_off="300ms")
    await moment(here)


async def again(here: World, manifest: dict[str, Any], policy: str = "Background") -> dict[str, Any]:
    """Delete, and create as soon as the name is free."""
    await here.client.delete(here.path, propagationPolicy=policy)
    while True:
        try:
            created = await here.client.post(here.collection, manifest, fieldManager=USER)
        except Conflict:
            await here.silence(0.05)
        else:
            await here.heard(created)
            return created


async def untouched(here: World, uid: str) -> None:
    """Nothing of ours is on the new one, and no Event speaks of it."""
    events = (await here.client.get(objects.events(here.namespace)))["items"]
    assert [(e["reason"], e["note"]) for e in events if e["regarding"].get("uid") == uid and _ours(e)] == []
    assert traces(here, replicasets=False) == []


def _ours(event: dict[str, Any]) -> bool:
    return bool(event.get("reportingController") == "penstock.dev/controller")


async def stepped(here: World, workload: Workload) -> None:
    """The new one's own release goes in steps, to its end."""
    here.born = here.deployment
    await here.release(workload, "3")
    await here.until("holding", lambda: here.holding(1))
    await here.until_promoted("3")
    await restored(here)


def created_again(moment: Moment, version: str, *, good: bool = True, dead: bool = False) -> Scenario:
    """Another Deployment with this version, and a release of its own."""

    async def scenario(here: World) -> None:
        await reached(here, moment, good)
        if dead:
            here.kill_controller()
        here.recorder.failing.add(image("2"))
        created = await again(here, WORKLOAD.manifest(version))
        if dead:
            await here.start_controller()
        await here.until("at rest", here.at_rest)
        await here.silence(3)
        await untouched(here, objects.uid(created))
        await stepped(here, WORKLOAD)

    return scenario


def released_at_once(moment: Moment) -> Scenario:
    """The other one selects its pods by another label, and is updated as soon as it runs: the release of the first one
    may not have been forgotten yet."""

    async def scenario(here: World) -> None:
        await reached(here, moment, True)
        here.recorder.failing.add(image("2"))
        manifest = WORKLOAD.manifest("1")
        manifest["spec"]["selector"]["matchLabels"]["generation"] = "second"
        manifest["spec"]["template"]["metadata"]["labels"]["generation"] = "second"
        await again(here, manifest)
        await here.until("at rest", here.at_rest)
        here.born = here.deployment
        manifest["spec"]["template"]["spec"]["containers"][0]["image"] = image("3")
        await here.heard(await here.client.strategic(here.path, {"spec": {"template": manifest["spec"]["template"]}}))
        await here.until("holding", lambda: here.holding(1))
        await here.until_promoted("3")
        await restored(here)

    return scenario


def adopted(moment: Moment) -> Scenario:
    """`kubectl delete --cascade=orphan`, then the same manifest: the ReplicaSets change their owner, pods run on."""

    async def scenario(here: World) -> None:
        await reached(here, moment, True)
        here.recorder.free.add(image("2"))
        created = await again(here, WORKLOAD.manifest("2"), "Orphan")
        await here.until("at rest", lambda: here.at_rest() and here.pods("2") == 10)
        await here.silence(3)
        await untouched(here, objects.uid(created))
        await stepped(here, WORKLOAD)

    return scenario


async def forgotten(here: World) -> None:
    """The namespace has gone too: nothing of ours kept it from that."""
    for _ in range(60):
        try:
            await here.client.get(objects.namespace(here.namespace))
        except NotFound:
            return
        await here.silence(0.5)
    raise AssertionError(f"{here.namespace} is still there")


async def forgets(here: World) -> None:
    """The controller watches nothing but for new rollouts; it may have been waiting after a refusal."""
    left: list[str] = []
    for _ in range(80):
        left = [entry.resource for entry in here.proxy.ledger.watches()]
        if left == ["deployments"]:
            return
        await here.silence(0.5)
    raise AssertionError(f"the controller still watches {left}")


def namespace_gone(moment: Moment, *, dead: bool = False) -> Scenario:
    """The whole namespace; the controller forgets it, and looks after others."""

    async def scenario(here: World) -> None:
        await reached(here, moment, True)
        if dead:
            here.kill_controller()
        here.recorder.ended = here.now()
        await here.client.delete(objects.namespace(here.namespace))
        await here.until("gone", lambda: not here.recorder.objects, 60)
        if dead:
            await here.start_controller()
        await here.quiet()
        await forgets(here)
        await forgotten(here)

    return scenario


def everywhere(make: Callable[..., Scenario], name: str, **more: Any) -> dict[str, Scenario]:
    """In each phase."""
    return {f"{name} while {phase}": make(moment, **more) for phase, moment in GOOD.items()}


HELD = GOOD["Holding"]


async def test_a_deployment_of_the_same_name_is_another_one(stage: Stage) -> None:
    """In the middle of a step, with a controller and without one."""
    await stage.play(
        {
            "created again while the controller is dead": created_again(HELD, "1", dead=True),
            "created again and released": released_at_once(HELD),
        }
    )


@pytest.mark.full
async def test_it_is_another_one_in_every_phase(stage: Stage) -> None:
    """With the old version and with the new one, adopted or from nothing, with and without a controller."""
    bad = {f"created again while {p}": created_again(m, "1", good=False) for p, m in BAD.items()}
    dead = {"dead": True}
    await stage.play(
        everywhere(created_again, "created again", version="1")
        | everywhere(created_again, "created again with the new version", version="2")
        | everywhere(created_again, "created again, dead,", version="1", **dead)
        | everywhere(released_at_once, "created again and released")
        | everywhere(adopted, "adopted")
        | bad,
        width=12,
    )


@pytest.mark.full
async def test_a_namespace_may_go_in_every_phase(stage: Stage) -> None:
    """Nothing is stuck, and the controller asks no more for what has gone."""
    await stage.play(
        everywhere(namespace_gone, "namespace deleted")
        | everywhere(namespace_gone, "namespace deleted, dead,", dead=True),
        width=12,
    )
