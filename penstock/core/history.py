"""The history of a Deployment: how its last rollouts ended, when, and why. Pure.

The record goes with its rollout and Events go after an hour, so each end leaves one entry in a ConfigMap beside the
Deployment. An entry's key is made from the rollout and its try: written twice it is still one entry. People may edit
the ConfigMap; what cannot be read any more is passed over, never an error.
"""

import enum
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from penstock.core import keys
from penstock.core.gate import way_back
from penstock.core.jsontext import parsed
from penstock.core.patch import value_at
from penstock.core.reasons import Reason
from penstock.core.record import MAX_REASON, Record
from penstock.core.rollout import Phase
from penstock.core.template import digest, template_hash

Object = Mapping[str, Any]

VERSION = 1

KEPT = 20
"""Rollouts of one Deployment that people are shown."""

MOST = 30
"""Entries that may stand there: the surplus is taken out at every tenth end, and not by a second write at each."""

NAME = "penstock-history-"

LONGEST_NAME = 253
IMAGES = 5


class Result(enum.StrEnum):
    """How a rollout ended."""

    PROMOTED = "promoted"
    REJECTED = "rejected"
    RELEASED = "released"
    REVERTED = "reverted"
    SUPERSEDED = "superseded"


@dataclass(frozen=True)
class Entry:
    """One rollout that has ended. Times are whole seconds since 1970."""

    rollout: str
    result: Result
    reason: Reason
    message: str
    started: int
    """When the first window was opened; 0 where none was."""
    ended: int
    images: tuple[str, ...] = ()
    """Of the version that was rolled out."""

    @property
    def key(self) -> str:
        return key(self.rollout, self.started)

    @property
    def seconds(self) -> int | None:
        """From the first window to the end; None where none was opened."""
        return max(0, self.ended - self.started) if self.started else None


def key(rollout: str, started: float) -> str:
    """Of an entry in the ConfigMap: another try of the same rollout is another entry."""
    return f"{rollout}.{int(started)}"


def name(deployment: str) -> str:
    """Of the ConfigMap of a Deployment."""
    whole = NAME + deployment
    return whole if len(whole) <= LONGEST_NAME else f"{whole[:200]}-{digest([deployment], 12)}"


def entry(record: Record, result: Result, reason: Reason, message: str, ended: float, template: Object) -> Entry:
    """From what is known of a rollout."""
    containers = value_at(template, ("spec", "containers")) or []
    images = tuple(str(c.get("image"))[:200] for c in containers[:IMAGES])
    return Entry(record.id, result, reason, message[:MAX_REASON], int(record.started), int(ended), images)


def rejection(record: Record, ended: float, template: Object) -> Entry:
    """Of a rollout that was taken back."""
    known = record.note in set(Reason)
    reason = Reason(record.note) if known else Reason.REJECTED
    return entry(record, Result.REJECTED, reason, record.failed, ended, template)


def found(record: Record, obj: Object, now: Record | None, ended: float, template: Object) -> Entry:
    """How a rollout has ended that is not there any more, told by what the Deployment says now. `now` is the record of
    the one that has taken its place."""
    declared, failed = template_hash(obj["spec"]["template"]), f"; it had failed: {record.failed}"
    tail = failed if record.failed else ""
    if now is not None and now.phase is not Phase.LEAVING:
        if now.stable == record.declared:
            return entry(record, Result.PROMOTED, Reason.PROMOTED, "all pods run the new version", ended, template)
        said = f"a newer version was declared{tail}"
        return entry(record, Result.SUPERSEDED, Reason.SUPERSEDED, said, ended, template)
    if declared == record.stable:
        said = f"the stable version was declared again{tail}"
        return entry(record, Result.REVERTED, Reason.REVERTED, said, ended, template)
    if declared != record.declared:
        said = f"another version was declared{tail}"
        return entry(record, Result.SUPERSEDED, Reason.SUPERSEDED, said, ended, template)
    if now is None and record.stable and way_back(obj)[0] == record.stable:
        return entry(record, Result.PROMOTED, Reason.PROMOTED, "all pods run the new version", ended, template)
    reason = Reason.FAILED_RELEASED if record.failed else Reason.RELEASED
    return entry(record, Result.RELEASED, reason, f"let go to all pods, not judged{tail}", ended, template)


def encode(one: Entry) -> str:
    """Compact JSON."""
    return json.dumps({"v": VERSION, **asdict(one)}, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def decode(text: object) -> Entry | None:
    """The entry that `encode` wrote; None for anything else."""
    try:
        values = parsed(text) if isinstance(text, str) else {}
        if values.pop("v") != VERSION:
            return None
        started, ended, images = values["started"], values["ended"], values["images"]
        sound = all(type(number) is int and 0 <= number < 1 << 40 for number in (started, ended))
        if not sound or not isinstance(images, list):
            return None
        result, reason = Result(values["result"]), Reason(values["reason"])
        return Entry(
            str(values["rollout"]), result, reason, str(values["message"]), started, ended, tuple(map(str, images))
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def read(configmap: Object | None) -> tuple[Entry, ...]:
    """The last rollouts, the newest first."""
    data = value_at(configmap, ("data",)) or {}
    known = [one for text in data.values() if (one := decode(text)) is not None]
    return tuple(sorted(known, key=lambda one: (-one.ended, -one.started))[:KEPT])


def surplus(configmap: Object) -> tuple[str, ...]:
    """Keys that go: none until there are more than MOST, then all but the last KEPT; what cannot be read goes first."""
    data = value_at(configmap, ("data",)) or {}
    if len(data) <= MOST:
        return ()

    def age(each: str) -> float:
        one = decode(data[each])
        return one.ended if one else -math.inf

    return tuple(sorted(data, key=age)[:-KEPT])


def written(namespace: str, deployment: str, uid: str, entries: tuple[Entry, ...]) -> dict[str, Any]:
    """The ConfigMap with these entries, for a create or a merge. It belongs to the Deployment and goes with it."""
    owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": deployment, "uid": uid}
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": name(deployment),
            "namespace": namespace,
            "labels": {keys.HISTORY: "true"},
            "ownerReferences": [owner],
        },
        "data": {one.key: encode(one) for one in entries},
    }
