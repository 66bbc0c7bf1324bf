"""`penstock release` and `penstock undo` in every phase, with webhook and controller alive and dead.

These are the commands of a bad night. Each is one write that has to be right in four worlds, so all four are here.
"""

import json
import sys
from collections.abc import Awaitable, Callable, Iterator

import pytest

from tests.cluster.cluster import Output, ran
from tests.cluster.ends import fields, restored, spelled, traces
from tests.cluster.stage import Scenario, Stage
from tests.cluster.test_release import dead_at, going_back, held, never_opened, rejected
from tests.cluster.workload import NAME, Workload, image
from tests.cluster.world import World

pytestmark = pytest.mark.cluster

PENSTOCK = "import penstock.cli.main as m; m.main()"

LONG = Workload(10, 3, 2, "2, 50%", "40s..60s", spec={"minReadySeconds": 1, "progressDeadlineSeconds": 300})
WINDOWS = Workload(10, 1, 0, "3", "40s..60s")
SINGLE = Workload(1, "25%", "25%", "1", "40s..60s")
OPTED_IN = "penstock.dev/enabled"

Moment = Callable[[World, Workload], Awaitable[None]]


async def penstock(here: World, *arguments: str) -> Output:
    """Typed in a shell without a terminal."""
    common = ("--kubeconfig", str(here.cluster.kubeconfig), "-n", here.namespace)
    return await ran(sys.executable, "-c", PENSTOCK, *common, *arguments)


def moments() -> Iterator[tuple[str, Workload, Moment]]:
    """Where a rollout may stand when somebody has had enough of it."""
    yield "gated, never opened", LONG, never_opened
    yield "window open", LONG, dead_at(1)
    yield "held", LONG, held
    yield "1 pod, held", SINGLE, held
    yield "going back", WINDOWS, going_back
    yield "rejected", LONG, rejected


def ended(command: str, workload: Workload, moment: Moment, *, controller: bool, webhook: bool = True) -> Scenario:
    """The command, at that moment; then every field is as it was, and the right version runs."""
    version = "2" if command == "release" else "1"

    async def scenario(here: World) -> None:
        await here.start_controller()
        await here.create(workload.manifest())
        await moment(here, workload)
        if not webhook:
            await here.meet()
        if controller:
            await here.start_controller()
        if command == "release":
            here.recorder.free.add(image("2"))
        answer = await penstock(here, command, NAME, "--yes")
        assert (answer.code, answer.err) == (0, "")
        begin = "released; follow it: kubectl rollout status" if version == "2" else "the former version is declared"
        assert answer.out.startswith(f"{here.namespace}/{NAME}: {begin}")
        await here.until(f"on {version}", lambda: here.at_rest() and here.pods(version) == workload.replicas)
        if not controller:
            assert traces(here) == []
        await restored(here)
        assert OPTED_IN not in here.deployment["metadata"]["labels"]
        if not webhook:
            await here.meet()

    return scenario


@pytest.mark.full
@pytest.mark.parametrize("command", ["release", "undo"])
async def test_it_ends_a_rollout_in_every_phase(stage: Stage, command: str) -> None:
    """With the controller dead nobody else clears away; with it alive both do, and must not get in each other's way."""
    scenarios = {f"{command}, {name}": ended(command, w, m, controller=False) for name, w, m in moments()}
    scenarios[f"{command}, held, controller"] = ended(command, LONG, held, controller=True)
    scenarios[f"{command}, going back, controller"] = ended(command, WINDOWS, going_back, controller=True)
    await stage.play(scenarios)


def unaided(*names: str) -> dict[str, Scenario]:
    """Both commands at some moments, with the webhook dead."""
    scenarios = {}
    for command in ("release", "undo"):
        for name, workload, moment in moments():
            if name in names:
                scenarios[f"{command}, {name}"] = ended(command, workload, moment, controller=False, webhook=False)
        scenarios[f"{command}, held, controller"] = ended(command, LONG, held, controller=True, webhook=False)
    return scenarios


async def test_it_needs_no_webhook(stage: Stage) -> None:
    """The step lock holds everybody else back then; this write is the way out that it names."""
    cluster = stage.cluster
    scenarios = unaided("window open", "going back")
    await stage.play(scenarios, lambda: cluster.stop("webhook"), lambda: cluster.restart("webhook"))


@pytest.mark.full
async def test_it_needs_no_webhook_in_any_phase(stage: Stage) -> None:
    """As above, at all other moments."""
    cluster = stage.cluster
    scenarios = unaided("gated, never opened", "held", "1 pod, held", "rejected")
    await stage.play(scenarios, lambda: cluster.stop("webhook"), lambda: cluster.restart("webhook"))


