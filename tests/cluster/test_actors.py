"""Everybody else who writes to the Deployment while a rollout runs: kubectl, GitOps tools, backups, newer releases.

None of them knows about Penstock; each goes on working as before, and the step holds.
"""

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest

from penstock.kube import Conflict
from tests.cluster.ends import fields, restored, spelled, traces
from tests.cluster.stage import Scenario, Stage
from tests.cluster.workload import NAME, Workload, image
from tests.cluster.world import USER, World

pytestmark = pytest.mark.cluster

TOOL = "argocd-controller"
HELD = "60s..90s"
"""A stay that outlasts whatever a test does meanwhile, on a slow machine too; it is hurried on afterwards."""

SETTINGS = {"minReadySeconds": 1, "progressDeadlineSeconds": 300}


def owned(here: World, manager: str) -> Any:
    """What a manager owns of the spec."""
    for entry in here.deployment["metadata"]["managedFields"]:
        if entry["manager"] == manager and "subresource" not in entry:
            return entry["fieldsV1"]["f:spec"]
    raise AssertionError(f"{manager} owns nothing")


def managers(here: World) -> set[str]:
    return {entry["manager"] for entry in here.deployment["metadata"]["managedFields"]}


async def apply(here: World, manifest: dict[str, Any]) -> None:
    """`kubectl apply --server-side`, never with force."""
    answer = await here.kubectl(
        "apply", "--server-side", f"--field-manager={TOOL}", "-f", "-", stdin=json.dumps(manifest)
    )
    assert answer.code == 0, answer.err


def spec_fields_of_ours(here: World) -> bool:
    """Whether a field of the spec stands in our entry, where its owner's next apply would find a conflict."""
    return any("f:spec" in text for text in traces(here) if text.startswith("managed by us"))


def applied_on_the_server(workload: Workload) -> Scenario:
    """A tool that applies on the server's side, its manifest stating every field that Penstock uses."""

    async def scenario(here: World) -> None:
        await here.start_controller()
        await apply(here, workload.manifest())
        await here.until("at rest", here.at_rest)
        here.born = here.deployment
        await apply(here, workload.manifest("2"))
        await here.until("holding", lambda: here.holding(1))
        pods = here.pods("2")
        await here.until("given back", lambda: not spec_fields_of_ours(here))
        await apply(here, workload.manifest("2"))
        loosened = replace(workload, unavailable=1)
        changed = loosened.manifest("2")
        changed["spec"]["minReadySeconds"] = 2
        await apply(here, changed)
        await here.silence(2)
        assert (here.pods("2"), here.phase()) == (pods, "Holding")
        hurried = replace(loosened, step_time="1s..60s").manifest("2")
        hurried["spec"]["minReadySeconds"] = 2
        await apply(here, hurried)
        await here.until_promoted("2")
        expected = fields(here.born) | {"minReadySeconds": 2}
        expected["strategy"]["rollingUpdate"]["maxUnavailable"] = 1
        here.born = {**here.born, "spec": {**here.born["spec"], **expected}}
        await restored(here)
        assert managers(here) == {TOOL, "kube-controller-manager"}
        spec = owned(here, TOOL)
        assert spec["f:strategy"]["f:rollingUpdate"] == {"f:maxSurge": {}, "f:maxUnavailable": {}}
        assert {"f:minReadySeconds", "f:progressDeadlineSeconds"} <= spec.keys()
        left_out = loosened.manifest("2")
        del left_out["spec"]["minReadySeconds"], left_out["spec"]["progressDeadlineSeconds"]
        await apply(here, left_out)
        await here.until("left out", lambda: "minReadySeconds" not in here.deployment["spec"])
        assert here.deployment["spec"]["progressDeadlineSeconds"] == 600

    return scenario


