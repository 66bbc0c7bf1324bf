"""What the fakes of this folder assume, said by the API server itself."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest

from penstock.kube import (
    PARTIAL,
    PARTIAL_LIST,
    ApiError,
    Client,
    Conflict,
    Invalid,
    Lease,
    NotFound,
    Reflector,
    hold,
    objects,
)
from tests.deploy.plane import Plane

pytestmark = pytest.mark.cluster

Object = dict[str, Any]


@pytest.fixture
async def client(plane: Plane) -> AsyncIterator[Client]:
    """Works in a namespace of its own."""
    async with Client.connect(plane.kubeconfig) as connected:
        connected.namespace = f"kube-{uuid.uuid4().hex[:8]}"
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": connected.namespace}}
        await connected.post(objects.namespaces(), body)
        yield connected
        await connected.delete(objects.namespace(connected.namespace))


def paused(name: str = "web") -> Object:
    labels = {"app": name}
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    spec = {"replicas": 2, "paused": True, "selector": {"matchLabels": labels}, "template": pod}
    meta = {"name": name, "annotations": {"example.com/a": "x"}}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": spec}


def changed(spec: Object) -> Object:
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec}


async def outcome(request: Any) -> type[ApiError] | None:
    try:
        await request
    except ApiError as error:
        return type(error)
    return None


async def test_every_verb_does_what_it_says(client: Client) -> None:
    """One Deployment through its life."""
    path = objects.deployment(client.namespace, "web")
    created = await client.post(objects.deployments(client.namespace), paused(), fieldManager="penstock")
    assert created["metadata"]["managedFields"][0]["manager"] == "penstock"
    merged = await client.merge(path, {"metadata": {"annotations": {"m": "1", "example.com/a": None}}})
    assert objects.annotations(merged) == {"m": "1"}
    images = {"template": {"spec": {"containers": [{"name": "c", "image": "j"}, {"name": "d", "image": "k"}]}}}
    both = await client.strategic(path, {"spec": images})
    assert [each["image"] for each in both["spec"]["template"]["spec"]["containers"]] == ["j", "k"]
    patched = await client.patch(path, [{"op": "add", "path": "/metadata/annotations/x~1y", "value": "é"}])
    assert objects.annotations(patched)["x/y"] == "é"
    applied = await client.apply(path, changed({"replicas": 7}), manager="other", force=True)
    assert applied["spec"]["replicas"] == 7
    own = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "own"}, "data": {"a": "1"}}
    kept = await client.post(objects.configmaps(client.namespace), own)
    put = await client.put(objects.configmap(client.namespace, "own"), kept | {"data": {"b": "2"}})
    assert put["data"] == {"b": "2"}
    condition = {"type": "penstock.dev/Rollout", "status": "Unknown"}
    shown = await client.patch(
        objects.status(path), [{"op": "add", "path": "/status/conditions", "value": [condition]}]
    )
    assert objects.at(shown, "status", "conditions", 0, "type") == "penstock.dev/Rollout"
    assert (await client.delete(path, uid=objects.uid(created)))["kind"] == "Status"
    assert await outcome(client.get(path)) is NotFound


async def test_each_refusal_is_the_error_that_it_should_be(client: Client) -> None:
    """Above all: a failed test of a patch is a Conflict, an object that breaks validation is not."""
    path = objects.deployment(client.namespace, "web")
    created = await client.post(objects.deployments(client.namespace), paused(), fieldManager="penstock")
    old, here = objects.version(created), {"op": "test", "path": "/kind", "value": "Deployment"}
    await client.merge(path, {"metadata": {"labels": {"a": "b"}}})

    async def patched(*operations: Object) -> type[ApiError] | None:
        return await outcome(client.patch(path, operations))

    def replaced(what: str, value: Any) -> Object:
        return {"op": "replace", "path": what, "value": value}

    assert [
        await patched({"op": "test", "path": "/metadata/resourceVersion", "value": old}, replaced("/spec/replicas", 9)),
        await patched({"op": "test", "path": "/metadata/annotations/example.com~1a", "value": "other"}),
        await patched({"op": "test", "path": "/metadata/annotations/none", "value": "x"}),
        await patched(here, {"op": "remove", "path": "/spec/none"}),
        await patched({"op": "remove", "path": "/spec/none"}),
        await patched(here, replaced("/spec/replicas", -3)),
        await patched(here, replaced("/spec/replicas", "many")),
        await patched(here, replaced("/metadata/resourceVersion", old), replaced("/spec/replicas", 9)),
        await patched(here),
    ] == [Conflict, Conflict, Conflict, Conflict, Invalid, Invalid, Invalid, Conflict, None]
    assert [
        await outcome(client.post(objects.deployments(client.namespace), paused())),
        await outcome(client.apply(path, changed({"replicas": 9}), manager="other")),
        await outcome(client.merge(path, {"metadata": {"resourceVersion": old}})),
        await outcome(client.delete(path, uid="another")),
        await outcome(client.delete(path, resource_version=old)),
        await outcome(client.patch(objects.deployment(client.namespace, "none"), [here])),
        await outcome(client.get(objects.deployments(), labelSelector="=")),
    ] == [Conflict, Conflict, Conflict, Conflict, Conflict, NotFound, Invalid]
    assert (await client.get(path))["spec"]["replicas"] == 2


async def test_metadata_alone(client: Client) -> None:
    """For the list of idle workloads, whose specs nobody needs."""
    plural = objects.deployments(client.namespace)
    await client.post(plural, paused())
    one = await client.get(objects.deployment(client.namespace, "web"), accept=PARTIAL)
    several = await client.get(plural, accept=PARTIAL_LIST)
    event = await anext(client.watch(plural, accept=PARTIAL, timeoutSeconds=5))
    assert [one["kind"], several["kind"], event["object"]["kind"]] == [
        "PartialObjectMetadata",
        "PartialObjectMetadataList",
        "PartialObjectMetadata",
    ]
    assert "spec" not in one | several["items"][0] | event["object"]


async def test_the_reflector_follows(client: Client) -> None:
    """From the list through additions, changes and deletions, also of an object of a megabyte."""
    plural = objects.configmaps(client.namespace)
    seen: asyncio.Queue[tuple[str, bool, bool]] = asyncio.Queue()

    def note(key: str, old: Object | None, new: Object | None) -> None:
        if key.endswith("/big"):
            seen.put_nowait((key, old is not None, new is not None))

    reflector = Reflector(client, plural, None, note)
    following = asyncio.create_task(reflector.run())
    async with asyncio.timeout(10):
        await reflector.synced.wait()
        big = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "big"}, "data": {"x": "y" * 1_000_000}}
        await client.post(plural, big)
        await client.merge(objects.configmap(client.namespace, "big"), {"data": {"z": "1"}})
        await client.delete(objects.configmap(client.namespace, "big"))
        key = f"{client.namespace}/big"
        assert [await seen.get() for _ in range(3)] == [(key, False, True), (key, True, True), (key, True, False)]
    following.cancel()
    await asyncio.wait((following,))


async def test_the_lease_is_accepted_and_handed_over(client: Client) -> None:
    """The object that we write is valid, also with nobody as its holder."""
    terms: list[tuple[str, int]] = []

    async def work(lease: Lease) -> None:
        terms.append((lease.identity, lease.transitions))
        await asyncio.sleep(0.1)

    await asyncio.gather(*(hold(client, client.namespace, "l", name, work) for name in "ab"))
    (first, earlier), (second, later) = terms
    assert {first, second} == {"a", "b"}
    assert later == earlier + 1
    spec = (await client.get(objects.lease(client.namespace, "l")))["spec"]
    assert (spec["holderIdentity"], spec["leaseTransitions"]) == ("", later)
