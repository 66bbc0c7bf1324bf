"""What the alerts are made of, with the failures themselves; and the commands of docs/guide/signals.md."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
import yaml

from penstock.kube import NotFound, objects
from sandbox import spec
from sandbox.directory import Directory
from tests.certs.test_probe import free_port
from tests.cluster.stage import Stage
from tests.cluster.workload import Workload
from tests.cluster.world import World
from tests.docs.blocks import ROOT, runnable

pytestmark = [pytest.mark.cluster, pytest.mark.full]

HELD = Workload(replicas=4, steps="1", step_time="60s..90s")
SYSTEM = "penstock-system"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
KINDS = {"podmonitors": "PodMonitor", "prometheusrules": "PrometheusRule"}
FAIL_OPEN = re.compile(r'^apiserver_admission_webhook_fail_open_count\{name="[a-z-]+\.penstock\.dev",[^}]*\} (\d+)')


async def metric(stage: Stage, port: int, line: str) -> float | None:
    """A number of a process on this machine; None where it is not there."""
    async with stage.session.get(f"http://127.0.0.1:{port}/metrics") as answer:
        found = [text for text in (await answer.text()).splitlines() if text.startswith(f"{line} ")]
    return float(found[0].rsplit(" ", 1)[1]) if found else None


async def becomes(stage: Stage, port: int, line: str, value: float, patience: float = 90) -> None:
    """Until a metric has a value."""
    async with asyncio.timeout(patience):
        while await metric(stage, port, line) != value:  # noqa: ASYNC110 - a process's metric has no event
            await asyncio.sleep(0.5)


async def failed_open(stage: Stage) -> int:
    """How often the API server went on without the webhook, as it says itself."""
    said = await stage.cluster.kubectl("get", "--raw", "/metrics")
    return sum(int(found[1]) for line in said.out.splitlines() if (found := FAIL_OPEN.match(line)))


async def test_a_dead_webhook_shows_in_the_self_probe_the_api_server_and_the_controller(stage: Stage) -> None:
    """PenstockSelfProbeFailing, PenstockFailedOpen, PenstockMissedAdmission: each from the failure it is for."""
    state = spec.load(Directory(stage.cluster.directory))
    assert state is not None
    keeper, port, probe = state.ports.controller_metrics, free_port(), "penstock_selfprobe_success"
    missed = 'penstock_missed_admissions_total{what="template"}'

    async def scenario(here: World) -> None:
        await here.create(HELD.manifest())
        await here.start_controller("", "--metrics-port", str(port))
        await here.release(HELD, "2")
        await here.until("holding", lambda: here.holding(1))
        await stage.cluster.restart("controller")  # the sandbox's own, which keeps the certificates
        await becomes(stage, keeper, probe, 1)
        before = await failed_open(stage)
        await stage.cluster.stop("webhook")
        await here.release(HELD, "3")
        await becomes(stage, port, missed, 1)
        assert await failed_open(stage) > before
        await becomes(stage, keeper, probe, 0)
        await stage.cluster.restart("webhook")
        await becomes(stage, keeper, probe, 1)

    try:
        await stage.play({"a webhook that dies in the middle of a rollout": scenario})
    finally:
        await stage.cluster.restart("webhook")
        await stage.cluster.stop("controller")


@asynccontextmanager
async def operator(stage: Stage) -> AsyncIterator[None]:
    """The kinds of the Prometheus Operator; it itself is not needed to take what is applied."""
    for plural, kind in KINDS.items():
        anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": anything}}
        names = {"plural": plural, "singular": kind.lower(), "kind": kind}
        body = {"group": "monitoring.coreos.com", "scope": "Namespaced", "names": names, "versions": [version]}
        name = {"name": f"{plural}.monitoring.coreos.com"}
        crd = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": name}
        await stage.client.post(CRDS, {**crd, "spec": body})
        waited = await stage.cluster.kubectl("wait", "--for=condition=Established", f"crd/{name['name']}")
        assert waited.code == 0, waited.err
    try:
        yield
    finally:
        for plural in KINDS:
            await stage.client.delete(f"{CRDS}/{plural}.monitoring.coreos.com")
        with suppress(NotFound):
            await stage.client.delete(objects.secret(SYSTEM, "penstock-notifications"))
        with suppress(NotFound):
            await stage.client.delete(objects.configmap(SYSTEM, "penstock-dashboard"))


async def found(stage: Stage, what: str) -> dict[str, Any]:
    """An object of our own namespace."""
    said = await stage.cluster.kubectl("get", what, "--namespace", SYSTEM, "--output", "json")
    answer: dict[str, Any] = json.loads(said.out)
    return answer


async def test_the_commands_of_the_guide_do_what_it_says(stage: Stage) -> None:
    """docs/guide/signals.md, from top to bottom."""
    monitoring, secret = (block.text.split() for block in runnable("docs/guide/signals.md"))
    async with operator(stage):
        assert monitoring == ["kubectl", "apply", "-k", "deploy/monitoring"]
        applied = await stage.cluster.kubectl("apply", "-k", str(ROOT / monitoring[-1]))
        assert applied.code == 0, applied.err
        created = await stage.cluster.kubectl(*(word.strip("'") for word in secret[1:]))
        assert created.code == 0, created.err

        alerts, pods = await found(stage, "prometheusrule/penstock"), await found(stage, "podmonitor/penstock")
        dashboard = await found(stage, "configmap/penstock-dashboard")
        whole = yaml.safe_load((ROOT / "deploy/monitoring/alerts.yaml").read_text())
        assert alerts["spec"] == whole["spec"]
        assert pods["spec"]["podMetricsEndpoints"][0]["honorLabels"] is True
        assert json.loads(dashboard["data"]["penstock.json"])["title"] == "Penstock"
        assert set((await found(stage, "secret/penstock-notifications"))["data"]) == {"chat"}
