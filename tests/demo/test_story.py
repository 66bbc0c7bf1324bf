"""`make demo` as a whole: its exit code is the proof, its ends leave nothing behind."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from sandbox import packages, processes
from sandbox.demo.releases import RELEASES, Fault
from sandbox.directory import Directory

LONGEST = 800.0
"""Seconds; half of it is usual on a machine that has nothing else to do."""


async def started(directory: Path, pods: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sandbox.demo", "--directory", str(directory), "--pods", pods),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )


async def told(directory: Path, pods: str) -> list[str]:
    """The lines of a whole story that held."""
    process = await started(directory, pods)
    out, _ = await asyncio.wait_for(process.communicate(), LONGEST)
    assert process.returncode == 0, out.decode()
    assert "Every expectation held." in out.decode()
    assert processes.members(Directory(directory)) == []
    return out.decode().splitlines()


@pytest.mark.cluster
@pytest.mark.full
async def test_the_story_holds_on_simulated_pods(tmp_path: Path) -> None:
    """Anybody can see it, without root; nothing is claimed about requests."""
    rows = [line for line in await told(tmp_path, "simulated") if line.startswith(("v2, ", "v5, ", "v6, "))]
    assert [row.count("not measured") for row in rows] == [0, 0, 0, 1, 1, 1]


@pytest.mark.real
@pytest.mark.full
async def test_the_story_holds_on_real_pods(tmp_path: Path) -> None:
    """Real containers, a real Service, and not one lost request but for the release that crashes."""
    if os.geteuid() != 0 or packages.missing():
        pytest.skip("real pods need root and their Debian packages")
    lines = await told(tmp_path, "real")
    rows = [line for line in lines if line.startswith(tuple(f"{release.version}, " for release in RELEASES))]
    assert len(rows) == 2 * len(RELEASES)
    for row, release in zip(rows[len(RELEASES) :], RELEASES, strict=True):
        assert (" 0 of " in row) == (release.fault in (None, Fault.SLOW))


@pytest.mark.cluster
async def test_a_story_that_is_interrupted_takes_everything_down(tmp_path: Path) -> None:
    """Ctrl-C, and once more by somebody who is impatient, in the middle of a release."""
    process = await started(tmp_path, "simulated")
    assert process.stdout is not None
    async for line in process.stdout:
        if b"v2 is applied" in line:
            break
    process.send_signal(signal.SIGINT)
    await asyncio.sleep(0.2)
    process.send_signal(signal.SIGINT)
    await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 128 + signal.SIGINT
    assert processes.members(Directory(tmp_path)) == []
    assert not (tmp_path / "kubeconfig").exists()
