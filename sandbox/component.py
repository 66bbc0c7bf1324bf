"""One process of the sandbox: how it is started, and how one sees that it works."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from sandbox import processes
from sandbox.directory import Directory
from sandbox.namespaces import HERE, Place

PATIENCE = 60.0
"""Seconds for a component to become ready: a machine busy with other work takes many times the usual 1 to 3."""

GRACE = 2.0
"""Seconds between SIGTERM and SIGKILL when a person says `stop` or `restart`. The API server alone would wait much
longer for watches that never end, and etcd has everything in its log at any moment."""


class Failed(Exception):
    """The sandbox could not do what was asked; the message says why and where to read on."""


@dataclass(frozen=True)
class Component:
    """NAME is also that of its pid file and log. `ready` is asked in the component's own network."""

    name: str
    command: Sequence[str]
    ready: Callable[[], bool]
    place: Place = HERE
    variables: Mapping[str, str] = field(default_factory=dict)

    def pid(self, directory: Directory) -> int | None:
        """The process, if it lives."""
        return processes.running(directory, self.name)

    def start(self, directory: Directory) -> None:
        """Start it unless it lives; does not wait until it is ready."""
        if self.pid(directory) is None:
            processes.start(directory, self.name, self.place.command(directory, self.command), variables=self.variables)

    def stop(self, directory: Directory) -> None:
        """End it; nothing restarts it."""
        processes.stop(directory, self.name, GRACE)

    def restart(self, directory: Directory) -> None:
        """Another process instead of the one that lives, if any; does not wait until it is ready."""
        self.stop(directory)
        self.start(directory)

    def wait(self, directory: Directory, patience: float = PATIENCE) -> None:
        """Return when it is ready; fail at once when it has died."""
        until(f"{self.name} is ready", lambda: self._asked(directory), patience, self.logged(directory))

    def logged(self, directory: Directory) -> Callable[[], str]:
        """The end of its log, for the message of a failure."""
        return lambda: f"{directory.log(self.name)} ends:\n{directory.tail(self.name)}"

    def _asked(self, directory: Directory) -> bool:
        if self.pid(directory) is None:
            raise Failed(f"{self.name} has ended; {self.logged(directory)()}")
        return self.place.call(directory, self.ready)


def until(what: str, holds: Callable[[], bool], patience: float, explain: Callable[[], str] = lambda: "") -> None:
    """Return when it HOLDS, asking twenty times a second at first and less often later."""
    began = time.monotonic()
    while not holds():
        waited = time.monotonic() - began
        if waited > patience:
            raise Failed(f"waited {patience:.0f} s in vain until {what}; {explain()}".rstrip("; "))
        time.sleep(0.05 if waited < 5 else 0.2)
