"""Somebody else's mutating webhook: a real HTTPS server, registered for one test's namespace and removed with it.

The API server calls webhooks in the order of their configurations' names, so `before` ours or after it is a matter
of the first letters.
"""

import base64
import copy
import hashlib
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import jsonpatch
from aiohttp import web

from penstock.kube import objects
from sandbox import pki
from tests.cluster.world import World

Object = dict[str, Any]
Mutation = Callable[[Object], None]
"""Changes a Deployment in place; applied twice it changes nothing more."""


def digests(deployment: Object) -> None:
    """Each image by its digest, as an image policy resolves the tag."""
    for container in deployment["spec"]["template"]["spec"]["containers"]:
        if "@" not in container["image"]:
            container["image"] += "@sha256:" + resolved(container["image"])


def resolved(image: str) -> str:
    """The digest of an image."""
    return hashlib.sha256(image.encode()).hexdigest()


def sidecar(deployment: Object) -> None:
    """One container more, at the end."""
    containers = deployment["spec"]["template"]["spec"]["containers"]
    if not any(container["name"] == "mesh" for container in containers):
        containers.append({"name": "mesh", "image": "mesh:1"})


def reordered(deployment: Object) -> None:
    """Environment and labels sorted by some taste of its own, in the order of another one each time it is asked."""
    for container in deployment["spec"]["template"]["spec"]["containers"]:
        container["env"] = sorted(container.get("env") or [], key=lambda each: str(each["name"]))


def unpaused(deployment: Object) -> None:
    """A policy against paused Deployments."""
    deployment["spec"].pop("paused", None)


@asynccontextmanager
async def mutator(here: World, mutation: Mutation, *, before: bool) -> AsyncIterator[list[str]]:
    """Called for every write to a Deployment of this namespace; yields a list of the writes that it changed."""
    changed: list[str] = []

    async def review(request: web.Request) -> web.Response:
        asked = (await request.json())["request"]
        new = copy.deepcopy(asked["object"])
        mutation(new)
        patch = jsonpatch.make_patch(asked["object"], new).patch
        if patch:
            changed.append(asked["operation"])
        return web.json_response(_answer(asked["uid"], patch))

    directory = here.logs / f"mutator-{here.namespace}"
    directory.mkdir()
    authority = pki.create(directory)
    pair = authority.server("mutator", ["127.0.0.1"])
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pair.certificate, pair.key)
    app = web.Application(client_max_size=8 * 2**20)
    app.router.add_post("/", review)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    name = f"{'aa' if before else 'zzz'}-{here.namespace}"
    configuration = _configuration(name, here.namespace, runner.addresses[0][1], authority.file.read_bytes())
    await here.client.post("/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations", configuration)
    try:
        await _called(here, changed)
        yield changed
    finally:
        await here.client.delete(objects.mutating_webhook(name))
        await runner.cleanup()


async def _called(here: World, changed: list[str]) -> None:
    """API servers learn of a new configuration a moment later: wait until it is asked."""
    spec = {"paused": True, "selector": {"matchLabels": {"app": "x"}}, "template": _template()}
    probe = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "probe"}, "spec": spec}
    while not changed:
        await here.client.post(here.collection, probe, dryRun="All")
        await here.silence(0.05)
    await here.silence(0.2)
    changed.clear()


def _template() -> Object:
    env = [{"name": "B", "value": "1"}, {"name": "A", "value": "1"}]
    return {
        "metadata": {"labels": {"app": "x"}},
        "spec": {"containers": [{"name": "app", "image": "app:1", "env": env}]},
    }


def _answer(uid: str, patch: list[Object]) -> Object:
    response: Object = {"uid": uid, "allowed": True}
    if patch:
        response |= {"patchType": "JSONPatch", "patch": base64.b64encode(json.dumps(patch).encode()).decode()}
    return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}


def _configuration(name: str, namespace: str, port: int, authority: bytes) -> Object:
    selector = {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
    rule = {
        "apiGroups": ["apps"],
        "apiVersions": ["v1"],
        "resources": ["deployments"],
        "operations": ["CREATE", "UPDATE"],
    }
    client = {"url": f"https://127.0.0.1:{port}/", "caBundle": base64.b64encode(authority).decode()}
    entry = {
        "name": "mutator.example.com",
        "clientConfig": client,
        "namespaceSelector": selector,
        "rules": [rule],
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "failurePolicy": "Fail",
        "timeoutSeconds": 5,
    }
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": name},
        "webhooks": [entry],
    }
