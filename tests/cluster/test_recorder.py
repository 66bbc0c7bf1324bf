"""The recorder's judgement on histories made by hand: each invariant broken once, and what must not be called so.

A recorder that never complains would make every other test on the cluster worthless.
"""

from dataclasses import replace

import pytest

from tests.cluster.judge import Excuses, Judge
from tests.cluster.reading import Deployment, Grant, Limits, Pod, ReplicaSet
from tests.cluster.recorder import Report, _lines
from tests.cluster.state import Event

OLD, NEW = "old-hash", "new-hash"
QUARTER = Limits("25%", "25%")


class Story:
    """A history under construction: a Deployment of ten at rest, then what happens to it."""

    def __init__(self, replicas: int = 10, limits: Limits = QUARTER, steps: str = "1, 50%") -> None:
        self.events: list[Event] = []
        self.clock = 0.0
        self.deployment = Deployment(
            "uid", "web", 1, 1, replicas, False, OLD, "app:1", limits, (steps, "2s..10s"), None, ""
        )
        self.sets = {
            OLD: ReplicaSet("old", "web-old", "uid", OLD, "app:1", 1, 1, 0, 0, 0),
            NEW: ReplicaSet("new", "web-new", "uid", NEW, "app:2", 1, 1, 0, 0, 0),
        }
        self.living: dict[str, list[Pod]] = {OLD: [], NEW: []}
        self._add(self.deployment)
        self.size(OLD, replicas)
        self.pods(OLD, replicas)

    def _add(self, thing: Deployment | ReplicaSet | Pod, kind: str = "MODIFIED", version: int | None = None) -> None:
        self.events.append(Event(version or 100 + len(self.events), self.clock, kind, thing))

    def wait(self, seconds: float) -> "Story":
        self.clock += seconds
        return self

    def write(self, **changes: object) -> "Story":
        """A write to the Deployment that the native controller has seen at once, unless `observed` says otherwise."""
        generation = self.deployment.generation + 1
        defaults = {"generation": generation, "observed": generation}
        self.deployment = replace(self.deployment, **{**defaults, **changes})  # type: ignore[arg-type]  # a test's
        self._add(self.deployment)
        return self

    def release(self, target: int = 0, phase: str = "Pending", step: int = 0) -> "Story":
        """The new version is declared, with a record that allows `target` pods."""
        grant = Grant(NEW, OLD, phase, step, target, self.deployment.replicas)
        return self.write(version=NEW, image="app:2", grant=grant)

    def size(self, version: str, replicas: int) -> "Story":
        old = self.sets[version]
        generation = old.generation + 1
        self.sets[version] = replace(old, replicas=replicas, generation=generation, observed=generation)
        self._add(self.sets[version])
        return self

    def pods(self, version: str, count: int, *, ready: bool = True) -> "Story":
        """Pods come (one event each), or the last ones go."""
        living = self.living[version]
        while len(living) < count:
            name = f"{version}-{len(self.events)}"
            pod = Pod(name, name, self.sets[version].uid, ready=False, deleting=False)
            self._add(pod, "ADDED")
            living.append(replace(pod, ready=ready))
            if ready:
                self._add(living[-1])
        while len(living) > count:
            self._add(living.pop(), "DELETED")
        return self

    def judged(self, **excuses: frozenset[str]) -> list[str]:
        judge = Judge(Excuses(**excuses)).play(self.events)
        return [f"{v.invariant}: {v.message}" for v in judge.violations]


def stepped(story: Story, target: int, step: int) -> Story:
    """One step the right way: window, pods, hold."""
    story.release(target, "Opening", step)
    old = min(story.sets[OLD].replicas, story.deployment.limits.most(story.deployment.replicas) - target)
    story.size(OLD, old).pods(OLD, old)
    story.size(NEW, target).pods(NEW, target)
    return story.release(target, "Holding", step)


