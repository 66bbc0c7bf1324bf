"""The series of active rollouts: where each stands and what its checks say.

They end with the rollout, or scrapes would grow for ever; and only so many rollouts have any, or a mass release of
every namespace would cost the Prometheus more than it costs the cluster.
"""

from collections.abc import Callable, Iterable
from functools import partial

from prometheus_client import CollectorRegistry

from penstock.clock import CLOCK
from penstock.core.decide import situation
from penstock.core.decision import Decision
from penstock.core.observation import Observation
from penstock.core.record import Record
from penstock.core.rollout import Phase
from penstock.core.verdict import State, Verdict
from penstock.signals import instruments, series

MOST = 500
"""Rollouts with series of their own: 25 each, and 16 for each metric check."""

Place = tuple[str, str]


class Standing:
    """What is shown of each rollout."""

    def __init__(self, registry: CollectorRegistry, most: int = MOST, clock: Callable[[], float] = CLOCK.now) -> None:
        self._most, self._clock = most, clock
        self._unlisted = instruments.gauge(series.UNLISTED, registry)
        self._of = {known: instruments.gauge(known, registry) for known in (*series.PER_ROLLOUT, *series.PER_CHECK)}
        self._places: dict[Place, set[str]] = {}
        """Places that are listed, with their checks."""
        self._without: set[Place] = set()
        self._paused: dict[Place, float] = {}

    def decided(self, place: Place, seen: Observation, record: Record | None, decision: Decision) -> None:
        """The state of one rollout after a look."""
        if not self._listed(place):
            return
        of, replicas = self._of, max(1, seen.deployment.replicas)
        for phase in Phase:
            of[series.PHASE].labels(*place, phase.value).set(phase.value == decision.phase)
        self._forget(series.REASON, place)
        of[series.REASON].labels(*place, decision.reason.value).set(1)
        for known, value in (
            (series.STEP, decision.step),
            (series.STEPS, decision.steps),
            (series.EXPOSED_PODS, decision.exposed),
            (series.ALLOWED_PODS, decision.allowed),
            (series.EXPOSED, decision.exposed / replicas),
            (series.ALLOWED, decision.allowed / replicas),
        ):
            of[known].labels(*place).set(value)
        if record is not None:
            of[series.LONGEST_STAY].labels(*place).set(situation(seen, record).plan.step_time.max)
        self._times(place, seen, record)

    def judged(self, place: Place, verdicts: Iterable[Verdict]) -> None:
        """What the metric checks of one rollout say."""
        if not self._listed(place):
            return
        of, present = self._of, set()
        for v in verdicts:
            labels, numbers = (*place, v.check), v.numbers
            present.add(v.check)
            of[series.EVIDENCE].labels(*labels).set(numbers.evidence)
            of[series.EVIDENCE_NEEDED].labels(*labels).set(numbers.needed)
            for state in State:
                of[series.CHECK_STATE].labels(*labels, state.value).set(v.state is state)
            for version, counted in (("new", numbers.new), ("old", numbers.old)):
                of[series.REQUESTS].labels(*labels, version).set(counted.requests)
                of[series.BAD_REQUESTS].labels(*labels, version).set(counted.bad)
        for gone in self._places[place] - present:
            for known in series.PER_CHECK:
                of[known].remove_by_labels({"namespace": place[0], "name": place[1], "check": gone})
        self._places[place] = present

    def forget(self, place: Place) -> None:
        """A rollout is over; another one may have its place at its next look."""
        self._without.discard(place)
        self._unlisted.set(len(self._without))
        self._paused.pop(place, None)
        if self._places.pop(place, None) is not None:
            for known in self._of:
                self._forget(known, place)

    def _listed(self, place: Place) -> bool:
        if place not in self._places and len(self._places) >= self._most:
            self._without.add(place)
            self._unlisted.set(len(self._without))
            return False
        self._without.discard(place)
        self._unlisted.set(len(self._without))
        self._places.setdefault(place, set())
        return True

    def _times(self, place: Place, seen: Observation, record: Record | None) -> None:
        """Ages count on between two looks, so they are made when they are read."""
        opened = record.since if record and record.phase is Phase.OPENING else None
        ours = record is not None and seen.deployment.fields.paused is True and not record.saved.paused
        first = self._paused.setdefault(place, seen.now) if ours else self._paused.pop(place, None)
        paused = (record.since or first) if ours and record else None
        for known, since in ((series.OPEN_WINDOW, opened), (series.PAUSED, paused)):
            if since is None:
                self._forget(known, place)
            else:
                self._of[known].labels(*place).set_function(partial(self._age, since))

    def _age(self, since: float) -> float:
        return max(0.0, self._clock() - since)

    def _forget(self, known: series.Series, place: Place) -> None:
        self._of[known].remove_by_labels({"namespace": place[0], "name": place[1]})
