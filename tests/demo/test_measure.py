"""What is measured of a release, from events as they arrive: in any order, from three watches."""

import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from penstock.core.rollout import Phase
from sandbox.demo.history import Deployment, Event, Fact, Pod, ReplicaSet
from sandbox.demo.measure import Measured, measure, sizes


@dataclass
class Log:
    """Events by hand: each `told` is one revision, one second after the other."""

    events: list[Event] = field(default_factory=list)
    revisions: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def told(self, name: str, fact: Fact) -> int:
        revision = next(self.revisions)
        self.events.append(Event(revision, 100.0 + revision, type(fact), name, fact))
        return revision

    def at(self, name: str, kind: type[Fact]) -> float:
        """The moment of the first event of this object."""
        return next(e.at for e in self.events if (e.name, e.kind) == (name, kind))

    def at_phase(self, phase: Phase) -> float:
        """The moment at which the Deployment first was in it."""
        return next(e.at for e in self.events if isinstance(e.fact, Deployment) and e.fact.phase is phase)

    def gone(self, name: str, kind: type[Fact]) -> None:
        revision = next(self.revisions)
        self.events.append(Event(revision, 100.0 + revision, kind, name, None))

    def deployment(self, phase: Phase | None, step: int, *, version: str = "v2", paused: bool = False) -> int:
        return self.told("web", Deployment(version, paused, complete=phase is None, phase=phase, step=step))

    def sized(self, new: int, old: int) -> None:
        """Old pods are asked to go first, as the native controller does; then new ones come Ready, and old ones go."""
        self.told("web-v1", ReplicaSet("v1", old))
        self.told("web-v2", ReplicaSet("v2", new))
        for version, count in (("v2", new), ("v1", old)):
            for i in range(20):
                present = any(e.name == f"{version}-{i}" and e.fact for e in self.events[-1000:])
                if i < count:
                    self.told(f"{version}-{i}", Pod(version, ready=True, going=False, crashes=0))
                elif present:
                    self.told(f"{version}-{i}", Pod(version, ready=False, going=True, crashes=0))


def stepped() -> tuple[Log, int]:
    """v2 goes 1, 3, 5, 10 as it should; the log, and the revision at which it began."""
    log = Log()
    log.deployment(None, 0, version="v1")
    log.sized(0, 10)
    begun = log.deployment(Phase.PENDING, 0, paused=True)
    for step, (new, old) in enumerate([(1, 10), (3, 10), (5, 8)], 1):
        if step > 1:
            log.deployment(Phase.BRAKING, step, paused=True)
        log.deployment(Phase.OPENING, step)
        log.sized(new, old)
        log.deployment(Phase.HOLDING, step, paused=True)
    log.deployment(Phase.FINISHING, 3)
    log.sized(8, 5)
    log.sized(10, 0)
    log.deployment(None, 0)
    return log, begun


def test_a_release_that_goes_by_its_steps() -> None:
    """The row of the summary for a good release."""
    log, begun = stepped()
    assert measure(log.events, "v2", begun, 10**9) == Measured(
        steps=(1, 3, 5, 10),
        exposure=((1, 1), (3, 3), (5, 5), (10, 10)),
        fewest_ready=10,
        most_pods=13,
        crashes=0,
        exposed=log.at("v2-0", Pod),
        decided=log.at_phase(Phase.FINISHING),
    )


@pytest.mark.parametrize("seed", range(5))
def test_the_order_of_arrival_changes_nothing(seed: int) -> None:
    """Three watches interleave at random; revisions say what came first."""
    log, begun = stepped()
    shuffled = random.Random(seed).sample(log.events, len(log.events))
    assert measure(shuffled, "v2", begun, 10**9) == measure(log.events, "v2", begun, 10**9)


