"""The table of phases: whole, and the only way from one phase to another."""

import pytest

from penstock.core.decide import PHASES
from penstock.core.rollout import HELD, LABELS, TRANSITIONS, Event, Phase, after


def test_every_phase_has_its_transitions_its_label_and_its_rule() -> None:
    """A new phase that is forgotten in one table would be a KeyError in the middle of a release."""
    assert set(TRANSITIONS) == set(Phase)
    assert set(LABELS) == set(Phase)
    assert set(PHASES) == set(Phase)
    assert set(LABELS.values()) == {"stepping", "holding", "rejected", "finishing"}


def test_every_event_happens_somewhere() -> None:
    """An event that nothing knows is left over from another design."""
    assert {event for row in TRANSITIONS.values() for event in row} == set(Event)


@pytest.mark.parametrize("phase", Phase)
def test_the_owner_may_end_a_rollout_in_every_phase(phase: Phase) -> None:
    """Opting out never has to wait (I7)."""
    assert after(phase, Event.RELEASED) is Phase.LEAVING


def test_a_rollout_that_leaves_never_comes_back() -> None:
    """Its fields are the user's again; a window now would have nothing to go back to."""
    assert TRANSITIONS[Phase.LEAVING] == {Event.RELEASED: Phase.LEAVING}


def test_every_phase_can_be_reached_from_the_gate() -> None:
    """And so each has a meaning."""
    reached = {Phase.PENDING}
    while more := {to for phase in reached for to in TRANSITIONS[phase].values()} - reached:
        reached |= more
    assert reached == set(Phase)


def test_windows_open_from_a_pause_only() -> None:
    """Un-pausing is a write of ours from a phase in which `paused: true` is in force."""
    assert {phase for phase in Phase if Event.OPENED in TRANSITIONS[phase]} <= HELD


@pytest.mark.parametrize(
    ("phase", "event", "message"),
    [
        (Phase.PENDING, Event.CLOSED, "CLOSED cannot happen in phase Pending"),
        (Phase.REJECTED, Event.OPENED, "OPENED cannot happen in phase Rejected"),
        (Phase.LEAVING, Event.FAILED, "FAILED cannot happen in phase Leaving"),
        (Phase.FINISHING, Event.PASSED, "PASSED cannot happen in phase Finishing"),
    ],
)
def test_an_event_that_a_phase_does_not_know_is_an_error_of_ours(phase: Phase, event: Event, message: str) -> None:
    """Going on with a guess would move pods."""
    with pytest.raises(ValueError, match=f"^{message}$"):
        after(phase, event)
