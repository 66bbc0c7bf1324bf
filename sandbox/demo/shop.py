"""The demo's own namespace: opened, given releases, and closed again.

Releases are server-side applies of one manifest without force, as a pipeline would do it: were a field not given back
to its owner after a rollout, the next release would fail with a conflict.
"""

import asyncio
import copy
from pathlib import Path
from typing import Any

import yaml

from penstock.core import keys
from penstock.kube import Client, NotFound, objects
from sandbox.demo.releases import FIRST, Release

Object = dict[str, Any]

MANIFEST = Path(__file__).with_name("shop.yaml")
NAMESPACE = "shop"
NAME = "web"
SELECTOR = "app=web"
PIPELINE = "shop-pipeline"
"""The field manager of the releases."""

MARK = "sandbox.penstock.dev/demo"
"""Label of a namespace that the demo made: it deletes no other, whatever its name."""

METRICS = (keys.ERRORS, keys.SLOW, keys.MAX_IMPACT)
"""Annotations of the manifest that make no sense where there is nobody to be asked."""

BEHAVIOUR = "sandbox.penstock.dev/behaviour"
AFTER = "sandbox.penstock.dev/after"


class NotOurs(Exception):
    """A namespace of the same name exists that the demo has not made."""


class NotGated(Exception):
    """A release was admitted as if there were no Penstock."""


class Shop:
    """Namespace, Service and Deployment in one cluster. With `simulated` pods faults are played by kwok."""

    def __init__(self, client: Client, *, simulated: bool) -> None:
        self._client = client
        self._simulated = simulated
        self._namespace, self._service, self._deployment = yaml.safe_load_all(MANIFEST.read_text())
        self._namespace["metadata"]["labels"][MARK] = "true"

    async def open(self) -> str:
        """Make namespace and Service; the Service's address. What an interrupted demo left goes first."""
        await self.close()
        await self._client.post(objects.namespaces(), self._namespace)
        service = await self._client.post(objects.services(NAMESPACE), self._service)
        return f"http://{service['spec']['clusterIP']}:{service['spec']['ports'][0]['port']}/"

    async def close(self) -> None:
        """Delete all of it; returns when nothing is left."""
        path = objects.namespace(NAMESPACE)
        try:
            found = await self._client.get(path)
            if MARK not in objects.labels(found):
                raise NotOurs(f"there is a namespace {NAMESPACE} that the demo has not made; delete or rename it first")
            await self._client.delete(path, uid=objects.uid(found))
            while True:
                await self._client.get(path)
                await asyncio.sleep(0.2)
        except NotFound:
            return

    async def deploy(self, release: Release) -> int:
        """Apply a release; its revision. The first is simply created, each other one must be gated."""
        path = objects.deployment(NAMESPACE, NAME)
        admitted = await self._client.apply(path, self.manifest(release), manager=PIPELINE)
        if not release.first and keys.RECORD not in objects.annotations(admitted):
            raise NotGated(f"{release.version} was admitted without a gate: the webhook did not see it")
        return int(objects.version(admitted))

    def manifest(self, release: Release) -> Object:
        """The Deployment of one release: only its pod template differs from the others'."""
        manifest: Object = copy.deepcopy(self._deployment)
        template = manifest["spec"]["template"]
        environment = template["spec"]["containers"][0]["env"]
        values = {variable["name"]: variable["value"] for variable in environment}
        values |= {"VERSION": release.version, **faults(release)}
        environment[:] = [{"name": name, "value": value} for name, value in values.items()]
        if self._simulated:
            for key in METRICS:
                del manifest["metadata"]["annotations"][key]
            if release.crash_after:
                template["metadata"]["labels"][BEHAVIOUR] = "crash-after"
                template["metadata"]["annotations"][AFTER] = f"{release.crash_after:g}s"
        return manifest


def faults(release: Release) -> dict[str, str]:
    """What is wrong with it, as the application is told."""
    sound = numbers(FIRST)
    return {name: f"{value:g}" for name, value in numbers(release).items() if value != sound[name]}


def numbers(release: Release) -> dict[str, float]:
    """By the name of the application's variable."""
    return {"ERROR_RATE": release.error_rate, "TAIL": release.tail, "CRASH_AFTER": release.crash_after}
