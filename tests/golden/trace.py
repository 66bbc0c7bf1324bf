"""A golden trace: what was done to a Deployment, which sizes its ReplicaSets were given then, and the state at rest.

Kept as text that a person can read and a diff can show: one line for each act, one for each ReplicaSet.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

TRACES = Path(__file__).parent / "native"


@dataclass(frozen=True)
class Rest:
    """Once everybody has seen everything."""

    status: tuple[int, ...]
    """The Deployment's replicas, updatedReplicas, availableReplicas."""
    sets: dict[str, str]
    """By version, as `words`."""


@dataclass(frozen=True)
class Entry:
    """One act and what came of it."""

    act: dict[str, Any]
    moves: tuple[str, ...]
    """Sizes in the order in which they were written: "v2 3"."""
    rest: Rest


@dataclass(frozen=True)
class Trace:
    """One scenario, played to its end."""

    name: str
    replicas: int
    surge: int | str
    unavailable: int | str
    type: str
    history: int
    min_ready: int
    entries: tuple[Entry, ...]


def words(size: int, pods: int, ready: int, available: int, desired: Any, most: Any, wait: int) -> str:
    """One ReplicaSet: spec.replicas, its status, the two annotations that scaling reads, minReadySeconds."""
    pods_ = f"{size} pods" if size == pods else f"{size} pods ({pods} exist)"
    counts = f"{pods_}, {ready} ready, {available} available; desired {desired}, max {most}"
    return counts + (f"; waits {wait}" if wait else "")


def file(name: str) -> Path:
    return TRACES / (name.replace(",", "").replace(":", "").replace(" ", "-") + ".yaml")


def save(trace: Trace) -> None:
    """Write it where `load` finds it."""
    head = {key: value for key, value in asdict(trace).items() if key != "entries"}
    lines = [yaml.safe_dump(head, sort_keys=False).strip(), "entries:"]
    for entry in trace.entries:
        lines.append(f"- act: {_line(entry.act)}")
        if entry.moves:
            lines.append(f"  moves: {_line(list(entry.moves))}")
        lines.append(f"  status: {_line(list(entry.rest.status))}")
        lines += [f"  {version}: {text}" for version, text in entry.rest.sets.items()]
    TRACES.mkdir(exist_ok=True)
    file(trace.name).write_text("\n".join(lines) + "\n")


def load(path: Path) -> Trace:
    content = yaml.safe_load(path.read_text())
    entries = tuple(_entry(each) for each in content.pop("entries"))
    return Trace(**content, entries=entries)


def _entry(each: dict[str, Any]) -> Entry:
    act, moves, status = each.pop("act"), each.pop("moves", []), each.pop("status")
    return Entry(act, tuple(moves), Rest(tuple(status), each))


def _line(value: Any) -> str:
    return yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=1000).strip()
