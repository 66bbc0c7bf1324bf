"""What a Deployment's status says of a rollout: our own condition, and for a version that is taken back one more.

kstatus, by which Flux and others judge objects, knows nothing of `paused` or of conditions of ours: it would wait for a
rejected release until its own time-out. It does know `Stalled`: true means failed, with that condition's message. The
trap is the release after: what is still stalled when the next one is declared fails that one. So `Stalled` goes first.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from penstock.core import keys
from penstock.core.reasons import Reason

Condition = Mapping[str, Any]

DELETE = "$patch"
"""Directive of a strategic merge patch."""


def stated(reason: str, text: str) -> list[dict[str, Any]]:
    """What stands in the status, without times."""
    rejected = reason == Reason.REJECTED
    said = {"status": "False" if rejected else "Unknown", "reason": reason, "message": text}
    stalled = [{"type": keys.STALLED, "status": "True", "reason": reason, "message": text}] if rejected else []
    return [{"type": keys.CONDITION, **said}, *stalled]


def ours(condition: Condition) -> bool:
    """Whether we have written it. Nothing else is known to write `Stalled` to a Deployment; its reason tells."""
    kind = condition.get("type")
    return kind == keys.CONDITION or (kind == keys.STALLED and condition.get("reason") == Reason.REJECTED)


def removal(present: Iterable[Condition]) -> list[dict[str, Any]]:
    """The part of a strategic merge patch that removes all of ours that are present."""
    return [{"type": condition["type"], DELETE: "delete"} for condition in present if ours(condition)]


def changes(reason: str, text: str, present: Iterable[Condition], now: str) -> list[dict[str, Any]]:
    """The part of a strategic merge patch that is still missing; empty where all is said already."""
    known = {str(condition["type"]): condition for condition in present if ours(condition)}
    wanted = {condition["type"]: condition for condition in stated(reason, text)}
    gone = removal(condition for kind, condition in known.items() if kind not in wanted)
    return gone + [
        {**said, "lastUpdateTime": now, "lastTransitionTime": _since(said, known.get(kind, {}), now)}
        for kind, said in wanted.items()
        if any(said[name] != known.get(kind, {}).get(name) for name in said)
    ]


def _since(said: Condition, before: Condition, now: str) -> Any:
    return before.get("lastTransitionTime", now) if before.get("status") == said["status"] else now
