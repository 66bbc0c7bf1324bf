"""GitOps tools: a manifest that is applied every few seconds, through a whole rollout, and what is left of us after it.

Flux applies on the server's side and forces conflicts; Argo CD patches with a three-way difference, as kubectl does.
Neither may move a pod or make us answer back, and nothing in the Deployment may be ours afterwards.
"""

import asyncio
import json
from dataclasses import dataclass
from dataclasses import replace as changed
from itertools import groupby
from typing import Any

import pytest
import yaml

from penstock.kube import objects
from tests.cluster.ends import fields, restored, spelled
from tests.cluster.reading import Deployment, Pod
from tests.cluster.stage import Scenario, Stage
from tests.cluster.tools import FLUX, Tool, argo, flux, with_fields
from tests.cluster.workload import NAME, Workload
from tests.cluster.world import World

pytestmark = [pytest.mark.cluster, pytest.mark.full]

SETTINGS = {"minReadySeconds": 1, "progressDeadlineSeconds": 300}
STATED = Workload(10, "25%", "25%", "2, 50%", "3s..60s", spec=SETTINGS)
"""A manifest that states every field that has another value in force meanwhile."""

Object = dict[str, Any]


@dataclass(frozen=True)
class Course:
    """What a rollout did."""

    states: tuple[str, ...]
    """Pause and limits in force, one after another: a flip-flop would be two more."""
    made: int
    """Pods created."""
    writes: int
    """Writes of ours to the Deployment that were stored."""


def course(here: World, since: int, asked: int) -> Course:
    """What has happened since event number `since` and request number `asked`."""
    events = sorted(here.recorder.events[since:], key=lambda event: event.version)
    facts = [event.object for event in events]
    seen = [f"{d.paused} {d.clamps}" for d in facts if isinstance(d, Deployment)]
    made = sum(event.type == "ADDED" and isinstance(event.object, Pod) for event in events)
    entries = here.proxy.ledger.entries[asked:]
    writes = sum(entry.stored and entry.resource == "deployments" for entry in entries)
    return Course(tuple(state for state, _ in groupby(seen)), made, writes)


async def rolled_out(here: World, tool: Tool, manifest: Object, version: str, pause: float) -> tuple[Course, int, int]:
    """One rollout; with a pause its manifest is applied again each time that has gone by. Returns its course, how often
    the manifest was applied again, and how many of these writes changed something."""
    since, asked = len(here.recorder.events), len(here.proxy.ledger.entries)
    await tool(here, manifest)
    applied = touched = 0
    async with asyncio.timeout(120):
        while not (here.at_rest() and here.state.total == here.pods(version)):
            await here.silence(pause or 0.5)
            if pause:
                before = objects.version(await here.client.get(here.path))
                await tool(here, manifest)
                applied += 1
                touched += objects.version(await here.client.get(here.path)) != before
    await restored(here)
    return course(here, since, asked), applied, touched


def applied_all_the_time(tool: Tool, pause: float, workload: Workload = STATED) -> Scenario:
    """Two rollouts, the second with its manifest applied again and again: the same course."""

    async def scenario(here: World) -> None:
        await here.start_controller()
        await tool(here, workload.manifest())
        await here.until("at rest", here.at_rest)
        here.born = here.deployment
        alone, _, _ = await rolled_out(here, tool, workload.manifest("2"), "2", 0)
        again, applied, touched = await rolled_out(here, tool, workload.manifest("3"), "3", pause)
        print(f"{tool.__name__}: {alone.writes} writes alone, {again.writes} with {applied} applies, {touched} changed")
        assert applied > 3
        assert again.states == alone.states
        assert again.made == alone.made == workload.replicas
        assert again.writes <= alone.writes + touched

    return scenario


async def test_a_manifest_that_is_applied_all_the_time_changes_nothing(stage: Stage) -> None:
    """No flip-flop, no extra pod, and no answer of ours to a write that says what is known."""
    await stage.play(
        {
            "Flux, every second": applied_all_the_time(flux, 1.0),
            "Argo CD, every second": applied_all_the_time(argo, 1.0),
        }
    )


