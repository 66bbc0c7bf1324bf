"""Versions that come, go and come back: what is stepped, what passes at once, what stays out.

The one that has proved itself is the way back, whatever happened to others in between; the one that was taken back
stays out until a person says otherwise.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.cluster.ends import fields, restored, spelled
from tests.cluster.stage import Scenario, Stage
from tests.cluster.workload import NAME, Workload, image
from tests.cluster.world import USER, World

pytestmark = pytest.mark.cluster

QUICK = Workload(6, "50%", "50%", "2", "1s..60s")
HELD = replace(QUICK, step_time="60s..90s")
RELOADED = "reloader.stakater.com/last-reloaded-from"


async def promoted(here: World, workload: Workload = QUICK) -> None:
    """The second version runs, the first was left a moment ago."""
    await here.start_controller()
    await here.create(workload.manifest())
    await here.release(QUICK, "2")
    await here.until_promoted("2")
    await restored(here)


async def taken_back(here: World, workload: Workload = HELD) -> None:
    """The second version is rejected."""
    await here.start_controller()
    await here.create(workload.manifest())
    await here.release(workload, "2")
    await here.until("holding", lambda: here.holding(1))
    await here.ask("abort")
    await here.until_rejected()


async def back_in_time(here: World) -> None:
    """Within `fast-rollback` the former version passes at once; the one that was left by that is stepped again."""
    await promoted(here)
    here.recorder.free.add(image("1"))
    answer = await here.release(QUICK, "1")
    assert "penstock.dev/record" not in answer["metadata"]["annotations"]
    assert "paused" not in answer["spec"]
    await here.until_promoted("1")
    await restored(here)
    forth = await here.release(QUICK, "2")
    assert forth["spec"]["paused"] is True
    await here.until_promoted("2")
    await restored(here)


async def back_too_late(here: World) -> None:
    """Afterwards it is a release as any other."""
    await promoted(here, replace(QUICK, notes={"penstock.dev/fast-rollback": "1s"}))
    await here.silence(2)
    answer = await here.release(QUICK, "1")
    assert answer["spec"]["paused"] is True
    await here.until("holding", lambda: here.holding(1))
    assert here.pods("1") == 2
    await here.until_promoted("1")
    await restored(here)


def restarted(by: Callable[[World], Awaitable[Any]]) -> Scenario:
    """The same version once more, with new pods: stepped, and against the pods that run."""

    async def scenario(here: World) -> None:
        await here.start_controller()
        await here.create(QUICK.manifest())
        await by(here)
        await here.until("stepped", lambda: here.phase() == "Holding")
        await here.until("promoted", here.at_rest)
        assert len(here.sets()) == 2
        await restored(here)

    return scenario


def restarted_while_rejected(by: Callable[[World], Awaitable[Any]]) -> Scenario:
    """A restart is no new version: it stays out."""

    async def scenario(here: World) -> None:
        await taken_back(here)
        failed = here.record["failed"]
        await by(here)
        await here.silence(3)
        assert (here.phase(), here.record["failed"], here.pods("2"), here.pods("1")) == ("Rejected", failed, 0, 6)
        await here.release(QUICK, "1")
        await here.until_promoted("1")
        await restored(here)

    return scenario


async def kubectl_restart(here: World) -> None:
    answer = await here.kubectl("rollout", "restart", f"deployment/{NAME}")
    assert answer.code == 0, answer.err


async def kubectl_restart_refused(here: World) -> None:
    """kubectl does not even try on what is paused."""
    answer = await here.kubectl("rollout", "restart", f"deployment/{NAME}")
    assert (answer.code, "can't restart paused deployment" in answer.err) == (1, True)


async def reloaded(here: World) -> None:
    """As Reloader does when a ConfigMap has changed: an annotation of the pod template."""
    body = {"spec": {"template": {"metadata": {"annotations": {RELOADED: '{"hash":"4f1a"}'}}}}}
    await here.heard(await here.client.strategic(here.path, body, fieldManager="reloader"))


async def broken_first_deploy(here: World) -> None:
    """Nothing runs that a fix could be compared with, so it is not stepped; what comes after it is."""
    await here.start_controller()
    here.recorder.free |= {image("1"), image("2")}
    here.recorder.failing.add(image("1"))
    await here.client.post(here.collection, QUICK.manifest("1", "crash-loop"), fieldManager=USER)
    await here.until("crashing", lambda: len(here.names("1")) == 6)
    await here.until("seen", lambda: here.deployment["status"].get("replicas") == 6)
    answer = await here.release(QUICK, "2")
    assert "paused" not in answer["spec"]
    await here.until_promoted("2")
    here.born = here.deployment
    await here.release(QUICK, "3")
    await here.until("stepped", lambda: here.holding(1))
    await here.until_promoted("3")
    await restored(here)


async def to_zero_and_back(here: World) -> None:
    """From zero the native controller would fill the newest ReplicaSet of all."""
    await here.scale(0)
    await here.until("of none", lambda: here.state.total == 0 and not here.names("1") and here.settled())
    await here.silence(2)
    await here.scale(6)
    await here.until("back", lambda: here.pods("1") == 6 and here.stable_alone())


async def third_after_rejected(here: World) -> None:
    """The third is held, then nothing is wanted, then all again: the stable one comes, and the third goes on."""
    await taken_back(here)
    await here.release(HELD, "3")
    await here.until("holding", lambda: here.holding(1))
    await to_zero_and_back_while_held(here)
    assert here.pods("2") == 0
    await here.hurry()
    await here.until_promoted("3")
    await restored(here)


async def to_zero_and_back_while_held(here: World) -> None:
    await here.scale(0)
    await here.until("of none", lambda: here.state.total == 0 and not here.names("1") and not here.names("3"))
    await here.silence(2)
    first: list[int] = []
    await here.scale(6)
    await here.until("of the stable version first", lambda: here.pods("1") > 0)
    first.append(here.pods("3"))
    assert first == [0]
    await here.until("holding again", lambda: here.holding(1))


async def zero_then_third(here: World) -> None:
    """The other order: down and up while rejected, then the third version."""
    await taken_back(here)
    await to_zero_and_back(here)
    assert here.phase() == "Rejected"
    await here.release(QUICK, "3")
    await here.until_promoted("3")
    assert here.pods("2") == 0
    await restored(here)


async def third_rejected_too(here: World) -> None:
    """Two versions are out; down and up brings neither, and the first of them may be declared again as a new try."""
    await taken_back(here)
    await here.release(HELD, "3")
    await here.until("holding", lambda: here.holding(1))
    await here.ask("abort")
    await here.until_rejected()
    await to_zero_and_back(here)
    assert (here.pods("2"), here.pods("3"), here.phase()) == (0, 0, "Rejected")
    await here.release(QUICK, "2")
    await here.until_promoted("2")
    await restored(here)


async def exported(here: World) -> None:
    """`kubectl get -o json` in a hold, deleted, and created again from that: nothing is held, all pods run."""
    await here.start_controller()
    await here.create(HELD.manifest())
    await here.release(HELD, "2")
    await here.until("holding", lambda: here.holding(1))
    text = (await here.kubectl("get", "deployment", NAME, "-o", "json")).out
    await here.remove()
    here.recorder.free.add(image("2"))
    answer = await here.kubectl("create", "-f", "-", stdin=text)
    assert answer.code == 0, answer.err
    assert "a record of another rollout came with this object" in answer.err
    assert spelled(fields(here.deployment)) == spelled(fields(here.born))
    await here.until("at rest", lambda: here.at_rest() and here.pods("2") == 6)
    await restored(here)


async def test_a_rejected_version_stays_out_when_it_is_restarted(stage: Stage) -> None:
    """Reloader knows nothing of rejections, and touches what it finds."""
    await stage.play({"rejected, reloaded": restarted_while_rejected(reloaded)})


@pytest.mark.full
async def test_a_version_that_proved_itself_comes_back_at_once(stage: Stage) -> None:
    """And only that one, and in time: a restart, or the same too late, is stepped as any other change."""
    await stage.play(
        {
            "back within fast-rollback": back_in_time,
            "back too late": back_too_late,
            "kubectl rollout restart": restarted(kubectl_restart),
            "Reloader": restarted(reloaded),
        }
    )


@pytest.mark.full
async def test_no_rejected_version_ever_comes_back_by_itself(stage: Stage) -> None:
    """Not by a restart, not from zero, not after another version, not from a backup."""
    await stage.play(
        {
            "rejected, restarted": restarted_while_rejected(kubectl_restart_refused),
            "broken first deploy": broken_first_deploy,
            "third after rejected, to zero and back": third_after_rejected,
            "to zero and back, third after rejected": zero_then_third,
            "third rejected too, to zero and back": third_rejected_too,
            "exported in a hold, created again": exported,
        }
    )
