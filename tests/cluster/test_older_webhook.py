"""Webhook and controller are older than what wrote the record: while Penstock is updated, or taken back to a release.

The record is made the next version's past admission. Whatever comes then, nothing moves; the newer version goes on
afterwards as if the older one had not been there, and an opt-out frees the Deployment without it.
"""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from penstock.core import keys
from penstock.kube import Client, objects
from tests.cluster.ends import fields, restored, spelled
from tests.cluster.moments import PHASES, dead_in
from tests.cluster.stage import Scenario, Stage
from tests.cluster.test_release import by_label
from tests.cluster.tools import argo, flux, with_fields
from tests.cluster.workload import Workload, image
from tests.cluster.world import World

pytestmark = [pytest.mark.cluster, pytest.mark.full]

Object = dict[str, Any]
End = Callable[[World, Client, str], Awaitable[None]]

SETTINGS = {"minReadySeconds": 1, "progressDeadlineSeconds": 300}
WORKLOAD = Workload(10, "25%", "25%", "2, 50%", "1s..60s", spec=SETTINGS)
NARROW = Workload(10, 1, 0, "3", "1s..60s", spec=SETTINGS)
"""No old pod may go first, so the way back leads through windows on the stable template."""


async def rewritten(here: World, past: Client, text: str) -> None:
    """The record becomes this text, with no word of admission."""
    await here.heard(await past.merge(here.path, {"metadata": {"annotations": {keys.RECORD: text}}}))


async def newer_is_back(here: World, past: Client, text: str) -> None:
    """With the record as it had left it; it sees that another version was declared meanwhile."""
    await rewritten(here, past, text)
    await here.until_promoted("3")


async def opted_out(here: World, past: Client, text: str) -> None:
    """Every field as its owner has it, and the version that was declared last."""
    here.recorder.free.add(image("3"))
    await by_label(here)
    assert spelled(fields(here.deployment)) == spelled(fields(here.born))
    await here.until("all new", lambda: here.at_rest() and here.pods("3") == 10)


def waiting(force: Object, phase: str) -> Object:
    """The fields in force once another template waits."""
    brake = {"minReadySeconds": keys.BRAKE_READY, "progressDeadlineSeconds": keys.BRAKE_DEADLINE}
    return force | {"paused": True} | (brake if phase == "Finishing" else {})


def unread_in(phase: str, end: End) -> Scenario:
    """Two manifests and another version, in one phase."""
    workload = NARROW if phase == "Showing" else WORKLOAD

    async def scenario(here: World) -> None:
        await here.start_controller()
        await here.create(workload.manifest())
        await dead_in(here, phase, lambda there: there.release(workload, "2"))
        async with Client.connect(str(here.cluster.controller_kubeconfig), user_agent="tests") as past:
            text = objects.annotations(here.deployment)[keys.RECORD]
            newer = json.dumps(json.loads(text) | {"v": 2, "wind": "north"})
            await rewritten(here, past, newer)
            await here.start_controller()
            force, label = fields(here.deployment), here.deployment["metadata"]["labels"]
            for tool in (flux, argo):
                await tool(here, with_fields(workload.manifest("2"), paused=False))
                expected = waiting(force, phase) if phase == "Showing" else force
                assert spelled(fields(here.deployment)) == spelled(expected)
            manifest = with_fields(workload.manifest("3"), paused=False)
            answer = await here.kubectl("apply", "--server-side=false", "-f", "-", stdin=json.dumps(manifest))
            assert (answer.code, "the record has version 2" in answer.err) == (0, True), answer.err
            assert spelled(fields(here.deployment)) == spelled(waiting(force, phase))
            assert here.deployment["metadata"]["labels"] == label
            assert objects.annotations(here.deployment)[keys.RECORD] == newer
            await here.silence(2)
            assert here.pods("3") == 0
            await end(here, past, text)
        await restored(here)

    return scenario


@pytest.mark.parametrize("end", [newer_is_back, opted_out])
async def test_what_cannot_be_read_is_held_in_every_phase(stage: Stage, end: End) -> None:
    """By admission and by the controller, whatever is applied."""
    await stage.play({phase: unread_in(phase, end) for phase in PHASES}, width=9)
