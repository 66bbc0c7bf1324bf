"""How rollouts ended, as it is found afterwards: by `penstock history`, in a ConfigMap that goes with its Deployment.

Every end, seen by a living controller and found by the next one after a dead one.
"""

import json
import sys
from typing import Any

import pytest

from penstock.core import history
from penstock.core.reasons import Reason
from penstock.kube import Client, Denied, NotFound, objects
from tests.cluster.cluster import Output, ran
from tests.cluster.ends import restored
from tests.cluster.ledger import counted
from tests.cluster.proxy import Cut
from tests.cluster.stage import Scenario, Stage
from tests.cluster.workload import NAME, Workload, image
from tests.cluster.world import World

pytestmark = pytest.mark.cluster

QUICK = Workload(4, "25%", "25%", "1", "1s..60s")
LONG = Workload(4, "25%", "25%", "1", "40s..60s")
CRASH = {"after": "300ms", "back_off": "300ms"}
CONFIGMAP = history.name(NAME)


async def penstock(here: World, *arguments: str) -> Output:
    common = ("--kubeconfig", str(here.cluster.kubeconfig), "-n", here.namespace)
    return await ran(sys.executable, "-c", "import penstock.cli.main as m; m.main()", *common, *arguments)


async def told(here: World, number: int) -> list[tuple[str, str, str]]:
    """Result, reason and first image of each rollout, the oldest first; waits until there are so many."""
    for _ in range(60):
        entries = await read(here)
        if len(entries) >= number:
            break
        await here.silence(0.5)
    return [(e.result, e.reason, e.images[0]) for e in reversed(entries)]


async def read(here: World) -> tuple[history.Entry, ...]:
    try:
        return history.read(await here.client.get(objects.configmap(here.namespace, CONFIGMAP)))
    except NotFound:
        return ()


async def promoted_superseded_released(here: World) -> None:
    """Three releases of one Deployment, the second replaced by the third in the middle."""
    await here.start_controller()
    await here.create(QUICK.manifest())
    await here.release(QUICK, "2")
    await here.until_promoted("2")
    await restored(here)
    written = counted(entry for entry in here.proxy.ledger if entry.stored and entry.resource == "configmaps")
    assert written == {"create configmaps": 1}
    await here.note("penstock.dev/step-time", LONG.step_time)
    await here.release(QUICK, "3")
    await here.until("holding", lambda: here.holding(1))
    await here.release(QUICK, "4")
    await here.until("on 4", lambda: here.pods("3") == 0 and here.holding(1))
    here.recorder.free.add(image("4"))
    assert (await penstock(here, "release", NAME, "--yes")).code == 0
    await here.until_promoted("4")
    assert await told(here, 3) == [
        ("promoted", "Promoted", image("2")),
        ("superseded", "Superseded", image("3")),
        ("released", "Released", image("4")),
    ]
    answer = await penstock(here, "history", NAME, "-o", "json")
    rollouts = json.loads(answer.out)["rollouts"]
    assert [rollout["result"] for rollout in rollouts] == ["released", "superseded", "promoted"]
    assert all(0 <= rollout["seconds"] < 90 for rollout in rollouts)
    shown = (await penstock(here, "history", f"deployment/{NAME}")).out
    assert "Promoted: all 4 pods run the new version" in " ".join(shown.split())
    await here.remove()
    for _ in range(60):
        if not await _exists(here):
            break
        await here.silence(0.5)
    assert not await _exists(here)


async def _exists(here: World) -> bool:
    listed = await here.client.get(objects.configmaps(here.namespace), labelSelector="penstock.dev/history")
    return bool(listed["items"])


async def rejected_and_reverted(here: World) -> None:
    """A bad version is taken back, tried again, aborted; the stable one ends that, and a later release by itself."""
    here.recorder.failing.add(image("2"))
    await here.start_controller()
    await here.create(LONG.manifest())
    await here.release(LONG, "2", "crash-loop", **CRASH)
    await here.until_rejected()
    (first,) = await told(here, 1)
    assert (first[0], first[2]) == ("rejected", image("2"))
    assert first[1] in ("CrashLoop", "Crashed")
    assert (await penstock(here, "retry", NAME, "-y")).code == 0
    assert [result for result, _, _ in await told(here, 2)] == ["rejected", "rejected"]
    await here.until_rejected()
    await here.release(LONG, "1")
    await here.until_promoted("1")
    await here.release(LONG, "3")
    await here.until("holding", lambda: here.holding(1))
    await here.release(LONG, "1")
    await here.until("back", lambda: here.at_rest() and here.pods("3") == 0)
    assert (await told(here, 3))[1:] == [
        (first[0], *(await told(here, 3))[1][1:]),
        ("reverted", "Reverted", image("3")),
    ]
    messages = [entry.message for entry in await read(here)]
    assert messages[0].startswith("the stable version was declared again")
    assert messages[1].startswith("step 1 of 1: ")


async def aborted_with_its_reason(here: World) -> None:
    """What a person did is told as that; a restarted controller tells nothing twice, at rest nothing at all."""
    await here.start_controller()
    await here.create(LONG.manifest())
    await here.release(LONG, "2")
    await here.until("holding", lambda: here.holding(1))
    assert (await penstock(here, "abort", NAME, "-y")).code == 0
    await here.until_rejected()
    assert await told(here, 1) == [("rejected", "Aborted", image("2"))]
    before = await here.client.get(objects.configmap(here.namespace, CONFIGMAP))
    here.kill_controller()
    await here.start_controller()
    await here.silence(5)
    after = await here.client.get(objects.configmap(here.namespace, CONFIGMAP))
    assert objects.version(after) == objects.version(before)


