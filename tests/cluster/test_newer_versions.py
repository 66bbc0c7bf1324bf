"""Another version is declared while one is rolled out: in each phase of it, and after it was taken back.

Pods of the superseded version go first, then the newer one begins at the first step, compared with the same stable
version. So there are never three versions at work for longer than it takes to remove one.
"""

import itertools
from dataclasses import replace as changed

import pytest

from tests.cluster.ends import restored, traces
from tests.cluster.moments import PHASES, dead_in
from tests.cluster.serving import Look, looks, retreat, seconds_of_three
from tests.cluster.stage import Scenario, Stage
from tests.cluster.tools import argo, flux
from tests.cluster.workload import Workload, image
from tests.cluster.world import World

pytestmark = pytest.mark.cluster

WIDE = Workload(10, "25%", "25%", "2, 50%", "1s..60s")
NARROW = Workload(10, 1, 0, "3", "1s..60s")
"""The way back leads through windows on the stable template."""


async def came_after_it(here: World, step: int) -> None:
    """What the recorder saw of version 3 after version 2 was superseded by it."""
    history = looks(here)
    going = retreat(history, image("3"))
    three, lasted = seconds_of_three(history), going[-1].at - going[0].at
    assert three <= lasted
    if opened_against(history) != image("2"):
        together = [look for look in history if {image("2"), image("3")} <= look.wanted]
        assert together == [], "pods of the superseded version go first"
    opened = [look for look in history if look.declared == image("3") and look.phase == "Opening"]
    assert opened[0].step == 1
    assert max(look.target for look in opened if look.step == 1) == step
    assert not any(look.target for look in going[:-1])


def opened_against(history: list[Look]) -> str:
    """The version that version 3 was compared with at its first step."""
    first = next(look for look in history if look.declared == image("3") and (look.phase, look.step) == ("Holding", 1))
    (other,) = first.wanted - {image("3")}
    return other


def one_stable(history: list[Look]) -> bool:
    """Whether both rollouts were compared with the same version."""
    return len({look.stable for look in history if look.phase in ("Opening", "Holding", "Braking")}) == 1


def superseded(workload: Workload, phase: str) -> Scenario:
    """A third version, while the second one is in this phase and no controller lives for the moment."""

    async def scenario(here: World) -> None:
        await here.start_controller()
        await here.create(workload.manifest())
        await dead_in(here, phase, lambda there: there.release(workload, "2"))
        if phase == "Finishing":  # the native controller brings the second one to all pods: it is the stable one then
            await here.until("complete", lambda: here.settled() and here.pods("1") == 0)
        before = here.record["stable"]
        await here.release(workload, "3")
        assert here.deployment["spec"]["paused"] is True
        await here.start_controller()
        await here.until_promoted("3")
        await restored(here)
        await came_after_it(here, int(workload.steps.split(",")[0]))
        history = looks(here)
        assert one_stable([look for look in history if look.declared == image("3")])
        assert opened_against(history) == image("2" if phase == "Finishing" else "1")
        if phase != "Finishing":
            assert before in {look.stable for look in history if look.declared == image("3")}

    return scenario


async def superseded_half_way(here: World) -> None:
    """In the middle of the end, where all pods of the second one are wanted, by a controller that lives."""
    slow = changed(WIDE, ready_after="4s")
    await here.start_controller()
    await here.create(slow.manifest())
    await here.release(slow, "2")
    await here.until("half-way", lambda: here.phase() == "Finishing" and here.pods("2") > 5 and here.pods("1") > 0)
    stable = here.record["stable"]
    await here.release(slow, "3")
    await here.until_promoted("3")
    await restored(here)
    await came_after_it(here, 2)
    assert {look.stable for look in looks(here) if look.declared == image("3") and look.phase == "Opening"} == {stable}


async def superseded_alive(here: World) -> None:
    """A new one every few moments, whatever the controller is doing: each comes at another point of its work."""
    await here.start_controller()
    await here.create(WIDE.manifest())
    for version, pause in zip("23456", (0.4, 0.9, 1.7, 2.6, 0), strict=True):
        await here.release(WIDE, version)
        await here.silence(pause)
    await here.until_promoted("6")
    await restored(here)
    history = looks(here)
    for former, later in itertools.combinations("23456", 2):
        assert [look for look in history if {image(former), image(later)} <= look.wanted] == []
    assert seconds_of_three(history) == 0


async def test_a_superseded_version_goes_before_the_newer_one_begins(stage: Stage) -> None:
    """In the two phases that one meets most."""
    await stage.play({f"{phase}, 25%/25%": superseded(WIDE, phase) for phase in ("Opening", "Holding")})


@pytest.mark.full
async def test_a_newer_version_in_every_phase(stage: Stage) -> None:
    """The same two strategies in each: one whose new pods can be removed at once, and one that has to go back."""
    rows = [("25%/25%", WIDE, p) for p in PHASES if p != "Showing"]
    rows += [("1/0", NARROW, p) for p in PHASES if p not in ("Braking", "Opening 2")]
    scenarios = {f"{phase}, {name}": superseded(workload, phase) for name, workload, phase in rows}
    alive = {"one after another": superseded_alive, "half-way to the end": superseded_half_way}
    await stage.play(scenarios | alive)


def writes(here: World) -> int:
    """How often our controller has changed the Deployment so far."""
    return sum(entry.stored and entry.resource == "deployments" for entry in here.proxy.ledger)


async def rejected(here: World, workload: Workload = WIDE) -> None:
    """The second version has been taken back."""
    here.recorder.failing.add(image("2"))
    await here.start_controller()
    await flux(here, workload.manifest())
    await here.until("at rest", here.at_rest)
    here.born = here.deployment
    await flux(here, workload.manifest("2", "crash-loop", after="300ms", back_off="300ms"))
    await here.until_rejected()
    await here.until("told", lambda: here.condition("status") == "False")


async def the_same_again(here: World) -> None:
    """A GitOps tool goes on applying what was taken back: it stays out, and we write nothing."""
    await rejected(here)
    await here.calm(2)
    record, written = here.record, writes(here)
    for tool in (flux, flux, flux, argo):
        await tool(here, WIDE.manifest("2", "crash-loop", after="300ms", back_off="300ms"))
        await here.silence(0.5)
    await here.silence(2)
    assert (here.pods("2"), here.phase(), here.stable_alone()) == (0, "Rejected", True)
    assert here.record == record
    assert writes(here) - written <= 1, "the fields go back to the tool once at most"


async def another(here: World) -> None:
    """The verdict was about one template."""
    await rejected(here)
    before = here.record
    await flux(here, WIDE.manifest("3"))
    assert (here.record["id"] != before["id"], here.record["failed"], here.record["step"]) == (True, "", 0)
    await here.until("holding", lambda: here.holding(1))
    assert here.record["stable"] == before["stable"]
    await here.until_promoted("3")
    await restored(here)


async def stable_again(here: World) -> None:
    """The former version in Git again: over in the same write, with no controller alive."""
    await rejected(here)
    here.kill_controller()
    await flux(here, WIDE.manifest())
    assert here.record == {}
    assert [trace for trace in traces(here, replicasets=False) if trace.startswith(("annotation", "label"))] == []
    assert not here.deployment["spec"].get("paused")
    await here.until("at rest", here.at_rest)
    assert here.pods("2") == 0
    await here.start_controller()
    await restored(here)


@pytest.mark.full
async def test_what_comes_after_a_rejected_version(stage: Stage) -> None:
    """The same: held. Another one: a new rollout. The stable one: over at once."""
    await stage.play({"the same": the_same_again, "another": another, "the stable one": stable_again})