def test_a_rollout_that_keeps_to_its_steps_breaks_nothing() -> None:
    """The base of all other cases: the judge must be silent about good behaviour, to the very end."""
    story = Story()
    stepped(story.release(), 1, 1).wait(2)
    stepped(story, 5, 2).wait(2)
    story.release(5, "Finishing", 2).size(OLD, 3).pods(OLD, 3).size(NEW, 10).pods(NEW, 10)
    story.size(OLD, 0).pods(OLD, 0).write(grant=None)
    assert story.judged() == []


def test_more_pods_than_the_record_allows_break_i2() -> None:
    """The heart of the matter: one pod too many, for one event."""
    story = Story().release(1, "Opening", 1).size(NEW, 2).size(NEW, 1)
    assert story.judged() == [
        "I2: 2 pods of app:2 by spec, the record allows 1",
        "I2: 2 pods of app:2 by spec, step 1 of [1, 5, 10] allows 1",
    ]


def test_a_record_that_allows_too_much_does_not_excuse_it() -> None:
    """The record is Penstock's own word; the user's annotations are the contract."""
    story = Story().release(3, "Opening", 1).size(NEW, 3)
    assert story.judged() == ["I2: 3 pods of app:2 by spec, step 1 of [1, 5, 10] allows 1"]


def test_a_version_let_in_without_a_record_breaks_i2() -> None:
    """An un-gated change goes to all pods at once; the record is silent then, the annotations are not."""
    story = Story().write(version=NEW, image="app:2").size(NEW, 3)
    assert story.judged() == ["I2: 3 pods of app:2 by spec, step 1 of [1, 5, 10] allows 1"]
    assert story.judged(free=frozenset({"app:2"})) == []


def test_a_step_left_early_breaks_i5() -> None:
    """A step that grows before its pods were Ready for the shortest stay was not judged."""
    early = stepped(stepped(Story().release(), 1, 1).wait(0.5), 5, 2)
    assert early.judged() == ["I5: step 1 of [1, 5, 10] was left after 0.5 s; it lasts 2s..10s"]


def test_the_last_step_is_left_by_the_write_that_finishes() -> None:
    """Whatever the native controller then does, the decision was made there; it needs every step, and its time."""
    early = stepped(stepped(Story().release(), 1, 1).wait(2), 5, 2).wait(0.5).release(5, "Finishing", 2)
    assert early.judged() == ["I5: step 2 of [1, 5, 10] was left after 0.5 s; it lasts 2s..10s"]
    skipped = stepped(Story().release(), 1, 1).wait(2).release(1, "Finishing", 1)
    assert skipped.judged() == ["I5: finished at step 1 of [1, 5, 10]"]


def test_a_step_left_while_its_pods_are_not_ready_breaks_i5() -> None:
    """Time alone passes no step."""
    story = Story().release(1, "Opening", 1).size(NEW, 1).pods(NEW, 1, ready=False).wait(60)
    story.release(5, "Opening", 2).size(OLD, 8).size(NEW, 5)
    assert story.judged() == ["I5: step 1 of [1, 5, 10] was left without all of its pods being Ready; it lasts 2s..10s"]


def opened(gap: float, *, delay: float = 0.0) -> Story:
    """A pod falls `gap` seconds before the write that un-pauses the second step's window, which is acted on later."""
    story = stepped(Story().release().write(paused=True), 1, 1).wait(2)
    pod = story.living[NEW][0]
    story._add(replace(pod, ready=False))
    story.wait(gap).release(5, "Opening", 2).write(paused=False).wait(delay)
    return story.size(OLD, 8).pods(OLD, 8).size(NEW, 5)


