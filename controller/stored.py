"""What scraping has gathered, as an annotation of the new version's ReplicaSet: it ends with the version.

About 4 KB for 10 old and 10 new pods and two checks. Per pod only the sums are kept (`counters.pack`); what was
counted in the very last look is left out.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec

from penstock.core import keys
from penstock.core.counters import HIGHEST, Increments, Packed, pack, unpack
from penstock.core.incident import HIGHEST_LIMIT
from penstock.core.judgement import Compared, Judgement, Memories
from penstock.core.mixture import POINTS
from penstock.core.passing import RATIOS
from penstock.core.patch import value_at

MOST = 128 * 1024
"""Bytes; an object's annotations may have 256 KiB together."""

SIGNED = frozenset({"logs", "against"})


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
    if stored.version != 1 or stored.judgement.rollout != rollout or not _sound(stored):
        return None
    return stored.judgement, {name: unpack(packed) for name, packed in stored.memories.items()}, stored.bounds


def _sound(stored: Stored) -> bool:
    """Types alone are not enough: a log too few or a spread below 1 would end every look by an error of ours, or
    begin it with evidence that nothing has shown."""
    return _possible(msgspec.to_builtins(stored)) and all(map(_judged, stored.judgement.compared.values()))


def _judged(known: Compared) -> bool:
    evidence = known.evidence
    lengths = (len(evidence.logs), len(evidence.passing.logs)) == (POINTS, len(RATIOS))
    return lengths and evidence.spread.factor >= 1 and known.incident.limit < HIGHEST_LIMIT


def _possible(value: Any, signed: bool = False) -> bool:
    """No number is infinite, nor negative but where logs are."""
    if isinstance(value, dict):
        return all(_possible(v, key in SIGNED) for key, v in value.items())
    if isinstance(value, list | tuple):
        return all(_possible(v, signed) for v in value)
    return not isinstance(value, int | float) or (-HIGHEST if signed else 0) <= value <= HIGHEST
