"""Times and Secrets that several tests of the certificates use."""

from datetime import UTC, datetime, timedelta
from typing import Any

from certs import authority, store
from certs.authority import Pair
from certs.protocol import Held

NOW = datetime(2027, 3, 1, 12, tzinfo=UTC)
NAMES = ("webhook.penstock-system.svc", "127.0.0.1")


def held(now: datetime = NOW, names: tuple[str, ...] = NAMES) -> Held:
    """What a Secret holds after an installation at `now`."""
    ca = authority.new_ca(now)
    return Held((ca.certificate,), ca.key, authority.new_leaf(ca, names, now))


def secret(content: Held) -> dict[str, Any]:
    """The object in the API server."""
    return {"kind": "Secret", "metadata": {"name": store.SECRET}, "data": store.encode(content)}


def days(number: float) -> timedelta:
    return timedelta(days=number)


def leaf_of(content: Held) -> Pair:
    """The certificate, where there has to be one."""
    assert content.leaf is not None
    return content.leaf
