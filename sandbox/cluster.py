"""A sandbox as a whole: brought up, looked at, changed, and taken down without a trace.

Everything that lasts is in the directory and in the processes, so each method also works in another process
than the one that called `up`, and after that one was killed.
"""

import os
import secrets
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from sandbox import build, identities, penstock, processes, prometheus
from sandbox.component import Component, Failed
from sandbox.deployed import Deployed
from sandbox.directory import Directory
from sandbox.machine import Machine, stop
from sandbox.nodes import real
from sandbox.ports import choose
from sandbox.spec import Spec, State, load, save


class Sandbox:
    """One cluster in one directory."""

    def __init__(self, directory: Path | str = ".sandbox") -> None:
        self.files = Directory(Path(directory).resolve())

    @property
    def directory(self) -> Path:
        """Where it keeps everything."""
        return self.files.root

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.files.kubeconfig

    @property
    def prometheus(self) -> str:
        """Where its Prometheus is found from here; empty where there is none."""
        state = load(self.files)
        return f"http://127.0.0.1:{state.ports.prometheus}" if state and state.spec.prometheus else ""

    @property
    def page(self) -> str:
        """How Penstock's web page is opened; empty where there is none."""
        state = load(self.files)
        return penstock.page(self.files, state) if state and state.spec.penstock else ""

    def up(self, spec: Spec | None = None) -> None:
        """Bring the cluster up, or up again what of it has died; interrupted, it leaves nothing behind."""
        spec = spec or Spec()
        if spec.real_nodes:
            real.check()
        if spec.prometheus:
            prometheus.check()
        binaries = build.binaries()
        with self.files.locked():
            state = load(self.files)
            if state and processes.members(self.files):
                if state.spec != spec:
                    raise Failed(f"{self.directory} has a running cluster of {state.spec.words}; take it down first")
                Machine(self.files, state).start()
            else:
                self._begin(State(spec, choose(), str(binaries), secrets.token_hex(4)))

    def _begin(self, state: State) -> None:
        self._end()
        self.files.clear(logs=True)
        self.files.make()
        try:
            save(self.files, state)
            identities.create(self.files, state)
            machine = Machine(self.files, state)
            machine.prepare()
            machine.start()
        except BaseException:
            with _undisturbed():
                self._end()
            raise

    def down(self) -> None:
        """End everything and remove everything but the logs."""
        if self.directory.is_dir():
            with self.files.locked():
                self._end()

    def _end(self) -> None:
        stop(self.files)
        self.files.clear(logs=False)

    def components(self) -> dict[str, Component]:
        """What this sandbox consists of, by name."""
        return {component.name: component for component in self._machine().components()}

    def pid(self, name: str) -> int | None:
        """The process NAME, or None if it is dead."""
        return self._component(name).pid(self.files)

    def stop(self, name: str) -> None:
        """End the process NAME; nothing restarts it."""
        component = self._component(name)
        with self.files.locked():
            component.stop(self.files)

    def restart(self, name: str) -> None:
        """Start the process NAME, after ending it if it lives, with the code as it is now; returns when it is ready."""
        component = self._component(name)
        with self.files.locked():
            if isinstance(component, Deployed):
                self._machine().refresh()
            component.restart(self.files)
            component.wait(self.files)

    def execute(self, command: Sequence[str]) -> NoReturn:
        """Become COMMAND, where pods and Services can be reached; so signals and the exit code are its own."""
        machine = self._machine()
        binaries = machine.state.binaries
        environment = os.environ | {
            "KUBECONFIG": str(self.kubeconfig),
            "PATH": f"{binaries}{os.pathsep}{os.environ.get('PATH', os.defpath)}",  # a kubectl that fits
        }
        entered = machine.place.command(self.files, command, mounts=False)
        os.execvpe(entered[0], entered, environment)

    def _component(self, name: str) -> Component:
        components = self.components()
        if name not in components:
            raise Failed(f"there is no {name} here; there are {', '.join(components)}")
        return components[name]

    def _machine(self) -> Machine:
        state = load(self.files)
        if state is None:
            raise Failed(f"no sandbox in {self.directory}; `python -m sandbox up` makes one")
        return Machine(self.files, state)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """A second Ctrl-C, of someone who has waited for a second, must not stop the cleaning up after the first."""
    if threading.current_thread() is not threading.main_thread():  # Python lets no other one touch signals
        yield
        return
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
