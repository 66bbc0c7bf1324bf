"""The tools with which people declare a manifest, each as it writes: none of them knows about Penstock."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

from tests.cluster.world import World

Object = dict[str, Any]
Tool = Callable[[World, Object], Awaitable[None]]

FLUX = "kustomize-controller"
ARGO = "argocd-controller"


async def flux(here: World, manifest: Object) -> None:
    """Server-side apply with force, under the name of Flux's controller."""
    await here.heard(await here.client.apply(here.path, manifest, manager=FLUX, force=True))


async def argo(here: World, manifest: Object) -> None:
    """What Argo CD does by default, with the code that it uses for it: kubectl's three-way apply."""
    await _told(here, manifest, "apply", "--server-side=false", f"--field-manager={ARGO}")


async def replace(here: World, manifest: Object) -> None:
    """`kubectl replace`: the whole object anew, without anything that the manifest does not have."""
    await _told(here, manifest, "replace" if ("Deployment", "web") in here.recorder.objects else "create")


async def _told(here: World, manifest: Object, *arguments: str) -> None:
    answer = await here.kubectl(*arguments, "-f", "-", stdin=json.dumps(manifest))
    assert answer.code == 0, answer.err


TOOLS: dict[str, Tool] = {"server-side apply": flux, "kubectl apply": argo, "kubectl replace": replace}


def with_fields(manifest: Object, **spec: Any) -> Object:
    """The same manifest with other fields of the spec; None leaves one out."""
    merged = {**manifest["spec"], **spec}
    return {**manifest, "spec": {name: value for name, value in merged.items() if value is not None}}