def applied_all_the_time(workload: Workload) -> Scenario:
    """The same tool, which never stops applying: a conflict may hit the moment between a write of ours and the one
    that gives the field back, but the next try goes through."""

    async def scenario(here: World) -> None:
        await here.start_controller()
        await apply(here, workload.manifest())
        await here.until("at rest", here.at_rest)
        here.born = here.deployment
        manifest, row, longest, tries = workload.manifest("2"), 0, 0, 0
        async with asyncio.timeout(100):
            while not (here.at_rest() and here.pods("2") == workload.replicas and here.pods("1") == 0):
                try:
                    await here.client.apply(here.path, manifest, manager=TOOL)
                    row = 0
                except Conflict:
                    row += 1
                longest, tries = max(longest, row), tries + 1
                await asyncio.sleep(0.25)
        print(f"longest row of conflicts: {longest} of {tries} tries")
        await restored(here)
        assert managers(here) == {TOOL, "kube-controller-manager"}
        assert longest <= 6

    return scenario


async def test_a_tool_that_applies_on_the_server_never_needs_force(stage: Stage) -> None:
    """Fields that we take are given back at once; at the end nothing names us, and removal works again."""
    await stage.play(
        {
            "10 pods": applied_on_the_server(Workload(10, "25%", "25%", "2, 50%", HELD, spec=SETTINGS)),
            "10 pods, numbers": applied_on_the_server(Workload(10, 3, 2, "1, 4", HELD, spec=SETTINGS)),
            "3 pods": applied_on_the_server(Workload(3, 1, 0, "1, 2", HELD, spec=SETTINGS)),
            "10 pods, all the time": applied_all_the_time(Workload(10, "25%", "25%", "2, 50%", "2s", spec=SETTINGS)),
            "4 pods, 1/0, all the time": applied_all_the_time(Workload(4, 1, 0, "2, 3", "2s", spec=SETTINGS)),
        }
    )


LONG = Workload(10, "25%", "25%", "2, 50%", "5s..60s")
STAYING = replace(LONG, step_time=HELD)


async def hold(here: World, workload: Workload = LONG, step: int = 1) -> None:
    await here.start_controller()
    await here.create(workload.manifest())
    await here.release(workload, "2")
    await here.until("holding", lambda: here.holding(step))


async def third_version(here: World) -> None:
    """While the second is held."""
    await hold(here, step=2)
    await here.release(LONG, "3")
    await here.until_promoted("3")
    await restored(here)


async def third_version_in_a_window(here: World) -> None:
    """While pods of the second are being added."""
    windows = Workload(6, 1, 0, "3", "2s..60s")
    await here.start_controller()
    await here.create(windows.manifest())
    await here.release(windows, "2")
    await here.until("opening", lambda: here.phase() == "Opening")
    await here.release(windows, "3")
    await here.until_promoted("3")
    await restored(here)


async def version_after_version(here: World) -> None:
    """A new release every second, and then peace."""
    await here.start_controller()
    await here.create(LONG.manifest())
    for version in "23456":
        await here.release(LONG, version)
        await here.silence(1)
    await here.until_promoted("6")
    await restored(here)


async def resume(here: World) -> None:
    """kubectl itself tells people to resume before an undo; that alone must change nothing."""
    await hold(here, STAYING)
    answer = await here.kubectl("rollout", "resume", f"deployment/{NAME}")
    assert answer.code == 0
    assert "nothing waits for an approval" in answer.err
    await here.silence(2)
    assert (here.pods("2"), here.deployment["spec"]["paused"]) == (2, True)
    undo = await here.kubectl("rollout", "undo", f"deployment/{NAME}")
    assert undo.code != 0
    assert "paused" in undo.err
    await here.hurry()
    await here.until_promoted("2")
    await restored(here)


async def approval(here: World) -> None:
    """A step that waits for a person waits for ever, and goes on with `kubectl rollout resume`."""
    workload = Workload(10, "25%", "25%", "2, 50%", "1s..60s", notes={"penstock.dev/approve": "each"})
    await hold(here, workload)
    await here.until("asked", lambda: here.condition("reason") == "AwaitingApproval")
    await here.silence(3)
    assert (here.pods("2"), here.condition("reason")) == (2, "AwaitingApproval")
    answer = await here.kubectl("rollout", "resume", f"deployment/{NAME}")
    assert "step 1 is approved" in answer.err
    await here.until("holding", lambda: here.holding(2))
    await here.silence(4)
    assert here.pods("2") == 5
    await here.ask("approve")
    await here.until_promoted("2")
    await restored(here)


