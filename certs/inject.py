"""Tells the API server whom to trust: the caBundle of every webhook in both configurations, and nothing else there.

Server-side apply, so that exactly these fields are ours: some clouds rewrite the selectors, installers own the rest,
and a write of the whole object would fight with them. An entry of the list is addressed by its name.
"""

import binascii
from base64 import b64decode, b64encode
from dataclasses import dataclass
from typing import Any

from certs import bundle
from certs.bundle import Bundle
from penstock.kube import Client, NotFound, objects

CONFIGURATION = "zz-penstock"
"""Last in the alphabet: mutating webhooks run in the order of their configurations' names."""

MANAGER = "penstock-certs"


@dataclass(frozen=True)
class Webhook:
    """One entry of a configuration: its name, whom it trusts, and where it calls."""

    name: str
    trusted: bytes
    target: dict[str, Any]


@dataclass(frozen=True)
class Configuration:
    """A mutating or validating webhook configuration."""

    path: str
    kind: str
    webhooks: tuple[Webhook, ...]


def paths(name: str = CONFIGURATION) -> dict[str, str]:
    """Where the two configurations live, by kind."""
    return {
        "MutatingWebhookConfiguration": objects.mutating_webhook(name),
        "ValidatingWebhookConfiguration": objects.validating_webhook(name),
    }


async def read(client: Client, name: str = CONFIGURATION) -> tuple[Configuration, ...]:
    """Both configurations; one that is not installed is left out."""
    found = []
    for kind, path in paths(name).items():
        try:
            found.append(configuration(path, kind, await client.get(path)))
        except NotFound:
            continue
    return tuple(found)


def configuration(path: str, kind: str, obj: dict[str, Any]) -> Configuration:
    """The parts that matter here."""
    webhooks = []
    for entry in obj.get("webhooks") or ():
        target = entry.get("clientConfig") or {}
        webhooks.append(Webhook(str(entry.get("name")), _decoded(target.get("caBundle")), target))
    return Configuration(path, kind, tuple(webhooks))


async def inject(client: Client, name: str, found: Configuration, members: Bundle) -> None:
    """Make all entries of one configuration trust these CAs."""
    trusted = {"caBundle": b64encode(bundle.text(members)).decode()}
    body = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": found.kind,
        "metadata": {"name": name},
        "webhooks": [{"name": webhook.name, "clientConfig": trusted} for webhook in found.webhooks],
    }
    await client.apply(found.path, body, manager=MANAGER, force=True)


def _decoded(text: str | None) -> bytes:
    try:
        return b64decode(text or "", validate=True)
    except (binascii.Error, ValueError):
        return b""
