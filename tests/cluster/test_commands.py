"""The command line against the real control plane: what a person types, and what it then does.

As processes of their own, without a terminal, as in a pipeline.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import yaml

from sandbox import build
from tests.cluster.cluster import ROOT, Output, ran
from tests.cluster.stage import Stage
from tests.cluster.workload import Workload
from tests.cluster.world import World

pytestmark = pytest.mark.cluster

PENSTOCK = "import penstock.cli.main as m; m.main()"
"""As the entry point does; which `penstock` is on PATH is not for a test to rely on."""

INTERRUPTIBLE = "import signal as s; s.signal(s.SIGINT, s.default_int_handler); "
"""Whoever runs the tests in the background of a shell hands an ignored SIGINT down to us."""

APPROVED = Workload(notes={"penstock.dev/approve": "each"})


def typed(here: World) -> Callable[..., Awaitable[Output]]:
    """`penstock …` in this world's namespace."""

    async def penstock(*arguments: str) -> Output:
        common = ("--kubeconfig", str(here.cluster.kubeconfig), "-n", here.namespace)
        return await ran(sys.executable, "-c", PENSTOCK, *common, *arguments)

    return penstock


async def started(here: World, workload: Workload) -> None:
    """A release is held at its first step."""
    await here.start_controller()
    await here.create(workload.manifest())
    await here.release(workload, "2")
    await here.until("at step 1", lambda: here.holding(1))


async def awaited(here: World, step: int) -> None:
    """The step has been judged, and a person is asked."""
    await here.until(f"at step {step}", lambda: here.holding(step))
    conditions = "AwaitingApproval"
    await here.until("awaiting approval", lambda: conditions in str(here.deployment["status"].get("conditions")))


async def approved_to_the_end(here: World) -> None:
    """Each step waits for a yes; the last one promotes."""
    penstock = typed(here)
    await started(here, APPROVED)
    for step, following in ((1, "step 2: 5 of 10 pods"), (2, "all 10 pods get the new version")):
        await awaited(here, step)
        shown = json.loads((await penstock("status", "web", "-o", "json")).out)
        assert (shown["step"], shown["reason"], shown["new"]["ready"]) == (step, "AwaitingApproval", (2, 5)[step - 1])
        assert shown["next"] == f"{following}, after penstock approve web -n {here.namespace}"
        planned = json.loads((await penstock("plan", "deployment/web", "-o", "json")).out)["deployments"][0]
        assert (planned["optedIn"], [each["pods"] for each in planned["steps"]]) == (True, [2, 5])
        answer = await penstock("approve", "web", "--yes", *(("-o", "yaml") if step == 2 else ()))
        assert (answer.code, answer.err) == (0, "")
        if step == 2:
            said = yaml.safe_load(answer.out)
            assert (said["do"], said["step"], said["taken"], said["message"]) == ("approve", 2, True, "approved")
        else:
            assert answer.out.startswith(f"{here.namespace}/web: approved; next: ")
    await here.until_promoted("2")
    idle = await penstock("status", "web")
    assert idle.out.startswith(f"{here.namespace}/web: no active rollout\nscope   opted in\n")
    assert "Approved: step 2 is approved" in idle.out
    late = await penstock("approve", "deploy/web", "--yes")
    assert (late.code, late.err.splitlines()[0]) == (1, f"Error: Deployment {here.namespace}/web has no active rollout")


async def aborted_and_tried_again(here: World) -> None:
    """A person takes it back, then has another try at a later step."""
    penstock = typed(here)
    await started(here, APPROVED)
    answer = await penstock("abort", "web", "-y")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.startswith(f"{here.namespace}/web: the release is being taken back; next: ")
    await here.until_rejected()
    again = await penstock("abort", "web", "-y")
    assert (again.code, again.out) == (1, "")
    assert again.err.startswith("Error: the release is taken back already; ")
    assert "taken back" in (await penstock("status")).out
    assert (await penstock("retry", "web", "-y")).out.startswith(f"{here.namespace}/web: another try begins; next: ")
    await here.until("at step 1 again", lambda: here.holding(1))
    assert (await penstock("skip-to", "web", "50%", "-y")).out.startswith(f"{here.namespace}/web: going on; next: ")
    await awaited(here, 2)


