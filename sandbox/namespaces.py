"""Private network and mount namespaces: where real nodes live, so that the machine keeps its own.

A namespace has no name and no mount on the machine (`ip netns` would leave both behind after a crash): it
lives as long as a process in it, and one enters by such a process. `call` moves one thread only, because a
process cannot come back from a namespace without the rights it had before.
"""

import ctypes
import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from sandbox import processes
from sandbox.directory import Directory

CLONE_NEWNET = 0x40000000

T = TypeVar("T")


@dataclass(frozen=True)
class Place:
    """The private namespaces of the processes INHABITANTS (any of them will do), or here if there are none."""

    inhabitants: tuple[str, ...] = ()

    def command(self, directory: Directory, command: Sequence[str], *, mounts: bool = True) -> list[str]:
        """COMMAND as it is to be run from outside. nsenter replaces itself by it, so the pid is the command's."""
        if not self.inhabitants:
            return list(command)
        enter = ["nsenter", "--target", str(self.pid(directory)), "--net"]
        return [*enter, *(["--mount", "--wd=/"] if mounts else []), "--", *command]

    def pid(self, directory: Directory) -> int:
        """A living process inside."""
        for name in self.inhabitants:
            pid = processes.running(directory, name)
            if pid is not None:
                return pid
        raise ProcessLookupError(f"none of {', '.join(self.inhabitants)} runs, so their private network is gone")

    def call(self, directory: Directory, function: Callable[[], T]) -> T:
        """What FUNCTION returns when it connects from inside."""
        if not self.inhabitants:
            return function()
        answers: list[T] = []
        failures: list[BaseException] = []
        network = Path(f"/proc/{self.pid(directory)}/ns/net")

        def inside() -> None:
            try:
                _enter(network)
                answers.append(function())
            except BaseException as failure:
                failures.append(failure)

        thread = threading.Thread(target=inside, daemon=True)
        thread.start()
        thread.join()
        if failures:
            raise failures[0]
        return answers[0]


HERE = Place()


def _enter(network: Path) -> None:
    """Move the calling thread, and only it; os.setns came with Python 3.12."""
    library = ctypes.CDLL(None, use_errno=True)
    handle = os.open(network, os.O_RDONLY)
    try:
        if library.setns(handle, CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"cannot enter {network}")
    finally:
        os.close(handle)
