"""The observation, read once: which ReplicaSet is which, what the step means now, what the pods say.

Derived values only, nothing is remembered here; every rule of the decision asks this one object.
"""

from dataclasses import dataclass
from functools import cached_property

from penstock.core import keys
from penstock.core.counters import Life
from penstock.core.exposure import Budget, Exposure, budget, exposures
from penstock.core.judgement import Bearings, verdicts
from penstock.core.observation import Deployment, Observation, Pod, ReplicaSet
from penstock.core.plan import Plan
from penstock.core.record import Record
from penstock.core.rollout import Phase
from penstock.core.verdict import Verdict

COMPARED = 10
"""Old pods that are compared with; more would cost scrapes and tell hardly more."""


@dataclass(frozen=True)
class Situation:
    """One active rollout at one moment. Not frozen in name only: cached values are derived, never set."""

    seen: Observation
    record: Record
    plan: Plan
    problem: str = ""
    """What is wrong with the annotations; the plan is then the default one, and nothing advances."""

    @property
    def now(self) -> float:
        return self.seen.now

    @property
    def deployment(self) -> Deployment:
        return self.seen.deployment

    @property
    def replicas(self) -> int:
        return self.deployment.replicas

    @property
    def paused(self) -> bool:
        """Whether `paused: true` is in force."""
        return self.deployment.fields.paused is True

    @property
    def braked(self) -> bool:
        return self.deployment.fields.min_ready == keys.BRAKE_READY

    @property
    def in_stable_window(self) -> bool:
        """Whether a retreat shows the stable template, with the declared one put aside."""
        return self.record.phase is Phase.RETREATING and keys.DECLARED in self.deployment.annotations

    @cached_property
    def new(self) -> ReplicaSet | None:
        """The ReplicaSet of the declared template, if it exists yet."""
        return self._largest(self.record.declared)

    @cached_property
    def stable(self) -> ReplicaSet | None:
        return self._largest(self.record.stable)

    def _largest(self, template: str) -> ReplicaSet | None:
        found = [rs for rs in self.seen.replicasets if template and rs.template == template]
        return max(found, key=lambda rs: (rs.replicas, rs.created), default=None)

    @cached_property
    def others(self) -> tuple[ReplicaSet, ...]:
        """ReplicaSets with pods that are not of the stable version."""
        return tuple(rs for rs in self.seen.replicasets if rs.replicas > 0 and rs.template != self.record.stable)

    @cached_property
    def superseded(self) -> tuple[ReplicaSet, ...]:
        """ReplicaSets with pods that are neither of the stable nor of the declared version."""
        return tuple(rs for rs in self.others if rs.template != self.record.declared)

    @cached_property
    def empty_newer(self) -> tuple[ReplicaSet, ...]:
        """Empty ReplicaSets newer than the stable one: coming up from zero, the native controller would fill the
        newest of all. Those of the declared version count however old they are."""
        born = self.stable.created if self.stable else float("inf")
        return tuple(
            rs
            for rs in self.seen.replicasets
            if rs.replicas == 0
            and rs.template != self.record.stable
            and (rs.created >= born or rs.template == self.record.declared)
        )

    @property
    def n(self) -> int:
        """Pods of the declared version, by spec."""
        return self.new.replicas if self.new else 0

    @property
    def old(self) -> int:
        """Pods of all other versions, by spec."""
        return sum(rs.replicas for rs in self.seen.replicasets if rs.template != self.record.declared)

    @cached_property
    def limits(self) -> Budget:
        """The user's own surge and unavailable, in pods."""
        return budget(self.record.saved.surge, self.record.saved.unavailable, self.replicas)

    @cached_property
    def in_force(self) -> Budget:
        """Surge and unavailable of the fields in force, in pods."""
        fields = self.deployment.fields
        return budget(fields.surge, fields.unavailable, self.replicas)

    @cached_property
    def exposures(self) -> tuple[Exposure, ...]:
        return exposures(self.plan.steps, self.replicas, self.limits.surge)

    def exposure(self, step: int) -> Exposure | None:
        """The exposure of a step (from 1) now; a step beyond the last is the last."""
        return self.exposures[min(step, len(self.exposures)) - 1] if self.exposures else None

    @property
    def following(self) -> int | None:
        """The next step that means more new pods than run now; None: all pods are next."""
        return next((i for i, e in enumerate(self.exposures, 1) if i > self.record.step and e.pods > self.n), None)

    @property
    def k(self) -> int:
        """New pods of the present step; where no step is left at this size, as many as there are."""
        exposure = self.exposure(max(1, self.record.step))
        return exposure.pods if exposure else self.n

    @cached_property
    def new_pods(self) -> tuple[Pod, ...]:
        return self._pods(self.new)

    @cached_property
    def stable_pods(self) -> tuple[Pod, ...]:
        return self._pods(self.stable)

    def _pods(self, rs: ReplicaSet | None) -> tuple[Pod, ...]:
        return tuple(p for p in self.seen.pods if rs and p.owner == rs.uid and not p.deleting and not p.finished)

    @cached_property
    def ended_pods(self) -> tuple[Pod, ...]:
        """New pods that something has ended for good, such as an eviction; others take their places."""
        return tuple(p for p in self.seen.pods if self.new and p.owner == self.new.uid and p.finished)

    @cached_property
    def available(self) -> int:
        """New pods that are available by the user's own minReadySeconds; while braked only we can tell."""
        wait = self.record.saved.min_ready or 0
        return min(self.n, sum(p.ready and self.now - p.ready_since >= wait for p in self.new_pods))

    @property
    def available_since(self) -> float:
        """When the last new pod became available by the user's own minReadySeconds."""
        wait = self.record.saved.min_ready or 0
        return max([p.ready_since + wait for p in self.new_pods if p.ready], default=self.now)

    @property
    def latest(self) -> float:
        """When the longest stay at this step is over."""
        return self.available_since + self.plan.step_time.max

    @property
    def compared_pods(self) -> tuple[Pod, ...]:
        """Old pods that the new ones are compared with: by name, so that they stay the same."""
        return tuple(sorted(self.stable_pods, key=lambda pod: pod.name)[:COMPARED])

    @property
    def bearings(self) -> Bearings:
        """What the metric checks have to know of the rollout."""
        following = self.exposures[self.following - 1].pods if self.following else self.replicas
        pods = {p.name: Life(True, p.started, p.ready_since if p.ready else 0.0) for p in self.new_pods}
        pods |= {p.name: Life(False, p.started, p.ready_since if p.ready else 0.0) for p in self.compared_pods}
        record, share = self.record, following / self.replicas if self.replicas else 1.0
        return Bearings(record.id, self.plan, record.started, record.step, min(1.0, share), pods, record.since)

    @cached_property
    def verdicts(self) -> tuple[Verdict, ...]:
        """What each metric check says."""
        return verdicts(self.seen.judgement, self.bearings, self.now)

    @property
    def deadline(self) -> float:
        """The user's progressDeadlineSeconds: a pod that is not Ready after so long never will be."""
        value = self.record.saved.deadline
        return float(600 if value is None else value)

    @property
    def tight(self) -> bool:
        """Whether the brake must stay on while holding: with few replicas a scale to 1 would promote at once, and
        with as many new pods as replicas the native controller would remove the old ones even while paused."""
        return self.replicas <= 3 or self.n >= self.replicas

    @property
    def awaits_approval(self) -> bool:
        """Whether the present step waits for a person who has not said yes."""
        step = self.record.step
        return self.needs_approval(step) and step not in self.record.approved

    @property
    def overruled(self) -> bool:
        """A person has said to go on although the pod checks failed at this step."""
        return bool(self.record.failed) and self.record.step in self.record.approved

    def needs_approval(self, step: int) -> bool:
        """Whether a person must say yes before the rollout leaves `step`."""
        exposure = self.exposure(step)
        wanted = self.plan.approve
        if exposure is None or wanted == ("never",):
            return False
        if wanted == ("each",):
            return True
        if wanted == ("last",):
            return step >= len(self.exposures)
        return bool(set(wanted) & set(exposure.written))
