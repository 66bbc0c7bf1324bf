"""Verdicts: the words a check can say, and what all checks say together.

Data that is missing never passes and never fails by itself. It has one of four names, because each asks for something
else to be done: TooLittle for time, NoTraffic for requests, NoSeries for another annotation, Unreachable for a look at
the source.
"""

import enum
from collections.abc import Sequence
from dataclasses import dataclass

from penstock.core.counters import NONE, Count


class State(enum.StrEnum):
    """What a check says."""

    PASS = "Pass"
    FAIL = "Fail"
    WAITING = "Waiting"  # warm-up, or a limit breached but not often enough
    TOO_LITTLE = "TooLittle"  # the data decide nothing yet
    NO_TRAFFIC = "NoTraffic"  # metrics are there, but the new pods got no requests, or the old ones beside them
    NO_SERIES = "NoSeries"  # nothing delivers such metrics, not even the old pods
    UNREACHABLE = "Unreachable"  # no answer, or none that can be understood
    INCIDENT = "Incident"  # the old pods are clearly worse than before the rollout
    NO_CONTROL = "NoControl"  # no old pod is Ready, and none has answered a request well: nothing to compare with


GROWING = (State.PASS, State.NO_CONTROL)
"""What does not keep a step from growing."""


class Together(enum.StrEnum):
    """What all checks say together."""

    ROLLBACK = "Rollback"
    INCIDENT = "Incident"
    ADVANCE = "Advance"
    WAIT = "Wait"


@dataclass(frozen=True)
class Numbers:
    """What a verdict rests on."""

    evidence: float = 1.0
    """Against the release, as a factor; 1 says nothing. Of a limit: breaches in a row."""
    needed: float = 1.0
    proof: float = 1.0
    """For the next step, as a factor."""
    proof_needed: float = 1.0
    new: Count = NONE
    old: Count = NONE
    spread: float = 1.0
    """What the evidence was divided by, for the old pods differ so much."""

    @property
    def ratio(self) -> float | None:
        """Of the rates, new to old; None where an old rate of 0 leaves none."""
        return self.new.rate / self.old.rate if self.old.rate > 0 else None


@dataclass(frozen=True)
class Verdict:
    """One check's word."""

    check: str
    state: State
    sentence: str
    comparative: bool = True
    numbers: Numbers = Numbers()


@dataclass(frozen=True)
class StepVerdict:
    """What all checks say together, and those that decided it."""

    together: Together
    because: tuple[Verdict, ...] = ()


def step_verdict(verdicts: Sequence[Verdict]) -> StepVerdict:
    """In this order: a comparison that failed, an incident, a limit that failed, all passed. A check without anything
    to compare with is off: a stable version whose own pods are broken must not keep its repair out."""

    def those(state: State, *, comparative: bool) -> tuple[Verdict, ...]:
        return tuple(v for v in verdicts if v.state is state and v.comparative is comparative)

    for found, together in (
        (those(State.FAIL, comparative=True), Together.ROLLBACK),
        (those(State.INCIDENT, comparative=True), Together.INCIDENT),
        (those(State.FAIL, comparative=False), Together.ROLLBACK),
        (tuple(v for v in verdicts if v.state not in GROWING), Together.WAIT),
    ):
        if found:
            return StepVerdict(together, found)
    return StepVerdict(Together.ADVANCE, tuple(verdicts))
