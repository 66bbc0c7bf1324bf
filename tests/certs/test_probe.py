"""Before a former CA is forgotten, every replica is looked at."""

import asyncio
import socket
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from certs import authority, bundle, inject, probe, store
from certs.protocol import Action, Held
from penstock.kube import Client
from tests.certs.moments import leaf_of
from tests.certs.test_keep import configuration, custody, installed
from tests.deploy.plane import Plane
from tests.webhook.conftest import certificate
from tests.webhook.running import HOST, running


def free_port() -> int:
    """A port on which nothing listens."""
    with socket.socket() as found:
        found.bind((HOST, 0))
        return int(found.getsockname()[1])


def rotated() -> Held:
    """Two days after a switch: two CAs are trusted, the second signs."""
    then = datetime.now(UTC) - timedelta(days=2)
    former, ca = authority.new_ca(then - timedelta(days=200)), authority.new_ca(then)
    leaf = authority.new_leaf(ca, (HOST,), then)
    return Held((former.certificate, ca.certificate), ca.key, leaf)


async def test_the_certificate_that_is_served_is_seen_and_silence_is_seen_too() -> None:
    """What does not answer may serve anything."""
    content = rotated()
    with running(content) as webhook:
        assert await probe.fingerprint(HOST, webhook.port) == bundle.fingerprint(leaf_of(content).certificate)
        await asyncio.sleep(0.05)  # for the end of that connection; the end of the webhook blocks this loop
    assert await probe.fingerprint(HOST, free_port()) == probe.UNKNOWN


def test_every_endpoint_that_may_get_calls_is_asked() -> None:
    """Also one that is shutting down; not one that gets none any more."""
    conditions = [{"ready": True, "serving": True}, {"ready": False, "serving": True}, {"serving": False}, None]
    endpoints = [{"addresses": [f"10.0.0.{n}"], "conditions": each} for n, each in enumerate(conditions)]
    found = probe.addresses({"ports": [{"port": 9443}], "endpoints": endpoints})
    assert list(found) == [("10.0.0.0", 9443), ("10.0.0.1", 9443), ("10.0.0.3", 9443)]
    assert list(probe.addresses({"ports": None, "endpoints": None})) == []


@pytest.mark.cluster
async def test_a_former_authority_leaves_when_every_replica_serves_the_new_certificate(plane: Plane) -> None:
    """First the configurations, then the Secret: the other order would let it be adopted again."""
    content = rotated()
    with running(certificate()) as webhook:  # a replica that has not noticed
        async with installed(plane, "leaving") as (client, duty):
            duty = replace(duty, names=(HOST,))
            await called(client, "leaving", f"https://{HOST}:{webhook.port}/mutate")
            stored = await store.read(client, duty.namespace, duty.secret)
            await store.write(client, duty.namespace, stored, content, duty.secret)
            term = custody(client, duty)
            steps = [await term.round() for _ in range(2)]
            webhook.certify(content)
            writes: list[str] = []
            client.on_write = lambda verb, path, _: writes.append(f"{verb} {path.rsplit('/', 2)[1]}")
            steps += [await term.round() for _ in range(2)]
            left = await store.read(client, duty.namespace, duty.secret)
    assert [(step.action, step.reason) for step in steps] == [
        (Action.TRUST, "4 of 4 webhooks do not trust the bundle"),
        (Action.REST, "not every replica serves the new certificate"),
        (Action.DROP, "every replica serves the new certificate"),
        (Action.REST, "all is as it should be"),
    ]
    assert writes == ["apply mutatingwebhookconfigurations", "apply validatingwebhookconfigurations", "put secrets"]
    assert left.held.bundle == content.bundle[1:]


async def called(client: Client, name: str, url: str) -> None:
    """Let both configurations call an address."""
    for kind, path in inject.paths(name).items():
        body = configuration(kind, name)
        for entry in body["webhooks"]:
            entry["clientConfig"] = {"url": url}
        await client.apply(path, body, manager="installer")