def died_at_its_end(write: int, cut: Cut) -> Scenario:
    """The controller died at one of its writes around the end; the next one makes up for what is missing."""

    async def scenario(here: World) -> None:
        await here.start_controller()
        await here.create(QUICK.manifest())
        await here.release(QUICK, "2")
        await here.until("finishing", lambda: here.phase() == "Finishing")
        here.kill_at(len(here.proxy.stored) + write, cut)
        await here.died()
        here.proxy.trap = None
        await here.start_controller()
        await here.until_promoted("2")
        await restored(here)
        assert await told(here, 1) == [("promoted", "Promoted", image("2"))]

    return scenario


async def superseded_unseen(here: World) -> None:
    """A newer version came while no controller lived."""
    await here.start_controller()
    await here.create(LONG.manifest())
    await here.release(LONG, "2")
    await here.until("holding", lambda: here.holding(1))
    here.kill_controller()
    await here.release(LONG, "3")
    await here.start_controller()
    await here.until("on 3", lambda: here.pods("2") == 0 and here.holding(1))
    assert await told(here, 1) == [("superseded", "Superseded", image("2"))]


async def closed_to_it(here: World) -> None:
    """A ConfigMap that cannot be written (a quota) fails no rollout, and delays none."""
    quota = {"metadata": {"name": "none"}, "spec": {"hard": {"count/configmaps": "0"}}}
    await here.client.post(f"/api/v1/namespaces/{here.namespace}/resourcequotas", quota)
    await here.start_controller()
    await here.create(QUICK.manifest())
    await here.release(QUICK, "2")
    await here.until_promoted("2")
    await restored(here)
    assert await read(here) == ()


async def full_of_old_ones(here: World) -> None:
    """Only so many stay; what cannot be read any more goes first."""
    await here.start_controller()
    await here.create(QUICK.manifest())
    old = [history.Entry(f"r{n}", history.Result.REJECTED, Reason.CRASHED, "", n, n + 1) for n in range(1, 31)]
    uid = objects.uid(here.deployment)
    body = history.written(here.namespace, NAME, uid, tuple(old))
    body["data"]["scribble"] = "?"
    await here.client.post(objects.configmaps(here.namespace), body)
    await here.release(QUICK, "2")
    await here.until_promoted("2")
    await restored(here)
    await here.silence(1)
    left = (await here.client.get(objects.configmap(here.namespace, CONFIGMAP)))["data"]
    assert (len(left), "scribble" in left) == (history.KEPT, False)
    assert (await read(here))[0].result == "promoted"


async def test_every_end_is_kept_with_its_reason(stage: Stage) -> None:
    """What people ask a week later (the record and the Events are gone by then)."""
    await stage.play(
        {
            "promoted, superseded, released": promoted_superseded_released,
            "rejected, again, reverted": rejected_and_reverted,
        }
    )


@pytest.mark.full
async def test_a_history_is_written_whatever_dies_and_holds_nothing_up(stage: Stage) -> None:
    """At least once, and told once."""
    cuts = [(write, cut) for write in range(1, 7) for cut in (Cut.UNSEEN, Cut.AFTER)]
    scenarios = {f"died at write {write} of the end, {cut.name}": died_at_its_end(write, cut) for write, cut in cuts}
    scenarios |= {"aborted": aborted_with_its_reason, "superseded unseen": superseded_unseen, "no room": closed_to_it}
    scenarios["full"] = full_of_old_ones
    await stage.play(scenarios)


@pytest.mark.full
async def test_the_controller_can_read_and_write_no_other_configmap(stage: Stage) -> None:
    """Its right to patch is one to any name; a policy in the API server narrows it, also for patches that change
    nothing and would answer with the content."""
    await stage.play({"stolen token": with_a_stolen_token})


async def _there(client: Client, path: str) -> bool:
    try:
        await client.get(path)
    except NotFound:
        return False
    return True


async def with_a_stolen_token(here: World) -> None:
    async def attempt(client: Client, work: Any) -> str:
        try:
            await work(client)
        except Denied:
            return "denied"
        return "allowed"

    path = objects.configmaps(here.namespace)
    for name in ("secrets-of-others", "penstock-history-theirs"):
        await here.client.post(path, {"metadata": {"name": name}, "data": {"a": "b"}})
    owner = [{"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": "1"}]
    own = objects.configmap("penstock-system", "penstock-notified")
    if not await _there(here.client, own):
        await here.client.post(objects.configmaps("penstock-system"), {"metadata": {"name": "penstock-notified"}})
    tries = [
        lambda client: client.get(objects.configmap(here.namespace, "secrets-of-others")),
        lambda client: client.get(path),
        lambda client: client.merge(objects.configmap(here.namespace, "secrets-of-others"), {}),
        lambda client: client.merge(objects.configmap(here.namespace, "secrets-of-others"), {"data": {"a": "c"}}),
        lambda client: client.merge(objects.configmap(here.namespace, "penstock-history-theirs"), {}),
        lambda client: client.post(path, {"metadata": {"name": "mine"}, "data": {}}),
        lambda client: client.post(path, {"metadata": {"name": "penstock-history-mine"}}),
        lambda client: client.post(path, {"metadata": {"name": "penstock-history-mine", "ownerReferences": owner}}),
        lambda client: client.merge(own, {}),
    ]
    async with Client.connect(str(here.cluster.controller_kubeconfig)) as client:
        found = [await attempt(client, each) for each in tries]
    assert found == ["denied"] * 7 + ["allowed"] * 2
