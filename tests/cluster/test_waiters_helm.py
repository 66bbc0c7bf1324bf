"""What `helm upgrade --wait` of Helm 3 and of Helm 4 says of a release that is held, taken back and promoted.

The programs are built from source, which takes minutes the first time: part of the full run only.
"""

import asyncio
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from sandbox.helm import helm
from tests.cluster.cluster import Output
from tests.cluster.ends import restored
from tests.cluster.stage import Scenario, Stage
from tests.cluster.workload import Workload, image
from tests.cluster.world import World

pytestmark = [pytest.mark.cluster, pytest.mark.full]

SLOW = Workload(4, "50%", "25%", "1", "20s..90s")
SOON = 8.0
"""Seconds, less than the time-out that Helm is given: an answer that comes before was not waited for."""


@dataclass(frozen=True)
class Chart:
    """A chart of one Deployment, and the program that installs it."""

    here: World
    program: Path
    directory: Path

    @classmethod
    async def of(cls, here: World, major: int) -> "Chart":
        """Written down; the version is a value of the chart."""
        program = await asyncio.to_thread(helm, major)
        directory = here.logs / f"chart-{here.namespace}"
        await asyncio.to_thread(_write, directory)
        return cls(here, program, directory)

    async def helm(self, *arguments: str) -> Output:
        """`helm …`, with a home of its own."""
        home = str(self.directory / "home")
        where = ("--kubeconfig", str(self.here.cluster.kubeconfig), "--namespace", self.here.namespace)
        process = await asyncio.create_subprocess_exec(
            str(self.program),
            *arguments,
            *where,
            env={"HOME": home, "PATH": os.defpath},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await asyncio.wait_for(process.communicate(), 120)
        return Output(process.returncode or 0, out.decode(), err.decode())

    async def upgraded(self, version: str, *more: str) -> tuple[Output, float]:
        """`helm upgrade --install --wait`, and how long it took."""
        begun = time.monotonic()
        chosen = ("--set-string", f"version={version}", "--wait", "--timeout", "12s", *more)
        answer = await self.helm("upgrade", "--install", "web", str(self.directory), *chosen)
        return answer, time.monotonic() - begun


def _write(directory: Path) -> None:
    (directory / "templates").mkdir(parents=True)
    (directory / "home").mkdir()
    (directory / "Chart.yaml").write_text("apiVersion: v2\nname: web\nversion: 1.0.0\n")
    text = yaml.safe_dump(json.loads(json.dumps(SLOW.manifest("VERSION"))))
    (directory / "templates" / "web.yaml").write_text(text.replace(image("VERSION"), image("{{ .Values.version }}")))


def waits(major: int) -> Scenario:
    """Held, superseded by another upgrade, rolled back; then taken back, tried again, promoted."""

    async def scenario(here: World) -> None:
        chart = await Chart.of(here, major)
        first, _ = await chart.upgraded("1", "--timeout", "60s")
        assert first.code == 0, first.err
        await here.until("at rest", here.at_rest)
        here.born = here.deployment
        await here.start_controller()
        held, seconds = await chart.upgraded("2")
        print(f"helm {major} held: {held.code} after {seconds:.1f} s: {held.err[-600:]}", flush=True)
        assert (held.code, seconds < SOON) == (0, True), held.err
        await here.until("holding", lambda: here.holding(1))
        newer, _ = await chart.upgraded("3")
        assert newer.code == 0, newer.err
        await here.until("of 3", lambda: here.holding(1) and here.pods("3") == 1)
        back = await chart.helm("rollback", "web", "1")
        assert back.code == 0, back.err
        await here.until("back", lambda: here.at_rest() and here.pods("1") == 4)
        await chart.upgraded("4")
        await here.until("of 4", lambda: here.holding(1) and here.pods("4") == 1)
        await here.ask("abort")
        await here.until_rejected()
        again, seconds = await chart.upgraded("4")
        print(f"helm {major} rejected: {again.code} after {seconds:.1f} s: {again.err[-600:]}", flush=True)
        assert (again.code, seconds < SOON) == (0, True), again.err
        await here.ask("retry")
        await here.until_promoted("4")
        await restored(here)
        last, _ = await chart.upgraded("4", "--timeout", "60s")
        assert last.code == 0, last.err

    return scenario


@pytest.mark.parametrize("major", [3, 4])
async def test_helm_takes_a_held_release_for_a_success(stage: Stage, major: int) -> None:
    """Both skip a Deployment that is paused in the answer to their own write. The guide says so, and what to do."""
    await stage.play({f"helm {major}": waits(major)})
