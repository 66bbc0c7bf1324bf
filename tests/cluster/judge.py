"""I1, I2 and I3 at every event of a history, and a second, independent judgement of the steps.

The record says what Penstock allows itself; obeying it proves little if the record is wrong. So the steps are also
worked out from the user's own annotations, and a step may grow into the next one only after all its pods were Ready
for the shortest stay (I5).

A count above a bound is a violation when it *grows* there: what a bound that has just fallen left behind is the
native controller's to bring down, and it does so in its own time.
"""

import math
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from tests.cluster.climb import ROUNDED, Climb, levels, stay
from tests.cluster.reading import Deployment, Grant, Pod, ReplicaSet, resolve
from tests.cluster.state import Event, State

UNSEEN = 5.0
"""Seconds in which the ReplicaSet controller may act without having seen that a pod was taken from it."""


@dataclass(frozen=True)
class Violation:
    """A broken invariant, and where in the history."""

    invariant: str
    message: str
    index: int


@dataclass
class Extremes:
    """How close it came; for the report."""

    new: int = 0
    ready: int | None = None
    floor: int = 0
    total: int = 0
    most: int = 0
    events: int = 0


@dataclass(frozen=True)
class Excuses:
    """What a test has done itself, and what it knows to go past the steps."""

    pods: Collection[str] = frozenset()
    """Names of pods that it made fail or deleted."""
    failing: Collection[str] = frozenset()
    """Images whose pods fail by themselves after having been Ready."""
    free: Collection[str] = frozenset()
    """Images that need not be stepped: opted out, or let in un-gated on purpose."""
    until: float = math.inf
    """When all of it was deleted: there is no floor any more."""


