"""The webhook does not answer, and people and tools do what they do: never more new pods than the step.

test_lock.py has a webhook that is dead. Here one accepts connections and answers nothing, as behind a broken network:
each write waits for the time-out of two seconds, and then is let through as it came (failurePolicy Ignore). What is
then refused is refused by the step lock in the API server; the rest is the controller's to see.
"""

import json
import time
from collections.abc import Awaitable, Callable

import pytest

from penstock.kube import Denied, Invalid, objects
from tests.cluster.ends import fields, restored, spelled
from tests.cluster.stage import Scenario, Stage
from tests.cluster.test_lock import LONG, backup, denied, end, hold, stable_version, third_version, unpaused
from tests.cluster.test_release import going_back
from tests.cluster.workload import NAME, Workload, image
from tests.cluster.world import World

pytestmark = pytest.mark.cluster

TIMEOUT = 2.0
"""timeoutSeconds of the webhook's configuration."""

WINDOWS = Workload(10, 1, 0, "3", "60s..90s")
Act = Callable[[World], Awaitable[None]]


async def resume(here: World) -> None:
    """As kubectl does."""
    begun = time.monotonic()
    denied(await here.kubectl("rollout", "resume", f"deployment/{NAME}"))
    assert time.monotonic() - begun < TIMEOUT + 8, "the API server waits no longer than the time-out"


async def unpause(here: World) -> None:
    """A manifest with `paused: false`, by both kinds of apply."""
    text = json.dumps(unpaused(LONG))
    denied(await here.kubectl("apply", "--server-side=false", "-f", "-", stdin=text))
    denied(await here.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=text))


async def argo_resume(here: World) -> None:
    """What Argo CD's resume action sends: a merge patch of that one field, under its own name."""
    with pytest.raises((Denied, Invalid), match="the webhook did not answer"):
        await here.client.merge(here.path, {"spec": {"paused": False}}, fieldManager="argocd-server")


async def undo_and_restart(here: World) -> None:
    """kubectl itself refuses both on what is paused."""
    for command in ("undo", "restart"):
        answer = await here.kubectl("rollout", command, f"deployment/{NAME}")
        assert (answer.code, "paused deployment" in answer.err) == (1, True), answer.err


async def nothing_but_labels(here: World) -> None:
    """A write that is none of ours waits for the time-out, and is stored."""
    answer = await here.kubectl("label", "deployment", NAME, "team=blue")
    assert answer.code == 0, answer.err
    assert (await here.kubectl("label", "deployment", NAME, "team-")).code == 0


def stays(*acts: Act, alive: bool) -> Scenario:
    """Each of these changes nothing, and once the webhook is back the way back is open."""

    async def scenario(here: World) -> None:
        await hold(here, LONG, alive=alive)
        for act in acts:
            await act(here)
        await here.silence(2)
        assert (here.pods("2"), here.deployment["spec"]["paused"]) == (2, True)
        await here.meet()
        await here.release(LONG, "1")
        await here.until("stable alone", lambda: here.at_rest() and here.pods("2") == 0)
        if not alive:
            await here.start_controller()
        await restored(here)

    return scenario


def scaled(*, alive: bool) -> Scenario:
    """By the subresource, which no webhook sees anyway: the share is kept."""

    async def scenario(here: World) -> None:
        await hold(here, LONG, alive=alive)
        await here.scale(20)
        await here.until("of 20", lambda: here.state.total >= 20 and here.settled())
        assert here.pods("2") <= 4
        await here.scale(10)
        await here.until("of 10", lambda: here.state.total <= 13 and here.settled())
        assert here.pods("2") <= 3
        await end(here)

    return scenario


def opted_out(by: Act) -> Scenario:
    """The controller alone releases: every field as it was."""

    async def scenario(here: World) -> None:
        await hold(here, LONG, alive=True)
        here.recorder.free.add(image("2"))
        await by(here)
        await here.until("all new", lambda: here.pods("2") == 10 and here.pods("1") == 0)
        assert spelled(fields(here.deployment)) == spelled(fields(here.born))
        await here.meet()
        await restored(here)

    return scenario


async def by_label(here: World) -> None:
    answer = await here.kubectl("label", "deployment", NAME, "penstock.dev/enabled=false")
    assert answer.code == 0, answer.err


