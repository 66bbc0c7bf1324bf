"""Controllers as processes that start in milliseconds, so that one can be killed at each of its writes.

`python -m controller` spends 1.4 s of a core on imports. Some hundred lives of it are lived here, so a parent imports
everything once and forks: the child is a process of its own, runs the same `main`, and knows nothing of the others.
"""

import asyncio
import ctypes
import importlib
import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).parents[2]
DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG
IMPORTED = ("controller.__main__", "kubernetes.aio.client", "kubernetes.aio.config")
"""What a controller has imported once it is connected."""


@dataclass
class Nursery:
    """The tests' side: asks for children, is told their pids."""

    process: asyncio.subprocess.Process
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    @classmethod
    async def open(cls) -> "Nursery":
        """Start the parent."""
        return cls(
            await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "tests.cluster.nursery",
                cwd=ROOT,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
            )
        )

    async def bear(self, arguments: Sequence[str], log: Path, ahead: float = 0.0) -> int:
        """Start a controller; its pid. Its wall clock is so many seconds ahead of the machine's."""
        assert self.process.stdin
        assert self.process.stdout
        async with self.turn:
            self.process.stdin.write(json.dumps([list(arguments), str(log), ahead]).encode() + b"\n")
            return int(await self.process.stdout.readline())

    async def close(self) -> None:
        """End it; living children die with it."""
        assert self.process.stdin
        self.process.stdin.close()
        await self.process.wait()


def alive(pid: int) -> bool:
    """Whether the process lives; the nursery leaves no zombies."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def main() -> None:
    """The parent: one child per line of standard input."""
    _die_with_parent()
    for name in IMPORTED:
        importlib.import_module(name)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel reaps
    for line in sys.stdin:
        arguments, log, ahead = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _set_clock(ahead)
            _child(arguments, log)
        print(pid, flush=True)


def _child(arguments: list[str], log: str) -> NoReturn:
    from controller.__main__ import main as control

    _die_with_parent()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    code = 1
    try:
        control(arguments, standalone_mode=False)
        code = 0
    except BaseException:  # the fork must never run on in its parent's code, whatever happened
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(code)


def _set_clock(ahead: float) -> None:
    """As on a machine whose clock is wrong; the clocks that count from its start are not."""
    right = time.time
    time.time = lambda: right() + ahead


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(DIE_WITH_PARENT, signal.SIGKILL)


if __name__ == "__main__":
    main()
