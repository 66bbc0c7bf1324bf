"""docs/guide/kubectl.md, cell by cell: `kubectl rollout …` in every phase, as people type it, with the real kubectl.

The guide says which outcome each command has in each phase, what it prints and what becomes of the release. The test
reads that table; only what is seen of the Deployment afterwards stands here.
"""

import json
import re
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from tests.cluster.cluster import ROOT, Output
from tests.cluster.ends import spelled
from tests.cluster.proxy import Cut
from tests.cluster.stage import Scenario, Stage
from tests.cluster.test_release import dead_at, going_back, held, never_opened, rejected
from tests.cluster.workload import Workload, image
from tests.cluster.world import World

pytestmark = pytest.mark.cluster

Object = dict[str, Any]

GUIDE = ROOT / "docs" / "guide" / "kubectl.md"

LONG = Workload(10, "25%", "25%", "2, 50%", "90s..120s")
QUICK = replace(LONG, step_time="1s..60s")
WINDOWS = Workload(10, 1, 0, "3", "90s..120s")


def tables() -> tuple[dict[str, tuple[str, str]], dict[tuple[str, str], str]]:
    """Outcomes with the code and the words of kubectl, and the outcome of each command in each phase."""
    rows = [
        [cell.strip() for cell in line.strip("| \n").split("|")]
        for line in GUIDE.read_text().splitlines()
        if line[:1] == "|"
    ]
    outcomes = {row[0]: (row[1], row[2]) for row in rows if len(row) == 4}
    head, *grid = [row for row in rows if len(row) == 6]
    cells = {(row[0], name.strip("`")): cell for row in grid for name, cell in zip(head[1:], row[1:], strict=True)}
    return (
        {name: cell for name, cell in outcomes.items() if name not in ("outcome", "---")},
        {place: cell for place, cell in cells.items() if place[0] != "---"},
    )


# How each phase is reached; the controller is dead afterwards, so it stays.


async def at_rest(here: World, workload: Workload) -> None:
    """The second version has just been promoted."""
    await here.release(workload, "2")
    await here.until_promoted("2")
    here.kill_controller()


async def braking(here: World, workload: Workload) -> None:
    await here.release(workload, "2")
    await here.until("braking", lambda: here.phase() == "Braking")
    here.kill_controller()


async def awaiting(here: World, workload: Workload) -> None:
    await here.release(workload, "2")
    await here.until("asked", lambda: here.condition("reason") == "AwaitingApproval")
    here.kill_controller()


async def between(here: World, workload: Workload) -> None:
    """Going back, paused: the new ReplicaSet is about to be emptied."""
    await here.release(workload, "2")
    await here.until("holding", lambda: here.holding(1))
    await here.ask("abort")
    await here.until("going back", lambda: here.phase() == "Retreating")
    here.kill_controller()


async def finishing(here: World, workload: Workload) -> None:
    """All pods get the new version, each taking its time."""
    await here.release(workload, "2", ready_after="4s")
    await here.until("finishing", lambda: here.phase() == "Finishing")
    here.kill_controller()


async def paused_before(here: World, workload: Workload) -> None:
    """Its owner has paused it, then declared another version."""
    here.kill_controller()
    assert (await here.kubectl("rollout", "pause", "deployment/web")).code == 0
    await here.release(workload, "2")


async def paused_during(here: World, workload: Workload) -> None:
    """Its owner has paused it while it was held."""
    await here.release(workload, "2")
    await here.until("holding", lambda: here.holding(1))
    here.kill_controller()
    paused = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {"paused": True}}
    await here.heard(await here.client.apply(here.path, paused, manager="a-person"))


APPROVED = {"penstock.dev/approve": "each"}
Moment = Callable[[World, Workload], Awaitable[None]]
PHASES: dict[str, tuple[Workload, Moment, str]] = {
    "at rest": (QUICK, at_rest, ""),
    "`Pending`: gated, nothing runs yet": (LONG, never_opened, "Pending"),
    "`Opening`: pods are being added": (LONG, dead_at(1, Cut.UNSEEN), "Opening"),
    "`Holding`: held at a step": (LONG, held, "Holding"),
    "the same, an approval is awaited": (replace(QUICK, notes=APPROVED), awaiting, "Holding"),
    "`Braking`: about to add pods": (QUICK, braking, "Braking"),
    "`Retreating`: going back": (LONG, between, "Retreating"),
    "the same, while the former version is shown": (WINDOWS, going_back, "Retreating"),
    "`Rejected`: taken back": (LONG, rejected, "Rejected"),
    "`Finishing`: all pods get it": (QUICK, finishing, "Finishing"),
    "paused by you before the change": (LONG, paused_before, ""),
    "paused by you while it was held": (LONG, paused_during, "Holding"),
}

COMMANDS: dict[str, tuple[str, ...]] = {
    "status": ("rollout", "status", "deployment/web", "--watch=false"),
    "pause": ("rollout", "pause", "deployment/web"),
    "resume": ("rollout", "resume", "deployment/web"),
    "undo": ("rollout", "undo", "deployment/web"),
    "restart": ("rollout", "restart", "deployment/web"),
}


