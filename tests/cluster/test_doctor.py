"""`penstock doctor` on a real control plane: healthy, and with each thing broken.

What it must never do is say "ok" while releases pass un-gated, for nobody else says anything then.
"""

import asyncio
import json
import sys
from base64 import b64encode
from datetime import UTC, datetime
from typing import Any

import pytest

from certs import authority, bundle
from penstock.cli.finding import Level
from penstock.kube import objects
from tests.cluster.cluster import ran
from tests.cluster.stage import Stage
from tests.cluster.workload import NAME, Workload
from tests.cluster.world import World

pytestmark = pytest.mark.cluster

PENSTOCK = "import penstock.cli.main as m; m.main()"
QUICK = Workload(1, "25%", "25%", "1", "1s..60s")

SUBJECTS = ["installation", "controller", "rights", "webhook", "certificates", "scope", "plans", "metrics", "rollouts"]


async def examined(here: World, kubeconfig: str = "") -> tuple[int, list[dict[str, Any]]]:
    """Exit code and findings about this world's namespace, without what is only worth knowing."""
    common = ("--kubeconfig", kubeconfig or str(here.cluster.kubeconfig), "-n", here.namespace, "-o", "json")
    answer = await ran(sys.executable, "-c", PENSTOCK, "doctor", *common)
    assert answer.out, answer.err
    value = json.loads(answer.out)
    assert value["healthy"] is (answer.code == 0)
    return answer.code, [finding for finding in value["findings"] if finding["level"] != Level.NOTE]


async def wrong(here: World) -> dict[str, tuple[str, str]]:
    """Sentence and command of each finding that is wrong, by subject."""
    code, findings = await examined(here)
    found = {f["subject"]: (f["sentence"], f["command"]) for f in findings if f["level"] == Level.WRONG}
    assert (code == 1) is bool(found)
    return found


async def healthy_and_not(here: World) -> None:
    """First all is well. Then one thing after the other is not, and is found with what mends it."""
    await here.start_controller()
    await here.create(QUICK.manifest())
    await here.until("at rest", here.at_rest)
    for _ in range(20):  # until it leads
        code, findings = await examined(here)
        if not code:
            break
    assert [(f["subject"], f["level"]) for f in findings] == [(subject, Level.OK) for subject in SUBJECTS]
    await here.note("penstock.dev/limit.queue", "max(queue) < 5")
    away = {"penstock.dev/enabled": None}
    await here.client.merge(objects.namespace(here.namespace), {"metadata": {"labels": away}})
    unlabelled = await wrong(here)
    assert unlabelled == {
        "scope": (
            f"namespace {here.namespace} is not opted in: releases go to all pods at once",
            f"kubectl label namespace {here.namespace} penstock.dev/enabled=true",
        )
    }
    assert (await here.kubectl(*unlabelled["scope"][1].split()[1:])).code == 0
    assert await wrong(here) == {
        "metrics": (
            f"{here.namespace}/{NAME} asks a Prometheus, and none is configured",
            "kubectl edit configmap penstock -n penstock-system",
        )
    }
    await here.client.merge(here.path, {"metadata": {"annotations": {"penstock.dev/limit.queue": None}}})


async def broken_plan(here: World) -> None:
    """The approve on the Namespace names a step that the Deployment does not have: no write was refused for it."""
    await here.start_controller()
    await here.create(QUICK.manifest())
    notes = {"penstock.dev/approve": "50%"}
    await here.client.merge(objects.namespace(here.namespace), {"metadata": {"annotations": notes}})
    await here.quiet()
    found = await wrong(here)
    assert found.keys() == {"plans"}
    sentence, command = found["plans"]
    assert sentence.startswith(f"{here.namespace}/{NAME}: annotation penstock.dev/approve, column 1: 50% is not one of")
    assert command == f"kubectl annotate namespace {here.namespace} --overwrite penstock.dev/approve='1'"


async def without_a_controller(here: World) -> None:
    """Nobody leads: what is held stays held, and that is told."""
    await here.create(QUICK.manifest())
    found = await wrong(here)
    assert found["controller"][0].startswith("nothing moves on, no controller ")
    assert found["controller"][1] == "kubectl get deployments,pods -n penstock-system"


async def with_few_rights(here: World) -> None:
    """Who may not look learns that, and is not told that something is broken."""
    code, findings = await examined(here, str(here.cluster.controller_kubeconfig))
    levels = {finding["subject"]: finding["level"] for finding in findings}
    assert (levels["rights"], levels["webhook"], levels["controller"]) == (Level.UNKNOWN,) * 3
    assert (code, levels["rollouts"]) == (0, Level.OK)


async def test_each_thing_that_is_broken_is_found_with_the_command_that_mends_it(stage: Stage) -> None:
    """A finding without a command leaves a person where they were."""
    await stage.play({"healthy, and then not": healthy_and_not, "a plan": broken_plan})


@pytest.mark.full
async def test_who_leads_and_who_asks(stage: Stage) -> None:
    """Also for somebody who is no administrator."""
    await stage.play({"no controller": without_a_controller, "few rights": with_few_rights})


async def webhook_dead(here: World) -> None:
    """The API server's own words say why."""
    await here.start_controller()
    await here.create(QUICK.manifest())
    await here.quiet()
    await here.cluster.stop("webhook")
    try:
        found = await wrong(here)
    finally:
        await here.cluster.restart("webhook")
    assert found.keys() == {"webhook"}
    assert "connection refused" in found["webhook"][0]
    assert found["webhook"][0].endswith("; releases are not gated")
    assert await wrong(here) == {}


async def another_ca(here: World) -> None:
    """The configurations trust a CA that signed nothing; then only one of them, for which no error is ever seen."""
    await here.start_controller()
    await here.create(QUICK.manifest())
    await here.quiet()
    mutating, validating = objects.mutating_webhook("zz-penstock"), objects.validating_webhook("zz-penstock")
    before = {path: await here.client.get(path) for path in (mutating, validating)}
    other = b64encode(bundle.text([authority.new_ca(datetime.now(UTC)).certificate])).decode()
    try:
        for path in (mutating, validating):
            await _trust(here, path, before[path], other)
        await asyncio.sleep(2)
        both = await wrong(here)
        await _trust(here, validating, before[validating])
        await asyncio.sleep(2)
        one = await wrong(here)
    finally:
        for path, configuration in before.items():
            await _trust(here, path, configuration)
    assert both.keys() == one.keys() == {"webhook", "certificates"}
    assert "certificate signed by unknown authority" in both["webhook"][0]
    assert "has another caBundle" in one["webhook"][0]
    assert one["certificates"][0].endswith(
        "and rollouts.penstock.dev trust another CA than the one in Secret penstock-webhook-certs"
    )
    await asyncio.sleep(2)
    assert await wrong(here) == {}


async def _trust(here: World, path: str, configuration: dict[str, Any], ca: str = "") -> None:
    """All its webhooks trust this CA, or again the one that they did."""
    operations = [
        {"op": "replace", "path": f"/webhooks/{number}/clientConfig/caBundle", "value": ca or trusted}
        for number, trusted in enumerate(w["clientConfig"]["caBundle"] for w in configuration["webhooks"])
    ]
    await here.client.patch(path, operations)


@pytest.mark.full
@pytest.mark.parametrize("scenario", [webhook_dead, another_ca])
async def test_a_gate_that_is_not_asked_is_found(stage: Stage, scenario: Any) -> None:
    """Every release passes then, and nothing else tells of it."""
    await stage.play({scenario.__name__: scenario})
