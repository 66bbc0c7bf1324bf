"""Strict mode for one test's namespace: a second webhook process with `--strict`, and the overlay's entries for it."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import yaml

from penstock.kube import objects
from sandbox import ports
from tests.cluster.cluster import ROOT
from tests.cluster.world import World

Object = dict[str, Any]

OVERLAY = ROOT / "deploy" / "overlays" / "strict" / "strict.yaml"
COLLECTION = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"


@asynccontextmanager
async def strict(here: World) -> AsyncIterator[None]:
    """While this is open, writes to this namespace are judged as the strict overlay says."""
    chosen = ports.choose()
    flags = {
        "kubeconfig": here.cluster.directory / "configuration" / "webhook",
        "bind-address": "127.0.0.1",
        "port": chosen.webhook,
        "metrics-port": chosen.webhook_metrics,
        "webhook-names": "127.0.0.1",
        "drain-seconds": 0,
    }
    command = [sys.executable, "-m", "webhook", "--strict", *(f"--{name}={value}" for name, value in flags.items())]
    with (here.logs / f"{here.namespace}.strict.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=log, stderr=log)
    name = f"zz-strict-{here.namespace}"
    try:
        await _ready(chosen.webhook_metrics)
        await here.client.post(COLLECTION, await _configuration(here, name, chosen.webhook))
        yield
    finally:
        await here.client.delete(objects.validating_webhook(name))
        process.terminate()
        await process.wait()


async def _ready(port: int) -> None:
    async with asyncio.timeout(60), aiohttp.ClientSession() as session:
        while True:
            try:
                async with session.get(f"http://127.0.0.1:{port}/readyz") as answer:
                    if answer.status == 200:
                        return
            except aiohttp.ClientConnectionError:
                pass
            await asyncio.sleep(0.1)


async def _configuration(here: World, name: str, port: int) -> Object:
    """The overlay's entries, for this namespace alone and for that process."""
    ours = await here.client.get(objects.validating_webhook("zz-penstock"))
    authority = ours["webhooks"][0]["clientConfig"]["caBundle"]
    configuration: Object = yaml.safe_load(OVERLAY.read_text())
    only = {"key": "kubernetes.io/metadata.name", "operator": "In", "values": [here.namespace]}
    for entry in configuration["webhooks"]:
        entry["namespaceSelector"]["matchExpressions"].append(only)
        path = entry["clientConfig"].pop("service")["path"]
        entry["clientConfig"] = {"url": f"https://127.0.0.1:{port}{path}", "caBundle": authority}
    return {**configuration, "metadata": {"name": name}}