# What is seen afterwards. `before` is the Deployment as it was.


def same(here: World, before: Object) -> bool:
    return spelled(here.deployment["spec"]) == spelled(before["spec"]) and here.record == recorded(before)


def recorded(deployment: Object) -> Object:
    notes = deployment["metadata"].get("annotations") or {}
    text = notes.get("penstock.dev/record")
    return dict(json.loads(text)) if text else {}


def declares(here: World, version: str) -> bool:
    return bool(here.deployment["spec"]["template"]["spec"]["containers"][0]["image"] == image(version))


def observed(here: World) -> bool:
    """By the native controller."""
    status = here.deployment.get("status") or {}
    return bool(status.get("observedGeneration", 0) >= here.deployment["metadata"]["generation"])


def paused(here: World) -> bool:
    return here.deployment["spec"].get("paused") is True


AFTER: dict[str, Callable[[World, Object], bool]] = {
    "waits": same,
    "says done": same,
    "pauses": lambda here, _: paused(here) and not here.record,
    "pauses the rest": lambda here, _: paused(here) and here.record["saved"]["paused"] is True,
    "noted": lambda here, before: here.deployment["spec"] == before["spec"] and here.record["saved"]["paused"] is True,
    "paused already": same,
    "not paused": same,
    "changes nothing": same,
    "approves": lambda here, _: here.record["approved"] == [1] and not here.record["awaiting"] and paused(here),
    "lifts your pause": lambda here, _: here.record["saved"]["paused"] is None and paused(here),
    "steps it": lambda here, before: paused(here) and here.phase() == "Pending" and not recorded(before),
    "refused": same,
    "back at once": lambda here, _: not here.record and not paused(here) and declares(here, "1"),
    "goes on going back": lambda here, before: (
        paused(here) and declares(here, "2") and here.record["id"] == recorded(before)["id"]
    ),
    "starts anew": lambda here, before: (
        paused(here) and here.record["step"] == 0 and here.record["id"] != recorded(before)["id"]
    ),
}


def cell(phase: str, command: str) -> Scenario:
    """The command in that phase: its code, what it prints, and what becomes of the Deployment."""
    workload, moment, name = PHASES[phase]
    outcomes, cells = tables()
    outcome = cells[phase, command]
    code, words = outcomes[outcome]

    async def scenario(here: World) -> None:
        await here.start_controller()
        await here.create(workload.manifest())
        await moment(here, workload)
        here.proxy.trap = None
        await here.silence(0.5)  # a write of the controller may have been on its way when it died
        await here.catch_up()
        await here.until("seen", lambda: observed(here))
        before = here.deployment
        assert here.phase() == name
        if outcome == "back at once":
            here.recorder.free.add(image("1"))
        if name == "Finishing":  # all pods were to get it; the native controller may act on that a moment longer
            here.recorder.free.add(image("2"))
        answer = await here.kubectl(*COMMANDS[command])
        said = answer.out + answer.err
        assert (answer.code, missing(words, answer)) == (int(code), []), said
        assert AFTER[outcome](here, before), (outcome, said, here.deployment["spec"], here.record)

    return scenario


def missing(words: str, answer: Output) -> list[str]:
    """What is quoted in the guide and not printed; … stands for anything."""
    printed = " ".join((answer.out + answer.err).replace("Warning: ", "").split())
    wanted = re.findall(r'"([^"]+)"', words.replace('\\"', "''"))
    patterns = [".*".join(map(re.escape, text.replace("''", '"').split("…"))) for text in wanted]
    return [text for text in patterns if not re.search(text, printed)]


def scenarios(wanted: Callable[[str, str], bool]) -> Iterator[tuple[str, Scenario]]:
    for phase, command in tables()[1]:
        if wanted(phase, command):
            yield f"{command}, {phase}"[:64], cell(phase, command)


FEW = {
    ("`Holding`: held at a step", "resume"),
    ("`Opening`: pods are being added", "undo"),
    ("the same, an approval is awaited", "resume"),
    ("paused by you before the change", "resume"),
    ("`Rejected`: taken back", "resume"),
    ("`Opening`: pods are being added", "restart"),
}


async def test_kubectl_does_what_the_guide_says_where_it_matters_most(stage: Stage) -> None:
    """A resume that people are told to type before an undo must not be the release that they want to undo."""
    await stage.play(dict(scenarios(lambda phase, command: (phase, command) in FEW)))


@pytest.mark.full
async def test_kubectl_does_what_the_guide_says_in_every_phase(stage: Stage) -> None:
    """All cells of the table."""
    await stage.play(dict(scenarios(lambda phase, command: (phase, command) not in FEW)))


def test_the_guide_has_every_phase_command_and_outcome() -> None:
    """A cell that no test can play, or an outcome that no cell has, would be words only."""
    outcomes, cells = tables()
    assert set(cells) == {(phase, command) for phase in PHASES for command in COMMANDS}
    assert set(cells.values()) == set(outcomes) == set(AFTER)
