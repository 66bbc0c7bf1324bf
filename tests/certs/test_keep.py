"""The authority on a real API server: as fast as its writes, silent at rest, and right whoever else writes."""

import asyncio
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from certs import bundle, inject, store
from certs.custody import Custody, Duty
from certs.metrics import Metrics
from certs.protocol import Held
from penstock.kube import Client, Conflict, Lease, Reflector, objects
from tests.certs.moments import held, leaf_of
from tests.deploy.plane import Plane

pytestmark = pytest.mark.cluster

NAMESPACE = "default"


def webhook(name: str) -> dict[str, Any]:
    """An entry that is never called."""
    return {
        "name": name,
        "clientConfig": {"service": {"namespace": NAMESPACE, "name": "nowhere", "path": "/x"}},
        "rules": [
            {"apiGroups": ["none.example"], "apiVersions": ["v1"], "resources": ["nones"], "operations": ["CREATE"]}
        ],
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
    }


def configuration(kind: str, name: str) -> dict[str, Any]:
    """As an installer applies it: without a caBundle."""
    webhooks = [webhook(f"{each}.example.com") for each in ("one", "two")]
    body = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": kind, "metadata": {"name": name}}
    return {**body, "webhooks": webhooks}


@asynccontextmanager
async def installed(plane: Plane, name: str) -> AsyncIterator[tuple[Client, Duty]]:
    """An empty Secret and two configurations of this test's own."""
    duty = Duty(NAMESPACE, ("webhook.example.svc",), name, name)
    async with Client.connect(plane.kubeconfig) as client:
        await client.post(objects.secrets(NAMESPACE), {"metadata": {"name": name, "labels": {"kept": "yes"}}})
        for kind, path in inject.paths(name).items():
            await client.apply(path, configuration(kind, name), manager="installer")
        yield client, duty


class Always(Lease):
    """A lease that is ours: what is tested here are the writes that it does not prevent."""

    def fresh(self) -> bool:
        return True


def custody(client: Client, duty: Duty) -> Custody:
    return Custody(client, duty, Always("test"), Metrics())


