"""The states of a rollout, in one table; docs and tests are made from it.

A phase says what the *fields in force* mean, so a new controller process knows from the Deployment alone what the
last one was doing. What happens inside a phase is decided anew at every look (workloads/deployment.py).
"""

import enum


class Phase(enum.StrEnum):
    """What a rollout is doing."""

    PENDING = "Pending"  # gated: paused, nothing of the new version runs
    BRAKING = "Braking"  # paused; the brake is written, we wait until the native controllers have seen it
    OPENING = "Opening"  # un-paused under the brake: the native controller adds pods up to the step and stops
    HOLDING = "Holding"  # paused at a step: pods become available, are judged, a person may be asked
    RETREATING = "Retreating"  # new pods are going; then Rejected, or Pending where another try follows
    REJECTED = "Rejected"  # taken back: all pods run the stable version, the declared one stays out
    FINISHING = "Finishing"  # every field is the user's again, the native controller completes
    LEAVING = "Leaving"  # released: every field is the user's again, ownership goes back, then the record goes


class Event(enum.StrEnum):
    """What moves a rollout from one phase to another."""

    BRAKED = "the brake is written"
    OPENED = "a window is opened"
    CLOSED = "the window has settled and is closed"
    PASSED = "the last step has passed"
    FAILED = "the release failed, was aborted, or a newer template came"
    CLEARED = "the superseded pods are gone"
    REFUSED = "the failed pods are gone"
    RETRIED = "a person asked for another try"
    RELEASED = "opted out, reverted, or nothing to compare with"


TRANSITIONS: dict[Phase, dict[Event, Phase]] = {
    Phase.PENDING: {
        Event.OPENED: Phase.OPENING,
        Event.PASSED: Phase.FINISHING,
        Event.FAILED: Phase.RETREATING,
    },
    Phase.BRAKING: {Event.OPENED: Phase.OPENING, Event.CLOSED: Phase.HOLDING, Event.FAILED: Phase.RETREATING},
    Phase.OPENING: {Event.CLOSED: Phase.HOLDING, Event.FAILED: Phase.RETREATING},
    Phase.HOLDING: {
        Event.BRAKED: Phase.BRAKING,
        Event.OPENED: Phase.OPENING,
        Event.PASSED: Phase.FINISHING,
        Event.FAILED: Phase.RETREATING,
    },
    Phase.RETREATING: {
        Event.CLEARED: Phase.PENDING,
        Event.REFUSED: Phase.REJECTED,
        Event.FAILED: Phase.RETREATING,
    },
    Phase.REJECTED: {Event.RETRIED: Phase.PENDING, Event.FAILED: Phase.RETREATING},
    Phase.FINISHING: {Event.FAILED: Phase.RETREATING},
    Phase.LEAVING: {},
}
for _phase in Phase:
    TRANSITIONS[_phase][Event.RELEASED] = Phase.LEAVING  # the owner's word ends a rollout in every phase

HELD = frozenset({Phase.PENDING, Phase.BRAKING, Phase.HOLDING, Phase.REJECTED})
"""Phases in which `paused: true` is in force."""

LABELS: dict[Phase, str] = {
    Phase.PENDING: "stepping",
    Phase.BRAKING: "stepping",
    Phase.OPENING: "stepping",
    Phase.HOLDING: "holding",
    Phase.RETREATING: "stepping",
    Phase.REJECTED: "rejected",
    Phase.FINISHING: "finishing",
    Phase.LEAVING: "finishing",
}
"""Values of the label penstock.dev/rollout."""


def after(phase: Phase, event: Event) -> Phase:
    """The phase that follows; an event that a phase does not know is an error of ours, never a guess."""
    try:
        return TRANSITIONS[phase][event]
    except KeyError:
        raise ValueError(f"{event.name} cannot happen in phase {phase}") from None