async def test_the_same_every_five_seconds(stage: Stage) -> None:
    """As often as an eager tool does it, and as fast as it can; one whose steps need several windows each."""
    long = changed(STATED, step_time="8s..60s")
    narrow = changed(STATED, surge=1, unavailable=0, steps="3, 50%")
    await stage.play(
        {f"{tool.__name__}, every 5 s": applied_all_the_time(tool, 5.0, long) for tool in (flux, argo)}
        | {"Flux, without a pause": applied_all_the_time(flux, 0.05)}
        | {"Flux, 1/0": applied_all_the_time(flux, 1.0, narrow)}
    )


async def no_drift(here: World) -> None:
    """Both tools ask by a dry run whether there is anything to do; in a hold there is not."""
    staying = changed(STATED, step_time="60s..90s")
    await here.start_controller()
    await flux(here, staying.manifest())
    await here.until("at rest", here.at_rest)
    await flux(here, staying.manifest("2"))
    await here.until("holding", lambda: here.holding(1))
    await here.calm(1)
    dry = await here.client.apply(here.path, staying.manifest("2"), manager=FLUX, force=True, dryRun="All")
    assert spelled(dry["spec"]) == spelled(here.deployment["spec"])
    assert spelled(dry["metadata"]["annotations"]) == spelled(here.deployment["metadata"]["annotations"])
    assert dry["metadata"]["labels"] == here.deployment["metadata"]["labels"]
    for arguments in (("--server-side", f"--field-manager={FLUX}", "--force-conflicts"), ()):
        answer = await here.kubectl("diff", *arguments, "-f", "-", stdin=json.dumps(staying.manifest("2")))
        assert (answer.code, answer.out) == (0, ""), answer


def lines_that_name_us(text: str) -> list[str]:
    """Lines of a YAML with our name, but for the user's own annotations and the one that outlives a rollout."""
    allowed = ("penstock.dev/steps", "penstock.dev/step-time", "penstock.dev/previous", "test.penstock.dev")
    pods = ("sandbox.penstock.dev",)
    return [line for line in text.splitlines() if "penstock" in line and not any(n in line for n in allowed + pods)]


def owned_by_us(text: str) -> list[str]:
    """Fields of the spec in entries of managedFields that name us."""
    entries = yaml.safe_load(text)["metadata"]["managedFields"]
    return [entry["manager"] for entry in entries if entry["manager"] == "penstock" and "f:spec" in entry["fieldsV1"]]


async def nobody_elses(here: World) -> None:
    """As the real kubectl shows it, in a hold and at the end; a field that is left out afterwards goes."""
    shown = ("get", "deployment", NAME, "-o", "yaml", "--show-managed-fields")
    staying = changed(STATED, step_time="60s..90s")
    await here.start_controller()
    await flux(here, staying.manifest())
    await here.until("at rest", here.at_rest)
    here.born = here.deployment
    await flux(here, staying.manifest("2"))
    await here.until("holding", lambda: here.holding(1))
    await here.calm(1)
    assert owned_by_us((await here.kubectl(*shown)).out) == []
    await flux(here, STATED.manifest("2"))
    await here.until_promoted("2")
    await restored(here)
    text = (await here.kubectl(*shown)).out
    assert "managedFields" in text
    assert lines_that_name_us(text) == []
    left_out = with_fields(STATED.manifest("2"), minReadySeconds=None, progressDeadlineSeconds=None, strategy=None)
    await flux(here, left_out)
    expected = {**here.born["spec"], "progressDeadlineSeconds": 600}
    del expected["minReadySeconds"]
    assert spelled(fields(here.deployment)) == spelled(fields({"spec": expected}))


async def test_nothing_in_the_deployment_is_ours_afterwards(stage: Stage) -> None:
    """A field that we took for a while goes back to its owner, so that leaving it out removes it, as without us."""
    await stage.play({"owners": nobody_elses, "drift": no_drift})
