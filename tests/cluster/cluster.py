"""The cluster that all tests of a session share, and its webhook, which they may stop and start again."""

import asyncio
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from sandbox import build, processes
from sandbox.directory import Directory

ROOT = Path(__file__).parents[2]

RATE = 100
"""Requests per second of each native controller. Their own default of 20 is one cluster's share; here a dozen rollouts
run at once, and would mostly wait for it."""


@dataclass(frozen=True)
class Output:
    """What a command said."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Cluster:
    """A sandbox with simulated pods."""

    directory: Path

    @property
    def kubeconfig(self) -> Path:
        """The administrator's."""
        return self.directory / "kubeconfig"

    @property
    def controller_kubeconfig(self) -> Path:
        """The controller's own ServiceAccount."""
        return self.directory / "configuration" / "controller"

    async def kubectl(self, *arguments: str, stdin: str = "") -> Output:
        """The real kubectl, as the administrator."""
        binary = build.binaries() / "kubectl"
        return await ran(str(binary), "--kubeconfig", str(self.kubeconfig), *arguments, stdin=stdin)

    async def stop(self, name: str) -> None:
        """End one process of the sandbox."""
        await self._sandbox("stop", name)

    async def restart(self, name: str) -> None:
        """Start it again; returns when it is ready."""
        await self._sandbox("restart", name)

    async def freeze(self, name: str) -> None:
        """SIGSTOP one process of the sandbox: it accepts connections, and answers none."""
        os.kill(self._pid(name), signal.SIGSTOP)

    async def thaw(self, name: str) -> None:
        """SIGCONT."""
        os.kill(self._pid(name), signal.SIGCONT)

    def processor_seconds(self, name: str) -> float:
        """What one process of the sandbox has computed so far."""
        used = Path(f"/proc/{self._pid(name)}/stat").read_text().rpartition(")")[2].split()
        return (int(used[11]) + int(used[12])) / os.sysconf("SC_CLK_TCK")

    def _pid(self, name: str) -> int:
        pid = processes.running(Directory(self.directory), name)
        assert pid, f"{name} does not run"
        return pid

    async def _sandbox(self, *arguments: str) -> None:
        output = await ran(sys.executable, "-m", "sandbox", *arguments, "--directory", str(self.directory))
        if output.code:
            raise AssertionError(f"sandbox {' '.join(arguments)}: {output.err}")


async def ran(*command: str, stdin: str = "") -> Output:
    """Run a command to its end."""
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(stdin.encode()), 300)
    return Output(process.returncode or 0, out.decode(), err.decode())


def up(directory: Path, rate: int = RATE) -> Cluster:
    """Start a sandbox; its own controller is stopped, since each test brings one for its namespace."""
    for arguments in (["up", "--pods", "simulated", "--kube-api-qps", str(rate)], ["stop", "controller"]):
        command = [sys.executable, "-m", "sandbox", *arguments, "--directory", str(directory)]
        subprocess.run(command, cwd=ROOT, check=True, timeout=1200)
    return Cluster(directory)


def down(cluster: Cluster) -> None:
    """End it."""
    command = [sys.executable, "-m", "sandbox", "down", "--directory", str(cluster.directory)]
    subprocess.run(command, cwd=ROOT, check=True, timeout=120)
