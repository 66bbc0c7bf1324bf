"""The record: all durable state of one rollout, in one annotation of the Deployment.

Webhook and controller are crash-only; whatever they must remember stands here, and is changed in the same write
as the fields it speaks of, so no crash can come between the two. An unknown version is held, never guessed at.
"""

import json
from dataclasses import dataclass, field, fields, replace
from typing import Any

from penstock.core import keys
from penstock.core.fields import ROLLING, Fields, malformed
from penstock.core.jsontext import parsed
from penstock.core.ownership import Owners
from penstock.core.rollout import Phase
from penstock.core.template import digest, template_hash

VERSION = 1
MAX_REASON = 400
LONGEST = 32 * 1024
"""Characters that are read at all; the largest record that Penstock writes has 2 KiB."""
LARGEST = 2**53
"""Beyond it a number is no float any more, and what is computed with times would end in an error."""


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
    sent: str = ""
    """Template hash of the declared version as admission saw it, where another webhook changed it after ours (tags to
    digests): applied again, it is that version."""


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
        sent="",
    )


def declared(aside: str | None, record: Record) -> dict[str, Any] | None:
    """The declared template that a retreat has put aside; None where there is none, or it is another one."""
    try:
        template = parsed(aside or "null")
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
    if not record.sent:  # rare, and versions that do not know it read every other record
        del values["sent"]
    return json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def decode(text: str) -> Record:
    """The record that `encode` wrote. Raises RecordError on anything else."""
    if len(text) > LONGEST:
        raise RecordError(f"the record has {len(text)} characters, more than any that Penstock writes")
    try:
        values = parsed(text)
        version = values.pop("v")
    except (ValueError, AttributeError, TypeError, KeyError, RecursionError):
        raise RecordError("the record is not readable JSON") from None
    if version != VERSION or type(version) is not int:
        raise RecordError(f"the record has version {_shown(version)}, this Penstock reads version {VERSION}")
    try:
        record = _typed(values)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RecordError(f"the record is damaged: {str(error)[:MAX_REASON]}") from None
    return record


def saved_in(text: str) -> Fields | None:
    """The user's fields in a text that is no record: a damaged one, or another version's. None where there are none
    that the API server would take."""
    try:
        own = _saved(json.loads(text)["saved"]) if len(text) <= LONGEST else None
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
        return None
    return own


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
    values["saved"] = _saved(values["saved"])
    values["phase"] = Phase(values["phase"] if isinstance(values["phase"], str) else "none")
    for n in values["approved"]:
        _demand("approved", n, (int,))
    values["approved"] = tuple(values["approved"])
    _demand("sent", values.get("sent", ""), (str,))
    values["owners"] = {name: _owners(who) for name, who in values["owners"].items()}
    return Record(**values)


def _saved(values: Any) -> Fields:
    for name, kinds in _SAVED.items():
        if values[name] is not None:
            _demand(f"saved.{name}", values[name], kinds, most=2**31)
    for name in ("surge", "unavailable"):
        if malformed(values[name]):
            raise ValueError(f"saved.{name} is {_shown(values[name])}")
    own = Fields(**values)
    braked = "minReadySeconds is the brake" if own.min_ready == keys.BRAKE_READY else None
    problem = braked or replace(own, type=own.type or ROLLING).problem()
    if problem:  # to put these back would be refused, again and again
        raise ValueError(f"saved: {problem}")
    return own


def _owners(who: Any) -> tuple[str, ...]:
    for each in who:
        _demand("owners", each, (str,))
    return tuple(who)


def _demand(name: str, value: Any, kinds: tuple[type, ...], most: int = LARGEST) -> None:
    wrong = not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds)
    if wrong or (isinstance(value, int | float) and not -most < value < most):  # written so that NaN is refused
        raise ValueError(f"{name} is {_shown(value)}")


def _shown(value: Any) -> str:
    """Short, and never the inside of a deep structure."""
    plain = value is None or isinstance(value, str | int | float)
    return repr(value)[:40] if plain else f"a {type(value).__name__}"
