"""What must hold at every instant, whoever acts: the invariants I1 to I5 and I7, judged from outside.

Judged on the model's truth, never on what a controller believes. Each exception that the design names is written out
here, so that a new one cannot slip in.
"""

import math
from dataclasses import dataclass

from penstock.core import keys
from penstock.core.exposure import Budget, budget
from penstock.core.fields import Fields
from penstock.core.guard import annotation, label, record_of
from penstock.core.patch import value_at
from penstock.core.record import Record
from penstock.core.rollout import Phase
from tests.model.cluster import Cluster
from tests.model.native import ReplicaSet
from tests.model.server import Object

FREE = (Phase.FINISHING, Phase.LEAVING)
"""Phases in which the native controller may bring every pod to the declared version."""


@dataclass
class User:
    """What the user has said last, and so what must be there at the end."""

    own: Fields
    approved: set[tuple[str, int]]
    skipped: set[tuple[str, int]]


class Bounds:
    """The invariants of one cluster."""

    def __init__(self, cluster: Cluster, user: User, step_time: float) -> None:
        self.cluster, self.user, self.step_time = cluster, user, step_time
        self.most: float = math.inf
        """Pods of other than the stable version that may exist now."""
        self.ceiling = 0
        self.scaling = False
        """The replicas have changed and the native controllers have not come to rest since."""
        self.excused = 0
        """Pods that failed by themselves since all were last Ready."""
        self.by_hand = False
        """The user has taken our label away to release by hand."""
        self.steps: dict[str, int] = {}
        """The highest step reached by each rollout."""
        self.freed: set[str] = set()
        self.surges: list[Fields] = [user.own]
        self._read: tuple[Object | None, Record | None] = None, None
        cluster.resized = self.resized
        self.rested()

    @property
    def replicas(self) -> int:
        return int(self.cluster.server.obj["spec"]["replicas"])

    @property
    def record(self) -> Record | None:
        """Read once for each stored object, which no one changes in place: it is asked for at every step."""
        if self._read[0] is not self.cluster.server.obj:
            self._read = self.cluster.server.obj, record_of(self.cluster.server.obj)
        return self._read[1]

    @property
    def limits(self) -> Budget:
        own = self.user.own.rolling()
        return budget(own.surge, own.unavailable, self.replicas)

    def others(self) -> int:
        record = self.record
        stable = record.stable if record else ""
        return sum(s.size for s in self.cluster.sets.values() if s.template != stable)

    # -- events

    def rested(self) -> None:
        """The native controllers have come to rest."""
        self.scaling = False
        total = sum(s.size for s in self.cluster.sets.values())
        back = self.record is not None and self.record.phase is Phase.RETREATING
        self.ceiling = max(self._ceiling(), min(self.ceiling, total) if back else 0)  # it is being taken back

    def _ceiling(self) -> int:
        """In an open window a percentage stands for the number; it grows with the replicas while we are dead."""
        record = self.record
        window = [self.cluster.fields] if record and record.phase is Phase.OPENING else []
        all_ = [budget(f.surge, f.unavailable, self.replicas) for f in map(Fields.rolling, [*self.surges, *window])]
        return self.replicas + max(b.surge for b in all_)

    def declared(self, own: Fields) -> None:
        """The user has changed their own fields."""
        self.user.own = own
        self.surges.append(own)
        self.ceiling = max(self.ceiling, self._ceiling())

    def scaled(self, before: int) -> None:
        """The replicas changed: the share is kept, to the nearest pod. Exceptions that the design names: from and to
        zero, down to one, and up from one, where half of all pods are new and what rounding leaves goes to them."""
        self.scaling = True
        self.ceiling = max(self.ceiling, self._ceiling())
        if self.replicas <= 1 or before <= 1:
            self.most = math.inf
        if math.isinf(self.most):
            return
        fields = self.cluster.fields
        was, now = (budget(fields.surge, fields.unavailable, r) for r in (before, self.replicas))
        share = math.ceil(self.most * (self.replicas + now.surge) / (before + was.surge)) + 1
        window = now.surge + now.unavailable if fields.min_ready == keys.BRAKE_READY and not fields.paused else 0
        self.most = max(self.most, share, window)

    def wrote(self, before: Record | None) -> None:
        """The Deployment was written, by whomever."""
        record = self.record
        self._step(before, record)
        if record is None or record.phase in FREE or self.by_hand:
            self.most = math.inf
        elif record.phase is Phase.OPENING and before and before.phase is not Phase.OPENING:
            self.most = record.target
        if record is None:
            self.by_hand = False
        self._tighten()
        self.check()

    def _tighten(self) -> None:
        """No new pod is left: none may come before a window is opened. While the native controller has not yet come
        back from zero none is there either, and which version it fills is the exception that the design names."""
        record = self.record
        if self.replicas and not any(s.size for s in self.cluster.sets.values()):
            return
        if record and record.stable and record.phase in (Phase.PENDING, Phase.REJECTED) and not self.by_hand:
            self.most = 0 if self.others() == 0 else self.most

    def resized(self, rs: ReplicaSet, before: int) -> None:
        """One ReplicaSet has another size."""
        if rs.size < before and self.record and not (self.scaling or self.by_hand):
            self._floor(rs, before)
        self._tighten()
        self.check()

    # -- invariants

    def check(self) -> None:
        record = self.record
        total = sum(s.size for s in self.cluster.sets.values())
        assert total <= self.ceiling, f"I3: {total} pods in all, {self.ceiling} are allowed: {self.cluster.sizes()}"
        if record and record.stable:
            others = self.others()
            assert others <= self.most, f"I2: {others} new pods, {self.most} are allowed: {self.cluster.sizes()}"
        if record and record.phase is not Phase.LEAVING:
            type_ = value_at(self.cluster.server.obj, ("spec", "strategy", "type"))
            assert type_ == "RollingUpdate", f"I4: strategy.type is {type_}"
        if record is None and not label(self.cluster.server.obj, keys.ROLLOUT):
            assert self.cluster.fields == self.user.own, f"I7: {self.cluster.fields} != {self.user.own}"
            assert annotation(self.cluster.server.obj, keys.DECLARED) is None

    def _floor(self, rs: ReplicaSet, before: int) -> None:
        """No Ready pod is taken away where that leaves fewer than R - maxUnavailable, unless pods failed. The native
        controller counts by the user's minReadySeconds: a pod younger than that is a failed one to it."""
        floor = self.replicas - self.limits.unavailable - self.excused
        kept = [self._kept(rs, before, wait) for wait in (0, self.user.own.min_ready or 0)]
        assert any(now >= min(was, floor) for was, now in kept), f"I1: {kept} Ready, {floor} needed, {rs.name} shrinks"

    def _kept(self, rs: ReplicaSet, before: int, wait: int) -> tuple[int, int]:
        """Pods Ready for so long, before and after the ReplicaSet shrinks."""
        old = [p for p in self.cluster.pods.all.values() if p.ready and self.cluster.now - p.since >= wait]
        own = sum(p.owner == rs.name for p in old)
        others = [s for s in self.cluster.sets.values() if s.name != rs.name]
        rest = sum(min(s.size, sum(p.owner == s.name for p in old)) for s in others)
        return min(before, own) + rest, min(rs.size, own) + rest

    def _step(self, before: Record | None, record: Record | None) -> None:
        """I5, I10: a step is left only with time passed, all its pods available, and a person's yes where asked."""
        if record is None or before is None or record.id != before.id:
            return
        leaves = before.phase is Phase.HOLDING and (record.step > before.step or record.phase is Phase.FINISHING)
        top = self.steps.get(record.id, 0)
        if record.step > max(top, before.step) and before.phase is not Phase.HOLDING:
            assert record.step <= 1, f"I5: step {record.step} without a hold before it"
        self.steps[record.id] = max(top, record.step)
        if not leaves or (record.id, record.step) in self.user.skipped:
            return
        mine = [s for s in self.cluster.sets.values() if s.template == record.declared]
        pods = [p for s in mine for p in self.cluster.pods.of(s.name)]
        wait = self.user.own.min_ready or 0
        young = [p.name for p in pods if not p.ready or self.cluster.now - p.since < wait + self.step_time]
        assert not young, f"I5: step {before.step} was left, yet {young} had not been available for its time"
