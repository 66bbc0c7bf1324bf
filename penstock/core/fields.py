"""The spec fields that Penstock puts aside for the time of a rollout, and how they are put back.

None means absent. For `paused` and `minReadySeconds` the API server itself does not tell false and 0 from absent.
A user's own set may be invalid in parts that a rollout would hide (maxSurge 0 while our maxUnavailable is 2), so
validity is judged on the user's own values, never on the mixture in force.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from penstock.core.patch import Path, value_at
from penstock.core.units import IntOrPercent

PATHS: dict[str, Path] = {
    "type": ("spec", "strategy", "type"),
    "surge": ("spec", "strategy", "rollingUpdate", "maxSurge"),
    "unavailable": ("spec", "strategy", "rollingUpdate", "maxUnavailable"),
    "min_ready": ("spec", "minReadySeconds"),
    "deadline": ("spec", "progressDeadlineSeconds"),
    "paused": ("spec", "paused"),
}
ROLLING = "RollingUpdate"
DEFAULT_DEADLINE = 600
DEFAULT_SHARE = "25%"


@dataclass(frozen=True)
class Fields:
    """paused, minReadySeconds, progressDeadlineSeconds and the strategy of a Deployment."""

    type: str | None = ROLLING
    surge: IntOrPercent | None = DEFAULT_SHARE
    unavailable: IntOrPercent | None = DEFAULT_SHARE
    min_ready: int | None = None
    deadline: int | None = DEFAULT_DEADLINE
    paused: bool | None = None

    @classmethod
    def of(cls, deployment: Mapping[str, Any]) -> "Fields":
        """The fields in force in a Deployment object."""
        found = {name: value_at(deployment, path) for name, path in PATHS.items()}
        found["min_ready"] = found["min_ready"] or None
        found["paused"] = True if found["paused"] is True else None
        return cls(**found)

    def wanted(self) -> list[tuple[Path, Any]]:
        """Paths and values for patch.operations; rollingUpdate goes as a whole where the type has none."""
        values = [(path, getattr(self, name)) for name, path in PATHS.items()]
        if self.type == ROLLING:
            return values
        strategy: tuple[Path, Any] = (PATHS["surge"][:-1], None)
        return [values[0], strategy, *values[3:]]

    def merged(self, old: "Fields", new: "Fields", stated: frozenset[str] = frozenset()) -> "Fields":
        """These saved fields after a write of the user's from `old` to `new`.

        A field that the write changed, or that its author newly states (see ownership.stated), is the user's word.
        """
        changed = {
            f.name: getattr(new, f.name)
            for f in fields(self)
            if getattr(old, f.name) != getattr(new, f.name) or f.name in stated
        }
        return replace(self, **changed)

    def problem(self) -> str | None:
        """Why the API server would refuse these fields, or None."""
        if self.type == ROLLING and all(str(v).rstrip("%") == "0" for v in (self.surge, self.unavailable)):
            return "maxSurge and maxUnavailable are both 0"
        deadline = DEFAULT_DEADLINE if self.deadline is None else self.deadline
        if deadline <= (self.min_ready or 0):
            return f"progressDeadlineSeconds {deadline} is not above minReadySeconds {self.min_ready}"
        if self.type not in (ROLLING, "Recreate"):
            return f"strategy.type is {self.type}"
        if self.type == "Recreate" and self.surge is not None:
            return "strategy.rollingUpdate goes with RollingUpdate only"
        return None

    def json(self) -> dict[str, Any]:
        """For the record: absent stays visible as null."""
        return {f.name: getattr(self, f.name) for f in fields(self)}
