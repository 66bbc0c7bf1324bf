"""What holds when no webhook answers: the lock inside the API server, and strict mode.

The webhook is killed for these, because a living one keeps `paused` before the lock could see anything.
"""

import signal
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from penstock.kube import ApiError, Client, objects
from tests.deploy.conftest import Installation, by_address
from tests.deploy.plane import DEPLOY, Object, apply
from tests.deploy.test_scope import ENABLED, ROLLOUT, deployment, image

pytestmark = pytest.mark.cluster

NAMESPACE = "lock"
REFUSAL = "the webhook did not answer; retry, or remove the label penstock.dev/rollout in the same write to release"


@pytest.fixture(scope="module")
def alone(installed: Installation) -> Iterator[Installation]:
    """No webhook, and one Deployment that is held at a step."""

    async def fill(client: Client) -> None:
        body = {"metadata": {"name": NAMESPACE, "labels": {ENABLED: "true"}}}
        await client.post(objects.namespaces(), body)
        await client.post(objects.deployments(NAMESPACE), deployment("held", {ROLLOUT: "holding"}, paused=True))
        await client.post(objects.deployments(NAMESPACE), deployment("rejected", {ROLLOUT: "rejected"}, paused=True))
        await client.post(objects.deployments(NAMESPACE), deployment("theirs", paused=True))
        await client.post(objects.deployments(NAMESPACE), deployment("running"))

    installed.end_webhook(signal.SIGKILL)
    installed.plane.call(fill)
    yield installed
    installed.start_webhook()
    installed.wait()


def said(found: Installation, name: str, patch: Object, who: str | None = None) -> str:
    """`allowed`, or the API server's words."""

    async def write(client: Client) -> str:
        try:
            await client.merge(objects.deployment(NAMESPACE, name), patch, dryRun="All")
        except ApiError as error:
            return error.message
        return "allowed"

    return found.plane.call(write, who)


LABEL_OFF: Object = {"metadata": {"labels": {ROLLOUT: None}}}
LABEL_ON: Object = {"metadata": {"labels": {ROLLOUT: "holding"}}}


def test_a_dead_webhook_does_not_let_a_rollout_go(alone: Installation) -> None:
    """Without the lock each of these is a full release of a version that was being held (measured)."""
    for paused in (False, None):
        assert said(alone, "held", {"spec": {"paused": paused}}).endswith(f"denied request: {REFUSAL}")
    both = {"spec": {"paused": False, **image("app:3")}}
    assert said(alone, "held", both).endswith(f"denied request: {REFUSAL}")
    resumed = alone.plane.kubectl("rollout", "resume", "deployment/held", "-n", NAMESPACE)
    assert resumed.returncode != 0
    assert REFUSAL in resumed.stderr


@pytest.mark.parametrize(
    "spec",
    [
        {"minReadySeconds": 9},
        {"progressDeadlineSeconds": 300},
        {"strategy": {"rollingUpdate": {"maxSurge": 7}}},
        {"strategy": {"rollingUpdate": {"maxUnavailable": 7}}},
        {"strategy": {"type": "Recreate", "rollingUpdate": None}},
    ],
    ids=str,
)
def test_a_manifest_that_is_applied_again_does_not_change_what_is_in_force(alone: Installation, spec: Object) -> None:
    """A raised maxSurge resizes both versions while paused, and in an open window each of these brings new pods."""
    assert said(alone, "held", {"spec": spec}).endswith(f"denied request: {REFUSAL}")


@pytest.mark.parametrize(
    ("name", "patch"),
    [
        ("held", {"spec": {"paused": False}, **LABEL_OFF}),
        ("held", LABEL_OFF),
        ("held", {"spec": {"replicas": 0, "revisionHistoryLimit": 9}}),
        ("held", {"spec": image("app:3")}),
        ("held", {"spec": {"minReadySeconds": 9, **image("app:3")}}),
        ("rejected", {"spec": {"minReadySeconds": 9}}),
        ("held", {"spec": {"paused": True}}),
        ("theirs", {"spec": {"paused": False}}),
        ("theirs", {"spec": {"paused": False}, **LABEL_ON}),
        ("running", {"spec": {"paused": True}, **LABEL_ON}),
    ],
    ids=str,
)
def test_the_lock_stands_in_the_way_of_nothing_else(alone: Installation, name: str, patch: Object) -> None:
    """Above all not of the way out by hand, the label removed in the same write."""
    assert said(alone, name, patch) == "allowed"


def test_the_controller_opens_its_windows(alone: Installation) -> None:
    """The one identity for which a rollout goes on."""
    assert said(alone, "held", {"spec": {"paused": False}}, alone.controller) == "allowed"


def test_the_fence_fails_closed(alone: Installation) -> None:
    """Whoever kills the webhook gains nothing from a stolen token: no other template while nobody can judge it."""
    assert "failed calling webhook" in said(alone, "held", {"spec": image("evil:1")}, alone.controller)
    assert "penstock-fence" in said(alone, "running", {"spec": image("evil:1")}, alone.controller)


def strict(found: Installation) -> Object:
    """The entries that deploy/overlays/strict adds, as a configuration of their own."""
    (added,) = yaml.safe_load_all((DEPLOY / "overlays/strict/strict.yaml").read_text())
    return by_address({**added, "metadata": {"name": "zz-strict"}}, found.webhook_port)


def test_strict_refuses_what_nobody_could_gate_and_leaves_a_way_out(alone: Installation) -> None:
    """In opted-in scope only; with `penstock.dev/enabled: "false"` in the same write it passes."""
    configuration = strict(alone)
    path = objects.validating_webhook("zz-strict")

    async def install(client: Client) -> None:
        await apply(client, configuration)

    async def remove(client: Client) -> None:
        await client.delete(path)

    alone.plane.call(install)
    try:
        change: dict[str, Any] = {"spec": image("app:3")}
        opted_out = {**change, "metadata": {"labels": {ENABLED: "false"}}}
        wait_until_refused(alone, change)
        found = {
            "a template": said(alone, "running", change),
            "a pause lifted": said(alone, "theirs", {"spec": {"paused": False}}),
            "a template, opted out": said(alone, "running", opted_out),
            "something else": said(alone, "running", {"spec": {"minReadySeconds": 9}}),
        }
    finally:
        alone.plane.call(remove)
    failing = 'Internal error occurred: failed calling webhook "strict-namespaces.penstock.dev"'
    assert {case: words.split(": failed to call")[0] for case, words in found.items()} == {
        "a template": failing,
        "a pause lifted": failing,
        "a template, opted out": "allowed",
        "something else": "allowed",
    }


def wait_until_refused(found: Installation, change: Object) -> None:
    """API servers learn of a new configuration a moment later."""
    for _ in range(100):
        if said(found, "running", change) != "allowed":
            return
    raise AssertionError("strict mode never began")
