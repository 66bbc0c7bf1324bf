"""Versions that fail, in each way that pods show it, and how they are taken back.

The end is the same whatever the strategy: the declared version stays in the spec, held, and only pods of the stable
one run. What comes next, the stable version, another one, or another try, starts from there.
"""

import pytest

from tests.cluster.ends import restored
from tests.cluster.stage import Scenario, Stage
from tests.cluster.workload import NAME, Workload
from tests.cluster.world import World

pytestmark = pytest.mark.cluster

FAULTS: dict[str, dict[str, str]] = {
    "crash-loop": {"after": "300ms", "back_off": "300ms"},
    "crash-after": {"after": "1s", "back_off": "300ms"},
    "oom": {"after": "1s", "back_off": "300ms"},
    "image-pull-failure": {},
    "flap": {"after": "500ms", "unready_for": "500ms"},
    "never-ready": {},
}
REASONS = {
    "crash-loop": ("CrashLoop", "Crashed"),
    "crash-after": ("CrashLoop", "Crashed"),
    "oom": ("OutOfMemory",),
    "image-pull-failure": ("ImagePull",),
    "flap": ("Unready",),
    "never-ready": ("NeverReady",),
}


def taken_back(workload: Workload, fault: str) -> Scenario:
    """A release that fails, its end, and what is declared after it."""

    async def scenario(here: World) -> None:
        here.recorder.failing.add("app:2")
        await here.start_controller()
        await here.create(workload.manifest())
        await here.release(workload, "2", fault, **FAULTS[fault])
        await here.until_rejected()
        assert here.pods("2") == 0
        assert here.deployment["spec"]["paused"] is True
        await here.until("told", lambda: here.condition("status") == "False")
        note = here.record["note"]
        assert note in REASONS[fault]
        await here.silence(2)
        assert (here.pods("2"), here.stable_alone()) == (0, True)
        await here.release(workload, "1")
        await here.until_promoted("1")
        await restored(here)

    return scenario


WORKLOADS = {
    "10 pods": Workload(10, "25%", "25%", "2, 50%", "4s..60s"),
    "4 pods, 1/0": Workload(4, 1, 0, "2, 3", "4s..60s"),
    "3 pods, 0/1": Workload(3, 0, 1, "2", "4s..60s"),
    "1 pod": Workload(1, "25%", "25%", "1", "4s..60s"),
    "4 pods, 100%/0": Workload(4, "100%", 0, "2, 100%", "4s..60s"),
}
QUICK = {"progressDeadlineSeconds": 3}


def workload_for(fault: str, workload: Workload) -> Workload:
    """A pod that never becomes Ready is given up after the user's own progress deadline."""
    if fault != "never-ready":
        return workload
    return Workload(
        workload.replicas, workload.surge, workload.unavailable, workload.steps, workload.step_time, spec=QUICK
    )


@pytest.mark.full
async def test_a_version_that_fails_is_taken_back_and_stays_out(stage: Stage) -> None:
    """Each fault once, and each strategy at least once."""
    pairs = zip(FAULTS, [*WORKLOADS, "4 pods, 1/0"], strict=True)
    await stage.play({f"{f}, {name}": taken_back(workload_for(f, WORKLOADS[name]), f) for f, name in pairs})


@pytest.mark.full
async def test_every_fault_under_every_strategy(stage: Stage) -> None:
    """How far it came and how it goes back differs in each."""
    await stage.play(
        {f"{f}, {name}": taken_back(workload_for(f, w), f) for f in FAULTS for name, w in WORKLOADS.items()}
    )


def crashing_late(workload: Workload, step: int) -> Scenario:
    """Pods that crash only when a later step has been reached."""

    async def scenario(here: World) -> None:
        await here.start_controller()
        await here.create(workload.manifest())
        await here.release(workload, "2")
        await here.until(f"holding {step}", lambda: here.holding(step))
        await here.afflict("2", "crash-after", after="0s", back_off="300ms")
        await here.until_rejected()
        assert here.pods("2") == 0

    return scenario


def aborted(workload: Workload, step: int) -> Scenario:
    """Healthy pods, taken back because a person says so: their capacity must be there before they go."""

    async def scenario(here: World) -> None:
        await here.start_controller()
        await here.create(workload.manifest())
        await here.release(workload, "2")
        await here.until(f"holding {step}", lambda: here.holding(step))
        await here.ask("abort")
        await here.until_rejected()
        assert here.pods("2") == 0
        await here.ask("retry")
        await here.until(f"holding {step}", lambda: here.holding(step))
        await here.release(workload, "1")
        await here.until_promoted("1")
        await restored(here)

    return scenario


