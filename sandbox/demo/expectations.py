"""What must hold of each release: a tuple of questions, each answered with a sentence where it does not."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from sandbox.demo.account import Requests, crashing_bound, failing_bound
from sandbox.demo.measure import Measured
from sandbox.demo.releases import CAP, FLOOR, REPLICAS, Fault, Release
from sandbox.demo.timer import Spell

RATE = 80.0
"""Requests per second. One new pod beside ten old ones gets 7 of them: from 5 % errors the judge then has enough after
some 15 s, and after some 25 s from a tail that is 30 % slower and makes 5.2 % of the answers late instead of 0.4 %."""

HELD = 10.0
"""Seconds for which a dead controller's open window is watched."""

ENOUGH = 0.8
"""Share of the requests that must have been sent for "none failed" to mean anything."""


@dataclass(frozen=True)
class Interruption:
    """The controller's death."""

    open: bool
    """The window was still open after it."""
    step: int
    """New pods that the window was for."""
    sizes: frozenset[int]
    """Every number of new pods that was seen after the native controller had settled."""
    renewed: bool
    """Somebody renewed the controller's lease: it was not dead."""
    seconds: float


@dataclass(frozen=True)
class Outcome:
    """One release as it went. `requests` is None where nothing was measured."""

    release: Release
    measured: Measured
    seconds: float
    requests: Requests | None
    trouble: str = ""
    """Why it did not end as it should."""
    interruption: Interruption | None = None
    spell: Spell | None = None
    """Its new pods until the decision; None where nothing was measured or decided."""

    @property
    def bound(self) -> int:
        """The failed requests that may be: none, or what one pod can have received."""
        match self.release.fault:
            case Fault.CRASH:
                return crashing_bound(self.measured.crashes, RATE, REPLICAS + 1)
            case Fault.ERRORS:
                return failing_bound(self.release.error_rate, self.seconds, RATE, REPLICAS + 1)
        return 0

    @property
    def blame(self) -> str:
        """The word with which Penstock blames the right thing; empty where it does not."""
        found = re.search(self.release.fault, self.measured.verdict) if self.release.fault else None
        return found[0] if found else ""

    @property
    def decided(self) -> float | None:
        """Seconds from the first Ready new pod to the decision."""
        begun, ended = self.measured.exposed, self.measured.decided
        return None if begun is None or ended is None else ended - begun


def ended(seen: Outcome) -> str | None:
    return seen.trouble or None


def went_by_steps(seen: Outcome) -> str | None:
    if seen.measured.steps == seen.release.steps:
        return None
    return f"reached {words(seen.measured.steps)} new pods, expected {words(seen.release.steps)}"


def kept_exposure(seen: Outcome) -> str | None:
    over = [
        f"{most} new pods where {allowed} were allowed" for allowed, most in seen.measured.exposure if most > allowed
    ]
    return ", ".join(over) or None


def kept_floor(seen: Outcome) -> str | None:
    fewest = seen.measured.fewest_ready
    return f"only {fewest} pods were Ready, the floor is {FLOOR}" if fewest < FLOOR else None


def kept_cap(seen: Outcome) -> str | None:
    most = seen.measured.most_pods
    return f"{most} pods in all, the cap is {CAP}" if most > CAP else None


def faulty(seen: Outcome) -> str | None:
    """Otherwise a bad release proves nothing."""
    match seen.release.fault:
        case Fault.CRASH:
            return None if seen.measured.crashes else "its pods never crashed"
        case Fault.ERRORS | Fault.SLOW:
            return "none of its answers was bad" if seen.spell is not None and not seen.spell.bad else None
    return None


def blamed(seen: Outcome) -> str | None:
    """It went back for what is wrong with it, and nothing was held against a good one."""
    said = seen.measured.verdict
    if seen.release.fault is None:
        return f"blamed although it is good: {said}" if said else None
    return None if seen.blame else f"taken back without blaming its {seen.release.kind}: {said or 'no reason'}"


def served(seen: Outcome) -> str | None:
    if seen.requests is None:
        return None
    if seen.requests.sent < ENOUGH * RATE * seen.seconds:
        return f"only {seen.requests.sent} requests were sent in {seen.seconds:.0f} s"
    if seen.requests.failures > seen.bound:
        kinds = ", ".join(f"{n} {why}" for why, n in sorted(seen.requests.failed.items()))
        return f"{seen.requests.failures} requests failed ({kinds}), at most {seen.bound} may"
    broken = seen.requests.failures - seen.requests.failed.get("500", 0)
    if broken and not seen.measured.crashes:
        return f"{broken} requests got no answer though no pod crashed"
    return None


def stayed(seen: Outcome) -> str | None:
    """The exposure with a dead controller in an open window."""
    death = seen.interruption
    if not seen.release.interrupted:
        return None
    if death is None or not death.open:
        return "the controller was not killed in an open window"
    if death.renewed:
        return "the controller's lease was renewed after it was killed"
    if death.sizes != {death.step}:
        return f"the window was for {death.step} new pods; with the controller dead there were {words(death.sizes)}"
    return None if death.seconds >= HELD else f"watched for {death.seconds:.1f} s only"


EXPECTATIONS: tuple[Callable[[Outcome], str | None], ...] = (
    ended,
    went_by_steps,
    kept_exposure,
    kept_floor,
    kept_cap,
    faulty,
    blamed,
    served,
    stayed,
)


def broken(seen: Outcome) -> tuple[str, ...]:
    """Every expectation that did not hold."""
    return tuple(f"{seen.release.version}: {why}" for expectation in EXPECTATIONS if (why := expectation(seen)))


def words(numbers: tuple[int, ...] | frozenset[int]) -> str:
    """1, 3, 5; or "no"."""
    return ", ".join(map(str, sorted(numbers))) or "no"
