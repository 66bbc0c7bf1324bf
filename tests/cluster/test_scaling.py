"""The number of replicas changes while a rollout runs, in every phase, as an autoscaler changes it: without asking.

The native controller scales both versions in proportion. The share stays, rounded by one pod at most; what rounding
or a way through zero brings beyond that is taken back.
"""

from collections.abc import Awaitable, Callable

import pytest

from penstock.kube import Conflict
from tests.cluster.ends import restored
from tests.cluster.stage import Scenario, Stage
from tests.cluster.workload import NAME, Workload
from tests.cluster.world import World

pytestmark = pytest.mark.cluster

Moment = Callable[[World], Awaitable[None]]

STEPS = "20%, 50%"
SLOW = "4s..60s"


async def at_rest(here: World) -> None:
    """Before anything begins."""


def in_phase(phase: str, step: int = 1) -> Moment:
    """The record has just come to this phase."""

    async def moment(here: World) -> None:
        def come() -> bool:
            grant = here.grant
            return grant is not None and (grant.phase, grant.step) >= (phase, step) and grant.phase == phase

        await here.until(f"{phase} {step}", come)

    return moment


async def held(here: World) -> None:
    """The first step is complete and is being judged."""
    await here.until("holding", lambda: here.holding(1))


GOOD: dict[str, Moment] = {
    "Pending": in_phase("Pending", 0),
    "Opening": in_phase("Opening"),
    "Holding": held,
    "Braking": in_phase("Braking", 2),
    "Opening 2": in_phase("Opening", 2),
    "Finishing": in_phase("Finishing", 1),
}
BAD: dict[str, Moment] = {"Retreating": in_phase("Retreating", 0), "Rejected": in_phase("Rejected", 0)}


Resize = Callable[[World, int], Awaitable[None]]


async def by_the_api(here: World, size: int) -> None:
    """As an autoscaler does."""
    await here.scale(size)


async def scale(here: World, *sizes: int, resize: Resize = by_the_api) -> None:
    """To each size; from zero only after the controller has seen it, as long as that takes."""
    for size in sizes:
        await resize(here, size)
        await here.until_size(size)
        if size == 0:
            await here.until("empty", lambda: empty(here))


def empty(here: World) -> bool:
    """No pods, and no ReplicaSet that a step still holds back: the native controller would fill it first."""
    grant = here.grant
    held = grant is not None and not grant.ends and bool(here.state.of_version(grant.declared))
    return here.state.total == 0 and not here.state.pods and not held


def scaled(
    moment: Moment,
    sizes: tuple[int, ...],
    *,
    good: bool = True,
    surge: int | str = "25%",
    resize: Resize = by_the_api,
    step_time: str = SLOW,
) -> Scenario:
    """A rollout from `sizes[0]` replicas, scaled to the others at `moment`."""

    async def scenario(here: World) -> None:
        workload = Workload(sizes[0], surge, "25%" if surge != 1 else 0, STEPS, step_time)
        await here.start_controller()
        await here.create(workload.manifest())
        if good:
            await here.release(workload, "2")
        else:
            here.recorder.failing.add("app:2")
            await here.release(workload, "2", "crash-loop", after="300ms", back_off="300ms")
        await moment(here)
        await scale(here, *sizes[1:], resize=resize)
        if good:
            await here.until_promoted("2")
            await restored(here)
        else:
            await here.until_rejected()
            assert here.pods("2") == 0
        assert here.state.total == sizes[-1]

    return scenario


def table(sizes: tuple[int, ...], surge: int | str = "25%") -> dict[str, Scenario]:
    """One change of size in every phase that there is at the first size: one pod has one step."""
    good = {phase: m for phase, m in GOOD.items() if sizes[0] > 2 or phase not in ("Braking", "Opening 2")}
    name = f"{' → '.join(map(str, sizes))}, surge {surge}, while"
    found = {f"{name} {phase}": scaled(moment, sizes, surge=surge) for phase, moment in good.items()}
    return found | {f"{name} {phase}": scaled(m, sizes, good=False, surge=surge) for phase, m in BAD.items()}


