"""What every waiter says of a release that is held, taken back and promoted: docs/guide/waiters.md, cell by cell.

People build pipelines on these answers. An upgrade of kubectl that changes one must turn this red, not their pipeline.
"""

import re

import pytest

from tests.cluster.cluster import ROOT, Output
from tests.cluster.stage import Stage
from tests.cluster.workload import Workload
from tests.cluster.world import World

pytestmark = pytest.mark.cluster

SLOW = Workload(4, "50%", "25%", "1", "60s..90s")
GUIDE = ROOT / "docs" / "guide" / "waiters.md"

STATUS = ("rollout", "status", "deployment/web", "--timeout=3s")
AVAILABLE = ("wait", "deployment/web", "--for=condition=Available", "--timeout=3s")
UPDATED = ("wait", "deployment/web", "--for=jsonpath={.status.updatedReplicas}=4", "--timeout=3s")
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
}
REJECTED: Answers = {
    STATUS: (1, 'Waiting for deployment "web" rollout to finish: 0 out of 4 new replicas have been updated'),
    NO_WATCH: (0, 'Waiting for deployment "web" rollout to finish: 0 out of 4 new replicas have been updated'),
    AVAILABLE: (0, "condition met"),
    UPDATED: (1, LATE),
    TAKEN_BACK: (0, "condition met"),
}
PROMOTED: Answers = {
    STATUS: (0, "successfully rolled out"),
    NO_WATCH: (0, "successfully rolled out"),
    AVAILABLE: (0, "condition met"),
    UPDATED: (0, "condition met"),
    TAKEN_BACK: (1, LATE),
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


def test_the_guide_names_these_commands() -> None:
    """The table and the test are about the same."""
    text = GUIDE.read_text()
    for command in (STATUS, AVAILABLE, UPDATED, TAKEN_BACK):
        assert re.sub(r"=3s$", "=", " ".join(command)).removesuffix(" --timeout=") in text
