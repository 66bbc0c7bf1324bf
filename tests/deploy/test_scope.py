"""Who is asked about which write: the conditions in the manifests, evaluated by a real API server.

Each write is a dry run, and what the webhook counted is the truth about who was asked. A condition with a mistake in it
does not fail loudly: with failurePolicy Ignore the webhook is silently never called.
"""

import contextlib
import signal
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from penstock.kube import ApiError, Client, objects
from tests.deploy.conftest import Installation

pytestmark = pytest.mark.cluster

ENABLED, ROLLOUT, RECORD = "penstock.dev/enabled", "penstock.dev/rollout", "penstock.dev/record"
LABELLED, PLAIN = "scope-labelled", "scope-plain"

Object = dict[str, Any]
Write = Callable[[Client, str, str], Awaitable[object]]


def deployment(name: str, labels: dict[str, str] | None = None, **spec: Any) -> Object:
    """A Deployment without pods: its template is compared, not run."""
    metadata: Object = {"name": name} | ({"labels": labels} if labels else {})
    template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": "c", "image": "app:1"}]}}
    body = {"replicas": 0, "selector": {"matchLabels": {"app": name}}, "template": template, **spec}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": body}


def merging(**patch: Any) -> Write:
    """A dry run of a merge patch."""

    async def write(client: Client, namespace: str, name: str) -> object:
        return await client.merge(objects.deployment(namespace, name), patch, dryRun="All")

    return write


def image(tag: str) -> Object:
    """A template change."""
    return {"template": {"spec": {"containers": [{"name": "c", "image": tag}]}}}


async def scaled(client: Client, namespace: str, name: str) -> object:
    path = objects.scale(objects.deployment(namespace, name))
    return await client.merge(path, {"spec": {"replicas": 3}}, dryRun="All")


async def reported(client: Client, namespace: str, name: str) -> object:
    path = objects.status(objects.deployment(namespace, name))
    return await client.merge(path, {"status": {"observedGeneration": 7}}, dryRun="All")


async def created(client: Client, namespace: str, name: str) -> object:
    return await client.post(objects.deployments(namespace), deployment(f"{name}-new"), dryRun="All")


async def restored(client: Client, namespace: str, name: str) -> object:
    """From a backup that was taken during a rollout."""
    backup = deployment(f"{name}-new", {ROLLOUT: "holding"})
    backup["metadata"]["annotations"] = {RECORD: '{"v":1}'}
    return await client.post(objects.deployments(namespace), backup, dryRun="All")


async def created_with_steps(client: Client, namespace: str, name: str) -> object:
    new = deployment(f"{name}-new")
    new["metadata"]["annotations"] = {"penstock.dev/steps": "1, 50%"}
    return await client.post(objects.deployments(namespace), new, dryRun="All")


