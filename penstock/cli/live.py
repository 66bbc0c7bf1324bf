"""Deployments of the cluster as their owners have written them, for `penstock plan DEPLOYMENT`.

In the middle of a rollout other fields are in force than the owner's, and the record has those; a forecast made from
what is in force would speak of the brake.
"""

import asyncio
from copy import deepcopy
from typing import Any

import jsonpatch

from penstock.cli.errors import Refusal
from penstock.cli.manifests import Document
from penstock.cli.reading import home_of, must_exist
from penstock.cli.session import run
from penstock.cli.status import named
from penstock.core import keys, patch
from penstock.core.guard import active
from penstock.kube import Client, NotFound, objects

Object = dict[str, Any]

SERVERS = ("managedFields", "uid", "resourceVersion", "generation", "creationTimestamp")
"""Metadata that only the API server writes."""

APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def documents_of(names: tuple[str, ...]) -> list[Document]:
    """The Deployments, after their Namespace where that may be read."""

    async def work(client: Client, namespace: str) -> list[Document]:
        await must_exist(client, namespace)
        home, *found = await asyncio.gather(
            home_of(client, namespace), *(_deployment(client, namespace, named(name)) for name in names)
        )
        kept = [Document("the cluster", "now", home)] if home else []
        return [*kept, *(Document("the cluster", "now", owners(obj)) for obj in found if obj)]

    return run(work)


async def _deployment(client: Client, namespace: str, name: str) -> Object:
    try:
        return await client.get(objects.deployment(namespace, name))
    except NotFound:
        raise Refusal(f"there is no Deployment {name} in namespace {namespace}", "name another one by -n") from None


def owners(obj: Object) -> Object:
    """The manifest: without what the API server, the native controllers and we have added."""
    record, new = active(obj), deepcopy(obj)
    new.pop("status", None)
    meta = new["metadata"]
    for name in SERVERS:
        meta.pop(name, None)
    for kind, ours in (("annotations", (*keys.OUR_ANNOTATIONS, APPLIED)), ("labels", (keys.ROLLOUT,))):
        kept = {key: value for key, value in (meta.pop(kind, None) or {}).items() if key not in ours}
        meta |= {kind: kept} if kept else {}
    if record:
        new = jsonpatch.apply_patch(new, list(patch.operations(new, record.saved.wanted())))
    return new
