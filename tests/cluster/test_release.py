"""Ways out of a rollout: the stable version, the opt-out, the label. Every field as its user had it, at once.

Also what must never be touched at all: writes that change no template.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from penstock.kube import objects
from tests.cluster.ends import fields, restored, spelled, traces
from tests.cluster.proxy import Cut
from tests.cluster.stage import Scenario, Stage
from tests.cluster.workload import NAME, Workload, image
from tests.cluster.world import World

pytestmark = pytest.mark.cluster

LONG = Workload(10, "25%", "25%", "2, 50%", "30s..60s")
Moment = Callable[[World, Workload], Awaitable[None]]


async def never_opened(here: World, workload: Workload) -> None:
    """Gated, and no controller has lived since."""
    here.kill_controller()
    await here.release(workload, "2")
    await here.until("gated", lambda: here.phase() == "Pending")


def dead_at(write: int, cut: Cut = Cut.UNSEEN) -> Moment:
    """The controller died at this write."""

    async def moment(here: World, workload: Workload) -> None:
        here.kill_at(write, cut)
        await here.release(workload, "2")
        await here.died()
        here.proxy.trap = None
        await here.silence(1)

    return moment


async def held(here: World, workload: Workload) -> None:
    """At the first step; the controller died there."""
    await here.release(workload, "2")
    await here.until("holding", lambda: here.holding(1))
    here.kill_controller()


async def going_back(here: World, workload: Workload) -> None:
    """In a window on the stable template, in which a retreat shows it."""
    await here.release(workload, "2")
    await here.until("holding", lambda: here.holding(1))
    await here.ask("abort")
    await here.until("shown", lambda: "penstock.dev/declared" in spelled(here.deployment["metadata"]["annotations"]))
    here.kill_controller()


async def shown_again(here: World, workload: Workload) -> None:
    """Between two such windows; after the last of them, where the native controller was done before ours was back."""
    await going_back(here, workload)
    await here.start_controller()
    await here.until("shown again", lambda: bool(here.deployment["spec"].get("paused")))
    here.kill_controller()


async def rejected(here: World, workload: Workload) -> None:
    """Taken back."""
    await here.release(workload, "2")
    await here.until("holding", lambda: here.holding(1))
    await here.ask("abort")
    await here.until_rejected()
    here.kill_controller()


def reverted(workload: Workload, moment: Moment, *, told: bool = True) -> Scenario:
    """The stable version is declared again while no controller lives.

    `told` False: it died between opening and telling. Then only the native controller's copies of our annotations on a
    ReplicaSet are left, which the next controller does not search for, and which do nothing.
    """

    async def scenario(here: World) -> None:
        await here.start_controller()
        await here.create(workload.manifest())
        await moment(here, workload)
        answer = await here.release(workload, "1")
        assert spelled(fields(answer)) == spelled(fields(here.born))
        assert "penstock.dev/rollout" not in answer["metadata"]["labels"]
        assert "penstock.dev/record" not in answer["metadata"]["annotations"]
        await here.until("stable alone", lambda: here.at_rest() and here.pods("2") == 0)
        await here.start_controller()
        await restored(here, replicasets=told)

    return scenario


def reverted_unseen(workload: Workload) -> Scenario:
    """While a retreat shows the stable template, declaring it is no change that anybody could see. The pods go back
    all the same; the release stays rejected until the stable version is declared once more."""

    async def scenario(here: World) -> None:
        await here.start_controller()
        await here.create(workload.manifest())
        await going_back(here, workload)
        await here.release(workload, "1")
        await here.until("stable alone", lambda: here.stable_alone() and here.pods("2") == 0)
        await here.start_controller()
        await here.until_rejected()
        await here.release(workload, "1")
        await here.until("stable alone", lambda: here.at_rest() and here.pods("2") == 0)
        await restored(here)

    return scenario


async def test_the_stable_version_is_accepted_at_once_with_no_controller_alive(stage: Stage) -> None:
    """The way back in an emergency depends on as little as possible: on the webhook alone (I8)."""
    windows = Workload(10, 1, 0, "3", "30s..60s")
    await stage.play(
        {
            "gated, never opened": reverted(LONG, never_opened),
            "brake and window open": reverted(LONG, dead_at(1), told=False),
            "window settled, told": reverted(LONG, dead_at(3)),
            "window closed": reverted(LONG, dead_at(4)),
            "held": reverted(LONG, held),
            "held, 1/0": reverted(windows, held),
            "between two windows, 1/0": reverted(windows, dead_at(7)),
            "1 pod, held": reverted(replace(LONG, replicas=1, steps="1"), held),
            "going back, 1/0": reverted(replace(windows, ready_after="2s"), shown_again),
            "in a window on the stable template, 1/0": reverted_unseen(windows),
            "rejected": reverted(LONG, rejected),
        }
    )


SPECS: dict[str, Workload] = {
    "defaults": replace(LONG, steps="2, 50%"),
    "numbers": Workload(10, 3, 2, "2, 50%", "30s..60s", spec={"minReadySeconds": 1, "progressDeadlineSeconds": 300}),
    "no deadline": Workload(10, "10%", 0, "1, 50%", "30s..60s", spec={"progressDeadlineSeconds": 2147483647}),
    "3 pods": Workload(3, 0, 1, "1", "30s..60s", spec={"minReadySeconds": 2, "revisionHistoryLimit": 2}),
    "1 pod": Workload(1, "25%", "25%", "1", "30s..60s"),
}


async def by_label(here: World) -> None:
    answer = await here.kubectl("label", "deployment", NAME, "penstock.dev/enabled=false")
    assert answer.code == 0, answer.err


async def by_namespace(here: World) -> None:
    patch = {"metadata": {"labels": {"penstock.dev/enabled": None}}}
    await here.client.merge(objects.namespace(here.namespace), patch)


async def by_hand(here: World) -> None:
    """The way out that needs kubectl alone."""
    patch = '{"metadata":{"labels":{"penstock.dev/rollout":null}},"spec":{"paused":false}}'
    answer = await here.kubectl("patch", "deployment", NAME, "--type=merge", "-p", patch)
    assert answer.code == 0, answer.err


def opted_out(workload: Workload, way: Callable[[World], Awaitable[None]], *, alive: bool = True) -> Scenario:
    """Released in the middle of a rollout."""

    async def scenario(here: World) -> None:
        await here.start_controller()
        await here.create(workload.manifest())
        await here.release(workload, "2")
        await here.until("holding", lambda: here.holding(1))
        if not alive:
            here.kill_controller()
        here.recorder.free.add(image("2"))
        await way(here)
        await here.until("released", lambda: not here.deployment["spec"].get("paused"), 45)
        assert spelled(fields(here.deployment)) == spelled(fields(here.born))
        await here.until("complete", lambda: here.pods("1") == 0 and here.pods("2") == workload.replicas)
        if not alive:
            await here.start_controller()
        await restored(here)

    return scenario


async def test_an_opt_out_restores_every_field_byte_for_byte(stage: Stage) -> None:
    """Break-glass must leave nothing behind that a user has to know about (I7)."""
    scenarios = {f"{name}, by label": opted_out(workload, by_label) for name, workload in SPECS.items()}
    scenarios["numbers, by hand"] = opted_out(SPECS["numbers"], by_hand)
    scenarios["numbers, by label, no controller"] = opted_out(SPECS["numbers"], by_label, alive=False)
    scenarios["3 pods, by hand, no controller"] = opted_out(SPECS["3 pods"], by_hand, alive=False)
    await stage.play(scenarios)


HARMLESS: tuple[tuple[str, ...], ...] = (
    ("annotate", "deployment", NAME, "note=1"),
    ("label", "deployment", NAME, "team=blue"),
    ("scale", "deployment", NAME, "--replicas=4"),
    ("patch", "deployment", NAME, "-p", '{"spec":{"revisionHistoryLimit":3,"minReadySeconds":1}}'),
    ("patch", "deployment", NAME, "-p", '{"spec":{"strategy":{"rollingUpdate":{"maxSurge":2}}}}'),
    ("rollout", "pause", f"deployment/{NAME}"),
    ("rollout", "resume", f"deployment/{NAME}"),
)


async def untouched(here: World) -> None:
    """Each of these writes is stored as it was sent, and starts nothing."""
    await here.create(Workload(3).manifest())
    for arguments in HARMLESS:
        answer = await here.kubectl(*arguments)
        assert (answer.code, answer.err) == (0, ""), arguments
    await here.until("of 4", lambda: here.at_rest() and here.size == 4 and not here.deployment["spec"].get("paused"))
    deployment = here.deployment
    assert traces(here) == []
    expected = fields(here.born)
    expected |= {"revisionHistoryLimit": 3, "minReadySeconds": 1}
    expected["strategy"]["rollingUpdate"]["maxSurge"] = 2
    assert spelled(fields(deployment)) == spelled(expected)
    assert deployment["metadata"]["annotations"]["note"] == "1"
    assert deployment["metadata"]["labels"] == {"app": NAME, "team": "blue"}


async def untouched_while_held(here: World) -> None:
    """What a user says of their own fields during a rollout holds at its end; what is none of ours holds at once."""
    workload = Workload(10, "25%", "25%", "2", "8s..60s")
    await here.start_controller()
    await here.create(workload.manifest())
    await here.release(workload, "2")
    await here.until("holding", lambda: here.holding(1))
    for arguments in HARMLESS[:2]:
        answer = await here.kubectl(*arguments)
        assert (answer.code, answer.err) == (0, "")
    await here.until("labelled", lambda: here.deployment["metadata"]["labels"].get("team") == "blue")
    assert here.deployment["metadata"]["annotations"]["note"] == "1"
    patch = '{"spec":{"minReadySeconds":1,"strategy":{"rollingUpdate":{"maxUnavailable":1}}}}'
    answer = await here.kubectl("patch", "deployment", NAME, "-p", patch)
    assert answer.code == 0
    await here.until_promoted("2")
    expected = fields(here.born) | {"minReadySeconds": 1}
    expected["strategy"]["rollingUpdate"]["maxUnavailable"] = 1
    assert spelled(fields(here.deployment)) == spelled(expected)


async def test_a_write_that_changes_no_template_is_never_touched(stage: Stage) -> None:
    """Most writes are none of our business (I9)."""
    await stage.play({"at rest": untouched, "during a hold": untouched_while_held})
