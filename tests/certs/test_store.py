"""What a Secret can hold that it should not: everything a person or a restore can do to it."""

from base64 import b64encode
from typing import Any

import pytest

from certs import store
from certs.protocol import Held
from tests.certs.moments import held, leaf_of, secret


def test_what_is_written_is_read_again() -> None:
    """The Secret is the only memory there is."""
    content = held()
    again = store.decode(secret(content))
    assert store.encode(again) == store.encode(content)
    assert again.signer is not None
    assert again.signer.certificate == content.bundle[0]


def test_an_empty_secret_holds_nothing_and_nothing_is_written_as_such() -> None:
    """As it is installed: without data, or with data: null."""
    assert store.decode({}) == store.decode({"data": None}) == Held()
    assert store.decode({"data": store.encode(Held())}) == Held()


@pytest.mark.parametrize(
    ("key", "value", "lost"),
    [
        (store.BUNDLE, b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", {"bundle"}),
        (store.BUNDLE, b"\xff\x00", {"bundle"}),
        (store.SIGNING_KEY, b"nonsense", {"key"}),
        (store.LEAF, b"nonsense", {"leaf"}),
        (store.LEAF_KEY, b"", {"leaf"}),
        (store.LEAF_KEY, store.bundle.key_text(leaf_of(held()).key), {"leaf"}),
    ],
)
def test_a_part_that_cannot_be_read_is_missing_and_the_others_stay(key: str, value: bytes, lost: set[str]) -> None:
    """A rotation that stopped at the first odd byte could never repair it."""
    content = held()
    broken = secret(content)
    broken["data"][key] = b64encode(value).decode()
    found = store.decode(broken)
    parts: dict[str, Any] = {"bundle": found.bundle, "key": found.key, "leaf": found.leaf}
    assert {name for name, part in parts.items() if not part} == lost


def test_what_is_no_base64_is_missing_too() -> None:
    """A Secret may be written by clients that check nothing."""
    broken = secret(held())
    broken["data"] = dict.fromkeys(broken["data"], "%%%")
    assert store.decode(broken) == Held()