async def asked_of_no_namespace(here: World) -> None:
    """A typing error is no empty list."""
    for command in (("status",), ("status", "web"), ("status", "--watch")):
        answer = await ran(
            sys.executable, "-c", PENSTOCK, "--kubeconfig", str(here.cluster.kubeconfig), *command, "-n", "nonesuch"
        )
        said = "Error: there is no namespace nonesuch\nHint: they are listed by: kubectl get namespaces\n"
        assert (answer.code, answer.out, answer.err) == (1, "", said)


async def asked_without_a_controller(here: World) -> None:
    """The request stands, and is carried out when a controller comes back."""
    penstock = typed(here)
    await started(here, APPROVED)
    here.kill_controller()
    answer = await penstock("abort", "web", "--yes")
    assert (answer.code, answer.out) == (1, "")
    assert answer.err.startswith("Error: asked, but nobody has taken it up within 10 s")
    hint = f"Hint: back without a controller: penstock undo web -n {here.namespace}, or apply the former version; "
    assert answer.err.splitlines()[1].startswith(hint)
    assert len(answer.err.splitlines()) == 2
    replaced = await penstock("approve", "web", "--yes", "--no-wait")
    assert replaced.err == "Note: this replaces a request that nobody has taken up yet: abort, step 1\n"
    assert (await penstock("abort", "web", "--yes", "--no-wait")).code == 0
    await here.start_controller()
    await here.until_rejected()


async def watched(here: World) -> None:
    """Lines for each change, and Ctrl-C ends it in silence."""
    workload = Workload()
    await here.start_controller()
    await here.create(workload.manifest())
    arguments = ("--kubeconfig", str(here.cluster.kubeconfig), "status", "web", "-n", here.namespace, "--watch")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", INTERRUPTIBLE + PENSTOCK, *arguments, cwd=ROOT, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE, env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    assert process.stdout
    lines = [(await asyncio.wait_for(process.stdout.readline(), 60)).decode()]
    await here.release(workload, "2")
    await here.until_promoted("2")
    while "no active rollout" not in lines[-1] or len(lines) == 1:
        lines.append((await asyncio.wait_for(process.stdout.readline(), 60)).decode())
        assert lines[-1], await process.communicate()  # it has ended by itself
    process.send_signal(signal.SIGINT)
    rest, errors = await process.communicate()
    assert (process.returncode, rest, errors) == (0, b"", b"")
    story = "".join(lines)
    for part in ("at step 1 of 2, new 2", "at step 2 of 2, new 5", "finishing, new 10"):
        assert part in story


async def completed_by_kubectl(here: World) -> None:
    """The real kubectl finds the command and its completion on the PATH, and both ask the cluster it was told."""
    await here.create(Workload(1).manifest())
    path = f"{Path(sys.executable).parent}:{build.binaries()}:/usr/bin:/bin"
    line = ("penstock", "status", "--kubeconfig", str(here.cluster.kubeconfig), "-n", here.namespace, "w")
    answer = await ran("env", f"PATH={path}", "kubectl", "__complete", *line)
    assert (answer.code, answer.out) == (0, "web\n:4\n")
    shown = await ran("env", f"PATH={path}", "kubectl", *line[:-1])
    assert (shown.code, shown.out) == (0, f"No active rollouts in namespace {here.namespace}.\n")


@pytest.mark.full
async def test_what_a_person_types_is_what_happens(stage: Stage) -> None:
    """Every sentence of the command line, where it is true."""
    await stage.play(
        {
            "approve each step": approved_to_the_end,
            "abort, retry, skip-to": aborted_and_tried_again,
            "abort without a controller": asked_without_a_controller,
            "a namespace that does not exist": asked_of_no_namespace,
            "status --watch": watched,
            "kubectl penstock": completed_by_kubectl,
        }
    )
