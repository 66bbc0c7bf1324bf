"""The record: all durable state of one rollout, in one annotation of the Deployment.

Webhook and controller are crash-only; whatever they must remember stands here, and is changed in the same write
as the fields it speaks of, so no crash can come between the two. An unknown version is held, never guessed at.
"""

import json
import math
from dataclasses import dataclass, field, fields, replace
from typing import Any

from penstock.core.fields import Fields, malformed
from penstock.core.ownership import Owners
from penstock.core.rollout import Phase
from penstock.core.template import digest, template_hash

VERSION = 1
MAX_REASON = 400


class RecordError(ValueError):
    """The annotation is not a record that this version can read."""


@dataclass(frozen=True)
class Record:
    """One rollout of one Deployment. Times are seconds since 1970; steps count from 1, 0 is before the first."""

    uid: str
    id: str
    declared: str
    loose: str
    saved: Fields
    stable: str = ""
    """Template hash of the version that is replaced; empty until the controller has found it."""
    revision: str = ""
    phase: Phase = Phase.PENDING
    step: int = 0
    started: float = 0
    """When the first window was opened."""
    since: float = 0
    """When the last window was opened."""
    target: int = 0
    """New pods that the last window was for, at `replicas`."""
    replicas: int = 0
    epoch: int = 0
    """Lease transitions of the last writer: a former leader that wakes up sees a higher one and stops."""
    approved: tuple[int, ...] = ()
    awaiting: bool = False
    """A person's approval of `step` is awaited; `kubectl rollout resume` gives it."""
    failed: str = ""
    """Why the release failed; with on-failure=pause it is held with this, otherwise taken back."""
    note: str = ""
    """CamelCase reason that goes with `failed`; or Inconclusive, once a person was asked for want of a verdict."""
    owners: Owners = field(default_factory=dict)


def rollout_id(uid: str, declared: str, generation: int) -> str:
    """The same for the same change of the same object, however often admission sees it."""
    return digest([uid, declared, generation], 8)


def superseded(record: Record, declared: str, loose: str, generation: int) -> Record:
    """The record after a newer template came: superseded pods go first, then it starts from step 1.

    Nothing given to the former template survives: approvals and verdicts never move to another (I10).
    """
    return replace(
        record,
        id=rollout_id(record.uid, declared, generation),
        declared=declared,
        loose=loose,
        phase=Phase.RETREATING,
        step=0,
        started=0,
        since=0,
        target=0,
        approved=(),
        awaiting=False,
        failed="",
        note="",
    )


def declared(aside: str | None, record: Record) -> dict[str, Any] | None:
    """The declared template that a retreat has put aside; None where there is none, or it is another one."""
    try:
        template = json.loads(aside or "null")
        fits = isinstance(template, dict) and template_hash(template) == record.declared
    except (ValueError, AttributeError, TypeError, RecursionError):
        return None
    return template if fits else None


def encode(record: Record) -> str:
    """Compact JSON, keys sorted: equal records are equal text."""
    values: dict[str, Any] = {"v": VERSION}
    for f in fields(record):
        value = getattr(record, f.name)
        values[f.name] = value.json() if isinstance(value, Fields) else value
    values["failed"] = record.failed[:MAX_REASON]
    return json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def decode(text: str) -> Record:
    """The record that `encode` wrote. Raises RecordError on anything else."""
    try:
        values = json.loads(text)
        version = values.pop("v")
    except (ValueError, AttributeError, TypeError, KeyError, RecursionError):
        raise RecordError("the record is not readable JSON") from None
    if version != VERSION or type(version) is not int:
        raise RecordError(f"the record has version {version!r}, this Penstock reads version {VERSION}")
    try:
        record = _typed(values)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RecordError(f"the record is damaged: {error}") from None
    return record


_SCALARS: dict[str, tuple[type, ...]] = {
    "uid": (str,), "id": (str,), "declared": (str,), "loose": (str,), "stable": (str,), "revision": (str,),
    "step": (int,), "since": (int, float), "started": (int, float), "target": (int,), "replicas": (int,),
    "epoch": (int,), "awaiting": (bool,), "failed": (str,), "note": (str,),
}  # fmt: skip
_SAVED: dict[str, tuple[type, ...]] = {
    "type": (str,), "surge": (int, str), "unavailable": (int, str), "min_ready": (int,), "deadline": (int,),
    "paused": (bool,),
}  # fmt: skip


def _typed(values: dict[str, Any]) -> Record:
    for name, kinds in _SCALARS.items():
        _demand(name, values[name], kinds)
    saved = values["saved"]
    for name, kinds in _SAVED.items():
        if saved[name] is not None:
            _demand(f"saved.{name}", saved[name], kinds)
    for name in ("surge", "unavailable"):
        if malformed(saved[name]):
            raise ValueError(f"saved.{name} is {saved[name]!r}")
    values["saved"] = Fields(**saved)
    values["phase"] = Phase(values["phase"])
    for n in values["approved"]:
        _demand("approved", n, (int,))
    values["approved"] = tuple(values["approved"])
    values["owners"] = {str(k): tuple(map(str, v)) for k, v in values["owners"].items()}
    return Record(**values)


def _demand(name: str, value: Any, kinds: tuple[type, ...]) -> None:
    wrong = not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds)
    if wrong or (isinstance(value, float) and not math.isfinite(value)):
        raise ValueError(f"{name} is {value!r}")
