"""`penstock uninstall` on a control plane of its own, for it takes away what all other tests need.

While it works, tools apply again and people release: in no moment may one of them be refused, and nothing may be left
paused that was admitted while the gate was going.
"""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import Any

import pytest

from penstock.cli.installed import PARTS, spoken
from penstock.kube import ApiError, Client, objects
from tests.cluster import cluster as sandbox
from tests.cluster.cluster import Cluster, Output, ran
from tests.cluster.ends import fields, spelled, traces
from tests.cluster.nursery import alive
from tests.cluster.stage import Scenario, Stage
from tests.cluster.test_recovery import bash, named
from tests.cluster.test_release import dead_at, going_back, held, never_opened, rejected
from tests.cluster.workload import NAME, Workload, image
from tests.cluster.world import World

pytestmark = pytest.mark.cluster

Object = dict[str, Any]

PENSTOCK = "import penstock.cli.main as m; m.main()"
LONG = Workload(10, 3, 2, "2, 50%", "90s..120s", spec={"minReadySeconds": 1, "progressDeadlineSeconds": 300})
WINDOWS = Workload(10, 1, 0, "3", "90s..120s")
KEPT = "penstock.dev/previous"


@pytest.fixture
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A control plane for this test alone."""
    started = sandbox.up(tmp_path_factory.mktemp("sandbox"))
    yield started
    sandbox.down(started)


async def with_controller(cluster: Cluster) -> None:
    """A Deployment of the controller, as where it runs in pods; here these are refused, it is a local process."""
    name = ("deployment", "controller", "--namespace", "penstock-system")
    made = await cluster.kubectl("create", *name, "--image", "localhost/penstock:dev")
    assert made.code == 0, made.err


async def uninstall(cluster: Cluster, *arguments: str) -> Output:
    command = ("--kubeconfig", str(cluster.kubeconfig), "uninstall", *arguments)
    return await ran(sys.executable, "-c", PENSTOCK, *command)


async def parts(cluster: Cluster) -> str:
    """What an installation has left in the cluster, once its namespace has had the time to go."""
    kinds = "mutatingwebhookconfigurations,validatingwebhookconfigurations,validatingadmissionpolicies,"
    kinds += "validatingadmissionpolicybindings,flowschemas,clusterroles,clusterrolebindings,namespaces"
    found = ""
    for _ in range(30):
        listed = await cluster.kubectl("get", kinds, "-o", "name")
        found = "\n".join(line for line in listed.out.splitlines() if "penstock" in line)
        if not found:
            break
        await asyncio.sleep(1)
    return found


@contextlib.asynccontextmanager
async def applying(here: World, manifest: Object, refused: list[str]) -> AsyncIterator[None]:
    """A tool that applies its manifest again and again, as from Git."""

    async def apply() -> None:
        while True:
            try:
                await here.client.apply(here.path, manifest, manager="flux", force=True)
            except ApiError as error:
                refused.append(str(error))
            await asyncio.sleep(0.2)

    task = asyncio.create_task(apply())
    try:
        yield
    finally:
        task.cancel()


def half_done(workload: Workload, moment: Any, version: str, refused: list[str]) -> Scenario:
    """A rollout at this moment; afterwards every field is as it was, and all pods run `version`."""

    async def scenario(here: World) -> None:
        manifest = {"apiVersion": "apps/v1", "kind": "Deployment"} | workload.manifest("1")
        await here.client.apply(here.path, manifest, manager="flux", force=True)
        await here.until("at rest", here.at_rest)
        here.born = here.deployment
        await here.start_controller()
        await moment(here, workload)
        here.recorder.free.add(image("2"))
        applied = workload.manifest("2")
        async with applying(here, applied, refused) if moment is held else contextlib.nullcontext():
            await here.silence(1)
            await here.meet()
        await here.until("over", lambda: here.at_rest() and here.pods(version) == workload.replicas)
        assert spelled(fields(here.deployment)) == spelled(fields(here.born))
        assert traces(here) == []
        assert KEPT not in here.deployment["metadata"]["annotations"]

    return scenario


async def released_meanwhile(here: World) -> None:
    """Somebody who releases all the while is gated first and then no more; the last version runs, nothing is held."""
    workload = replace(LONG, replicas=4, steps="1")
    await here.create(workload.manifest())
    versions = [str(number) for number in range(2, 60)]
    here.recorder.free |= {image(version) for version in versions}
    last = "1"

    async def release() -> None:
        nonlocal last
        for version in versions:
            await here.release(workload, version)
            last = version
            await asyncio.sleep(0.5)

    task = asyncio.create_task(release())
    await here.meet()
    await here.silence(1)
    task.cancel()
    await here.until("over", lambda: here.at_rest() and here.pods(last) == 4)
    assert spelled(fields(here.deployment)) == spelled(fields(here.born))
    assert traces(here) == []


def moments() -> Iterator[tuple[str, Workload, Any]]:
    yield "gated", LONG, never_opened
    yield "window open", LONG, dead_at(1)
    yield "held", LONG, held
    yield "going back", WINDOWS, going_back
    yield "rejected", LONG, rejected


async def test_it_ends_every_rollout_and_locks_nobody_out(stage: Stage) -> None:
    """The order of its steps: guard and lock go only when nothing is left that they hold."""
    refused: list[str] = []
    said: list[Output] = []
    await with_controller(stage.cluster)

    async def act() -> None:
        said.append(await uninstall(stage.cluster, "--yes"))
        said.append(await uninstall(stage.cluster, "--yes", "--on-uninstall", "release"))

    scenarios = {name: half_done(workload, moment, "2", refused) for name, workload, moment in moments()}
    scenarios["released meanwhile"] = released_meanwhile
    await stage.play(scenarios, act)
    first, second = said
    assert first.code == 1
    assert "taken back" not in first.out
    assert first.err.splitlines()[0].startswith("Error: releases have failed and are held: test-")
    assert (second.code, second.err) == (0, "")
    assert [line for line in second.out.splitlines() if line.endswith(": deleted")] == [
        f"{spoken(path)}: deleted" for path in PARTS
    ]
    assert refused == []
    assert await parts(stage.cluster) == ""
    assert (await stage.client.get(objects.configmaps(), labelSelector="penstock.dev/history"))["items"] == []
    again = await uninstall(stage.cluster, "--yes")
    assert (again.code, again.out, again.err) == (0, "nothing of Penstock is left in this cluster\n", "")


@pytest.mark.full
async def test_it_needs_nothing_of_penstock_alive(stage: Stage) -> None:
    """Webhook dead, configurations half deleted by hand; the former versions are put back."""
    cluster, refused = stage.cluster, list[str]()
    said: list[Output] = []

    async def act() -> None:
        await cluster.stop("webhook")
        await cluster.kubectl("delete", "validatingwebhookconfiguration", "zz-penstock")
        said.append(await uninstall(cluster, "--yes", "--on-uninstall", "undo", "-o", "json"))

    chosen = [(n, w, m) for n, w, m in moments() if m is not held]  # without a guard the lock refuses tools, as it says
    await stage.play({name: half_done(workload, moment, "1", refused) for name, workload, moment in chosen}, act)
    assert (said[0].code, said[0].err) == (0, "")
    told = json.loads(said[0].out)
    assert set(told["deployments"].values()) == {"former version put back"}
    assert await parts(cluster) == ""


@pytest.mark.full
async def test_held_rollouts_stay_as_they_are_and_say_how_to_go_on(stage: Stage) -> None:
    """For those who uninstall to install another version: nothing moves, and later everything can still be ended."""
    said: list[Output] = []

    async def act() -> None:
        said.append(await uninstall(stage.cluster, "--yes", "--on-uninstall", "hold"))
        said.append(await uninstall(stage.cluster, "--yes", "--on-uninstall", "hold"))

    async def scenario(here: World) -> None:
        await here.start_controller()
        await here.create(LONG.manifest())
        await held(here, LONG)
        before = spelled(here.deployment["spec"])
        await here.meet()
        await here.silence(3)
        assert (spelled(here.deployment["spec"]), here.pods("2")) == (before, 2)
        assert here.condition("reason") == "Uninstalled"
        assert f"penstock release {NAME} -n {here.namespace}" in here.condition("message")
        ended = await ran(
            sys.executable, "-c", PENSTOCK, "undo", NAME, "-y", "-n", here.namespace,
            "--kubeconfig", str(here.cluster.kubeconfig),
        )  # fmt: skip
        assert (ended.code, ended.err) == (0, "")
        await here.until("back", lambda: here.at_rest() and here.pods("1") == 10)
        assert spelled(fields(here.deployment)) == spelled(fields(here.born))
        assert traces(here) == []

    await stage.play({"held": scenario}, act)
    assert [one.code for one in said] == [0, 0]
    assert await parts(stage.cluster) == ""


@pytest.mark.full
async def test_the_guide_takes_it_out_by_hand(stage: Stage) -> None:
    """The same order with kubectl alone, and twice, for each block may be run again."""
    cluster = stage.cluster
    for name in ("controller", "gate", "remove") * 2:
        answer = await bash(cluster.kubeconfig, named(name))
        assert answer.code == 0, answer.err
    assert await parts(cluster) == ""
    again = await uninstall(cluster, "--yes")
    assert (again.code, again.out) == (0, "nothing of Penstock is left in this cluster\n")


@pytest.mark.full
async def test_a_hundred_half_done_deployments_are_restored_exactly(stage: Stage) -> None:
    """Nobody looks at each of a hundred by hand afterwards."""
    client, namespace = stage.client, "hundred"
    meta = {"name": namespace, "labels": {"penstock.dev/enabled": "true"}}
    await client.post(objects.namespaces(), {"apiVersion": "v1", "kind": "Namespace", "metadata": meta})
    shapes = [
        Workload(2, "25%", "25%", "1", "300s..600s"),
        Workload(3, 0, 1, "1", "300s..600s", spec={"minReadySeconds": 2}),
        Workload(4, "50%", 0, "1", "300s..600s", spec={"progressDeadlineSeconds": 2147483647}),
        Workload(2, 1, 0, "50%", "300s..600s", spec={"minReadySeconds": 1, "progressDeadlineSeconds": 77}),
    ]
    named = {f"web-{number}": shapes[number % len(shapes)] for number in range(100)}
    await _all(client, namespace, named, "1")
    born = await _until(client, namespace, lambda d: _complete(d))
    await _all(client, namespace, named, "2")
    flags = ["--kubeconfig", str(stage.cluster.controller_kubeconfig), "--namespaces", namespace, "--without-certs"]
    pid = 0

    async def tend() -> None:
        nonlocal pid  # on a busy machine it may lose its lease, and ends then; in a cluster it is started again
        if not pid or not alive(pid):
            log = stage.logs / "hundred.log"
            pid = await stage.nursery.bear([*flags, "--metrics-port", "0", "--identity", "one"], log)

    await _until(client, namespace, lambda d: _label(d) == "holding", tend)
    os.kill(pid, signal.SIGKILL)
    answer = await uninstall(stage.cluster, "--yes", "-o", "json")
    assert (answer.code, answer.err) == (0, "")
    assert json.loads(answer.out)["deployments"] == {f"{namespace}/{name}": "released" for name in named}
    again = await uninstall(stage.cluster, "--yes")
    assert (again.code, again.out, again.err) == (0, "nothing of Penstock is left in this cluster\n", "")
    ended = await _until(client, namespace, lambda d: _complete(d))
    for name in named:
        assert spelled(fields(ended[name])) == spelled(fields(born[name])), name
        assert spelled(ended[name]["metadata"]["labels"]) == spelled(born[name]["metadata"]["labels"])
    whole = await client.get(objects.deployments(namespace))
    sets = await client.get(objects.replicasets(namespace))
    text = json.dumps([whole, sets])
    for mark in (
        "penstock.dev/record",
        "penstock.dev/rollout",
        "penstock.dev/Rollout",
        "Stalled",
        '"manager": "penstock"',
    ):
        assert mark not in text


async def _all(client: Client, namespace: str, named: dict[str, Workload], version: str) -> None:
    places = asyncio.Semaphore(8)

    async def one(name: str, workload: Workload) -> None:
        manifest = workload.manifest(version)
        manifest["metadata"] |= {"name": name, "labels": {"app": name}}
        manifest["spec"]["selector"]["matchLabels"] = {"app": name}
        manifest["spec"]["template"]["metadata"]["labels"] = {"app": name}
        async with places:
            await client.apply(objects.deployment(namespace, name), manifest, manager="flux", force=True)

    await asyncio.gather(*(one(*item) for item in named.items()))


async def _until(client: Client, namespace: str, holds: Any, tend: Any = None) -> dict[str, Object]:
    async with asyncio.timeout(500):
        while True:
            if tend:
                await tend()
            found = (await client.get(objects.deployments(namespace)))["items"]
            if all(map(holds, found)):
                return {objects.name(item): item for item in found}
            await asyncio.sleep(2)


def _label(deployment: Object) -> str:
    return str(deployment["metadata"]["labels"].get("penstock.dev/rollout"))


def _complete(deployment: Object) -> bool:
    status, size = deployment.get("status") or {}, deployment["spec"]["replicas"]
    counts = [status.get(name, 0) for name in ("replicas", "updatedReplicas", "availableReplicas")]
    seen = status.get("observedGeneration", 0) >= deployment["metadata"]["generation"]
    return bool(seen and counts == [size] * 3 and not deployment["spec"].get("paused"))
