"""A containerd of a test's own, which runs one image as a cluster would: its user, a root that nobody can write to.

In a mount namespace of its own, so that nothing stays mounted on the machine whatever becomes of the test.
"""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sandbox import packages

CONFIGURATION = """
version = 2
root = "{directory}/root"
state = "{directory}/state"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt"]
[grpc]
  address = "{directory}/socket"
"""


@dataclass(frozen=True)
class Runtime:
    """Its socket, and what is asked of it by ctr."""

    address: str

    def load(self, image: Path) -> None:
        """Import an archive."""
        subprocess.run(self._ctr("images", "import", str(image)), check=True, capture_output=True, timeout=120)

    def start(self, image: str, name: str, command: list[str], *mounts: str) -> "subprocess.Popen[str]":
        """A container in the network of the machine; the process ends with the code of its first one."""
        own = ("--rm", "--read-only", "--net-host", "--seccomp", "--mount", "type=tmpfs,src=tmpfs,dst=/tmp")
        bound = (part for mount in mounts for part in ("--mount", mount))
        called = self._ctr("run", *own, *bound, image, name, *command)
        return subprocess.Popen(called, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def said(self, image: str, name: str, command: list[str]) -> tuple[int, str]:
        """Code and output of a container that ends by itself."""
        started = self.start(image, name, command)
        output, _ = started.communicate(timeout=60)
        return started.returncode, output

    def kill(self, name: str, sent: signal.Signals) -> None:
        """Send the container's first process a signal; nothing if there is none any more."""
        subprocess.run(self._ctr("task", "kill", "--signal", sent.name, name), capture_output=True, timeout=30)

    def _ctr(self, *arguments: str) -> list[str]:
        program = packages.program("ctr")
        assert program
        return [program, "--address", self.address, *arguments]


@contextmanager
def runtime(directory: Path) -> Iterator[Runtime]:
    """While it runs. The path must be short: it is a socket's."""
    program = packages.program("containerd")
    assert program
    (directory / "configuration.toml").write_text(CONFIGURATION.format(directory=directory))
    within = ["unshare", "--mount", "--propagation", "private", program]
    with open(directory / "log", "w") as log:
        daemon = subprocess.Popen(
            [*within, "--config", str(directory / "configuration.toml")], stdout=log, stderr=subprocess.STDOUT
        )
    try:
        _wait(directory / "socket", daemon, directory / "log")
        yield Runtime(str(directory / "socket"))
    finally:
        daemon.send_signal(signal.SIGTERM)
        daemon.wait(30)


def _wait(path: Path, daemon: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + 30
    while True:
        with socket.socket(socket.AF_UNIX) as probe:
            if os.path.exists(path) and probe.connect_ex(str(path)) == 0:
                return
        assert daemon.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)
