"""Trials: our own judge on simulated traffic, run by run, with the numbers that facts/analysis.md §3 reports."""

from collections.abc import Iterable
from dataclasses import dataclass
from random import Random

from penstock.core import incident, limits, spread
from penstock.core.counters import Count, Increments
from penstock.core.evidence import STANDARDS, Evidence, Terms, total, weigh
from penstock.core.judge import failed, judge, judge_limit
from penstock.core.limits import Breaches
from penstock.core.queries import Limit
from penstock.core.reading import Scalar
from penstock.core.verdict import State, Together, step_verdict
from tests.statistics.traffic import TICK, World, even, looks, seen

KNOWN = Count(1e6, 1e4)
"""The time before the rollout, known well: 1 % errors."""
ERRORS = Terms(STANDARDS["errors"], impact=0.05, share=0.2)
SLOW = Terms(STANDARDS["slow"], impact=0.05, share=0.2)
LIMIT = Limit("errors of new pods in the last minute", "<", 0.05, 3)


def rollback(traffic: Iterable[Increments], terms: Terms = ERRORS) -> float | None:
    """Seconds until the release is taken back, looked at in every tick; None where it never is."""
    evidence = Evidence()
    for look in traffic:
        evidence = weigh(evidence, look, terms, before=KNOWN)
        if failed(evidence, terms):
            return look.time
    return None


@dataclass(frozen=True)
class Times:
    """Of many runs."""

    runs: int
    hits: tuple[float, ...]

    @property
    def percent(self) -> float:
        """Runs in which it happened."""
        return 100 * len(self.hits) / self.runs

    def quantile(self, share: float) -> float:
        """Of all runs; infinite where it did not happen in so many."""
        place = int(share * self.runs)
        return sorted(self.hits)[place] if place < len(self.hits) else float("inf")


def rollbacks(world: World, runs: int, seed: int, terms: Terms = ERRORS, skip: int = 0) -> Times:
    """Of so many rollouts in that world; the first `skip` ticks are warm-up."""
    rng = Random(seed)
    found = [rollback((look for i, look in enumerate(looks(world, rng)) if i >= skip), terms) for _ in range(runs)]
    return Times(runs, tuple(t for t in found if t is not None))


STEPS = (1, 2, 5, 10)
SHORTEST, LONGEST = 60.0, 600.0


@dataclass(frozen=True)
class Outcome:
    """How a whole rollout 1, 2, 5, 10 of 10 pods ended."""

    state: str
    seconds: float
    extra: float
    """Failed requests that the old version would have answered."""


def rollout(rate: float, bad: float, impact: float, rng: Random, old: float = 0.01) -> Outcome:
    """Steps as soon as the judge says so, a minute at least and ten at most at each. As in the facts without the spread
    of old pods."""
    evidence, step, entered, extra = Evidence(), 0, 0.0, 0.0
    for tick in range(1, 361):
        now, pods = tick * TICK, STEPS[step]
        mean = rate * TICK / 10
        new = even(rng, mean, bad, pods)
        look = seen(now, new, even(rng, mean, old, 10 - pods))
        extra += sum(c.requests for c in new) * (bad - old)
        terms = Terms(STANDARDS["errors"], impact, STEPS[step + 1] / 10, step)
        evidence = weigh(evidence, look, terms, before=KNOWN)
        verdict = judge("errors", evidence, look, terms, incident.CALM)
        if verdict.state is State.FAIL:
            return Outcome("back", now, extra)
        if verdict.state is State.PASS and now - entered >= SHORTEST:
            if step == 2:
                return Outcome("done", now, extra)
            step, entered = step + 1, now
        elif now - entered >= LONGEST:
            return Outcome("held", now, extra)
    raise AssertionError("three steps of ten minutes are half an hour")


@dataclass(frozen=True)
class Outcomes:
    """Of many rollouts."""

    all: tuple[Outcome, ...]

    def percent(self, state: str) -> float:
        """Rollouts that ended so."""
        return 100 * sum(o.state == state for o in self.all) / len(self.all)

    @property
    def median(self) -> float:
        """Seconds to the end."""
        return sorted(o.seconds for o in self.all)[len(self.all) // 2]

    @property
    def extra(self) -> float:
        """Mean of extra failed requests."""
        return sum(o.extra for o in self.all) / len(self.all)


def rollouts(rate: float, bad: float, impact: float, runs: int, seed: int) -> Outcomes:
    """So many whole rollouts."""
    rng = Random(seed)
    return Outcomes(tuple(rollout(rate, bad, impact, rng) for _ in range(runs)))


@dataclass(frozen=True)
class Shared:
    """A good release while a fault that all pods share lasts three minutes."""

    noticed: float | None
    """Seconds from its begin until it is held for an incident."""
    over: float | None
    """Seconds from its end until it is no more."""
    back: bool
    """Taken back, though it is as good as the old version."""
    breached: bool
    """A limit alone would have taken it back."""


def shared_fault(rate: float, rng: Random, start: int = 30, length: int = 18, ticks: int = 90) -> Shared:
    """Ten times the errors on all pods; the judge has an error check and a limit on the new pods' last minute."""
    evidence, known, breaches, alone = Evidence(), incident.begin(KNOWN), Breaches(), Breaches()
    world, minute = (
        World(rate, lambda _, __: lambda tick, pod: 0.1 if start <= tick < start + length else 0.01),
        list[Count](),
    )
    noticed, over, back, breached = None, None, False, False
    for tick, look in enumerate(looks(world, rng, ticks)):
        known = incident.watch(known, look.time, total(look, new=False), evidence.spread.factor)
        evidence = weigh(evidence, look, ERRORS, before=KNOWN, calm=not known.since)
        minute = [*minute[-5:], total(look, new=True)]
        requests, bad = sum(c.requests for c in minute), sum(c.bad for c in minute)
        answer = Scalar(look.time, bad / requests if requests else None)
        breaches = limits.breach(breaches, answer, LIMIT, calm=not known.since)
        alone = limits.breach(alone, answer, LIMIT)
        said = [judge("errors", evidence, look, ERRORS, known), judge_limit("limit.errors", breaches, LIMIT, look.time)]
        together = step_verdict(said).together
        back = back or (together is Together.ROLLBACK and tick >= start)
        breached = breached or (alone.row >= LIMIT.breaches and tick >= start)
        if noticed is None and tick >= start and together is Together.INCIDENT:
            noticed = (tick - start + 1) * TICK
        if noticed is not None and over is None and tick >= start + length and together is not Together.INCIDENT:
            over = (tick - start - length + 1) * TICK
    return Shared(noticed, over, back, breached)


def false_incidents(world: World, runs: int, seed: int) -> int:
    """Runs of half an hour in which old pods that are as before were taken for an incident."""
    rng, found = Random(seed), 0
    for _ in range(runs):
        known, scattered, noticed = incident.begin(KNOWN), spread.START, False
        for look in looks(world, rng):
            scattered = spread.scatter(scattered, look.old)
            known = incident.watch(known, look.time, total(look, new=False), scattered.factor)
            noticed = noticed or known.since > 0
        found += noticed
    return found
