"""What a user says of their own maxSurge, maxUnavailable, minReadySeconds and progressDeadlineSeconds mid-rollout.

The values in force are Penstock's for as long as two versions run. A manifest that is applied again states the user's,
maybe changed ones: those are kept, in whatever phase they come, and are in force at the end.
"""

import json
from dataclasses import replace as changed
from typing import Any

import pytest

from penstock.kube import ApiError
from tests.cluster.ends import fields, restored, spelled
from tests.cluster.moments import PHASES, TAKEN_BACK, dead_in
from tests.cluster.reading import LIMITS
from tests.cluster.stage import Scenario, Stage
from tests.cluster.tools import TOOLS, Tool
from tests.cluster.workload import Workload, image
from tests.cluster.world import USER, World

pytestmark = pytest.mark.cluster

SETTINGS = {"minReadySeconds": 1, "progressDeadlineSeconds": 300}
BEFORE = Workload(10, "25%", "25%", "2, 50%", "1s..60s", spec=SETTINGS)
AFTER = changed(BEFORE, surge=4, unavailable="20%", spec={"minReadySeconds": 2, "progressDeadlineSeconds": 240})
"""The same with all four values changed."""

NARROW = changed(BEFORE, surge=1, unavailable=0, steps="3")
"""No old pod may go before a new one is available, so the way back leads through windows on the stable template."""
WIDER = changed(AFTER, surge=2, unavailable="10%", steps="3")


def in_force(here: World) -> str:
    """The fields in force, whosever they are."""
    return spelled(fields(here.deployment))


def saved(here: World) -> dict[str, Any]:
    """What the record keeps for the end."""
    return dict(here.record["saved"])


def words(workload: Workload) -> dict[str, Any]:
    """The same as the record should have it."""
    return {
        "type": "RollingUpdate",
        "surge": workload.surge,
        "unavailable": workload.unavailable,
        "min_ready": workload.spec["minReadySeconds"],
        "deadline": workload.spec["progressDeadlineSeconds"],
        "paused": None,
    }


def changed_in(phase: str, tool: Tool) -> Scenario:
    """The four values change in one phase, with the manifest of the version that is being rolled out."""
    before, after = (NARROW, WIDER) if phase == "Showing" else (BEFORE, AFTER)

    async def scenario(here: World) -> None:
        await here.start_controller()
        await tool(here, before.manifest())
        await here.until("at rest", here.at_rest)
        here.born = here.deployment
        await dead_in(here, phase, lambda there: tool(there, before.manifest("2")))
        force, label, record = in_force(here), here.deployment["metadata"]["labels"], here.record
        assert saved(here) == words(before)
        await tool(here, after.manifest("2"))
        expected = {**here.born, "spec": {**here.born["spec"], **fields({"spec": after.manifest()["spec"]})}}
        here.born = expected
        if phase == "Finishing":
            assert in_force(here) == spelled(fields(expected))
        elif phase == "Showing":  # the declared template is back, so that no window is open any more
            assert here.deployment["spec"]["paused"] is True
        else:
            assert in_force(here) == force
        assert here.deployment["metadata"]["labels"] == label
        assert here.record == record | {"saved": words(after)}
        await here.start_controller()
        if phase in TAKEN_BACK:
            await here.until_rejected()
            await tool(here, after.manifest())
            await here.until_promoted("1")
        else:
            await here.until_promoted("2")
        await restored(here)

    return scenario


def table(rows: dict[str, Tool]) -> dict[str, Scenario]:
    """One tool in each phase."""
    return {f"{phase}, {name}": changed_in(phase, tool) for name, tool in rows.items() for phase in PHASES}


async def test_the_values_in_force_stay_and_the_users_own_are_in_force_at_the_end(stage: Stage) -> None:
    """Neither is a clamp lifted by a manifest that is applied again, nor is what it says forgotten."""
    by_flux = TOOLS["server-side apply"]
    await stage.play({"Opening": changed_in("Opening", by_flux)})


@pytest.mark.full
async def test_whatever_tool_changes_them(stage: Stage) -> None:
    """`kubectl replace` sends neither our annotation nor our label, and does not take them away all the same."""
    await stage.play(table(TOOLS), width=9)


INVALID: dict[str, Any] = {
    "both limits 0": {"strategy": {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 0}}},
    "both limits 0 %": {"strategy": {"rollingUpdate": {"maxSurge": "0%", "maxUnavailable": "0%"}}},
    "a deadline below minReadySeconds": {"minReadySeconds": 60, "progressDeadlineSeconds": 30},
    "a limit that is none": {"strategy": {"rollingUpdate": {"maxSurge": "lots"}}},
}
PIECES: list[Any] = [
    {"strategy": {"rollingUpdate": {"maxSurge": 0}}},
    {"strategy": {"rollingUpdate": {"maxUnavailable": "0%"}}},
]
"""Each of the two is valid alone."""