LAST = {"penstock.dev/approve": "last"}
"""The last step is held until the test is done with it, on a slow machine too."""

LATE: dict[str, tuple[Workload, int]] = {
    "10 pods, 80%": (Workload(10, "25%", "25%", "40%, 80%", "1s..60s", LAST), 2),
    "10 pods, 1/0, 3 pods": (Workload(10, 1, 0, "3", "1s..60s", LAST), 1),
    "6 pods, 0/1, 3 pods": (Workload(6, 0, 1, "3", "1s..60s", LAST), 1),
    "20 pods, 95%": (Workload(20, "25%", "25%", "50%, 95%", "1s..60s", LAST), 2),
    "4 pods, 100%/0, all": (Workload(4, "100%", 0, "2, 100%", "1s..60s", LAST), 2),
    "10 pods, 10%/10%, 5 pods": (Workload(10, "10%", "10%", "2, 5", "1s..60s", LAST), 2),
    "1 pod": (Workload(1, "25%", "25%", "1", "1s..60s", LAST), 1),
}


async def test_a_version_that_fails_is_taken_back(stage: Stage) -> None:
    """Early, late, and because a person says so; every fault, strategy and step is part of the full run."""
    early = {"crash-loop": "10 pods", "image-pull-failure": "4 pods, 1/0", "flap": "3 pods, 0/1"}
    late = {"crashing": (crashing_late, "10 pods, 1/0, 3 pods"), "aborted": (aborted, "6 pods, 0/1, 3 pods")}
    await stage.play(
        {f"{fault}, {name}": taken_back(WORKLOADS[name], fault) for fault, name in early.items()}
        | {f"{name}, {what}": make(*LATE[name]) for what, (make, name) in late.items()}
    )


@pytest.mark.full
async def test_a_version_that_crashes_late_is_taken_back(stage: Stage) -> None:
    """With most pods new the way back takes several windows on the stable template."""
    await stage.play({f"{name}, crashing": crashing_late(*late) for name, late in LATE.items()})


@pytest.mark.full
async def test_a_release_that_is_taken_back_loses_no_capacity(stage: Stage) -> None:
    """Healthy new pods go only as fast as old ones become Ready; another try and the stable version follow."""
    await stage.play({f"{name}, aborted": aborted(*late) for name, late in LATE.items()})


@pytest.mark.full
async def test_after_a_failure_another_version_starts_at_the_first_step(stage: Stage) -> None:
    """A verdict belongs to one template; the next one gets its own."""
    workload = WORKLOADS["10 pods"]

    async def another(here: World) -> None:
        here.recorder.failing.add("app:2")
        await here.start_controller()
        await here.create(workload.manifest())
        await here.release(workload, "2", "crash-loop", **FAULTS["crash-loop"])
        await here.until_rejected()
        await here.release(workload, "3")
        await here.until_promoted("3")
        await restored(here)

    async def while_it_goes_back(here: World) -> None:
        here.recorder.failing.add("app:2")
        slow = Workload(10, 1, 0, "3", "8s..60s")
        await here.start_controller()
        await here.create(slow.manifest())
        await here.release(slow, "2", "crash-after", after="5s", back_off="300ms")
        await here.until("retreating", lambda: here.phase() == "Retreating")
        await here.release(slow, "3")
        await here.until_promoted("3", 150)
        await restored(here)

    async def the_same_again(here: World) -> None:
        here.recorder.failing.add("app:2")
        await here.start_controller()
        await here.create(workload.manifest())
        await here.release(workload, "2", "crash-loop", **FAULTS["crash-loop"])
        await here.until_rejected()
        record = here.record
        asked = await here.kubectl("rollout", "restart", f"deployment/{NAME}")
        assert (asked.code, "paused" in asked.err) == (1, True)
        await here.release(workload, "2", "crash-loop", **FAULTS["crash-loop"])
        restarted = {"kubectl.kubernetes.io/restartedAt": "2026-01-01T00:00:00Z"}
        body = {"spec": {"template": {"metadata": {"annotations": restarted}}}}
        await here.client.strategic(here.path, body)
        await here.silence(4)
        assert (here.pods("2"), here.phase(), here.record["id"]) == (0, "Rejected", record["id"])

    await stage.play(
        {
            "another version": another,
            "another version while it goes back": while_it_goes_back,
            "the same one, restarted": the_same_again,
        }
    )