async def own_pause(here: World) -> None:
    """An owner who has paused it as well finds their pause again (I7), and lifts it."""
    await here.start_controller()
    await here.create(LONG.manifest())
    await held(here, LONG)
    manifest = LONG.manifest("2")
    manifest["spec"]["paused"] = True
    applied = await here.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=json.dumps(manifest))
    assert applied.code == 0, applied.err
    await here.until("noted", lambda: here.record.get("saved", {}).get("paused") is True)
    here.recorder.free.add(image("2"))
    answer = await penstock(here, "release", NAME, "-y", "-o", "json")
    assert (answer.code, json.loads(answer.out)["did"]) == (0, True)
    assert "it goes on after: kubectl rollout resume" in json.loads(answer.out)["next"]
    await here.until("released", lambda: not here.record)
    assert spelled(fields(here.deployment)) == spelled(fields(here.born) | {"paused": True})
    assert here.pods("2") == 2
    assert (await here.kubectl("rollout", "resume", f"deployment/{NAME}")).code == 0


async def workload_label(here: World) -> None:
    """A Deployment that is opted in by its own label is so afterwards, and nothing of ours owns that label."""
    manifest = LONG.manifest()
    manifest["metadata"]["labels"][OPTED_IN] = "true"
    await here.start_controller()
    await here.create(manifest)
    await held(here, LONG)
    here.recorder.free.add(image("2"))
    answer = await penstock(here, "release", NAME, "-y")
    assert (answer.code, answer.err) == (0, "")
    await here.until("promoted", lambda: here.at_rest() and here.pods("2") == 10)
    await restored(here)
    assert here.deployment["metadata"]["labels"][OPTED_IN] == "true"


async def applied_again(here: World) -> None:
    """Tools that apply on the server's side own their fields again: no conflict, and what they leave out goes."""
    manifest = LONG.manifest()
    first = await here.kubectl("apply", "--server-side", "--field-manager=flux", "-f", "-", stdin=json.dumps(manifest))
    assert first.code == 0, first.err
    await here.until("at rest", here.at_rest)
    here.born = here.deployment
    await here.start_controller()
    second = json.dumps(LONG.manifest("2"))
    assert (await here.kubectl("apply", "--server-side", "--field-manager=flux", "-f", "-", stdin=second)).code == 0
    await here.until("holding", lambda: here.holding(1))
    here.kill_controller()
    answer = await penstock(here, "undo", NAME, "-y")
    assert (answer.code, answer.err) == (0, "")
    await here.until("back", lambda: here.at_rest() and here.pods("1") == 10)
    await restored(here)
    smaller = LONG.manifest()
    del smaller["spec"]["minReadySeconds"], smaller["spec"]["strategy"]
    again = await here.kubectl("apply", "--server-side", "--field-manager=flux", "-f", "-", stdin=json.dumps(smaller))
    assert (again.code, again.err) == (0, "")
    await here.until("without", lambda: "minReadySeconds" not in here.deployment["spec"])


async def nothing_to_end(here: World) -> None:
    """Without a rollout each says so, and what the other way is; kubectl refuses what is paused, and we do not."""
    await here.start_controller()
    await here.create(LONG.manifest())
    idle = await penstock(here, "undo", NAME, "-y")
    assert (idle.code, idle.out) == (1, "")
    assert idle.err.splitlines() == [
        f"Error: Deployment {here.namespace}/{NAME} has no active rollout",
        f"Hint: to go back to the version before: kubectl rollout undo deployment {NAME} -n {here.namespace}",
    ]
    await held(here, LONG)
    refused = await here.kubectl("rollout", "undo", f"deployment/{NAME}")
    assert refused.code == 1
    assert "cannot rollback a paused deployment; resume it first" in refused.err
    asked = await penstock(here, "undo", NAME)
    assert (asked.code, asked.err.splitlines()[0]) == (1, "Error: nobody can be asked here, this is no terminal")
    assert (await penstock(here, "undo", NAME, "-y")).code == 0
    await here.until("back", lambda: here.at_rest() and here.pods("1") == 10)
    assert spelled(fields(here.deployment)) == spelled(fields(here.born))


async def test_owners_find_everything_as_they_had_it(stage: Stage) -> None:
    """Fields, their ownership, labels, a pause of their own (I7)."""
    await stage.play(
        {
            "own pause": own_pause,
            "own label": workload_label,
            "applied by Flux": applied_again,
            "nothing to end": nothing_to_end,
            "release, held, controller": ended("release", LONG, held, controller=True),
            "undo, going back": ended("undo", WINDOWS, going_back, controller=False),
        }
    )