@pytest.mark.full
async def test_scaling_to_zero_and_back_does_not_promote_the_new_version(stage: Stage) -> None:
    """From zero the native controller fills the newest ReplicaSet; it must not be there any more."""
    await stage.play(table((10, 0, 10)), width=12)


@pytest.mark.full
async def test_scaling_from_one_to_ten_keeps_the_steps(stage: Stage) -> None:
    """One new pod of one may become six of ten; that is taken back, and the step opened anew."""
    await stage.play(table((1, 10)), width=12)


@pytest.mark.full
async def test_scaling_from_ten_to_one_keeps_the_steps(stage: Stage) -> None:
    """Rounding may leave nothing of the old version; the stable one comes back."""
    await stage.play(table((10, 1)), width=12)


def scaled_alone(moment: Moment, sizes: tuple[int, ...], most: int) -> Scenario:
    """The same while no controller lives: the share stays; a new controller goes on from there."""

    async def scenario(here: World) -> None:
        workload = Workload(sizes[0], "25%", "25%", STEPS, SLOW)
        await here.start_controller()
        await here.create(workload.manifest())
        await here.release(workload, "2")
        await moment(here)
        here.kill_controller()
        for size in sizes[1:]:
            await here.scale(size)
            await here.until_size(size)
            await here.until("scaled", lambda: here.settled())
            await here.silence(2)
        assert here.pods("2") <= most
        await here.start_controller()
        await here.until_promoted("2")
        await restored(here)

    return scenario


@pytest.mark.full
async def test_scaling_without_a_controller_keeps_the_share(stage: Stage) -> None:
    """In a hold and in a window that nobody closes: clamps in percent follow the number of replicas."""
    cases = {(10, 20): 5, (10, 5): 2, (10, 20, 5): 2, (10, 15, 30): 8, (4, 8): 3}
    moments = {"Holding": held, "Opening": in_phase("Opening")}
    await stage.play(
        {
            f"{' → '.join(map(str, sizes))}, dead in {name}": scaled_alone(moment, sizes, most)
            for sizes, most in cases.items()
            for name, moment in moments.items()
        },
        width=10,
    )


async def test_the_replicas_may_change_during_a_release(stage: Stage) -> None:
    """One change of each kind, and one that nobody sees; every phase is part of the full run."""
    await stage.play(
        {
            "10 → 0 → 10 in a hold": scaled(held, (10, 0, 10)),
            "1 → 10 in a hold": scaled(held, (1, 10)),
            "10 → 1 in a window": scaled(in_phase("Opening"), (10, 1)),
            "10 → 20 in a hold, dead": scaled_alone(held, (10, 20), 5),
        }
    )


async def through_zero(here: World) -> None:
    """To 0 and back as soon as no ReplicaSet has pods, without waiting for the controller: where it could not delete
    the new one in time it is filled first, and that is taken back."""
    workload = Workload(10, "25%", "25%", STEPS, SLOW)
    await here.start_controller()
    await here.create(workload.manifest())
    await here.release(workload, "2")
    await held(here)
    await here.scale(0)
    await here.until("empty", lambda: here.state.total == 0)
    await here.scale(10)
    await here.until_size(10)
    await here.until("in its step again", lambda: here.holding(1) and here.pods("1") >= 8)
    await here.until_promoted("2")
    await restored(here)


async def through_zero_alone(here: World) -> None:
    """The same while no controller lives: all pods are new until one does, and it takes them back."""
    workload = Workload(10, "25%", "25%", STEPS, SLOW)
    await here.start_controller()
    await here.create(workload.manifest())
    await here.release(workload, "2")
    await held(here)
    here.kill_controller()
    await here.scale(0)
    await here.until("empty", lambda: here.state.total == 0)
    await here.scale(10)
    await here.until("filled", lambda: here.pods("2") == 10)
    await here.start_controller()
    await here.until("taken back", lambda: here.pods("2") == 0 and here.pods("1") == 10)
    await here.until("in its step again", lambda: here.holding(1))
    await here.until_promoted("2")
    await restored(here)