def test_a_window_is_judged_by_the_write_that_opened_it() -> None:
    """Between the look and the write a pod may fall unseen; how long the native controller then takes is not ours."""
    fallen = "I5: step 1 of [1, 5, 10] was left without all of its pods being Ready; it lasts 2s..10s"
    assert opened(0.5, delay=9).judged() == []
    assert opened(3).judged() == [fallen]
    late = stepped(Story().release().write(paused=True), 1, 1).wait(0.5).release(5, "Opening", 2).write(paused=False)
    late.wait(9).size(OLD, 8).pods(OLD, 8).size(NEW, 5)
    assert late.judged() == ["I5: step 1 of [1, 5, 10] was left after 0.5 s; it lasts 2s..10s"]


def test_a_stay_counts_from_when_the_pods_became_ready_not_from_when_that_was_heard() -> None:
    """A busy machine hears late of everything; a stay must look neither shorter nor longer for it."""
    story = Story().release(1, "Opening", 1).size(NEW, 1).pods(NEW, 1, ready=False).wait(3)
    late = replace(story.living[NEW][0], ready=True, since=story.clock - 1.5)
    story.living[NEW] = [late]
    story._add(late)
    story.release(1, "Holding", 1).wait(0.3)
    stepped(story, 5, 2)
    assert story.judged() == ["I5: step 1 of [1, 5, 10] was left after 1.8 s; it lasts 2s..10s"]
    story.events = [replace(e, object=replace(late, since=1.3)) if e.object == late else e for e in story.events]
    assert story.judged() == []


def test_a_pod_that_no_replicaset_wants_breaks_i2() -> None:
    """Pods are what users get; the ReplicaSet's spec is only what was meant."""
    story = Story().release(1, "Opening", 1).size(NEW, 1).pods(NEW, 2)
    assert story.judged() == ["I2: 2 pods of app:2 exist, its ReplicaSets want 1"]


def test_more_pods_in_all_than_maxsurge_allows_break_i3() -> None:
    """Room on the nodes is the user's to give."""
    story = Story(limits=Limits(1, 0)).release(1, "Opening", 1).size(NEW, 1)
    assert story.judged() == []
    assert story.size(OLD, 11).judged() == ["I3: 12 pods in all by spec, 11 are allowed"]


def test_fewer_ready_pods_than_maxunavailable_allows_break_i1() -> None:
    """Capacity; said once per depth, not at each event that follows."""
    story = Story().pods(OLD, 8)
    assert story.judged() == []
    assert story.pods(OLD, 7).write().judged() == ["I1: 7 pods are Ready, 8 must be"]


def test_both_limits_at_zero_mean_one_unavailable() -> None:
    """As in the native controller: 1 % of ten rounds down to none."""
    assert Story(limits=Limits(0, "1%")).pods(OLD, 9).judged() == []
    assert Story(limits=Limits(0, "1%")).pods(OLD, 8).judged() == ["I1: 8 pods are Ready, 9 must be"]


def test_a_pod_that_the_test_itself_deletes_is_excused_until_it_is_replaced() -> None:
    """I1 speaks of pods that do not fail by themselves; but one that fails next to it still counts."""
    story = Story(limits=Limits(1, 0))
    victim = story.living[OLD][-1].name
    story.pods(OLD, 9)
    assert story.judged() == ["I1: 9 pods are Ready, 10 must be"]
    assert story.judged(pods=frozenset({victim})) == []
    story.pods(OLD, 10, ready=False)
    assert story.judged(pods=frozenset({victim})) == []
    story.living[OLD].reverse()
    story.pods(OLD, 9)
    assert story.judged(pods=frozenset({victim})) == ["I1: 9 pods are Ready, 10 must be"]


def test_a_pod_that_is_taken_while_its_replicaset_shrinks_is_excused() -> None:
    """The ReplicaSet controller removes another one before it has seen that; the user's limit is not to blame."""
    story = Story(limits=Limits(0, 1))
    victim = story.living[OLD][-1].name
    story.size(OLD, 9).pods(OLD, 9).pods(OLD, 8)
    assert story.judged() == ["I1: 8 pods are Ready, 9 must be"]
    assert story.judged(pods=frozenset({victim})) == []
    story.pods(OLD, 7)
    assert story.judged(pods=frozenset({victim})) == ["I1: 8 pods are Ready, 9 must be"]


