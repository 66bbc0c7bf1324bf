"""docs/guide/recovery.md, block by block, with the real kubectl: what is printed there is what is run here.

Webhook and controller are dead the whole time; the step lock, which lives in the API server, is not.
"""

import asyncio
import json
import re
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonpatch
import pytest
import yaml

from penstock.core.draft import stepping
from penstock.core.fields import Fields
from penstock.core.record import Record
from penstock.core.rollout import Phase
from sandbox import build
from tests.cluster.cluster import ROOT, Output, ran
from tests.cluster.ends import fields, spelled, traces
from tests.cluster.stage import Scenario, Stage
from tests.cluster.test_release import dead_at, going_back, held, never_opened, rejected
from tests.cluster.workload import Workload, image
from tests.cluster.world import USER, World

pytestmark = pytest.mark.cluster

GUIDE = ROOT / "docs" / "guide" / "recovery.md"
BLOCK = re.compile(r"(?:<!-- ([a-z]+) -->\n)?```sh\n(.*?)```", re.DOTALL)
LONG = Workload(10, 3, 2, "2, 50%", "90s..120s", spec={"minReadySeconds": 1, "progressDeadlineSeconds": 300})
SHARES = Workload(10, "25%", "25%", "2, 50%", "90s..120s")
WINDOWS = Workload(10, 1, 0, "3", "90s..120s")
ELSEWHERE = frozenset({"controller", "gate", "remove"})
"""Blocks that take Penstock out of the cluster: run by test_uninstall.py, on a cluster of its own."""

Moment = Callable[[World, Workload], Awaitable[None]]


def blocks() -> list[tuple[str, str]]:
    """Each block of the guide with its name, or an empty one."""
    return [(found[1] or "", found[2]) for found in BLOCK.finditer(GUIDE.read_text())]


def named(name: str) -> str:
    return next(text for known, text in blocks() if known == name)


async def bash(kubeconfig: Path, script: str) -> Output:
    """As a person pastes it, in the Deployment's namespace, with nothing but kubectl and the usual tools."""
    home = str(kubeconfig.parent)
    process = await asyncio.create_subprocess_exec(
        *("bash", "-euo", "pipefail", "-c", script),
        env={"PATH": f"{build.binaries()}:/usr/bin:/bin", "KUBECONFIG": str(kubeconfig), "HOME": home},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), 120)
    return Output(process.returncode or 0, out.decode(), err.decode())


def inside(kubeconfig: Path, namespace: str, file: Path) -> Path:
    """The same kubeconfig with a namespace as its default."""
    content: dict[str, Any] = yaml.safe_load(kubeconfig.read_text())
    for context in content["contexts"]:
        context["context"]["namespace"] = namespace
    file.write_text(yaml.safe_dump(content))
    return file


async def run(here: World, *names: str, **values: str) -> str:
    """Blocks of the guide, each to its end; what they printed."""
    config = inside(here.cluster.kubeconfig, here.namespace, here.logs / f"{here.namespace}.inside")
    printed = ""
    for name in names:
        script = named(name)
        for variable, value in values.items():
            script = re.sub(rf"^{variable}=\S+", f"{variable}={value}", script, flags=re.MULTILINE)
        answer = await bash(config, script)
        assert answer.code == 0, f"{script}\n{answer.err}"
        printed += answer.out
    return printed


def former(here: World) -> str:
    """The ReplicaSet that a person picks from the list."""
    return next(name for (kind, name), rs in here.recorder.objects.items() if kind == "ReplicaSet" and _is_1(rs))


def _is_1(replicaset: dict[str, Any]) -> bool:
    return bool(replicaset["spec"]["template"]["spec"]["containers"][0]["image"] == image("1"))


