"""The Secret: read with whatever is wrong in it, written only over the version that was read.

It exists before we do, empty, as part of the installation: RBAC cannot limit `create` to one name, and with `create` a
stolen token could make itself a Secret of a kind that the control plane fills with credentials. Of two writers one gets
a Conflict; it reads again and goes on from what the winner wrote.
"""

import binascii
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from certs import bundle
from certs.authority import Pair
from certs.protocol import Held
from penstock.kube import Client, NotFound, objects

SECRET = "penstock-webhook-certs"

BUNDLE, SIGNING_KEY, LEAF, LEAF_KEY = "ca.crt", "ca.key", "tls.crt", "tls.key"
"""Keys in the Secret's data; `tls.*` and `ca.crt` are the names that every tool knows."""


@dataclass(frozen=True)
class Stored:
    """The Secret as it was read; `secret` is None where it does not exist."""

    held: Held
    secret: dict[str, Any] | None


async def read(client: Client, namespace: str, name: str = SECRET) -> Stored:
    """What stands there now."""
    try:
        secret = await client.get(objects.secret(namespace, name))
    except NotFound:
        return Stored(Held(), None)
    return Stored(decode(secret), secret)


async def write(client: Client, namespace: str, stored: Stored, held: Held, name: str = SECRET) -> None:
    """Replace what was read. Conflict: somebody was faster; Denied on a missing Secret: it has to be applied again."""
    if stored.secret is None:
        new = {"apiVersion": "v1", "kind": "Secret", "metadata": {"namespace": namespace, "name": name}}
        await client.post(objects.secrets(namespace), {**new, "type": "Opaque", "data": encode(held)})
        return
    data = {**(stored.secret.get("data") or {}), **encode(held)}
    await client.put(objects.secret(namespace, name), {**stored.secret, "data": data})


def decode(secret: Mapping[str, Any]) -> Held:
    """The usable parts; a leaf counts only together with its key."""
    certificates = bundle.certificates(part(secret, LEAF))
    key = bundle.key(part(secret, LEAF_KEY))
    fits = bool(certificates) and key is not None and bundle.matches(certificates[0], key)
    leaf = Pair(certificates[0], key) if fits and key is not None else None
    return Held(bundle.certificates(part(secret, BUNDLE)), bundle.key(part(secret, SIGNING_KEY)), leaf)


def encode(held: Held) -> dict[str, str]:
    """The Secret's data."""
    leaf = held.leaf
    parts = {
        BUNDLE: bundle.text(held.bundle),
        SIGNING_KEY: bundle.key_text(held.key) if held.key else b"",
        LEAF: bundle.text([leaf.certificate]) if leaf else b"",
        LEAF_KEY: bundle.key_text(leaf.key) if leaf else b"",
    }
    return {name: b64encode(content).decode() for name, content in parts.items()}


def part(secret: Mapping[str, Any], name: str) -> bytes:
    """One value of a Secret; empty where it is missing or is not base64."""
    try:
        return b64decode((secret.get("data") or {}).get(name) or "", validate=True)
    except (binascii.Error, ValueError, TypeError):
        return b""
