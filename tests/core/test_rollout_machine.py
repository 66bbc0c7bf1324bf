"""Any order of events, on a model cluster: users, tools, scaling, faults of pods, dead webhooks and controllers, late
caches. After each single write the invariants I1 to I5 and I7 are judged, and at the end every rollout must come to an
end by itself once the faults stop.
"""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from penstock.core import keys
from penstock.core.decide import decide
from penstock.core.decision import Decision
from penstock.core.fields import PATHS
from penstock.core.guard import annotation, label
from penstock.core.patch import value_at
from penstock.core.reasons import Reason
from penstock.core.rollout import Phase
from penstock.core.template import template_hash
from tests.model.bounds import Bounds, User
from tests.model.cluster import Cluster, template
from tests.model.native import Conflict
from tests.model.pods import Pod
from tests.model.server import Object, Refused

STRATEGIES = [("25%", "25%"), (1, 0), (0, 1), ("50%", 0), ("100%", 0), ("10%", "10%"), (3, 2), (0, "50%")]
STEPS = [None, "1", "1, 2, 4", "10%, 50%, 90%", "25%, 100%", "3, 50%"]
MIN = 60.0


class Rollouts(RuleBasedStateMachine):
    """One Deployment and everything that may happen to it."""

    @initialize(
        replicas=st.sampled_from([1, 2, 3, 4, 5, 10]),
        strategy=st.sampled_from(STRATEGIES),
        steps=st.sampled_from(STEPS),
        approve=st.sampled_from([None, None, "each", "last"]),
        on_failure=st.sampled_from([None, None, "pause"]),
        min_ready=st.sampled_from([None, None, 5]),
        history=st.sampled_from([10, 10, 0]),
    )
    def begin(
        self,
        replicas: int,
        strategy: tuple[Any, Any],
        steps: str | None,
        approve: str | None,
        on_failure: str | None,
        min_ready: int | None,
        history: int,
    ) -> None:
        notes = {keys.STEPS: steps, keys.APPROVE: approve, keys.ON_FAILURE: on_failure}
        spec = {
            "strategy": {"rollingUpdate": {"maxSurge": strategy[0], "maxUnavailable": strategy[1]}},
            "minReadySeconds": min_ready,
            "revisionHistoryLimit": history,
        }
        self.cluster = Cluster(replicas, spec, {k: v for k, v in notes.items() if v})
        self.cluster.now += 100
        self.cluster.settle()
        self.approve = approve
        self.user = User(self.cluster.fields, set(), set())
        self.bounds = Bounds(self.cluster, self.user, MIN)
        self.controller = True
        self.late: tuple[Decision, Object, dict[str, int]] | None = None
        self.version = 1
        self.bad: set[str] = set()
        self.current = "v1"
        self.last: Decision | None = None

    # -- what the rules share

    @property
    def obj(self) -> Object:
        return self.cluster.server.obj

    @property
    def webhook(self) -> bool:
        return self.cluster.server.webhook

    @property
    def phase(self) -> Phase | None:
        record = self.bounds.record
        return record.phase if record else None

    @property
    def in_stable_window(self) -> bool:
        return annotation(self.obj, keys.DECLARED) is not None

    @property
    def template_is_safe(self) -> bool:
        """A template that gets past a dead webhook while the native controller is free to act is an exception that
        the design names."""
        return self.webhook or bool(value_at(self.obj, PATHS["paused"]))

    def user_writes(self, change: Any, manager: str = "kubectl") -> str:
        """A user's write; the reason admission gave, or Refused."""
        before, surge = self.bounds.record, self.cluster.fields.surge
        try:
            answer = self.cluster.server.user(change, manager)
        except Refused:
            return "Refused"
        if self.cluster.fields.surge != surge:  # as with scaling: the native controller resizes, paused or not
            self.bounds.scaling = True
        self.bounds.wrote(before)
        return answer.reason

    def broken_versions(self) -> None:
        """Pods of a bad version never become Ready."""
        for rs in self.cluster.sets.values():
            image = self.cluster.templates[rs.template]["spec"]["containers"][0]["image"]
            if image.removeprefix("web:") in self.bad:
                for pod in self.cluster.pods.of(rs.name):
                    pod.broken = True

    def settle(self) -> None:
        self.cluster.settle()
        self.broken_versions()
        self.bounds.rested()

    def ready(self) -> None:
        for _ in range(40):
            self.broken_versions()
            before = {(p.name, p.ready) for p in self.cluster.pods.all.values()}
            for name in self.cluster.sets:
                self.cluster.pods.start(name, self.cluster.now)
            self.settle()
            if before == {(p.name, p.ready) for p in self.cluster.pods.all.values()}:
                break
        if not any(p.broken for p in self.cluster.pods.all.values()):
            self.bounds.excused = 0

    def carry_out(self, decision: Decision, obj: Object, versions: dict[str, int]) -> None:
        before = self.bounds.record
        try:
            self.cluster.carry_out(decision, obj, versions)
        except Conflict:
            return
        self.bounds.wrote(before)

    def look(self) -> Decision:
        decision = decide(self.cluster.observation())
        assert decision.message, "I12: a state without a reason"
        self.carry_out(decision, self.obj, self.cluster.versions())
        self.last = decision
        return decision

    # -- users and their tools

    @rule(bad=st.sampled_from([False, False, True]), phase=st.sampled_from(list(Phase)))
    @precondition(lambda self: not self.phase)
    def release(self, bad: bool, phase: Phase) -> None:
        """A rollout from rest, up to a moment within it."""
        self.webhook_returns()
        self.controller_restarts()
        self.deploy(bad)
        self.reaches(phase)

    @rule(bad=st.sampled_from([False, False, True]))
    @precondition(lambda self: self.phase and self.template_is_safe)
    def deploy(self, bad: bool) -> None:
        self.version += 1
        self.current = f"v{self.version}"
        if bad:
            self.bad.add(self.current)
        self.user_writes(self.cluster.change_template(template(self.current)))

    @rule()
    @precondition(lambda self: self.phase and self.template_is_safe and not self.in_stable_window)
    def restart(self) -> None:
        new = template(self.current, restarted=str(self.cluster.now))
        self.user_writes(self.cluster.change_template(new), "kubectl-rollout")

    @rule()
    @precondition(lambda self: self.bounds.record and self.bounds.record.stable and not self.in_stable_window)
    def revert(self) -> None:
        """I8: with the webhook alone, at once."""
        record = self.bounds.record
        assert record
        stable = self.cluster.templates[record.stable]
        changes = record.stable != template_hash(self.obj["spec"]["template"])
        reason = self.user_writes(self.cluster.change_template(stable))
        self.current = stable["spec"]["containers"][0]["image"].removeprefix("web:")
        if self.webhook and changes and record.phase is not Phase.LEAVING and label(self.obj, keys.ROLLOUT):
            raise AssertionError(f"I8: a revert was answered {reason}")

    @rule(stable=st.booleans())
    @precondition(lambda self: self.webhook)
    def reapply(self, stable: bool) -> None:
        """A tool sends its whole manifest again."""
        own = self.user.own

        def change(obj: Object) -> None:
            obj["spec"]["strategy"] = {
                "type": own.type,
                "rollingUpdate": {"maxSurge": own.surge, "maxUnavailable": own.unavailable},
            }
            obj["spec"]["minReadySeconds"] = own.min_ready
            obj["spec"]["paused"] = own.paused
            obj["spec"]["progressDeadlineSeconds"] = own.deadline
            obj["spec"]["template"] = template(self.current)

        self.user_writes(change)

    @rule(strategy=st.sampled_from(STRATEGIES), min_ready=st.sampled_from([None, 5]))
    @precondition(lambda self: self.webhook or not self.phase)
    def change_fields(self, strategy: tuple[Any, Any], min_ready: int | None) -> None:
        own = replace(self.user.own, surge=strategy[0], unavailable=strategy[1], min_ready=min_ready)

        def change(obj: Object) -> None:
            obj["spec"]["strategy"]["rollingUpdate"] = {"maxSurge": own.surge, "maxUnavailable": own.unavailable}
            obj["spec"]["minReadySeconds"] = own.min_ready

        was, before = self.bounds.user.own, self.cluster.fields
        self.bounds.declared(own)
        if self.user_writes(change) == "Refused":
            self.user.own = was
            return
        # a value that equals the one in force does not show as a change: the former word of the user stands
        if self.phase and self.phase is not Phase.LEAVING:
            same = {
                n: getattr(was, n)
                for n in ("surge", "unavailable", "min_ready")
                if getattr(own, n) == getattr(before, n)
            }
            self.user.own = replace(own, **same)
        self.bounds.check()

    @rule()
    @precondition(lambda self: not value_at(self.obj, PATHS["paused"]) and self.webhook)
    def pause(self) -> None:
        self.user.own = replace(self.user.own, paused=True)

        def change(obj: Object) -> None:
            obj["spec"]["paused"] = True

        self.user_writes(change, "kubectl-rollout")

    @rule()
    @precondition(lambda self: value_at(self.obj, PATHS["paused"]))
    def resume(self) -> None:
        record = self.bounds.record

        def change(obj: Object) -> None:
            obj["spec"].pop("paused", None)

        was = self.user.own
        self.user.own = replace(self.user.own, paused=None)
        if self.phase and not label(self.obj, keys.ROLLOUT):
            self.bounds.by_hand = True  # the other half of a release by hand
        reason = self.user_writes(change, "kubectl-rollout")
        if reason == "Refused":
            self.user.own = was
        if reason == "Approved" and record:
            self.user.approved.add((record.id, record.step))

    @rule(
        do=st.sampled_from(["approve", "abort", "retry", "skip-to"]),
        stale=st.sampled_from([False, False, False, True]),
        step=st.integers(0, 4),
    )
    @precondition(lambda self: self.phase)
    def request(self, do: str, stale: bool, step: int) -> None:
        record = self.bounds.record
        assert record
        name = "00000000" if stale else record.id
        number = step if do == "skip-to" else record.step
        if not stale and do == "approve":
            self.user.approved.add((record.id, number))
        if not stale and do == "skip-to":
            self.user.skipped.add((record.id, number))
        text = f'{{"do": "{do}", "rollout": "{name}", "step": {number}}}'

        def change(obj: Object) -> None:
            obj["metadata"].setdefault("annotations", {})[keys.REQUEST] = text

        self.user_writes(change)

    @rule(replicas=st.sampled_from([0, 1, 2, 3, 4, 6, 10, 20]))
    def scale(self, replicas: int) -> None:
        before = self.bounds.replicas
        self.cluster.server.scale(replicas)
        self.bounds.scaled(before)

    @rule()
    @precondition(lambda self: label(self.obj, keys.ROLLOUT))
    def opt_out(self) -> None:
        def change(obj: Object) -> None:
            obj["metadata"].setdefault("labels", {})[keys.ENABLED] = "false"

        def undo(obj: Object) -> None:
            obj["metadata"]["labels"].pop(keys.ENABLED, None)

        self.user_writes(change)
        if not self.webhook and self.controller:
            for _ in range(4):
                self.look()
        self.user_writes(undo)

    @rule()
    @precondition(lambda self: value_at(self.obj, PATHS["paused"]) and label(self.obj, keys.ROLLOUT))
    def release_by_hand(self) -> None:
        def change(obj: Object) -> None:
            obj["spec"].pop("paused", None)
            obj["metadata"]["labels"].pop(keys.ROLLOUT)

        self.user.own = replace(self.user.own, paused=None)
        self.bounds.by_hand = True
        self.user_writes(change)

    @rule()
    @precondition(lambda self: label(self.obj, keys.ROLLOUT))
    def strip_label(self) -> None:
        def change(obj: Object) -> None:
            obj["metadata"]["labels"].pop(keys.ROLLOUT)

        self.user_writes(change)

    # -- ours

    @rule()
    @precondition(lambda self: self.controller and self.phase)
    def looks(self) -> None:
        self.look()

    @rule(times=st.integers(2, 12), advance=st.booleans())
    @precondition(lambda self: self.controller and self.phase)
    def goes_on(self, times: int, advance: bool) -> None:
        """As on a quiet day: looks, native controllers that keep up, pods that become Ready."""
        for _ in range(times):
            self.settle()
            decision = self.look()
            self.ready()
            if advance and decision.write is None:
                self.cluster.now += min(decision.wait, 61.0)
                self.settle()

    @rule(phase=st.sampled_from(list(Phase)))
    @precondition(lambda self: self.controller and self.phase)
    def reaches(self, phase: Phase) -> None:
        """As on a quiet day, until a phase has just begun."""
        for _ in range(40):
            self.ready()
            decision = self.look()
            if self.phase in (phase, None):
                return
            if decision.write is None:
                self.cluster.now += min(decision.wait, 61.0)
                self.settle()

    @rule()
    @precondition(lambda self: self.controller and self.late is None)
    def decides(self) -> None:
        """A decision whose write is still under way."""
        self.late = decide(self.cluster.observation()), self.obj, self.cluster.versions()

    @rule()
    @precondition(lambda self: self.late)
    def writes_late(self) -> None:
        assert self.late
        self.carry_out(*self.late)
        self.late = None

    @rule()
    @precondition(lambda self: self.phase)
    def controller_restarts(self) -> None:
        self.controller = True
        self.cluster.epoch += 1

    @rule()
    @precondition(lambda self: self.phase)
    def controller_dies(self) -> None:
        self.controller = False

    @rule()
    @precondition(lambda self: not self.webhook)
    def webhook_returns(self) -> None:
        self.cluster.server.webhook = True

    @rule()
    @precondition(lambda self: self.webhook)
    def webhook_dies(self) -> None:
        self.cluster.server.webhook = False

    @rule()
    @precondition(lambda self: self.cluster.epoch > 1)
    def former_leader_looks(self) -> None:
        record = self.bounds.record
        decision = decide(self.cluster.observation(epoch=self.cluster.epoch - 1))
        if record and record.epoch == self.cluster.epoch:
            assert decision.write is None
        self.carry_out(decision, self.obj, self.cluster.versions())

    # -- the native controllers and the pods

    @rule()
    @precondition(lambda self: self.phase)
    def native_sees_deployment(self) -> None:
        self.cluster.see_deployment()

    @rule()
    @precondition(lambda self: self.phase)
    def native_sees_sets(self) -> None:
        self.cluster.see_sets()

    @rule(times=st.integers(1, 3))
    @precondition(lambda self: self.phase)
    def native_syncs(self, times: int) -> None:
        for _ in range(times):
            self.cluster.sync()
            self.cluster.see_sets()

    @rule()
    @precondition(lambda self: self.phase)
    def native_syncs_on_an_old_view(self) -> None:
        self.cluster.sync()

    @rule(data=st.data())
    @precondition(lambda self: self.phase)
    def set_syncs(self, data: st.DataObject) -> None:
        if self.cluster.sets:
            self.cluster.sync_set(data.draw(st.sampled_from(sorted(self.cluster.sets))))
            self.broken_versions()

    @rule()
    @precondition(lambda self: self.phase)
    def all_settle(self) -> None:
        self.settle()

    @rule()
    @precondition(lambda self: self.phase)
    def pods_start(self) -> None:
        self.ready()

    def some_pod(self, data: st.DataObject) -> Pod | None:
        names = sorted(self.cluster.pods.all)
        return self.cluster.pods.all[data.draw(st.sampled_from(names))] if names else None

    @rule(data=st.data(), crash=st.booleans())
    @precondition(lambda self: self.phase)
    def pod_fails(self, data: st.DataObject, crash: bool) -> None:
        pod = self.some_pod(data)
        if pod:
            self.bounds.excused += 1
            (self.cluster.pods.crash if crash else self.cluster.pods.disturb)(pod, self.cluster.now)

    @rule(data=st.data())
    @precondition(lambda self: self.phase)
    def pod_is_deleted(self, data: st.DataObject) -> None:
        pod = self.some_pod(data)
        if pod:
            self.bounds.excused += 1
            del self.cluster.pods.all[pod.name]

    @rule()
    @precondition(lambda self: self.phase)
    def pods_heal(self) -> None:
        self.cluster.pods.heal()

    @rule(seconds=st.sampled_from([1.0, 10.0, 61.0, 700.0]))
    @precondition(lambda self: self.phase)
    def time_passes(self, seconds: float) -> None:
        self.cluster.now += seconds

    @rule()
    @precondition(lambda self: self.phase)
    def all_of_ours_are_dead_for_an_hour(self) -> None:
        for _ in range(3):
            self.ready()
            self.cluster.now += 1200
            self.settle()
        self.controller_restarts()

    @invariant()
    def bounds_hold(self) -> None:
        if hasattr(self, "bounds"):
            self.bounds.check()

    # -- the end

    def teardown(self) -> None:
        if not hasattr(self, "bounds"):
            return
        self.cluster.server.webhook, self.controller, self.late = True, True, None
        self.cluster.epoch += 1
        self.cluster.pods.heal()
        for pod in self.cluster.pods.all.values():
            pod.restarts = pod.flaps = pod.exit_code = 0
        if self.bounds.replicas == 0:
            self.cluster.server.scale(4)
            self.bounds.scaled(0)
        said = []
        for _ in range(150):
            if self.user.own.paused and value_at(self.obj, PATHS["paused"]):
                self.resume()
            decision = self.look()
            said.append(f"{self.phase}: {decision.reason}: {decision.message}")
            if decision.over:
                break
            self.ready()
            if decision.write is None:
                self.cluster.now += max(decision.wait, 1.0)
                self.settle()
            if decision.reason in (Reason.AWAITING_APPROVAL, Reason.HELD_FAILED):
                self.request("approve", False, 0)
            stuck = (Reason.HELD_FAILED, Reason.WAITING_FOR_PODS, Reason.NEVER_READY)
            if self.current in self.bad and decision.reason in stuck and decision.write is None:
                self.request("abort", False, 0)  # a person has to say so after an approval, or on-failure: pause
            if decision.reason is Reason.REJECTED and decision.write is None:
                assert set(self.cluster.sizes()) == {self._stable()}, "rejected, and yet new pods run"
                self.revert()
        else:
            raise AssertionError("it does not come to an end:\n" + "\n".join(said[-12:]))
        for _ in range(25):  # what escaped the gate completes by itself, window by window of the native controller
            self.ready()
            self.cluster.now += 10
            self.settle()
        active = [s for s in self.cluster.sets.values() if s.size]
        stuck = len(active) == 1 and active[0].desired != self.bounds.replicas == active[0].size
        # a bad one escaped the gate or was released by hand; a stuck one was scaled and scaled back meanwhile, which
        # the native controller takes for a scaling that never ends
        if self.current not in self.bad and not stuck:
            assert self.cluster.sizes() == {self.current: self.bounds.replicas}
        assert annotation(self.obj, keys.RECORD) is None
        assert all(not s.notes for s in self.cluster.sets.values()), "our annotations stay on a ReplicaSet"
        assert self.obj["status"].get("conditions") in (None, [])
        assert not [e for e in self.obj["metadata"]["managedFields"] if e["manager"] == keys.MANAGER]

    def _stable(self) -> str:
        record = self.bounds.record
        assert record
        return self.cluster.templates[record.stable]["spec"]["containers"][0]["image"].removeprefix("web:")


QUICK = settings(
    max_examples=120,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


class TestRollouts(Rollouts.TestCase):  # type: ignore[misc,name-defined]
    """The default run."""

    settings = QUICK


@pytest.mark.full
class TestManyRollouts(Rollouts.TestCase):  # type: ignore[misc,name-defined]
    """The long one."""

    settings = settings(QUICK, max_examples=3000, stateful_step_count=60)