def released(workload: Workload, moment: Moment, version: str = "2") -> Scenario:
    """Every field is as it was, all pods run the version, and what stays behind can be removed."""

    async def scenario(here: World) -> None:
        await here.start_controller()
        await here.create(workload.manifest())
        await moment(here, workload)
        await here.meet()
        here.recorder.free.add(image("2"))
        await run(here, "release")
        assert spelled(fields(here.deployment)) == spelled(fields(here.born))
        printed = await run(here, "native")
        assert "successfully rolled out" in printed
        await here.until("over", lambda: here.at_rest() and here.pods(version) == workload.replicas)
        await _clean(here)

    return scenario


def taken_back(workload: Workload, moment: Moment) -> Scenario:
    """The former template first, while nothing moves; then as above."""

    async def scenario(here: World) -> None:
        await here.start_controller()
        await here.create(workload.manifest())
        await moment(here, workload)
        await here.meet()
        await run(here, "back", former=former(here))
        await run(here, "release")
        assert spelled(fields(here.deployment)) == spelled(fields(here.born))
        await here.until("back", lambda: here.at_rest() and here.pods("1") == workload.replicas)
        assert here.deployment["spec"]["template"] == here.born["spec"]["template"]
        await _clean(here)

    return scenario


async def _clean(here: World) -> None:
    await run(here, "rest")
    await here.until("clean", lambda: not any("condition" in trace for trace in traces(here, replicasets=False)))
    left = [trace for trace in traces(here, replicasets=False) if not trace.startswith("managed by us")]
    assert left == []
    assert here.deployment["metadata"]["labels"] == here.born["metadata"]["labels"]


async def unreadable(here: World) -> None:
    """The record was cut off: the first way changes nothing, the other one frees it, and the manifest does the rest."""
    await here.start_controller()
    await here.create(LONG.manifest())
    await held(here, LONG)
    await here.meet()
    await here.note("penstock.dev/record", '{"approved":[],"awai')
    config = inside(here.cluster.kubeconfig, here.namespace, here.logs / f"{here.namespace}.inside")
    before = spelled(here.deployment["spec"])
    assert (await bash(config, named("release"))).code != 0
    await here.catch_up()
    assert spelled(here.deployment["spec"]) == before
    here.recorder.free.add(image("2"))
    await run(here, "unreadable")
    await here.client.apply(here.path, LONG.manifest("2"), manager="flux", force=True)
    await here.until("runs", lambda: here.at_rest() and here.pods("2") == 10)
    assert spelled(fields(here.deployment)) == spelled(fields(here.born))


async def from_backup(here: World) -> None:
    """Created again from what was stored during a hold, with nobody there to drop the record."""
    await here.start_controller()
    await here.create(LONG.manifest())
    await held(here, LONG)
    await here.meet()
    manifest = here.backup()
    await here.remove()
    here.recorder.free.add(image("2"))
    await here.client.post(here.collection, manifest, fieldManager=USER)
    await here.silence(2)
    assert here.pods("2") == 0
    await run(here, "release")
    await here.until("runs", lambda: here.at_rest() and here.pods("2") == 10)
    assert spelled(fields(here.deployment)) == spelled(fields(here.born))


async def looked_at(here: World) -> None:
    """The blocks that only show something; and that the ways the guide warns of are as it says."""
    await here.start_controller()
    await here.create(SHARES.manifest())
    await held(here, SHARES)
    await here.meet()
    config = inside(here.cluster.kubeconfig, here.namespace, here.logs / f"{here.namespace}.inside")
    shown = [(await bash(config, text)) for name, text in blocks() if not name]
    assert [answer.code for answer in shown] == [0] * len(shown)
    listed, why, sets = (answer.out for answer in shown)
    assert re.search(rf"^{here.namespace} +web +\d+/10 .* holding$", listed, re.MULTILINE)
    assert "step 1 of 2: " in why
    assert re.search(rf"^{former(here)} +1 +10 +{image('1')}$", sets, re.MULTILINE) or "app:1" in sets
    undone = await here.kubectl("rollout", "undo", "deployment/web")
    assert (undone.code, "cannot rollback a paused deployment; resume it first" in undone.err) == (1, True)
    resumed = await here.kubectl("rollout", "resume", "deployment/web")
    assert (resumed.code, "remove the label penstock.dev/rollout in the same write" in resumed.err) == (1, True)
    await run(here, "back", former=former(here))
    await run(here, "release")
    await here.until("back", lambda: here.at_rest() and here.pods("1") == 10)