@dataclass
class Judge:
    """Plays a history of one Deployment."""

    excuses: Excuses = field(default_factory=Excuses)
    state: State = field(default_factory=State)
    violations: list[Violation] = field(default_factory=list)
    extremes: Extremes = field(default_factory=Extremes)
    lines: list[str] = field(default_factory=list)
    _stable: str = ""
    _grants: dict[str, Grant] = field(default_factory=dict)
    _climb: Climb | None = None
    _armed: int = 0
    _complete: bool = False
    """It has once had all the pods that it needs."""
    _left_alone: bool = False
    """The replicas changed while the native controller was completing a rollout under the user's own fields. It takes
    stale counts of ready pods for true then and goes below the floor (seen on 1.37.2); I1 is about what we do."""
    _revived: str = ""
    """A version whose ReplicaSet was still there when the replicas came back from 0: the native controller fills it
    at once, and nobody can be in between (docs/guide/scaling-and-nodes.md). It is taken back."""
    _back: tuple[str, int] = ("", 0)
    """A version that is taken back from the very end, when all pods were approved, and how many it may have on the
    way: a pause fills up what fell since the controller looked, the larger ReplicaSet first."""
    _rounded: tuple[str, int, int] = ("", 0, 0)
    """A version, how many pods the share that it really had gives it at another number of replicas, and the generation
    of that. The record tells of the share it was given: two of ten are one of one, and then six of ten until the
    controller has taken them back (docs/guide/scaling-and-nodes.md)."""
    _was_ready: set[str] = field(default_factory=set)
    _debts: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """ReplicaSet → when the test took pods from it that are not replaced yet."""
    _replacements: set[str] = field(default_factory=set)

    def play(self, events: Sequence[Event]) -> "Judge":
        """Take each event and judge the state after it."""
        for index, event in enumerate(events):
            self._one(index, event)
        return self

    def _one(self, index: int, event: Event) -> None:
        counts = {rs.version: self.state.declared_pods(rs.version) for rs in self.state.own}
        total, before = self.state.total, self.state.deployment
        known = self.state.pods.get(event.object.uid) if isinstance(event.object, Pod) else None
        self.state.take(event)
        self.lines.append(self.state.words())
        self.extremes.events += 1
        match event.object:
            case Deployment():
                self._declared(event.at, before)
                self._finished(index, event.at, before)
            case ReplicaSet() as rs if not event.deleted and rs.owner in (self.state.known, ""):
                now = self.state.declared_pods(rs.version)
                if now > counts.get(rs.version, 0):
                    self._grown(index, event.at, rs, now)
                if self.state.total > total:
                    self._total(index)
            case Pod() as pod:
                self._pod(index, pod, known, event)
        self._ready(index, event.at)
        self._whole(event.at)

    def _declared(self, at: float, before: Deployment | None) -> None:
        """A write to the Deployment: what is declared, what is stable, what the record allows."""
        now = self.state.deployment
        if now is None:
            return
        if before is None or before.uid != now.uid:
            self._stable, self._climb, self._armed, self._complete = now.version, None, 0, False
            self._grants.clear()
        elif before.version != now.version and before.grant is None:
            self._stable = before.version
        if now.grant and not now.grant.ends:
            self._grants[now.grant.declared] = now.grant
        if self._climb is None or (self._climb.version != now.version and now.version != self._stable):
            self._climb = Climb(now.version)
        if before and before.paused and not now.paused:
            self._climb.opened = (self._climb.since(at), at)
        if before and before.replicas != now.replicas:
            if self._climb.whole is not None and at - self._climb.whole >= stay(now) - ROUNDED:
                self._climb.step += 1  # passed, whatever becomes of its pods now
            self._climb.scaled = True
            self._left_alone = now.grant is None or now.grant.ends
        if self._climb.scaled and now.grant and not now.grant.ends:
            self._climb.step = max(self._climb.step, now.grant.step)
        self._excepted(before, now)
        if now.grant is None:
            self._climb.scaled = False
            self._climb.step = min(self._climb.step, len(levels(now)))

    def _excepted(self, before: Deployment | None, now: Deployment) -> None:
        """What a version may have beyond its step, by no doing of ours."""
        was, grant = before.grant if before else None, now.grant
        if grant is None or grant.target == 0:
            self._revived, self._back, self._rounded = "", ("", 0), ("", 0, 0)
            return
        self._keeps_its_share(before, now, grant.declared)
        if before and before.replicas == 0 < now.replicas and self.state.of_version(grant.declared):
            self._revived = grant.declared
        if was and (was.phase, grant.phase, grant.declared) == ("Finishing", "Retreating", was.declared):
            self._back = (grant.declared, self.state.declared_pods(grant.declared) + 1)

    def _keeps_its_share(self, before: Deployment | None, now: Deployment, version: str) -> None:
        if now.observed >= self._rounded[2]:
            self._rounded = ("", 0, 0)
        if before is None or now.replicas == before.replicas or not before.replicas:
            return
        if self.state.total > before.limits.most(before.replicas):
            return  # the native controller has not come to the number before this one
        pods = math.ceil(self.state.declared_pods(version) * now.replicas / before.replicas) + 1
        self._rounded = (version, max(min(pods, now.replicas), self._rounded[1]), now.generation)

    def _finished(self, index: int, at: float, before: Deployment | None) -> None:
        """I5: the last step is left by the write that ends the stepping, not by the pods that come of it."""
        now, climb = self.state.deployment, self._climb
        if now is None or climb is None or now.grant is None or now.image in self.excuses.free:
            return
        if now.grant.phase != "Finishing":
            climb.passed = climb.passed and now.grant.ends
        elif before is None or before.grant is None or before.grant.phase != "Finishing":
            steps = levels(now)
            if not climb.scaled and climb.step < len(steps) - 1:
                self._broken("I5", f"finished at step {climb.step} of {steps}", index)
            elif not climb.scaled and climb.step:
                self._stayed(index, now, climb.since(at), at)
            climb.passed = True

    def _stayed(self, index: int, deployment: Deployment, since: float | None, at: float) -> None:
        climb = self._climb
        assert climb
        stayed = at - since if since is not None else None
        if stayed is None or stayed < stay(deployment) - ROUNDED:
            lasted = "without all of its pods being Ready" if stayed is None else f"after {stayed:.1f} s"
            message = f"step {climb.step} of {levels(deployment)} was left {lasted}; it lasts {deployment.plan[1]}"
            self._broken("I5", message, index)

    def _grown(self, index: int, at: float, rs: ReplicaSet, pods: int) -> None:
        """I2: a version got more pods."""
        deployment = self.state.deployment
        if deployment is None or rs.version == self._stable or rs.image in self.excuses.free:
            return
        self.extremes.new = max(self.extremes.new, pods)
        allowed = self._allowed(deployment, rs.version)
        if allowed is not None and pods > allowed:
            self._broken("I2", f"{pods} pods of {rs.image} by spec, the record allows {allowed}", index)
        self._climbed(index, at, deployment, rs, pods)

    def _allowed(self, deployment: Deployment, version: str) -> int | None:
        """By the record; None: any number."""
        if deployment.version == version and (deployment.grant is None or deployment.grant.ends):
            return None
        grant = self._grants.get(version)
        allowed = max(grant.pods(r) for r in self.state.replicas) if grant else 0
        if version == self._revived:
            return max(allowed, *self.state.replicas)
        if version == self._rounded[0]:
            allowed = max(allowed, self._rounded[1])
        return max(allowed, self._back[1]) if version == self._back[0] else allowed

    def _climbed(self, index: int, at: float, deployment: Deployment, rs: ReplicaSet, pods: int) -> None:
        """I2 and I5 by the user's own annotations."""
        climb = self._climb
        if climb is None or climb.version != rs.version or climb.scaled or climb.passed:
            return
        if rs.version == self._revived:
            return
        steps = levels(deployment)
        if climb.step and pods <= steps[climb.step - 1]:
            return
        if climb.step:
            self._stayed(index, deployment, *(climb.opened or (climb.since(at), at)))
        climb.step, climb.whole, climb.lost = min(climb.step + 1, len(steps)), None, None
        if pods > steps[climb.step - 1]:
            message = f"{pods} pods of {rs.image} by spec, step {climb.step} of {steps} allows {steps[climb.step - 1]}"
            self._broken("I2", message, index)

    def _whole(self, at: float) -> None:
        """Since when all pods of the present step are Ready."""
        climb, deployment = self._climb, self.state.deployment
        if climb is None or deployment is None:
            return
        if self.state.declared_pods(climb.version) == 0:
            climb.whole = None
            if not climb.scaled and not climb.kept:
                climb.step = 0
            elif climb.scaled and self._anew(deployment):
                climb.scaled, climb.kept = False, True
                climb.step = min(climb.step, len(levels(deployment)))
        else:
            climb.kept = False
        if climb.step and not climb.scaled and not climb.kept:
            ready = [pod for pod in self.state.living(climb.version) if pod.ready]
            times = [at if pod.since is None else pod.since for pod in ready]
            climb.count(times, levels(deployment)[climb.step - 1], at)

    def _anew(self, deployment: Deployment) -> bool:
        """Nothing that was opened for another number of replicas is still under way."""
        grant = deployment.grant
        seen = len(self.state.replicas) == 1
        return seen and (grant is None or grant.target == 0 or grant.replicas == deployment.replicas)

    def _total(self, index: int) -> None:
        """I3: there are more pods in all, by spec.

        Not of a Deployment that has never been complete: where the ReplicaSets of another one of its name are still
        being removed, the native controller may make two with the same template (seen on 1.37.2)."""
        if self.state.deployment is None or not self._complete:
            return
        total, most = self.state.total, max(self.state.most, self._grown_clamp())
        self.extremes.total, self.extremes.most = max(self.extremes.total, total), most
        if total > most:
            self._broken("I3", f"{total} pods in all by spec, {most} are allowed", index)

    def _grown_clamp(self) -> int:
        """The most that an open window allows whose clamp is a percentage, where the user has written a number and the
        replicas have grown since: a number would raise the share when they shrink, which is worse."""
        now = self.state.deployment
        if now is None or now.paused or now.grant is None or now.grant.phase != "Opening":
            return 0
        grown = now.replicas > now.grant.replicas and isinstance(now.surge, str)
        return now.replicas + resolve(now.surge, now.replicas, up=True) if grown else 0

    def _pod(self, index: int, pod: Pod, known: Pod | None, event: Event) -> None:
        """I2 by pods, and the bookkeeping of pods that failed by the test's own hand."""
        if known is None and not event.deleted:
            owner = self.state.replicasets.get(pod.owner)
            if owner:
                living, wanted = len(self.state.living(owner.version)), self.state.wanted_pods(owner.version)
                if living > wanted:
                    self._broken("I2", f"{living} pods of {owner.image} exist, its ReplicaSets want {wanted}", index)
            if self._debts[pod.owner]:
                self._debts[pod.owner].pop(0)
                self._replacements.add(pod.uid)
        if pod.ready:
            self._was_ready.add(pod.uid)
            self._replacements.discard(pod.uid)
        gone = event.deleted or pod.deleting
        if gone and pod.name in self.excuses.pods and (known is None or known.alive):
            self._debts[pod.owner].append(event.at)

    def _ready(self, index: int, at: float) -> None:
        """I1, once the floor has been reached for the first time."""
        deployment = self.state.deployment
        if deployment is None:
            return
        if at >= self.excuses.until:
            return
        floor, ready = self.state.fewest, self._serving(at)
        if ready >= floor:
            self._armed, self._complete = floor, True
        if self._left_alone:
            self._armed = 0
            self._left_alone = not (self.state.total == deployment.replicas == ready)
        self._armed = min(self._armed, floor)
        if floor == self._armed and (
            self.extremes.ready is None or ready - floor < self.extremes.ready - self.extremes.floor
        ):
            self.extremes.ready, self.extremes.floor = ready, floor
        if ready < self._armed:
            self._broken("I1", f"{ready} pods are Ready, {self._armed} must be", index)
            self._armed = ready

    def _serving(self, at: float) -> int:
        """Ready pods, and those that would be had the test left them alone.

        A ReplicaSet that shrinks at this moment may not have seen yet that one of its pods was taken, and removes
        another: the debt stands for a while although none seems missing. And it removes a pod that the test made fall
        rather than one that was never Ready: that one is excused in its place.
        """
        count = 0
        for rs in self.state.own:
            living = [pod for pod in self.state.pods.values() if pod.owner == rs.uid and pod.alive]
            serving = sum(pod.ready or self._excused(pod, rs) for pod in living)
            missing = max(0, rs.replicas - len(living))
            self._debts[rs.uid] = [taken for taken in self._debts[rs.uid] if missing or at - taken < UNSEEN]
            count += serving + min(missing + len(living) - serving, len(self._debts[rs.uid]))
        return count

    def _excused(self, pod: Pod, rs: ReplicaSet) -> bool:
        if pod.uid in self._replacements:
            return True
        return pod.uid in self._was_ready and (pod.name in self.excuses.pods or rs.image in self.excuses.failing)

    def _broken(self, invariant: str, message: str, index: int) -> None:
        self.violations.append(Violation(invariant, message, index))
