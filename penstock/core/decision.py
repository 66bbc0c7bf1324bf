"""What a decision is: at most one write, when to look again, and the sentence that says why.

The same sentence reaches the condition, the Event, the log, the command line and the page.
"""

from dataclasses import dataclass

from penstock.core.draft import Draft
from penstock.core.reasons import Reason

RESYNC = 30.0
"""Seconds after which an active rollout is looked at again, whatever the watches say."""


@dataclass(frozen=True)
class Patch:
    """Make the Deployment what the draft says."""

    draft: Draft


@dataclass(frozen=True)
class Empty:
    """Scale a ReplicaSet to 0: the only resize by hand that the native controller answers by refilling the other."""

    replicaset: str


@dataclass(frozen=True)
class Delete:
    """Delete an empty ReplicaSet, so that nothing can revive it."""

    replicaset: str
    uid: str


@dataclass(frozen=True)
class Clean:
    """Take our annotations off a ReplicaSet; the native controller copied them there and never removes them."""

    replicaset: str


@dataclass(frozen=True)
class Align:
    """Let a ReplicaSet's annotation say the replicas that are wanted. Where it is the only one with pods and has just
    so many, the native controller never corrects it, and takes every sync for a scaling that goes nowhere."""

    replicaset: str
    replicas: int


@dataclass(frozen=True)
class Unmark:
    """Remove our conditions from the status."""


@dataclass(frozen=True)
class Unstall:
    """Remove `Stalled` from the status: whoever waits for the next release would take it for that one's failure."""


Write = Patch | Empty | Delete | Clean | Align | Unmark | Unstall


@dataclass(frozen=True)
class Decision:
    """The answer to one observation."""

    reason: Reason
    message: str
    write: Write | None = None
    wait: float = RESYNC
    """Seconds until the next look, if nothing is seen before."""
    shown: bool = True
    """Whether people see this state: then condition and Event say so."""
    step: int = 0
    steps: int = 0
    over: bool = False
    """The rollout is over: nothing of it is left to watch."""
    phase: str = ""
    exposed: int = 0
    allowed: int = 0
    sentences: tuple[str, ...] = ()
    """What each metric check says, with its numbers. They change at every tick, so they make no Event by themselves."""

    @property
    def text(self) -> str:
        """The message with what the checks say."""
        return "; ".join((self.message, *self.sentences))