async def by_namespace(here: World) -> None:
    patch = {"metadata": {"labels": {"penstock.dev/enabled": None}}}
    await here.client.merge(objects.namespace(here.namespace), patch)


async def not_gated(here: World) -> None:
    """From rest there is nothing that could hold it: a native rollout, as documented, and nothing of ours in it."""
    await here.start_controller()
    await here.create(LONG.manifest())
    await here.meet()
    here.recorder.free.add(image("2"))
    await here.release(LONG, "2")
    await here.until_promoted("2")
    assert spelled(fields(here.deployment)) == spelled(fields(here.born))
    await here.meet()
    await restored(here)


async def put_aside_removed(here: World) -> None:
    """The template that a retreat has put aside is removed while the stable one is shown. Nobody can tell that from a
    revert any more, so it is one: the stable version runs alone, and nothing stays paused."""
    await here.start_controller()
    await here.create(WINDOWS.manifest())
    await going_back(here, WINDOWS)
    await here.meet()
    answer = await here.kubectl("annotate", "deployment", NAME, "penstock.dev/declared-")
    assert answer.code == 0, answer.err
    await here.start_controller()
    await here.until("stable alone", lambda: here.at_rest() and here.pods("1") == 10)
    await here.meet()
    await restored(here)


FEW: dict[str, Scenario] = {
    "resume, Argo CD's resume, no controller": stays(resume, argo_resume, alive=False),
}
MORE: dict[str, Scenario] = {
    "resume, paused: false, Argo CD's resume": stays(resume, unpause, argo_resume, alive=True),
    "newer version": third_version,
    "opted out by label": opted_out(by_label),
    "undo, restart, labels": stays(undo_and_restart, nothing_but_labels, alive=True),
    "undo, restart, labels, no controller": stays(undo_and_restart, nothing_but_labels, alive=False),
    "scaled": scaled(alive=True),
    "scaled, no controller": scaled(alive=False),
    "stable version": stable_version,
    "opted out by the namespace": opted_out(by_namespace),
    "newer version from rest": not_gated,
    "put aside, and removed": put_aside_removed,
    "from a backup": backup,
}


async def test_a_webhook_that_does_not_answer_lets_nobody_past_the_step(stage: Stage) -> None:
    """A time-out is let through; what would add pods is refused all the same, or the controller's to see."""
    cluster = stage.cluster
    await stage.play(FEW, lambda: cluster.freeze("webhook"), lambda: cluster.thaw("webhook"))


@pytest.mark.full
async def test_the_rest_with_a_webhook_that_does_not_answer(stage: Stage) -> None:
    """As above, with all else that people do."""
    cluster = stage.cluster
    await stage.play(MORE, lambda: cluster.freeze("webhook"), lambda: cluster.thaw("webhook"))


@pytest.mark.full
async def test_all_of_it_with_a_dead_webhook(stage: Stage) -> None:
    """Refused connections instead of a time-out: the same answers, at once."""
    cluster = stage.cluster
    await stage.play(FEW | MORE, lambda: cluster.stop("webhook"), lambda: cluster.restart("webhook"))


def live(notes: dict[str, str]) -> Scenario:
    """Argo CD's resume action, with a webhook that answers: it is no person's yes, and approves nothing."""

    async def scenario(here: World) -> None:
        workload = Workload(10, "25%", "25%", "2, 50%", "1s..60s" if notes else "60s..90s", notes=notes)
        await here.start_controller()
        await here.create(workload.manifest())
        await here.release(workload, "2")
        await here.until("holding", lambda: here.holding(1))
        if notes:
            await here.until("asked", lambda: here.condition("reason") == "AwaitingApproval")
        before = here.record
        answer = await here.client.merge(here.path, {"spec": {"paused": False}}, fieldManager="argocd-server")
        assert answer["spec"]["paused"] is True
        await here.silence(2)
        assert (here.pods("2"), here.record["approved"]) == (2, before["approved"])
        await here.release(workload, "1")
        await here.until("stable alone", lambda: here.at_rest() and here.pods("2") == 0)
        await restored(here)

    return scenario


@pytest.mark.full
async def test_argo_cds_resume_action_approves_nothing(stage: Stage) -> None:
    """It is a button beside every paused Deployment."""
    await stage.play({"held": live({}), "approval awaited": live({"penstock.dev/approve": "each"})})