async def grown_alone(here: World) -> None:
    """Three times as many in a window that nobody closes, by a user who writes numbers: the clamp is a percentage, so
    the share stays at the price of pods beside; the next controller brings these back."""
    workload = Workload(10, 2, 0, STEPS, SLOW)
    await here.start_controller()
    await here.create(workload.manifest())
    await here.release(workload, "2")
    await in_phase("Opening")(here)
    here.kill_controller()
    await here.scale(30)
    await here.until_size(30)
    await here.until("scaled", lambda: here.settled())
    assert 2 <= here.pods("2") <= 7
    await here.start_controller()
    await here.until("within its limit", lambda: here.state.total <= 32)
    await here.until_promoted("2")
    await restored(here)


@pytest.mark.full
async def test_what_nobody_can_prevent_is_taken_back(stage: Stage) -> None:
    """The exceptions that docs/guide/scaling-and-nodes.md names, and no others."""
    await stage.play(
        {
            "through zero at once": through_zero,
            "through zero, dead": through_zero_alone,
            "grown in a window, dead, surge in numbers": grown_alone,
        }
    )


def by_kubectl(moment: Moment, sizes: tuple[int, ...], *, good: bool = True) -> Scenario:
    """`kubectl scale`, one after the other."""

    async def resize(here: World, size: int) -> None:
        output = await here.kubectl("scale", f"deployment/{NAME}", f"--replicas={size}")
        assert output.code == 0, output.err

    return scaled(moment, sizes, good=good, resize=resize)


async def autoscaled(here: World, size: int) -> None:
    """A HorizontalPodAutoscaler whose bounds leave one number only. It needs no metrics for that, and comes by every
    15 s."""
    bounds = {"minReplicas": size, "maxReplicas": size}
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": NAME}
    path = f"/apis/autoscaling/v2/namespaces/{here.namespace}/horizontalpodautoscalers"
    body = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": NAME},
        "spec": {"scaleTargetRef": target, **bounds},
    }
    try:
        await here.client.post(path, body)
    except Conflict:
        await here.client.merge(f"{path}/{NAME}", {"spec": bounds})


@pytest.mark.full
async def test_kubectl_scale_keeps_the_share_in_every_phase(stage: Stage) -> None:
    """Three times as many, a fifth, one, and none."""
    await stage.play(
        {
            f"kubectl scale {' → '.join(map(str, sizes))} while {phase}": by_kubectl(moment, sizes, good=phase in GOOD)
            for sizes in ((10, 30), (10, 2), (10, 1, 10), (10, 0, 10))
            for phase, moment in (GOOD | BAD).items()
        },
        width=12,
    )


@pytest.mark.full
async def test_an_autoscaler_keeps_the_share_in_every_phase(stage: Stage) -> None:
    """A real one; nobody asked it to wait for a release."""
    await stage.play(
        {
            f"autoscaled {' → '.join(map(str, sizes))} while {phase}": scaled(
                moment, sizes, good=phase in GOOD, resize=autoscaled, step_time="25s..60s"
            )
            for sizes in ((10, 15, 6), (4, 12), (15, 3))
            for phase, moment in (GOOD | BAD).items()
        },
        width=12,
    )


@pytest.mark.full
@pytest.mark.parametrize("surge", ["25%", 1, "100%"])
async def test_scaling_up_and_down_in_every_phase_of_every_strategy(stage: Stage, surge: int | str) -> None:
    """Pairs of sizes whose proportions round in both directions."""
    for sizes in ((10, 20), (10, 5), (4, 6), (20, 3), (3, 2), (10, 30, 5), (2, 10), (10, 0, 3)):
        await stage.play(table(sizes, surge=surge), width=12)