@asynccontextmanager
async def kept(client: Client, duty: Duty) -> AsyncIterator[None]:
    """Somebody looks after it meanwhile."""
    task = asyncio.create_task(custody(client, duty).run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def seen(client: Client, duty: Duty) -> tuple[Held, set[bytes]]:
    """The Secret, and every caBundle there is."""
    stored = await store.read(client, duty.namespace, duty.secret)
    found = await inject.read(client, duty.configuration)
    return stored.held, {entry.trusted for each in found for entry in each.webhooks}


async def until(client: Client, duty: Duty, holds: Callable[[Held, set[bytes]], bool]) -> float:
    """Seconds until something is so."""
    begun = time.monotonic()
    while not holds(*await seen(client, duty)):
        assert time.monotonic() - begun < 15
        await asyncio.sleep(0.02)
    return time.monotonic() - begun


def complete(content: Held, trusted: set[bytes]) -> bool:
    return content.leaf is not None and trusted == {bundle.text(content.bundle)}


async def test_a_first_installation_takes_less_than_two_seconds(plane: Plane) -> None:
    """From the empty Secret to a certificate that every configuration trusts; then not one write more."""
    async with installed(plane, "first") as (client, duty):
        writes: list[tuple[str, str, int]] = []
        client.on_write = lambda *write: writes.append(write)
        async with kept(client, duty):
            assert await until(client, duty, complete) < 2
            await asyncio.sleep(0.5)
        secret = objects.secret(NAMESPACE, "first")
        mutating, validating = inject.paths("first").values()
        assert writes == [
            ("put", secret, 200),
            ("apply", mutating, 200),
            ("apply", validating, 200),
            ("put", secret, 200),
        ]
        assert objects.labels(await client.get(secret)) == {"kept": "yes"}


async def test_at_rest_nothing_is_asked(plane: Plane, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three watches stand, and nothing is read until one of them says that something changed."""
    async with installed(plane, "rest") as (client, duty), kept(client, duty):
        await until(client, duty, complete)
        await asyncio.sleep(0.5)
        asked: list[str] = []
        get = client.get

        async def counted(path: str, **params: Any) -> dict[str, Any]:
            asked.append(path)
            return await get(path, **params)

        monkeypatch.setattr(client, "get", counted)
        await asyncio.sleep(1.5)
        assert asked == []


async def test_a_foreign_bundle_is_replaced_and_a_deleted_secret_costs_no_trust(plane: Plane) -> None:
    """Edits by hand, and the emergency: the CA that the API server trusts stays trusted beside the new one."""
    async with installed(plane, "edits") as (client, duty), kept(client, duty):
        await until(client, duty, complete)
        first, _ = await seen(client, duty)
        path = inject.paths("edits")["MutatingWebhookConfiguration"]
        stranger = b64encode(bundle.text([leaf_of(held()).certificate])).decode()
        edit = [{"op": "replace", "path": "/webhooks/1/clientConfig/caBundle", "value": stranger}]
        await client.patch(path, edit)
        await until(client, duty, complete)
        assert (await seen(client, duty))[0].bundle == first.bundle

        await client.merge(objects.secret(NAMESPACE, "edits"), {"data": None})
        await until(client, duty, lambda content, trusted: trusted == {bundle.text(content.bundle)} != {b""})
        after, _ = await seen(client, duty)
        assert len(after.bundle) == 2
        assert first.bundle[0] in after.bundle
        assert after.leaf is None  # it waits for every API server to know the new CA; replicas serve from memory


async def test_the_loser_of_a_race_adopts_what_the_winner_wrote(plane: Plane) -> None:
    """Two leaders at once, from the same empty Secret: one CA comes of it, not two."""
    async with installed(plane, "race") as (client, duty):
        stored = await store.read(client, NAMESPACE, "race")
        await custody(client, duty).round()
        with pytest.raises(Conflict):
            await store.write(client, NAMESPACE, stored, held(), "race")
        async with kept(client, duty), kept(client, duty), kept(client, duty):
            await until(client, duty, complete)
            await asyncio.sleep(0.3)
        content, trusted = await seen(client, duty)
        assert len(content.bundle) == 1
        assert complete(content, trusted)


async def test_only_the_bundle_is_ours_in_the_configurations(plane: Plane) -> None:
    """Whoever installs them may apply them again, and gets no conflict and loses no trust."""
    async with installed(plane, "owned") as (client, duty), kept(client, duty):
        await until(client, duty, complete)
        path = inject.paths("owned")["ValidatingWebhookConfiguration"]
        fields = {
            entry["manager"]: entry["fieldsV1"] for entry in (await client.get(path))["metadata"]["managedFields"]
        }[inject.MANAGER]
        ours = {"f:clientConfig": {"f:caBundle": {}}}
        assert fields == {
            "f:webhooks": {
                f'k:{{"name":"{name}.example.com"}}': {".": {}, "f:name": {}, **ours} for name in ("one", "two")
            }
        }
        again = configuration("ValidatingWebhookConfiguration", "owned")
        await client.apply(path, again, manager="installer", force=False)
        assert complete(*await seen(client, duty))


async def test_a_watch_by_name_is_what_wakes_it(plane: Plane) -> None:
    """The role allows list and watch of one name only; the selector is what makes such a request allowed."""
    async with installed(plane, "woken") as (client, duty):
        follow = custody(client, duty)._follow(objects.secrets(NAMESPACE), "woken")
        assert isinstance(follow, Reflector)
        task = asyncio.create_task(follow.run())
        await asyncio.wait_for(follow.synced.wait(), 5)
        assert set(follow.items) == {f"{NAMESPACE}/woken"}
        task.cancel()