def test_a_fallen_pod_that_is_removed_leaves_its_excuse_to_one_that_was_never_ready() -> None:
    """A shrinking ReplicaSet prefers pods that are not Ready; had the test left it alone, the other one had gone."""
    story = Story(limits=Limits(0, 1))
    story.pods(OLD, 9).size(OLD, 9).size(OLD, 10).pods(OLD, 10, ready=False)
    unborn = story.living[OLD].pop()
    story.living[OLD][-1] = fallen = replace(story.living[OLD][-1], ready=False)
    story._add(fallen)
    story.size(OLD, 9).pods(OLD, 8)
    story.living[OLD].append(unborn)
    assert story.judged(pods=frozenset({fallen.name})) == []
    assert story.judged() == ["I1: 8 pods are Ready, 9 must be"]
    story.living[OLD].reverse()
    story.pods(OLD, 8)
    assert story.judged(pods=frozenset({fallen.name})) == ["I1: 8 pods are Ready, 9 must be"]


def test_a_new_pod_that_was_never_ready_serves_nobody() -> None:
    """Pods of a failing version are excused only after they have once been Ready."""
    story = Story(limits=Limits(1, 0)).release(1, "Opening", 1).size(NEW, 1).pods(NEW, 1, ready=False)
    story.size(OLD, 9).pods(OLD, 9)
    assert story.judged(failing=frozenset({"app:2"})) == ["I1: 9 pods are Ready, 10 must be"]


def test_a_scaling_event_keeps_the_share_to_one_pod() -> None:
    """4 of 10 may become 9 of 20 by rounding, not 10; the steps start anew after that."""
    story = Story(steps="4").release(4, "Opening", 1).size(OLD, 9).size(NEW, 4).pods(NEW, 4).write(replicas=20)
    assert story.size(NEW, 9).judged() == []
    assert story.size(NEW, 10).judged() == ["I2: 10 pods of app:2 by spec, the record allows 9"]


def test_one_of_one_is_most_of_ten_until_it_is_taken_back() -> None:
    """The record still says one of ten: no controller has come to the single replica in between."""
    story = Story().release(1, "Opening", 1).size(NEW, 1).pods(NEW, 1).write(replicas=1).size(OLD, 1).pods(OLD, 1)
    story.write(replicas=10, observed=2).size(NEW, 6)
    assert story.judged() == []
    story.write(generation=4, observed=4)
    assert story.size(NEW, 7).judged() == ["I2: 7 pods of app:2 by spec, the record allows 1"]


def through_zero(held: bool) -> Story:
    """Ten replicas with one pod of the new version, then none, then ten again."""
    story = Story().release(1, "Opening", 1).size(NEW, 1).write(replicas=0).size(OLD, 0).size(NEW, 0)
    story.pods(OLD, 0)
    if not held:
        story._add(story.sets[NEW], "DELETED")
    return story.write(replicas=10).size(NEW, 10)


def test_the_way_through_zero_is_excused_only_while_the_new_replicaset_was_there() -> None:
    """Then nothing could prevent it, until it is taken back; a controller in time deletes it first."""
    found = "I2: 10 pods of app:2 by spec, the record allows 1"
    assert through_zero(held=True).judged() == []
    assert found in through_zero(held=False).judged()
    again = through_zero(held=True).size(NEW, 0).size(OLD, 10).pods(OLD, 10).release(0, "Retreating")
    assert "I2: 2 pods of app:2 by spec, the record allows 1" in again.release(1, "Opening", 1).size(NEW, 2).judged()


