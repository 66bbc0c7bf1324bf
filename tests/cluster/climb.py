"""How far a rollout has climbed, by the user's annotations alone: which step it is at, and since when that is whole.

The record says the same, but Penstock writes it; a judge that believed it would find no mistake in it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tests.cluster.reading import Deployment, resolve

REACTION = 2.0
"""Seconds before a write in which pods may have lost their readiness unseen: it was decided on what was read before
it, and on a busy machine the watches of pods and of Deployments are heard at different times."""

ROUNDED = 0.1
"""Seconds by which a stay may look too short."""


@dataclass
class Climb:
    """The independent view of one rollout: how many steps have been entered, and since when the last one is whole."""

    version: str
    step: int = 0
    whole: float | None = None
    scaled: bool = False
    """The replicas have changed: until it starts anew, only the record says what the step means."""
    kept: bool = False
    """A change of size has removed all its pods; the steps that were passed remain so, and it goes on from there."""
    passed: bool = False
    """Every step has been stayed at, so the rest may follow."""
    lost: tuple[float, float] | None = None
    """Since when it was whole and until when, once it is not."""
    opened: tuple[float | None, float] | None = None
    """Since when it was whole at the last un-pausing write, and when that was: a window is judged by this write, since
    the native controller takes its time to act on it. None: nothing was un-paused yet."""

    def count(self, times: Sequence[float], enough: int, at: float) -> None:
        """Since when each Ready pod is so, and how many the step needs."""
        if len(times) < enough:
            self.lost = self.lost if self.whole is None else (self.whole, at)
            self.whole = None
        elif self.whole is None:
            self.whole = sorted(times)[enough - 1] if enough else at

    def since(self, at: float) -> float | None:
        """Since when it is whole, or was a moment ago."""
        if self.whole is not None:
            return self.whole
        return self.lost[0] if self.lost and at - self.lost[1] <= REACTION else None


def levels(deployment: Deployment) -> list[int]:
    """Pods after each step, from the user's annotations alone, the last one being all."""
    replicas, found = deployment.replicas, set()
    surge = resolve(deployment.limits.surge, replicas, up=True)
    for item in deployment.plan[0].split(","):
        text = item.strip()
        pods = resolve(text if text.endswith("%") else int(text), replicas, up=True)
        if pods < replicas or (surge >= replicas and (replicas == 1 or text == "100%")):
            found.add(min(pods, replicas))
    return [*sorted(found), replicas]


def stay(deployment: Deployment) -> float:
    """The shortest stay in seconds."""
    text = deployment.plan[1].partition("..")[0].strip()
    unit = {"s": 1.0, "m": 60.0, "h": 3600.0}
    return float(text[:-2]) / 1000 if text.endswith("ms") else float(text[:-1]) * unit[text[-1]]
