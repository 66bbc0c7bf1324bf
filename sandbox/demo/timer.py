"""What a timer would have cost instead of the judge: worked out, not measured, from what was measured of one release.

The rule is the one that most pipelines have: every step stays five minutes, then the last minute is looked at, and if
more than 1 % of the new pods' requests were bad the release is taken back. No timer ran. The new pod is taken to go on
as it did: as many requests a second as until the decision, the same share of them bad as of all that it answered.

That share runs high. It was measured until it was enough for a verdict, and who stops when the number is large has a
large number; the answers between the verdict and the pod's end, which were not chosen so, make up for a part of it.

A crash is no rate: the kubelet waits twice as long after each, so what counts is how many there are in five minutes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

STAY = 300.0
"""Seconds of one step."""
WINDOW = 60.0
"""Seconds before its end that are looked at."""
LIMIT = 0.01
"""Share of bad requests beyond which the release is taken back."""

FIRST_WAIT = 10.0
LONGEST_WAIT = 300.0
"""Seconds that the kubelet waits before the second restart of a container, and at most; the first comes at once."""


@dataclass(frozen=True)
class Spell:
    """What the new pods answered, up to the decision and afterwards, until they had gone."""

    seconds: float
    """From the first Ready pod to the decision."""
    requests: int
    """In these seconds."""
    answered: int
    """In all, with those after the decision."""
    bad: int
    """Of all."""

    @property
    def share(self) -> float:
        return self.bad / self.answered if self.answered else 0.0

    def after(self, seconds: float) -> int:
        """Bad requests in all, had the decision come only then."""
        more = self.requests / self.seconds * (seconds - self.seconds)
        return max(0, round(self.bad + self.share * more))


@dataclass(frozen=True)
class Timer:
    """What it would have done."""

    caught: bool
    seconds: float
    """Until it would have taken the release back, or opened the last step."""
    bad: int


def steady(spell: Spell, steps: Sequence[int]) -> Timer:
    """Of a release that is bad at a steady rate; STEPS are new pods at each step."""
    if spell.share > LIMIT:
        return Timer(True, STAY, spell.after(STAY))
    stays = STAY * sum(steps) / steps[0]
    return Timer(False, STAY * len(steps), spell.after(stays))


def crashing(bad: int, crashes: int, life: float) -> Timer:
    """Of a release whose container ends LIFE seconds after each start, by what each measured crash has cost.

    It is taken back because its pod is not Ready: in the last minute there are no requests to be looked at.
    """
    return Timer(True, STAY, round(bad * crashes_within(STAY, life) / crashes) if crashes else 0)


def crashes_within(seconds: float, life: float) -> int:
    """How often such a container ends in so many seconds."""
    count, ends, wait = 0, life, 0.0
    while ends <= seconds:
        count += 1
        ends += wait + life
        wait = min(LONGEST_WAIT, max(FIRST_WAIT, 2 * wait))
    return count
