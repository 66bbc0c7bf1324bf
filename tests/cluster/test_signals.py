"""What the real processes say to a Prometheus, while a rollout runs."""

import asyncio
import shutil

import pytest

from penstock.signals import series
from penstock.signals.series import Series
from sandbox import spec
from sandbox.directory import Directory
from tests.certs.test_probe import free_port
from tests.cluster.cluster import ran
from tests.cluster.stage import Stage
from tests.cluster.workload import Workload
from tests.cluster.world import World

pytestmark = pytest.mark.cluster

HELD = Workload(replicas=4, steps="1", step_time="60s..90s")


async def scraped(stage: Stage, port: int) -> str:
    """/metrics of a process on this machine."""
    async with stage.session.get(f"http://127.0.0.1:{port}/metrics") as answer:
        assert answer.headers["Content-Type"].startswith("text/plain; version=")
        return await answer.text()


def types(exposition: str) -> dict[str, str]:
    """Our metrics in it, by name."""
    lines = [line.split() for line in exposition.splitlines() if line.startswith("# TYPE penstock_")]
    return {name: kind for _, _, name, kind in lines}


def listed(*of: Series) -> dict[str, str]:
    return {known.name: known.kind.value for known in of}


async def test_both_processes_show_what_the_list_says_and_promtool_finds_no_fault(stage: Stage) -> None:
    """The certificates' series belong to a controller that keeps these; here another process does."""
    if shutil.which("promtool") is None:
        pytest.skip("needs the Debian package prometheus")
    state = spec.load(Directory(stage.cluster.directory))
    assert state is not None
    port = free_port()

    async def scenario(here: World) -> None:
        await here.create(HELD.manifest())
        await here.start_controller("", "--metrics-port", str(port))
        await here.release(HELD, "2")
        await here.until("holding", lambda: here.holding(1))
        await asyncio.sleep(1)
        ours, theirs = await scraped(stage, port), await scraped(stage, state.ports.webhook_metrics)
        own = [known for known in series.CONTROLLER if known not in series.CUSTODY]
        assert types(ours) == listed(*own)
        assert types(theirs) == listed(*series.WEBHOOK)
        place = f'{{name="web",namespace="{here.namespace}"}}'
        for line in ("penstock_is_leader 1.0", f"penstock_rollout_exposed_pods{place} 1.0"):
            assert line in ours.splitlines()
        faults = [(await ran("promtool", "check", "metrics", stdin=found)).err for found in (ours, theirs)]
        assert faults == ["", ""]

    await stage.play({"metrics of a held release": scenario})
