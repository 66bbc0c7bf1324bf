"""What scraping has gathered, as an annotation of the new version's ReplicaSet: it ends with the version.

About 4 KB for 10 old and 10 new pods and two checks. Per pod only the sums are kept (`counters.pack`); what was
counted in the very last look is left out.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec

from penstock.core import keys
from penstock.core.counters import Increments, Packed, pack, unpack
from penstock.core.judgement import Judgement, Memories
from penstock.core.patch import value_at

MOST = 128 * 1024
"""Bytes; an object's annotations may have 256 KiB together."""


class Stored(msgspec.Struct, frozen=True, array_like=True):
    """All of it."""

    version: int
    judgement: Judgement
    memories: dict[str, Packed]
    bounds: dict[str, float]


def store(judgement: Judgement, memories: Memories, bounds: Mapping[str, float]) -> str | None:
    """The annotation's text; None where it would be too large: then a restart begins with nothing."""
    slim = {n: replace(c, seen=Increments(0)) for n, c in judgement.compared.items()}
    packed = {name: pack(memory) for name, memory in memories.items()}
    text = msgspec.json.encode(Stored(1, replace(judgement, compared=slim), packed, dict(bounds))).decode()
    return text if len(text) <= MOST else None


def restore(replicaset: Mapping[str, Any] | None, rollout: str) -> tuple[Judgement, Memories, dict[str, float]] | None:
    """What was stored for this rollout; None where nothing was, or it cannot be read (somebody edited it)."""
    text = value_at(replicaset, ("metadata", "annotations", keys.EVIDENCE))
    if not text:
        return None
    try:
        stored = msgspec.json.decode(text, type=Stored)
    except (msgspec.DecodeError, msgspec.ValidationError):
        return None
    if stored.version != 1 or stored.judgement.rollout != rollout:
        return None
    return stored.judgement, {name: unpack(packed) for name, packed in stored.memories.items()}, stored.bounds
