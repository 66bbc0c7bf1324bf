"""What every waiter says of a release that is held, taken back and promoted: docs/guide/waiters.md, cell by cell.

People build pipelines on these answers. An upgrade of kubectl that changes one must turn this red, not their pipeline.
"""

import asyncio
import json
import re
from typing import Any

import pytest

from sandbox.waiters import waiters
from tests.cluster.cluster import ROOT, Output, ran
from tests.cluster.ends import restored
from tests.cluster.stage import Stage
from tests.cluster.workload import Workload
from tests.cluster.world import World

pytestmark = pytest.mark.cluster

SLOW = Workload(4, "50%", "25%", "1", "60s..90s")
GUIDE = ROOT / "docs" / "guide" / "waiters.md"

STATUS = ("rollout", "status", "deployment/web", "--timeout=3s")
AVAILABLE = ("wait", "deployment/web", "--for=condition=Available", "--timeout=3s")
UPDATED = ("wait", "deployment/web", "--for=jsonpath={.status.updatedReplicas}=4", "--timeout=3s")
STALLED = ("wait", "deployment/web", "--for=condition=Stalled", "--timeout=3s")
TAKEN_BACK = ("wait", "deployment/web", "--for=condition=penstock.dev/Rollout=False", "--timeout=3s")
NO_WATCH = ("rollout", "status", "deployment/web", "--watch=false")

Answers = dict[tuple[str, ...], tuple[int, str]]
"""What a command is expected to answer: its code, and a part of what it says."""

LATE = "timed out waiting for the condition"

HELD: Answers = {
    STATUS: (1, 'Waiting for deployment "web" rollout to finish: 1 out of 4 new replicas have been updated'),
    NO_WATCH: (0, 'Waiting for deployment "web" rollout to finish: 1 out of 4 new replicas have been updated'),
    AVAILABLE: (0, "condition met"),
    UPDATED: (1, LATE),
    TAKEN_BACK: (1, LATE),
    STALLED: (1, LATE),
}
REJECTED: Answers = {
    STATUS: (1, 'Waiting for deployment "web" rollout to finish: 0 out of 4 new replicas have been updated'),
    NO_WATCH: (0, 'Waiting for deployment "web" rollout to finish: 0 out of 4 new replicas have been updated'),
    AVAILABLE: (0, "condition met"),
    UPDATED: (1, LATE),
    TAKEN_BACK: (0, "condition met"),
    STALLED: (0, "condition met"),
}
PROMOTED: Answers = {
    STATUS: (0, "successfully rolled out"),
    NO_WATCH: (0, "successfully rolled out"),
    AVAILABLE: (0, "condition met"),
    UPDATED: (0, "condition met"),
    TAKEN_BACK: (1, LATE),
    STALLED: (1, LATE),
}


async def answered(here: World, expected: Answers) -> None:
    """Each command says what the guide says that it says."""
    found: dict[tuple[str, ...], Output] = {command: await here.kubectl(*command) for command in expected}
    wrong = {
        " ".join(command): found[command]
        for command, (code, words) in expected.items()
        if found[command].code != code or words not in found[command].out + found[command].err
    }
    assert wrong == {}


async def through_its_states(here: World) -> None:
    """Held, taken back, tried again and promoted."""
    await here.start_controller()
    await here.create(SLOW.manifest())
    await here.release(SLOW, "2")
    await here.until("holding", lambda: here.holding(1))
    await here.until("seen", lambda: "Judging" in here.condition("reason"))
    await answered(here, HELD)
    await here.ask("abort")
    await here.until_rejected()
    await here.until("said", lambda: here.condition("status") == "False")
    await answered(here, REJECTED)
    await here.client.merge(here.path, {"metadata": {"annotations": {"penstock.dev/step-time": "1s..60s"}}})
    await here.ask("retry")
    await here.until_promoted("2")
    await answered(here, PROMOTED)