FEW: dict[str, Scenario] = {
    "released, held": released(LONG, held),
    "looked at": looked_at,
}
MORE: dict[str, Scenario] = {
    "released, gated": released(LONG, never_opened),
    "released, window open": released(LONG, dead_at(1)),
    "released, held, shares": released(SHARES, held),
    "released, going back": released(WINDOWS, going_back, "1"),
    "taken back, gated": taken_back(LONG, never_opened),
    "taken back, window open": taken_back(LONG, dead_at(1)),
    "taken back, held": taken_back(SHARES, held),
    "taken back, rejected": taken_back(LONG, rejected),
    "from a backup": from_backup,
    "unreadable": unreadable,
}


async def without_webhook(stage: Stage, scenarios: dict[str, Scenario]) -> None:
    """The webhook is dead from where they meet."""
    cluster = stage.cluster
    try:
        await stage.play(scenarios, lambda: cluster.stop("webhook"))
    finally:
        await cluster.restart("webhook")


async def test_the_guide_frees_a_held_deployment_with_kubectl_alone(stage: Stage) -> None:
    """A page for the worst night must not be tried out in it."""
    await without_webhook(stage, FEW)


@pytest.mark.full
async def test_the_guide_frees_every_other_deployment_too(stage: Stage) -> None:
    """Whatever its rollout was doing."""
    await without_webhook(stage, MORE)


@pytest.mark.full
async def test_a_backup_is_freed_where_penstock_has_never_been(tmp_path: Path) -> None:
    """A cluster without any part of it: the object comes up paused and without pods, and the block is enough."""
    directory = tmp_path / "bare"
    common = (sys.executable, "-m", "sandbox")
    up = await ran(*common, "up", "--pods", "simulated", "--without-penstock", "--directory", str(directory))
    assert up.code == 0, up.err
    config = inside(directory / "kubeconfig", "default", tmp_path / "inside")
    try:
        created = await bash(config, f"kubectl create -f - <<'END'\n{json.dumps(backup_of_a_hold())}\nEND\n")
        assert created.code == 0, created.err
        await asyncio.sleep(2)
        status = (await bash(config, "kubectl get deployment web -o jsonpath='{.spec.paused} {.status.replicas}'")).out
        assert status.split() == ["true"]
        for name in ("release", "native", "rest"):
            answer = await bash(config, named(name))
            assert answer.code == 0, answer.err
        found = json.loads((await bash(config, "kubectl get deployment web -o json")).out)
    finally:
        await ran(*common, "down", "--directory", str(directory))
    wanted = LONG.manifest("2")["spec"]
    assert {name: found["spec"][name] for name in wanted if name != "template"} == {
        name: value for name, value in wanted.items() if name != "template"
    }
    assert "paused" not in found["spec"]
    assert found["status"]["availableReplicas"] == 10
    assert "penstock.dev/rollout" not in found["metadata"]["labels"]


def backup_of_a_hold() -> dict[str, Any]:
    """As it is stored at the first step."""
    manifest = LONG.manifest("2")
    own = Fields.of(manifest)
    record = Record("elsewhere", "3f2a9c1e", "a", "a", own, stable="b", phase=Phase.HOLDING, step=1, target=2)
    draft = stepping(record, replace(own, surge=2, paused=True))
    return dict(jsonpatch.apply_patch(manifest, list(draft.operations(manifest))))


def test_no_block_of_the_guide_is_left_out() -> None:
    """A block that is added must get a name that a test runs, or be one that only shows."""
    assert [name for name, _ in blocks()] == [
        "", "", "release", "unreadable", "native", "", "back", "rest", "controller", "gate", "remove",
    ]  # fmt: skip
    assert {name for name, _ in blocks()} >= ELSEWHERE
