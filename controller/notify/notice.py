"""What of a decision is news to people: a pure function of it.

Rejected is told at its end, when the message says what to do next. A want of data is told when it has lasted: at the
beginning of most rollouts there is one for some seconds.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from penstock.core.decision import Decision
from penstock.core.reasons import Reason
from penstock.core.template import digest
from penstock.signals.targets import Kind
from penstock.signals.tracing import trace_of

KINDS: Mapping[Reason, Kind] = {
    Reason.REJECTED: Kind.REJECTED,
    Reason.PROMOTED: Kind.PROMOTED,
    Reason.AWAITING_APPROVAL: Kind.APPROVAL,
    **dict.fromkeys(
        (
            Reason.HELD_FAILED,
            Reason.INCONCLUSIVE,
            Reason.BAD_ANNOTATION,
            Reason.BAD_RECORD,
            Reason.NO_SERIES,
            Reason.NO_TRAFFIC,
            Reason.UNREACHABLE,
            Reason.INCIDENT,
        ),
        Kind.HELD,
    ),
}

PATIENCE = 120.0
PASSING = frozenset({Reason.NO_SERIES, Reason.NO_TRAFFIC, Reason.UNREACHABLE, Reason.INCIDENT})
"""Reasons that are told only when they have lasted for PATIENCE seconds."""

Place = tuple[str, str]


@dataclass(frozen=True)
class Notice:
    """One piece of news."""

    key: str
    """The same for the same state of the same try of the same rollout, whichever process decides it."""
    kind: Kind
    reason: Reason
    namespace: str
    name: str
    rollout: str
    step: int
    steps: int
    message: str
    time: float
    trace: str = ""

    @property
    def place(self) -> Place:
        return self.namespace, self.name

    @property
    def patience(self) -> float:
        """Seconds for which it must have lasted."""
        return PATIENCE if self.reason in PASSING else 0.0


def notice(uid: str, place: Place, rollout: str, attempt: float, decision: Decision, time: float) -> Notice | None:
    """The news in a decision; None where there is none."""
    kind = KINDS.get(decision.reason)
    if kind is None:
        return None
    key = digest([uid, rollout, attempt, decision.reason.value, decision.step], 16)
    step, steps = decision.step, decision.steps
    return Notice(key, kind, decision.reason, *place, rollout, step, steps, decision.text, time, trace_of(rollout))