RECREATE: dict[str, Any] = {"strategy": {"type": "Recreate", "rollingUpdate": None}}
SECONDS = changed(BEFORE, spec={}, step_time="1s..60s")
NARROWER = changed(SECONDS, surge=1, unavailable=0, steps="3")


async def refusal(here: World, spec: dict[str, Any]) -> int:
    """The status with which the API server refuses this, or 0."""
    try:
        await here.heard(await here.client.merge(here.path, {"spec": spec}, fieldManager=USER))
    except ApiError as error:
        return error.status
    return 0


def refused_in(phase: str) -> Scenario:
    """Values that are invalid together come in this phase; the rollout ends with those from before."""
    workload = NARROWER if phase == "Showing" else SECONDS

    async def scenario(here: World) -> None:
        await here.start_controller()
        await here.create(workload.manifest())
        await dead_in(here, phase, lambda there: there.release(workload, "2"))
        before = spelled([fields(here.deployment), here.record])
        codes = {name: await refusal(here, spec) for name, spec in INVALID.items()}
        assert codes == dict.fromkeys(INVALID, 422)
        assert spelled([fields(here.deployment), here.record]) == before
        await here.start_controller()
        if phase in TAKEN_BACK:
            await here.until_rejected()
            await here.release(workload, "1")
        await here.until_promoted("1" if phase in TAKEN_BACK else "2")
        await restored(here)

    return scenario


async def in_pieces(here: World) -> None:
    """The second piece makes both 0: refused, whatever is in force at that moment."""
    staying = changed(SECONDS, step_time="60s..90s")
    await here.start_controller()
    await here.create(staying.manifest())
    await here.release(staying, "2")
    await here.until("holding", lambda: here.holding(1))
    assert [await refusal(here, piece) for piece in PIECES] == [0, 422]
    assert saved(here)["surge"] == 0
    await here.hurry()
    await here.until_promoted("2")
    assert here.deployment["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": 0, "maxUnavailable": "25%"}


def recreate_in(phase: str) -> Scenario:
    """A change to Recreate in this phase: in force when one version is left."""
    workload = NARROWER if phase == "Showing" else SECONDS

    async def scenario(here: World) -> None:
        await here.start_controller()
        await here.create(workload.manifest())
        await dead_in(here, phase, lambda there: there.release(workload, "2"))
        assert await refusal(here, RECREATE) == 0
        assert here.deployment["spec"]["strategy"]["type"] == "RollingUpdate"
        assert (saved(here)["type"], saved(here)["surge"]) == ("Recreate", None)
        await here.start_controller()
        if phase in TAKEN_BACK:
            await here.until_rejected()
            await here.release(workload, "1")
        await here.until_promoted("1" if phase in TAKEN_BACK else "2")
        here.born["spec"]["strategy"] = {"type": "Recreate"}
        await restored(here)

    return scenario


async def released_into_recreate(here: World) -> None:
    """Opted out after it: the owner's word at once, as it would have been without us."""
    await here.start_controller()
    await here.create(SECONDS.manifest())
    await dead_in(here, "Holding", lambda there: there.release(SECONDS, "2"))
    assert await refusal(here, RECREATE) == 0
    here.recorder.free.add(image("2"))
    told = {LIMITS: json.dumps([0, "100%"])}  # what Recreate means
    body = {"metadata": {"labels": {"penstock.dev/enabled": "false"}, "annotations": told}}
    await here.client.merge(here.path, body)
    await here.until("released", lambda: here.deployment["spec"]["strategy"] == {"type": "Recreate"})
    assert here.deployment["spec"].get("paused") is None
    await here.start_controller()
    await here.until("complete", lambda: here.at_rest() and here.pods("2") == 10)


@pytest.mark.full
async def test_values_that_are_invalid_together_are_refused_in_every_phase(stage: Stage) -> None:
    """By the API server, at once: hidden behind ours they would be accepted and break the end of the rollout. In the
    first window of these workloads "0%" is in force: a patch that says so changes nothing and cannot be heard."""
    phases = [phase for phase in PHASES if phase != "Opening"]
    await stage.play({phase: refused_in(phase) for phase in phases} | {"in pieces": in_pieces}, width=9)


@pytest.mark.full
async def test_a_change_to_recreate_waits_until_one_version_is_left(stage: Stage) -> None:
    """In force at once it would delete every pod that serves."""
    scenarios = {phase: recreate_in(phase) for phase in PHASES}
    await stage.play(scenarios | {"released": released_into_recreate}, width=10)
