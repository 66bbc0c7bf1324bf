"""The story of `make demo`: a good release, three bad ones, and one whose controller is killed half-way.

Nothing here helps the rollout along: the story applies a manifest and watches. What it has seen is judged afterwards,
from the recorded events, so that a slow terminal cannot make a release look better or worse than it was.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from penstock.core.rollout import Phase
from sandbox.demo.account import Account, Answers
from sandbox.demo.expectations import Interruption, Outcome
from sandbox.demo.history import Cluster, Event
from sandbox.demo.interruption import Attack
from sandbox.demo.measure import Measured, measure
from sandbox.demo.recorder import Recorder, TookTooLong
from sandbox.demo.releases import FIRST, PATIENCE, REPLICAS, Fault, Release
from sandbox.demo.shop import NotGated, Shop
from sandbox.demo.timer import Spell
from sandbox.demo.view import View


@dataclass(frozen=True)
class Told:
    """One release that was told: where it is found among the recorded events."""

    release: Release
    begun: tuple[int, float]
    """Revision and time of the admitted change."""
    ended: tuple[int, float]
    trouble: str = ""
    interruption: Interruption | None = None


class Story:
    """The releases, one after the other, on a stage that is up."""

    def __init__(self, shop: Shop, recorder: Recorder, attack: Attack, view: View) -> None:
        self.shop, self.recorder, self.attack, self.view = shop, recorder, attack, view

    async def begin(self) -> None:
        """The version that runs already."""
        self.view.say(f"{FIRST.version}: {REPLICAS} replicas, the default strategy and three annotations for Penstock")
        await self.shop.deploy(FIRST)
        await self.recorder.until(runs(FIRST), PATIENCE, f"all pods run {FIRST.version}")

    async def tell(self, releases: Sequence[Release]) -> list[Told]:
        """All releases; one that does not end as it should is the last."""
        told: list[Told] = []
        for release in releases:
            told.append(await self._release(release))
            if told[-1].trouble:
                break
        return told

    async def _release(self, release: Release) -> Told:
        self.view.scene.release = release
        self.view.say(f"{release.version} is applied: {release.title}")
        begun, revision, trouble, death = time.time(), self.recorder.newest, "", None
        try:
            revision = await self.shop.deploy(release)
            if release.interrupted:
                death = await self.attack.during(release)
            end, what = (taken_back, "taken back") if release.fault else (runs, "on all pods")
            await self.recorder.until(end(release), PATIENCE, f"{release.version} is {what}")
            self.view.say(f"{release.version} is {what}")
        except (TookTooLong, NotGated) as error:
            trouble = str(error)
            self.view.say(trouble)
        return Told(release, (revision, begun), (self.recorder.newest, time.time()), trouble, death)


def runs(release: Release) -> Callable[[Cluster], bool]:
    """All pods are of this version, and nothing of a rollout is left."""

    def holds(now: Cluster) -> bool:
        seen = now.deployment
        return (
            seen is not None
            and seen.version == release.version
            and seen.complete
            and seen.phase is None
            and not seen.rollout
            and now.sized() == now.ready() == now.ready(release.version) == REPLICAS
        )

    return holds


def taken_back(release: Release) -> Callable[[Cluster], bool]:
    """The version is declared and rejected, and all pods are of another."""

    def holds(now: Cluster) -> bool:
        seen = now.deployment
        return (
            seen is not None
            and seen.version == release.version
            and seen.phase is Phase.REJECTED
            and now.sized(release.version) == now.living(release.version) == 0
            and now.sized() == now.ready() == REPLICAS
        )

    return holds


def outcomes(told: Sequence[Told], events: Sequence[Event], account: Account | None) -> list[Outcome]:
    """What each release did; failed requests count for it until the next one begins, so that none falls between."""
    ends = [after.begun[1] for after in told[1:]] + [float("inf")]
    return [outcome(part, end, events, account) for part, end in zip(told, ends, strict=True)]


def outcome(told: Told, end: float, events: Sequence[Event], account: Account | None) -> Outcome:
    """What one release did."""
    measured = measure(events, told.release.version, told.begun[0], told.ended[0])
    return Outcome(
        release=told.release,
        measured=measured,
        seconds=told.ended[1] - told.begun[1],
        requests=account.between(told.begun[1], end) if account else None,
        trouble=told.trouble,
        interruption=told.interruption,
        spell=spell(told.release, measured, end, account) if account else None,
    )


def spell(release: Release, measured: Measured, end: float, account: Account) -> Spell | None:
    """What its new pods did to requests until the decision, and after it."""
    begun, decided = measured.exposed, measured.decided
    if begun is None or decided is None or decided <= begun:
        return None
    tried, everything = account.of(release.version, begun, decided), account.of(release.version, begun, end)
    return Spell(decided - begun, tried.requests, everything.requests, bad(everything, release.fault))


def bad(answers: Answers, fault: Fault | None) -> int:
    """What the fault does: it makes answers late, or has them fail."""
    return answers.slow if fault is Fault.SLOW else answers.failed
