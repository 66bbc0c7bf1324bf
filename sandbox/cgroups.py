"""The control group of one sandbox's pods: the one thing of a real node that no namespace holds.

A kubelet never removes its groups, so the sandbox does. Being in the group is also the only thing that all
processes of all containers have in common, whatever they have done to themselves: by it they are found and
ended when everything that managed them is already dead.
"""

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from sandbox import processes
from sandbox.component import Failed

ROOT = Path("/sys/fs/cgroup")


def name(identity: str) -> str:
    """The group of a sandbox, as the kubelet is told it."""
    return f"penstock-{identity}"


def create(identity: str, nodes: int) -> None:
    """A kubelet wants its root group to be there in every hierarchy, with version 2 with all controllers."""
    for hierarchy in hierarchies():
        for node in range(1, nodes + 1):
            (hierarchy / name(identity) / f"node-{node}").mkdir(parents=True, exist_ok=True)
    if unified():
        for group in (ROOT, ROOT / name(identity)):
            _delegate(group)


def unified() -> bool:
    """Whether this machine has control groups of version 2 only."""
    return (ROOT / "cgroup.controllers").exists()


def _delegate(group: Path) -> None:
    """Let the groups below have the controllers; at the root systemd has done it already."""
    for controller in (group / "cgroup.controllers").read_text().split():
        with suppress(OSError):  # one that the kubelet does not need may be refused
            (group / "cgroup.subtree_control").write_text(f"+{controller}")


def hierarchies() -> list[Path]:
    """The roots of all hierarchies: one with version 2, one per controller with version 1."""
    if unified():
        return [ROOT]
    return [path for path in ROOT.glob("*/") if not path.is_symlink()]


def members(identity: str) -> set[int]:
    """Every process in the group or below."""
    found: set[int] = set()
    for group in _groups(identity):
        with suppress(OSError):  # removed meanwhile
            found.update(int(line) for line in (group / "cgroup.procs").read_text().split())
    return found


def processes_of(identity: str, container: str) -> list[int]:
    """The processes of one container, the first one first."""
    for group in _groups(identity):
        if container and group.name == container:
            with suppress(OSError):
                return sorted(int(line) for line in (group / "cgroup.procs").read_text().split())
    return []


def remove(identity: str, patience: float = 20.0) -> None:
    """End what runs in the group, and remove it; what is being set up inside may add processes once more."""
    deadline = time.monotonic() + patience
    while any((hierarchy / name(identity)).exists() for hierarchy in hierarchies()):
        processes.end(members(identity), patience=0)
        for group in _groups(identity):
            with suppress(OSError):  # busy for as long as the kernel is not through with a dead process
                group.rmdir()
        if time.monotonic() > deadline:
            raise Failed(f"the control group {name(identity)} cannot be removed: {sorted(members(identity))} are in it")
        time.sleep(0.02)


def _groups(identity: str) -> Iterator[Path]:
    """The group in every hierarchy with all groups below, the innermost first."""
    for hierarchy in hierarchies():
        for directory, _, _ in os.walk(hierarchy / name(identity), topdown=False):
            yield Path(directory)