@pytest.mark.full
async def test_every_waiter_says_what_the_guide_says(stage: Stage) -> None:
    """A false success is the worst answer: it is the one that nobody looks at."""
    await stage.play({"held, taken back, promoted": through_its_states})


SCRIPT = re.compile(r"```yaml\nresource\.customizations\.health\.apps_Deployment: \|\n(.*?)```", re.DOTALL)
"""What the guide gives Argo CD's users."""


async def judged(here: World, *asked: str) -> tuple[str, str]:
    """What kstatus, or a Lua script, says of the Deployment that was heard of last."""
    program = await asyncio.to_thread(waiters)
    answer = await ran(str(program), *asked, stdin=json.dumps(here.deployment))
    assert answer.code == 0, answer.err
    said: dict[str, Any] = json.loads(answer.out)
    return said["status"], said["message"]


async def through_its_states_for_others(here: World) -> None:
    """At rest, held, taken back, another version declared, promoted: kstatus first, the script second."""
    script = here.logs / "health.lua"
    found = SCRIPT.search(GUIDE.read_text())
    assert found
    script.write_text(found[1])

    async def both() -> tuple[tuple[str, str], tuple[str, str]]:
        return await judged(here, "kstatus"), await judged(here, "lua", str(script))

    await here.start_controller()
    await here.create(SLOW.manifest())
    resting, healthy = await both()
    assert (resting[0], healthy) == ("Current", ("Healthy", ""))
    await here.release(SLOW, "2")
    await here.until("judged", lambda: here.holding(1) and here.condition("reason") == "Judging")
    held, suspended = await both()
    assert held == ("InProgress", "Updated: 1/4")
    assert suspended[0] == "Suspended"
    assert suspended[1].startswith("step 1 of 1: 1 of 4 pods run the new version")
    await here.ask("abort")
    await here.until_rejected()
    await here.until("said", lambda: here.condition("status") == "False")
    said = "taken back, all pods run the stable version: a person took it back; "
    failed, degraded = await both()
    assert (failed[0], degraded[0]) == ("Failed", "Degraded")
    assert failed[1] == degraded[1]
    assert failed[1].startswith(said)
    changed = [c["type"] for c in here.deployment["status"]["conditions"]]
    assert "Stalled" in changed
    begun = asyncio.get_running_loop().time()
    await here.release(SLOW, "3")
    await here.until("no longer stalled", lambda: not stalled(here))
    print(f"Stalled stood for {asyncio.get_running_loop().time() - begun:.3f} s of the next release", flush=True)
    assert (await judged(here, "kstatus"))[0] == "InProgress"
    await here.until("holding", lambda: here.holding(1))
    await here.hurry()
    await here.until_promoted("3")
    await restored(here)
    promoted, healthy = await both()
    assert (promoted[0], healthy) == ("Current", ("Healthy", ""))


def stalled(here: World) -> bool:
    return any(c["type"] == "Stalled" for c in here.deployment["status"]["conditions"])


async def reverted(here: World) -> None:
    """The stable version, declared on a rejected one: at rest again, and nothing stalled stays behind."""
    await here.start_controller()
    await here.create(SLOW.manifest())
    await here.release(SLOW, "2")
    await here.until("holding", lambda: here.holding(1))
    await here.ask("abort")
    await here.until("stalled", lambda: stalled(here))
    await here.release(SLOW, "1")
    await restored(here)
    assert not stalled(here)


@pytest.mark.full
async def test_kstatus_and_argo_cds_script_say_what_the_guide_says(stage: Stage) -> None:
    """Failed where it was taken back, at once and with the reason; never a success, no failure that is left over."""
    await stage.play({"in each state": through_its_states_for_others, "reverted": reverted})


def test_the_guide_names_these_commands() -> None:
    """The table and the test are about the same."""
    text = GUIDE.read_text()
    for command in (STATUS, AVAILABLE, UPDATED, TAKEN_BACK, STALLED):
        assert re.sub(r"=3s$", "=", " ".join(command)).removesuffix(" --timeout=") in text
