"""The releases of the story, and what each of them has to look like.

The numbers are worked out by hand from the manifest, not by Penstock's code: 10 replicas, the default strategy and the
default steps. What is expected must not come from what is judged.
"""

from dataclasses import dataclass

REPLICAS = 10
STEPS = (1, 3, 5)
"""10 %, 25 % and 50 % of 10, rounded up."""
FLOOR = 8
"""Pods that are Ready at every moment: maxUnavailable is 25 % of 10, rounded down."""
CAP = 13
"""Pods in all at most: maxSurge is 25 % of 10, rounded up."""

PATIENCE = 240.0
"""Seconds for one release: some 60 on a quiet machine; one that takes four times as long counts as stuck."""


@dataclass(frozen=True)
class Release:
    """One version, and what is done with it."""

    version: str
    title: str
    crash_after: float = 0.0
    """Seconds after which each of its containers ends with an error; 0: never."""
    interrupted: bool = False
    """The controller is killed in the middle of it."""

    @property
    def first(self) -> bool:
        return self.version == FIRST.version

    @property
    def steps(self) -> tuple[int, ...]:
        """Pods of the new version at the steps that it is to reach."""
        return STEPS[:1] if self.crash_after else (*STEPS, REPLICAS)


FIRST = Release("v1", "what runs already")
RELEASES = (
    Release("v2", "a good version"),
    Release("v3", "a bad version: each pod becomes Ready and crashes after 5 s", crash_after=5.0),
    Release("v4", "a good version, and the controller is killed in an open window", interrupted=True),
)