@pytest.mark.parametrize(("replicas", "broken"), [(20, []), (10, ["I3: 12 pods in all by spec, 11 are allowed"])])
def test_a_percentage_in_an_open_window_may_pass_a_number_only_when_replicas_grow(
    replicas: int, broken: list[str]
) -> None:
    """20 % was two of ten; the user's own limit is the number 1 and speaks of any size."""
    story = Story(limits=Limits(1, 0)).release(2, "Opening", 1).size(NEW, 1).write(replicas=replicas, surge="20%")
    story.size(OLD, replicas).size(OLD, replicas + (3 if replicas > 10 else 1))
    assert story.judged() == broken


def test_a_retreat_from_the_end_may_grow_by_one_pod() -> None:
    """All pods were approved there, and a pause fills up what has just fallen; more is a step forward."""
    story = stepped(Story().release(), 1, 1).wait(2)
    stepped(story, 5, 2).wait(2)
    story.release(5, "Finishing", 2).size(OLD, 5).pods(OLD, 5).size(NEW, 8).pods(NEW, 8).size(OLD, 3).pods(OLD, 3)
    story.release(5, "Retreating").size(NEW, 7).pods(NEW, 7).size(OLD, 4).pods(OLD, 4).size(NEW, 8).size(NEW, 9)
    assert story.judged() == []
    found = story.size(OLD, 3).size(NEW, 10).judged()
    assert found == ["I2: 10 pods of app:2 by spec, the record allows 9"]


def test_pods_of_a_deployment_that_had_the_name_before_are_not_this_ones() -> None:
    """They are still being removed when the new one has all of its own."""
    story = Story()
    story._add(story.deployment, "DELETED")
    story.deployment = replace(story.deployment, uid="other")
    story._add(story.deployment)
    story.sets[OLD] = ReplicaSet("own", "web-old", "other", OLD, "app:1", 1, 1, 0, 0, 0)
    story.living[OLD] = []
    assert story.size(OLD, 10).pods(OLD, 10).judged() == []
    assert story.size(OLD, 14).judged() == ["I3: 14 pods in all by spec, 13 are allowed"]


@pytest.mark.parametrize(("observed", "broken"), [(2, []), (3, ["I3: 13 pods in all by spec, 7 are allowed"])])
def test_a_bound_that_falls_waits_for_the_native_controller(observed: int, broken: list[str]) -> None:
    """Until it has seen a smaller number of replicas it may still work for the larger one, not longer."""
    story = Story().write().write(replicas=5, observed=observed)
    assert story.size(OLD, 13).judged() == broken


def test_a_rise_of_the_replicas_asks_for_new_pods_only_when_they_have_come() -> None:
    """Right after a scale-up the floor cannot be met; once met it holds."""
    story = Story(replicas=5).write(replicas=10).size(OLD, 10).pods(OLD, 6)
    assert story.judged() == []
    assert story.pods(OLD, 10).pods(OLD, 7).judged() == ["I1: 7 pods are Ready, 8 must be"]


def test_events_are_judged_in_the_order_of_the_store() -> None:
    """A ReplicaSet's event may be heard before the write to the Deployment that caused it."""
    story = Story().release()
    cause, effect = story.release(1, "Opening", 1).events.pop(), story.size(NEW, 1).events.pop()
    story.events += [replace(effect, version=901), replace(cause, version=900)]
    story.events.sort(key=lambda event: event.version)
    assert story.judged() == []


def test_a_report_shows_what_happened_around_a_violation() -> None:
    """Whoever reads it must see the cause without a debugger."""
    story = Story(replicas=2, steps="1").release(1, "Opening", 1).size(NEW, 2)
    judge = Judge().play(story.events)
    text = str(Report("shop", tuple(judge.violations), judge.extremes, tuple(_lines(story.events, judge.lines))))
    first, *_, cause, broken = text.split("\nshop: I2", 1)[0].splitlines()
    assert first == "shop: I2 broken: 2 pods of app:2 by spec, the record allows 1"
    assert "Deployment MODIFIED app:1 2/2/2 of 2 | app:2 running  | Opening 1, 1 of 2" in cause
    assert broken.startswith("  > ")
    assert "app:1 2/2/2 + app:2 2/0/0 of 2" in broken
