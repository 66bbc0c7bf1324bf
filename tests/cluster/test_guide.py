"""README and guide, block by block, as a reader pastes them: README.md, opting-in.md, approvals.md.

Their Deployment is called `web` and lives in the namespace `shop`; here each page has a namespace of its own, and that
name is put in its place. Two things a pipe cannot do: a command that asks is told `--yes`, one that watches is ended.
"""

import asyncio
import os
import re
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from sandbox import build
from tests.cluster.cluster import Output
from tests.cluster.stage import Scenario, Stage
from tests.cluster.workload import Workload
from tests.cluster.world import World
from tests.docs.blocks import ROOT, blocks, runnable

pytestmark = pytest.mark.cluster

README = "README.md"
WORKLOAD = Workload(10, "25%", "25%", "2, 50%", "1s..60s")
ASKED = Workload(10, "25%", "25%", "2, 25%, 50%", "1s..60s", notes={"penstock.dev/approve": "each"})
ASKS = re.compile(r"^penstock (approve|abort|undo|skip-to|release|retry)\b(.*)$", re.MULTILINE)
WATCHES = re.compile(r"^(penstock .* --watch)$", re.MULTILINE)


async def pasted(here: World, text: str) -> Output:
    """A block, in a shell with kubectl and penstock."""
    script = re.sub(r"\s+#.*$", "", text, flags=re.MULTILINE)
    script = re.sub(r"\bshop\b", here.namespace, script)
    script = WATCHES.sub(r"timeout --signal=INT 12 \1", ASKS.sub(r"penstock \1 --yes\2", script))
    path = f"{Path(sys.executable).parent}:{build.binaries()}:/usr/bin:/bin"
    environment = {"PATH": path, "KUBECONFIG": str(here.cluster.kubeconfig), "HOME": str(here.logs)}
    process = await asyncio.create_subprocess_exec(
        *("bash", "-euo", "pipefail", "-c", script),
        cwd=here.logs,
        env=environment | {"LANG": os.environ.get("LANG", "C.UTF-8")},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), 100)
    await here.catch_up()
    return Output(process.returncode or 0, out.decode(), err.decode())


async def ran(here: World, text: str) -> str:
    """The same, which must succeed; what it printed."""
    answer = await pasted(here, text)
    assert answer.code == 0, f"{text}\n{answer.out}{answer.err}"
    return answer.out


async def opting_in(here: World) -> None:
    """docs/guide/opting-in.md, from top to bottom; opted out at the end, in the middle of a release."""
    label, alone, steps, planned, out = [block.text for block in runnable("docs/guide/opting-in.md")]
    await here.start_controller()
    await here.create(WORKLOAD.manifest())
    await ran(here, label)
    await ran(here, alone)
    await ran(here, re.sub("penstock.dev/step-time=[^ \n]+", "penstock.dev/step-time=60s", steps))
    assert "2" in await ran(here, planned)
    assert here.deployment["metadata"]["annotations"]["penstock.dev/steps"] == "2, 5"
    await here.kubectl("label", "deployment", "web", "penstock.dev/enabled-")
    await here.release(WORKLOAD, "2")
    await here.until("held", lambda: here.phase() == "Holding")
    here.recorder.free.add("app:2")
    await ran(here, out)
    await here.until("released", lambda: not here.deployment["spec"].get("paused") and here.pods("2") == 10)


async def approvals(here: World) -> None:
    """docs/guide/approvals.md: both ways of saying yes, and the no."""
    chosen, yes, resumed, no = [block.text for block in runnable("docs/guide/approvals.md")]
    await here.start_controller()
    await here.create(WORKLOAD.manifest())
    await ran(here, chosen)
    await here.note("penstock.dev/approve", "each")
    await here.release(ASKED, "2")
    for number, way in enumerate((yes, resumed), 1):
        await here.until("asked", lambda n=number: here.holding(n) and here.condition("reason") == "AwaitingApproval")
        await ran(here, way)
    await here.until_promoted("2")
    await here.release(ASKED, "3")
    await here.until("asked", lambda: here.holding(1) and here.condition("reason") == "AwaitingApproval")
    await ran(here, no)
    await here.until_rejected()


def of_readme(word: str) -> str:
    """The line of the README's block of commands that begins with this."""
    block = next(b.text for b in blocks(README) if "penstock plan -f" in b.text)
    return next(line for line in block.splitlines() if line.startswith(f"penstock {word}"))


async def held(here: World) -> None:
    await here.start_controller()
    await here.create(ASKED.manifest())
    await here.release(ASKED, "2")
    await here.until("asked", lambda: here.holding(1) and here.condition("reason") == "AwaitingApproval")


async def looks(here: World) -> None:
    """README: plan, status, approve, skip-to, abort, retry, undo, history, doctor."""
    await held(here)
    manifest = here.logs / "deployment.yaml"
    manifest.write_text((ROOT / "sandbox" / "demo" / "shop.yaml").read_text())
    assert "step" in await ran(here, of_readme("plan"))
    watched = await pasted(here, of_readme("status"))
    assert "step 1 of 3" in watched.out, watched
    assert "approved" in await ran(here, of_readme("approve"))
    await here.until("asked", lambda: here.holding(2) and here.condition("reason") == "AwaitingApproval")
    await ran(here, of_readme("skip-to"))
    await here.until("later", lambda: here.holding(3))
    await ran(here, of_readme("abort"))
    await here.until_rejected()
    await ran(here, of_readme("retry"))
    await here.until("again", lambda: here.holding(1))
    await ran(here, of_readme("undo"))
    await here.until("back", lambda: here.at_rest() and here.pods("1") == 10)
    await here.silence(1)  # the last end is written after it was told
    assert "rejected" in await ran(here, of_readme("history"))
    assert "WRONG" not in await ran(here, of_readme("doctor"))


async def waits(here: World) -> None:
    """README: wait and release."""
    await held(here)
    waiting = asyncio.create_task(pasted(here, of_readme("wait")))
    await here.silence(3)
    here.recorder.free.add("app:2")
    await ran(here, of_readme("release"))
    assert (await waiting).code == 3  # ended, and not by a verdict


Way = Callable[[World], Awaitable[None]]


async def test_what_the_guide_says_can_be_pasted(stage: Stage) -> None:
    """A command in a guide that was never run is a guess."""
    ways: dict[str, Way] = {
        "opting-in.md": opting_in,
        "approvals.md": approvals,
        "README.md, looks and decisions": looks,
        "README.md, wait and release": waits,
    }
    scenarios: dict[str, Scenario] = dict(ways)
    await stage.play(scenarios)


def test_no_command_of_the_readme_is_left_out() -> None:
    """One that is added must be run here, too; backtest is run by tests/judging, with a Prometheus."""
    block = next(b.text for b in blocks(README) if "penstock plan -f" in b.text)
    words = [line.split()[1] for line in block.splitlines()]
    assert words == [
        "plan",
        "status",
        "wait",
        "approve",
        "skip-to",
        "abort",
        "retry",
        "backtest",
        "undo",
        "release",
        "history",
        "doctor",
    ]
    assert [b.text.split()[0] for b in runnable(README)] == ["penstock"]