def test_one_pod_too_many_for_one_event_is_seen() -> None:
    """The bound holds at any instant, not only when things have settled."""
    log = Log()
    begun = log.deployment(Phase.OPENING, 1)
    ended = log.told("web-v2", ReplicaSet("v2", 1))
    log.told("web-v2", ReplicaSet("v2", 2))
    log.told("web-v2", ReplicaSet("v2", 1))
    assert measure(log.events, "v2", begun, ended).exposure == ((1, 1),)
    assert measure(log.events, "v2", begun, 10**9).exposure == ((1, 2),)


def test_the_brake_for_the_next_step_allows_nothing_yet() -> None:
    """The record names the next step as soon as the brake is set; the pods for it come with the window."""
    log = Log()
    begun = log.deployment(Phase.OPENING, 1)
    log.told("web-v2", ReplicaSet("v2", 1))
    log.deployment(Phase.BRAKING, 2, paused=True)
    log.told("web-v2", ReplicaSet("v2", 3))
    assert measure(log.events, "v2", begun, 10**9).exposure == ((1, 3),)


def test_a_bad_release_counts_its_crashes_and_its_lost_readiness() -> None:
    """Crashes of a pod that is gone still count; the floor is that of the worst moment."""
    log = Log()
    log.sized(0, 10)
    begun = log.deployment(Phase.OPENING, 1)
    log.sized(1, 10)
    log.deployment(Phase.HOLDING, 1, paused=True)
    log.told("v1-0", Pod("v1", ready=False, going=False, crashes=3))
    for crashes in (1, 1, 2):
        log.told("v2-0", Pod("v2", ready=False, going=False, crashes=crashes))
    log.deployment(Phase.RETREATING, 0, paused=True)
    log.told("web-v2", ReplicaSet("v2", 0))
    log.gone("v2-0", Pod)
    log.deployment(Phase.REJECTED, 0, paused=True)
    assert measure(log.events, "v2", begun, 10**9) == Measured(
        steps=(1,),
        exposure=((1, 1),),
        fewest_ready=9,
        most_pods=11,
        crashes=2,
        exposed=log.at("v2-0", Pod),
        decided=log.at_phase(Phase.RETREATING),
    )


def test_the_verdict_is_what_was_said_against_this_version() -> None:
    """The declared version before it may still stand rejected when this one is applied."""
    log = Log()
    log.told("web", Deployment("v1", True, complete=False, phase=Phase.REJECTED, verdict="Crashed: v1 crashed"))
    begun = log.deployment(Phase.RETREATING, 0, paused=True)  # of v1, before v2 may begin
    log.deployment(Phase.OPENING, 1)
    log.sized(1, 10)
    log.deployment(Phase.HOLDING, 1, paused=True)
    log.told("web", Deployment("v2", True, False, phase=Phase.RETREATING, verdict="ErrorsRose: errors: new 5/100"))
    log.deployment(Phase.REJECTED, 0, paused=True)
    seen = measure(log.events, "v2", begun, 10**9)
    assert (seen.exposed, seen.decided) == (log.at("v2-0", Pod), 100.0 + len(log.events) - 1)
    assert seen.verdict == "ErrorsRose: errors: new 5/100"
    assert measure(log.events[:3], "v2", begun, 10**9).verdict == ""


def test_pods_that_are_going_serve_nobody_and_expose_nobody() -> None:
    """They answer what is under way; the Service has let them go."""
    log = Log()
    begun = log.deployment(Phase.HOLDING, 1, paused=True)
    log.told("v2-0", Pod("v2", ready=False, going=True, crashes=0))
    log.told("v2-1", Pod("v2", ready=True, going=False, crashes=0))
    assert measure(log.events, "v2", begun, 10**9).exposure == ((1, 1),)


def test_sizes_between_two_moments_include_the_one_at_the_beginning() -> None:
    """An exposure that never changes makes no event at all while it is watched."""
    log = Log()
    log.told("web-v2", ReplicaSet("v2", 1))
    log.told("web-v2", ReplicaSet("v2", 3))
    assert sizes(log.events, "v2", 105.0, 115.0) == {3}
    log.told("web-v2", ReplicaSet("v2", 5))
    assert sizes(log.events, "v2", 102.5, 115.0) == {3, 5, 0}
