"""The spec fields that Penstock puts aside for the time of a rollout, and how they are put back.

None means absent. For `paused` and `minReadySeconds` the API server itself does not tell false and 0 from absent.
A user's own set may be invalid in parts that a rollout would hide (maxSurge 0 while our maxUnavailable is 2), so
validity is judged on the user's own values, never on the mixture in force.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from penstock.core import keys
from penstock.core.patch import Path, value_at
from penstock.core.units import IntOrPercent, pods

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
        """Paths and values for patch.operations; rollingUpdate goes as a whole where it holds nothing."""
        values = [(path, getattr(self, name)) for name, path in PATHS.items()]
        if self.type == ROLLING or (self.surge, self.unavailable) != (None, None):
            return values
        strategy: tuple[Path, Any] = (PATHS["surge"][:-1], None)
        return [values[0], strategy, *values[3:]]

    def merged(self, old: "Fields", new: "Fields", stated: frozenset[str] = frozenset()) -> "Fields":
        """These saved fields after a write of the user's from `old` to `new`.

        A field that the write changed, or that its author newly states (see ownership.stated), is the user's word.
        The brake never is: it comes back with a copy that was taken in an open window. And a surge of the user's means
        RollingUpdate, also after Recreate: RollingUpdate stays in force all the while, so it does not show as a change.
        """
        changed = {
            f.name: getattr(new, f.name)
            for f in fields(self)
            if getattr(old, f.name) != getattr(new, f.name) or f.name in stated
        }
        for name, brake in (("min_ready", keys.BRAKE_READY), ("deadline", keys.BRAKE_DEADLINE)):
            if changed.get(name) == brake:
                del changed[name]
        if new.type == ROLLING and any(changed.get(name) is not None for name in ("surge", "unavailable")):
            changed["type"] = ROLLING
        return replace(self, **changed)

    def rolling(self) -> "Fields":
        """The user's fields while two versions run: a change to Recreate waits until one is left."""
        if self.type == ROLLING:
            return self
        return replace(self, type=ROLLING, surge=DEFAULT_SHARE, unavailable=DEFAULT_SHARE)

    def unbraked(self) -> "Fields":
        """These fields without the brake, never a user's word: it is left of a rollout whose record is lost."""
        return replace(self, min_ready=None, deadline=DEFAULT_DEADLINE) if self.min_ready == keys.BRAKE_READY else self

    def held(self, own: "Fields", replicas: int) -> "Fields":
        """These fields of a window, paused. The surge that stays means the same number of pods (another one would
        resize), but a larger percentage than the user's would pass theirs when the replicas grow (I3): so it is
        written as theirs where that means the same, and as a number where they have written one."""
        surge, theirs = self.surge, own.rolling().surge
        if isinstance(surge, str) and theirs is not None:
            now = pods(surge, replicas, up=True)
            if replicas == 0 or now == pods(theirs, replicas, up=True):
                surge = theirs
            elif isinstance(theirs, int):
                surge = now
        both = _zero(surge) and _zero(self.unavailable)
        unavailable = own.rolling().unavailable if both else self.unavailable
        return replace(self, surge=surge, unavailable=unavailable, paused=True)

    def problem(self) -> str | None:
        """Why the API server would refuse these fields, or None."""
        for name, value in (("maxSurge", self.surge), ("maxUnavailable", self.unavailable)):
            if malformed(value):
                return f"{name} is {value!r}"
        if (self.min_ready or 0) < 0:
            return f"minReadySeconds is {self.min_ready}"
        if _zero(self.surge) and _zero(self.unavailable):
            return "maxSurge and maxUnavailable are both 0"
        if isinstance(self.unavailable, str) and int(self.unavailable[:-1]) > 100:
            return f"maxUnavailable is {self.unavailable}"
        deadline = DEFAULT_DEADLINE if self.deadline is None else self.deadline
        if deadline <= (self.min_ready or 0):
            return f"progressDeadlineSeconds {deadline} is not above minReadySeconds {self.min_ready}"
        if self.type not in (ROLLING, "Recreate"):
            return f"strategy.type is {self.type}"
        if self.type == "Recreate" and (self.surge, self.unavailable) != (None, None):
            return "strategy.rollingUpdate goes with RollingUpdate only"
        return None

    def json(self) -> dict[str, Any]:
        """For the record: absent stays visible as null."""
        return {f.name: getattr(self, f.name) for f in fields(self)}


def malformed(value: IntOrPercent | None) -> bool:
    """Whether a maxSurge or maxUnavailable is none: admission sees it before the API server has checked its form."""
    if isinstance(value, str):
        return re.fullmatch("[0-9]{1,9}%", value) is None
    return value is not None and value < 0


def _zero(value: IntOrPercent | None) -> bool:
    return value is not None and int(str(value).removesuffix("%")) == 0
