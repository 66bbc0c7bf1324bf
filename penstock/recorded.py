"""A recorded observation: one file that holds all that a decision was made from, and the decision.

decide() is pure, so `penstock replay FILE` prints the same decision on another machine, a year later, with another
version: a report of a wrong verdict comes with its proof.
"""

from typing import Any

import msgspec

from penstock.core.decide import decide
from penstock.core.decision import Decision
from penstock.core.observation import Observation

VERSION = 1


class RecordedError(ValueError):
    """The file is not a recorded observation."""


class Recorded(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is in the file."""

    version: int
    observation: Observation
    decision: dict[str, Any]
    """As plain values: it is compared, never acted upon."""


def plain(decision: Decision) -> dict[str, Any]:
    """A decision as JSON values."""
    values: dict[str, Any] = msgspec.to_builtins(decision)
    return {**values, "write": {"kind": type(decision.write).__name__, **values["write"]} if decision.write else None}


def text(value: Any) -> str:
    """Any value of ours as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(value)).decode()


def encode(seen: Observation, decision: Decision) -> bytes:
    """The file's content."""
    return msgspec.json.encode(Recorded(VERSION, seen, plain(decision)))


def decode(content: bytes) -> Recorded:
    """The content read back. Raises RecordedError with what is wrong."""
    try:
        recorded = msgspec.json.decode(content, type=Recorded)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RecordedError(f"this is not a recorded observation: {error}") from None
    if recorded.version != VERSION:
        raise RecordedError(f"recorded in format {recorded.version}; this version reads {VERSION}")
    return recorded


def replay(recorded: Recorded) -> tuple[Decision, tuple[str, ...]]:
    """The decision made again, and the names of what differs from the recorded one."""
    decision = decide(recorded.observation)
    now = msgspec.json.decode(msgspec.json.encode(plain(decision)))
    differ = sorted(k for k in now.keys() | recorded.decision.keys() if now.get(k) != recorded.decision.get(k))
    return decision, tuple(differ)
