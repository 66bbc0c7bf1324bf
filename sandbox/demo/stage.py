"""The sandbox that the story is played in: one that runs already, or one of its own that it takes down again.

Everything goes through `python -m sandbox`, as for anybody else, in sessions of their own: the Ctrl-C of an impatient
person must reach the story alone, or it would interrupt the very `down` that cleans up after it.
"""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

import msgspec

from sandbox import processes
from sandbox.cluster import Sandbox
from sandbox.component import Failed
from sandbox.demo import traffic
from sandbox.demo.traffic import Line
from sandbox.spec import load

CONTROLLER = "controller"

LONGEST = 1200.0
"""Seconds after which traffic ends even if nobody ends it."""


class Stage:
    """One sandbox. `pods` is what to start if none runs in the directory: real, simulated, or what is possible."""

    def __init__(self, directory: Path, pods: str | None) -> None:
        self.sandbox = Sandbox(directory)
        self._pods = pods
        state = load(self.sandbox.files)
        self.running = bool(state and processes.members(self.sandbox.files))

    @property
    def real(self) -> bool:
        """Whether pods are containers that answer requests."""
        state = load(self.sandbox.files)
        return bool(state and state.spec.real_nodes)

    @asynccontextmanager
    async def up(self) -> AsyncIterator[None]:
        """The sandbox runs, with Penstock in it; afterwards it is as it was before."""
        try:
            await self._command("up", *self._kind())
            yield
        finally:
            if not self.running:
                await self._command("down")
            elif await asyncio.to_thread(self.sandbox.pid, CONTROLLER) is None:
                await self.restart(CONTROLLER)

    def _kind(self) -> tuple[str, ...]:
        """`up` mends what has died in a running sandbox, if it is asked for the same kind."""
        state = load(self.sandbox.files)
        if not self.running or state is None:
            return ("--pods", self._pods) if self._pods else ()
        if not state.spec.penstock:
            raise Failed(f"the sandbox in {self.sandbox.directory} runs without Penstock; take it down first")
        if self._pods and (self._pods == "real") != bool(state.spec.real_nodes):
            raise Failed(f"the sandbox in {self.sandbox.directory} has {state.spec.words}; take it down first")
        nodes = {"real": state.spec.real_nodes, "simulated": state.spec.simulated_nodes}
        rate = ("--kube-api-qps", str(state.spec.kube_api_qps)) if state.spec.kube_api_qps else ()
        return (*(word for kind, n in nodes.items() for word in (f"--{kind}-nodes", str(n))), *rate)

    async def restart(self, name: str) -> None:
        """Start the process NAME again; returns when it is ready."""
        await self._command("restart", name)

    @contextmanager
    def aim(self, name: str) -> Iterator[Callable[[], None]]:
        """A way to kill the process NAME at once: found and verified now, and held so that it hits no other."""
        pid = self.sandbox.pid(name)
        if pid is None:
            raise Failed(f"{name} is not running")
        handle = os.pidfd_open(pid)
        try:
            if self.sandbox.pid(name) != pid:
                raise Failed(f"{name} has just ended")
            yield lambda: signal.pidfd_send_signal(handle, signal.SIGKILL)
        finally:
            os.close(handle)

    async def flow(self, url: str, rate: float, take: Callable[[Line], None]) -> None:
        """Traffic to a Service until cancelled; then its last lines are taken too."""
        command = ["-m", traffic.__name__, url, "--rate", str(rate), "--seconds", str(LONGEST)]
        process = await self._start("exec", "--", sys.executable, *command, out=asyncio.subprocess.PIPE)
        assert process.stdout is not None
        reading = asyncio.create_task(_read(process.stdout, take))
        try:
            await asyncio.shield(reading)
            raise Failed("the traffic has ended by itself")
        finally:
            await asyncio.gather(_ended(process), asyncio.wait([reading], timeout=2 * traffic.DEADLINE))

    async def _command(self, name: str, *arguments: str) -> None:
        process = await self._start(name, *arguments, out=asyncio.subprocess.DEVNULL)
        try:
            code = await process.wait()
        finally:
            await _ended(process)
        if code != 0:
            raise Failed(f"`python -m sandbox {name}` has failed (exit code {code}), see above")

    async def _start(self, name: str, *arguments: str, out: int) -> asyncio.subprocess.Process:
        command = [sys.executable, "-m", "sandbox", name, "--directory", str(self.sandbox.directory), *arguments]
        return await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.DEVNULL, stdout=out, start_new_session=True
        )


async def _read(lines: asyncio.StreamReader, take: Callable[[Line], None]) -> None:
    async for line in lines:
        take(msgspec.json.decode(line, type=Line))


async def _ended(process: asyncio.subprocess.Process) -> None:
    """A command that we no longer wait for is asked to end, and cleans up behind itself before it does."""
    if process.returncode is None:
        with suppress(ProcessLookupError):
            process.terminate()
        await process.wait()