async def grown(client: Client, namespace: str, name: str) -> object:
    """A template as large as the API server lets it be, almost: comparing it must not exceed a condition's budget."""
    env = [{"name": f"V{number}", "value": "x" * 200} for number in range(4000)]
    patch = {"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "app:1", "env": env}]}}}}
    return await client.merge(objects.deployment(namespace, name), patch, dryRun="All")


STORED: dict[str, tuple[dict[str, str], Object]] = {
    "plain": ({}, {}),
    "opted-in": ({ENABLED: "true"}, {}),
    "opted-out": ({ENABLED: "false"}, {}),
    "running": ({ROLLOUT: "holding"}, {"paused": True}),
    "running-opted-in": ({ROLLOUT: "holding", ENABLED: "true"}, {"paused": True}),
    "running-opted-out": ({ROLLOUT: "holding", ENABLED: "false"}, {"paused": True}),
    "paused": ({}, {"paused": True}),
    "annotated": ({}, {}),
}
"""Deployments that stand in both namespaces: their labels, and what their spec has besides."""

CASES: list[tuple[str, str, Write, dict[str, int]]] = [
    (LABELLED, "plain", merging(spec=image("app:2")), {"/mutate": 1}),
    (LABELLED, "plain", merging(spec={"minReadySeconds": 5}), {}),
    (LABELLED, "plain", merging(metadata={"labels": {"team": "shop"}}), {}),
    (LABELLED, "plain", scaled, {}),
    (LABELLED, "plain", reported, {}),
    (LABELLED, "plain", created, {}),
    (LABELLED, "plain", restored, {"/mutate": 1}),
    (LABELLED, "plain", grown, {"/mutate": 1}),
    (LABELLED, "opted-out", merging(spec=image("app:2")), {}),
    (LABELLED, "opted-out", merging(spec=image("app:2"), metadata={"labels": {ENABLED: None}}), {"/mutate": 1}),
    (
        LABELLED,
        "plain",
        merging(spec=image("app:2"), metadata={"labels": {ENABLED: "false"}}),
        {"/mutate": 1, "/validate": 1},
    ),
    (LABELLED, "running", merging(spec={"minReadySeconds": 5}), {"/mutate": 1}),
    (LABELLED, "running", merging(metadata={"labels": {ROLLOUT: None}}), {"/mutate": 1}),
    (LABELLED, "running", scaled, {}),
    (LABELLED, "running-opted-out", merging(spec={"minReadySeconds": 5}), {"/mutate": 1}),
    (LABELLED, "paused", merging(spec={"paused": None}), {"/mutate": 1}),
    (LABELLED, "paused", merging(spec={"minReadySeconds": 5}), {}),
    (PLAIN, "plain", merging(spec=image("app:2")), {}),
    (PLAIN, "plain", created, {}),
    (PLAIN, "plain", restored, {"/guard": 1}),
    (PLAIN, "opted-in", merging(spec=image("app:2")), {"/mutate": 1}),
    (PLAIN, "opted-in", merging(spec={"minReadySeconds": 5}), {}),
    (PLAIN, "opted-out", merging(spec=image("app:2")), {}),
    (PLAIN, "running", merging(spec={"minReadySeconds": 5}), {"/guard": 1}),
    (PLAIN, "running", merging(metadata={"labels": {ROLLOUT: None}}), {"/guard": 1}),
    (PLAIN, "running-opted-in", merging(spec={"minReadySeconds": 5}), {"/mutate": 1}),
    (PLAIN, "running-opted-out", merging(spec={"minReadySeconds": 5}), {"/guard": 1}),
    (PLAIN, "paused", merging(spec={"paused": None}), {}),
    (PLAIN, "plain", created_with_steps, {"/validate": 1}),
    (PLAIN, "plain", merging(metadata={"annotations": {"penstock.dev/steps": "1, 50%"}}), {"/validate": 1}),
    (PLAIN, "annotated", merging(metadata={"annotations": {"penstock.dev/steps": "2, 50%"}}), {"/validate": 1}),
    (PLAIN, "annotated", merging(metadata={"annotations": {"team": "shop"}}), {}),
    (PLAIN, "annotated", merging(metadata={"annotations": {"penstock.dev/steps": None}}), {}),
    (PLAIN, "plain", merging(metadata={"annotations": {RECORD: "{}"}}), {}),
    ("kube-public", "plain", merging(spec=image("app:2")), {}),
    ("kube-public", "plain", merging(metadata={"annotations": {"penstock.dev/steps": "x"}}), {}),
]

BY_CONTROLLER: list[tuple[str, str, Write, dict[str, int]]] = [
    (LABELLED, "plain", merging(spec=image("app:2")), {}),
    (LABELLED, "running", merging(spec=image("app:2")), {"/fence": 1}),
    (LABELLED, "running", merging(spec={"paused": False}), {}),
    (LABELLED, "plain", merging(metadata={"annotations": {RECORD: "{}"}}), {}),
    ("kube-public", "plain", merging(spec=image("app:2")), {}),
]


@pytest.fixture(scope="module")
def stored(installed: Installation) -> Installation:
    """The Deployments of STORED. Labels of ours are put there while no webhook is there to stop it."""

    async def fill(client: Client) -> None:
        for namespace, labels in ((LABELLED, {ENABLED: "true"}), (PLAIN, {})):
            body = {"metadata": {"name": namespace, "labels": labels}}
            await client.post(objects.namespaces(), body)
        await client.merge(objects.namespace("kube-public"), {"metadata": {"labels": {ENABLED: "true"}}})
        await client.post(objects.deployments("kube-public"), deployment("plain"))
        for namespace in (LABELLED, PLAIN):
            for name, (_, spec) in STORED.items():
                await client.post(objects.deployments(namespace), deployment(name, **spec))

    async def mark(client: Client) -> None:
        for namespace in (LABELLED, PLAIN):
            for name, (labels, _) in STORED.items():
                notes = {"penstock.dev/steps": "1, 50%"} if name == "annotated" else {}
                patch = {"metadata": {"labels": labels, "annotations": notes}}
                await client.merge(objects.deployment(namespace, name), patch)

    installed.plane.call(fill)
    installed.end_webhook(signal.SIGKILL)
    installed.plane.call(mark)
    installed.start_webhook()
    installed.wait()
    return installed


def asked(installed: Installation, namespace: str, name: str, write: Write, who: str | None) -> dict[str, int]:
    """The calls that one write caused, by path."""

    async def perform(client: Client) -> None:
        with contextlib.suppress(ApiError):  # refused by the webhook it was meant for; asked it was
            await write(client, namespace, name)

    before = installed.calls()
    installed.plane.call(perform, who)
    return {
        path: round(count - before.get(path, 0))
        for path, count in installed.calls().items()
        if count != before.get(path, 0)
    }


def test_only_writes_that_could_begin_change_or_end_a_rollout_reach_the_webhook(stored: Installation) -> None:
    """I9: outside opted-in scope nothing is asked, and what changes no template is never delayed."""
    found = [
        (ns, name, number, asked(stored, ns, name, write, None)) for number, (ns, name, write, _) in enumerate(CASES)
    ]
    assert found == [(ns, name, number, expected) for number, (ns, name, _, expected) in enumerate(CASES)]


def test_our_own_controller_is_asked_about_its_templates_only(stored: Installation) -> None:
    """It would otherwise guard itself. Where no rollout runs the API server refuses it without asking: no call, too."""
    found = [asked(stored, ns, name, write, stored.controller) for ns, name, write, _ in BY_CONTROLLER]
    assert found == [expected for *_, expected in BY_CONTROLLER]


def test_namespaces_are_validated_where_they_carry_our_label(stored: Installation) -> None:
    """Their annotations are defaults for everything in them; a namespace without the label is not ours to judge."""

    async def annotate(client: Client, namespace: str, value: str) -> str:
        patch = {"metadata": {"annotations": {"penstock.dev/steps": value}}}
        try:
            await client.merge(objects.namespace(namespace), patch, dryRun="All")
        except ApiError as error:
            return error.message
        return "accepted"

    def said(namespace: str, value: str) -> str:
        return stored.plane.call(lambda client: annotate(client, namespace, value))

    assert said(LABELLED, "1, 50%") == "accepted"
    assert "penstock.dev/steps" in said(LABELLED, "fifty")
    assert said(PLAIN, "fifty") == "accepted"
