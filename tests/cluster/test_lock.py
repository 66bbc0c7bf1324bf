"""The webhook is dead, and people and tools go on writing: what holds a rollout at its step is the API server itself.

The webhook is one for all, so it is stopped once, and all of these scenarios are played in that time.
"""

import json
from typing import Any

import pytest

from tests.cluster.cluster import Output
from tests.cluster.ends import fields, restored, spelled
from tests.cluster.stage import Scenario, Stage
from tests.cluster.workload import NAME, Workload, image
from tests.cluster.world import USER, World

pytestmark = pytest.mark.cluster

# Held until all scenarios have met, however long the slowest of them takes; hurried at the end.
LONG = Workload(10, "25%", "25%", "2, 50%", "60s..90s")
SURGING = Workload(10, "100%", 0, "3, 50%", "60s..90s")
DENIED = "the webhook did not answer"


async def hold(here: World, workload: Workload, *, alive: bool) -> None:
    """A rollout at its first step; then the webhook dies."""
    await here.start_controller()
    await here.create(workload.manifest())
    await here.release(workload, "2")
    await here.until("holding", lambda: here.holding(1))
    if not alive:
        here.kill_controller()
    await here.meet()


async def end(here: World, version: str = "2") -> None:
    """The webhook is back, and a controller too."""
    await here.meet()
    await here.hurry()
    if not here.pid:
        await here.start_controller()
    await here.until_promoted(version)
    await restored(here)


def denied(answer: Output) -> None:
    assert answer.code != 0
    assert DENIED in answer.err


async def apply(here: World, manifest: dict[str, Any]) -> Output:
    return await here.kubectl("apply", "--server-side=false", "-f", "-", stdin=json.dumps(manifest))


def unpaused(workload: Workload, version: str = "2") -> dict[str, Any]:
    """The manifest of somebody who writes `paused: false`."""
    manifest = workload.manifest(version)
    manifest["spec"]["paused"] = False
    return manifest


def resumed(*, alive: bool) -> Scenario:
    """`kubectl rollout resume` and a manifest with `paused: false`: each would be a full release."""

    async def scenario(here: World) -> None:
        await hold(here, LONG, alive=alive)
        denied(await here.kubectl("rollout", "resume", f"deployment/{NAME}"))
        denied(await apply(here, unpaused(LONG)))
        await here.silence(3)
        assert (here.pods("2"), here.deployment["spec"]["paused"]) == (2, True)
        await end(here)

    return scenario


def released_by_hand(*, alive: bool) -> Scenario:
    """The way out that the refusal names."""

    async def scenario(here: World) -> None:
        await hold(here, LONG, alive=alive)
        here.recorder.free.add(image("2"))
        patch = '{"metadata":{"labels":{"penstock.dev/rollout":null}},"spec":{"paused":false}}'
        answer = await here.kubectl("patch", "deployment", NAME, "--type=merge", "-p", patch)
        assert answer.code == 0, answer.err
        await here.until("all new", lambda: here.pods("2") == 10)
        await end(here)

    return scenario


def applied_again(workload: Workload, *, alive: bool) -> Scenario:
    """A tool applies the manifest it has, strategy included, as it does every few minutes."""

    async def scenario(here: World) -> None:
        await hold(here, workload, alive=alive)
        before = here.pods("2")
        await apply(here, workload.manifest("2"))
        await here.silence(4)
        assert here.pods("2") == before
        await end(here)

    return scenario


def applied_in_a_window(workload: Workload) -> Scenario:
    """The same, in a window that nobody closes."""

    async def scenario(here: World) -> None:
        await here.start_controller()
        await here.create(workload.manifest())
        answer = await apply(here, workload.manifest())
        assert answer.code == 0, answer.err
        await here.release(workload, "2")
        await here.until("opening", lambda: here.phase() == "Opening")
        here.kill_controller()
        await here.until("settled", lambda: here.pods("2") > 0)
        await here.meet()
        before = here.pods("2")
        await apply(here, workload.manifest("2"))
        await here.silence(4)
        assert here.pods("2") == before
        await end(here)

    return scenario


async def third_version(here: World) -> None:
    """Nobody gates it, but it comes into a rollout that is paused. The controller may take up what the fence has seen
    only, and that is part of the webhook: so nothing moves until it is back."""
    await hold(here, LONG, alive=True)
    await here.release(LONG, "3")
    await here.silence(3)
    assert (here.pods("2"), here.pods("3"), here.deployment["spec"]["paused"]) == (2, 0, True)
    await end(here, "3")


async def stable_version(here: World) -> None:
    """Declared again: the controller alone ends the rollout."""
    await hold(here, LONG, alive=True)
    await here.release(LONG, "1")
    await here.until("stable alone", lambda: here.at_rest() and here.pods("2") == 0)
    await here.meet()
    await restored(here)


async def backup(here: World) -> None:
    """An object from a backup of a hold is created without anybody to drop its record: the controller does."""
    await hold(here, LONG, alive=True)
    manifest = here.backup()
    await here.remove()
    here.recorder.free.add(image("2"))
    await here.client.post(here.collection, manifest, fieldManager=USER)
    await here.until("at rest", lambda: here.at_rest() and here.pods("2") == 10)
    assert spelled(fields(here.deployment)) == spelled(fields(here.born))
    await here.meet()
    await restored(here)


async def test_a_dead_webhook_lets_nobody_past_the_step(stage: Stage) -> None:
    """A resume, a manifest, a tool that applies again and again: none of them may be a full release."""
    cluster = stage.cluster
    scenarios = {
        "resumed": resumed(alive=True),
        "resumed, no controller": resumed(alive=False),
        "released by hand": released_by_hand(alive=True),
        "released by hand, no controller": released_by_hand(alive=False),
        "applied again": applied_again(LONG, alive=True),
        "applied again, no controller": applied_again(LONG, alive=False),
        "applied again, 100%/0": applied_again(SURGING, alive=True),
        "applied again, 100%/0, no controller": applied_again(SURGING, alive=False),
        "applied in a window, no controller": applied_in_a_window(LONG),
        "third version": third_version,
        "stable version": stable_version,
        "backup": backup,
    }
    await stage.play(scenarios, lambda: cluster.stop("webhook"), lambda: cluster.restart("webhook"))
