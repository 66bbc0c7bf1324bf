"""Deployments that cannot be stepped, or not yet, when their namespace is opted in: left alone, or gated later.

Whoever applies a change that goes to all pods at once is told so by kubectl, with the reason.
"""

from typing import Any

import pytest

from penstock.kube import objects
from tests.cluster.cluster import Output
from tests.cluster.ends import restored
from tests.cluster.reading import LIMITS
from tests.cluster.stage import Stage
from tests.cluster.workload import NAME, Workload, image
from tests.cluster.world import World

pytestmark = pytest.mark.cluster

PLAIN = Workload(10, "25%", "25%", "2, 50%", "2s..60s")
SLOW = "6s"
"""Until a pod of a slow version is Ready: a native rollout takes several of these."""


async def opted(here: World, enabled: bool) -> None:
    """The namespace's label."""
    label = {"penstock.dev/enabled": "true" if enabled else None}
    await here.client.merge(objects.namespace(here.namespace), {"metadata": {"labels": label}})


async def set_image(here: World, version: str) -> Output:
    """As a person does it."""
    output = await here.kubectl("set", "image", f"deployment/{NAME}", f"app={image(version)}")
    assert output.code == 0, output.err
    return output


async def recreate(here: World) -> None:
    """All old pods go before the first new one comes; there is nothing to compare with."""
    here.recorder.free.add(image("2"))
    manifest = PLAIN.manifest()
    manifest["spec"]["strategy"] = {"type": "Recreate"}
    manifest["metadata"]["annotations"][LIMITS] = '["25%", "100%"]'  # that is what it means
    await here.start_controller()
    await here.create(manifest)
    output = await set_image(here, "2")
    assert "strategy Recreate cannot be rolled out in steps; this change goes to all pods at once" in output.err
    await here.until("at rest", lambda: here.at_rest() and here.pods("2") == 10)
    await restored(here)


async def no_replicas(here: World) -> None:
    """Nothing runs; when it is scaled up again all of it is the new version, and the next release is stepped."""
    here.recorder.free.add(image("2"))
    await here.start_controller()
    await here.create(PLAIN.manifest())
    await here.scale(0)
    await here.until("empty", lambda: here.state.total == 0 and not here.state.pods)
    output = await set_image(here, "2")
    assert (
        "no pods are wanted (replicas: 0), so there is nothing to compare with; this change is not stepped"
        in output.err
    )
    await here.scale(10)
    await here.until("at rest", lambda: here.at_rest() and here.pods("2") == 10)
    await restored(here)
    await set_image(here, "3")
    await here.until("holding", lambda: here.holding(1))
    await here.until_promoted("3")


async def paused(here: World) -> None:
    """A change under the owner's own pause waits as ever; when they lift it, it is rolled out in steps."""
    await here.start_controller()
    await here.create(PLAIN.manifest())
    assert (await here.kubectl("rollout", "pause", f"deployment/{NAME}")).code == 0
    output = await set_image(here, "2")
    assert "paused by its owner; when it is resumed, this change is rolled out in steps" in output.err
    await here.silence(3)
    assert (here.pods("2"), here.record) == (0, {})
    assert (await here.kubectl("rollout", "resume", f"deployment/{NAME}")).code == 0
    await here.until("holding", lambda: here.holding(1))
    await here.until_promoted("2")
    await restored(here)


async def native_rollout(here: World) -> None:
    """A native rollout that runs when the label comes goes on as it was."""
    here.recorder.free.add(image("2"))
    await opted(here, False)
    await here.start_controller()
    await here.create(PLAIN.manifest())
    await here.release(PLAIN, "2", ready_after=SLOW)
    await here.until("under way", lambda: 0 < here.pods("2") < 10)
    await opted(here, True)
    await here.until("at rest", lambda: here.at_rest() and here.pods("2") == 10)
    assert here.record == {}


async def native_rollout_and_release(here: World) -> None:
    """A change in the middle of one is gated: the version with the most available pods is the stable one, and pods of
    the other one go before the first step."""
    here.recorder.free |= {image("1"), image("2")}  # which of them is stable the controller has to find
    await opted(here, False)
    await here.start_controller()
    await here.create(PLAIN.manifest())
    await here.release(PLAIN, "2", ready_after=SLOW)
    await here.until("under way", lambda: 0 < here.pods("2") < 10)
    await opted(here, True)
    output = await set_image(here, "3")
    assert "its pods were not at rest; the version with the most available ones counts as the stable one" in output.err
    await here.until("holding", lambda: here.holding(1))
    assert (here.pods("1"), here.pods("2"), here.pods("3")) == (10, 0, 2)
    await here.until_promoted("3")


@pytest.mark.full
async def test_what_cannot_be_stepped_is_left_alone_and_says_why(stage: Stage) -> None:
    """And what can be stepped later is."""
    scenarios: dict[str, Any] = {
        "Recreate": recreate,
        "no replicas": no_replicas,
        "a pause of its owner": paused,
        "a native rollout": native_rollout,
        "a release in the middle of a native rollout": native_rollout_and_release,
    }
    await stage.play(scenarios)
