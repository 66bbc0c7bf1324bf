"""The releases of the story, and what each of them has to look like.

The numbers are worked out by hand from the manifest, not by Penstock's code: 10 replicas, the default strategy and the
default steps. What is expected must not come from what is judged.
"""

import enum
from dataclasses import dataclass

REPLICAS = 10
STEPS = (1, 3, 5)
"""10 %, 25 % and 50 % of 10, rounded up."""
FLOOR = 8
"""Pods that are Ready at every moment: maxUnavailable is 25 % of 10, rounded down."""
CAP = 13
"""Pods in all at most: maxSurge is 25 % of 10, rounded up."""

PATIENCE = 360.0
"""Seconds for one release: some 90 on a quiet machine; one that takes four times as long counts as stuck."""


class Fault(enum.StrEnum):
    """What is wrong with a release. The value is a pattern of the words in which Penstock must blame it."""

    ERRORS = r"\berrors\b"
    SLOW = r"\bslow\b"
    CRASH = r"\bCrash\w*"


@dataclass(frozen=True)
class Release:
    """One version, and what is done with it."""

    version: str
    kind: str
    """In a word or two."""
    title: str
    fault: Fault | None = None
    error_rate: float = 0.0
    """Share of requests that it answers with an error."""
    tail: float = 1.0
    """So many times as long as before take the answers of the slower half."""
    crash_after: float = 0.0
    """Seconds after which each of its containers ends with an error; 0: never."""
    interrupted: bool = False
    """The controller is killed in the middle of it."""

    @property
    def first(self) -> bool:
        return self.version == FIRST.version

    @property
    def by_requests(self) -> bool:
        """Its fault is nowhere to be seen but in how it answers."""
        return self.fault in (Fault.ERRORS, Fault.SLOW)

    @property
    def steps(self) -> tuple[int, ...]:
        """Pods of the new version at the steps that it is to reach."""
        return STEPS[:1] if self.fault else (*STEPS, REPLICAS)


FIRST = Release("v1", "first", "what runs already")
RELEASES = (
    Release("v2", "good", "a good version"),
    Release("v3", "5 % errors", "a bad version: it fails 5 % of its requests", Fault.ERRORS, error_rate=0.05),
    Release("v4", "slow tail", "a bad version: its slower half takes 30 % longer", Fault.SLOW, tail=1.3),
    Release("v5", "crashes", "a bad version: each pod crashes after 5 s", Fault.CRASH, crash_after=5.0),
    Release("v6", "interrupted", "a good version, and the controller is killed in an open window", interrupted=True),
)


def playable(*, real: bool) -> tuple[Release, ...]:
    """Without containers nobody answers requests, so a release that is bad at that cannot be played."""
    return tuple(release for release in RELEASES if real or not release.by_requests)