async def own_pause(here: World) -> None:
    """A pause that is the user's own holds until they lift it, and is theirs at the end."""
    await hold(here, STAYING)
    paused = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": NAME}, "spec": {"paused": True}}
    await here.client.apply(here.path, paused, manager="a-person")
    await here.hurry()
    await here.until("told", lambda: here.condition("reason") == "PausedByUser")
    await here.silence(4)
    assert (here.pods("2"), here.condition("reason")) == (2, "PausedByUser")
    answer = await here.kubectl("rollout", "resume", f"deployment/{NAME}")
    assert "your own pause is lifted" in answer.err
    await here.until_promoted("2")
    await restored(here)


async def raised_surge(here: World) -> None:
    """More room for the next step, given while a step is held: the step is as large as it says all the same."""
    workload = Workload(10, "25%", "25%", "5, 60%, 80%", "4s..60s")
    await hold(here, workload)
    await here.client.merge(here.path, Workload.limits("100%", "25%"), fieldManager=USER)
    await here.until("holding", lambda: here.holding(2))
    await here.client.merge(here.path, Workload.limits(1, 0), fieldManager=USER)
    await here.until_promoted("2")
    assert here.deployment["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}


async def applied_by_the_client(here: World) -> None:
    """`kubectl apply` of the same manifest again and again, with `paused: false` written in it."""
    manifest = STAYING.manifest("2")
    manifest["spec"]["paused"] = False
    await hold(here, STAYING)
    for _ in range(3):
        answer = await here.kubectl("apply", "--server-side=false", "-f", "-", stdin=json.dumps(manifest))
        assert answer.code == 0, answer.err
        await here.silence(0.5)
    assert (here.pods("2"), here.deployment["spec"]["paused"]) == (2, True)
    await here.hurry()
    await here.until_promoted("2")
    await restored(here)


@pytest.mark.full
async def test_other_writers_do_not_move_the_step(stage: Stage) -> None:
    """Newer versions, kubectl's own commands, changed limits, approvals."""
    await stage.play(
        {
            "third version": third_version,
            "third version in a window": third_version_in_a_window,
            "version after version": version_after_version,
            "rollout resume, rollout undo": resume,
            "approval": approval,
            "a pause of one's own": own_pause,
            "raised maxSurge": raised_surge,
            "applied by the client": applied_by_the_client,
        }
    )


async def restored_backup(here: World) -> None:
    """Created again from what was saved during a hold: not paused, not stepped, the user's own fields."""
    await hold(here)
    manifest = here.backup()
    await here.remove()
    here.recorder.free.add(image("2"))
    created = await here.client.post(here.collection, manifest, fieldManager=USER)
    assert spelled(fields(created)) == spelled(fields(here.born))
    await here.until("at rest", lambda: here.at_rest() and here.pods("2") == 10)
    await restored(here)
    await here.release(LONG, "3")
    await here.until_promoted("3")
    await restored(here)


async def backup_over_it(here: World) -> None:
    """Applied over the object that it was taken from, after that rollout is over."""
    await hold(here)
    manifest = here.backup()
    await here.until_promoted("2")
    await restored(here)
    answer = await here.kubectl("replace", "-f", "-", stdin=json.dumps(manifest))
    assert answer.code == 0, answer.err
    await here.silence(1)
    await restored(here)
    assert here.at_rest()


async def test_a_backup_taken_during_a_hold_brings_no_hold_back(stage: Stage) -> None:
    """Its record is another rollout's; nobody would ever end it."""
    await stage.play({"created": restored_backup, "over the object": backup_over_it})
