"""A Deployment without a rollout: that it has none, and what a change of it would do.

The answer to `penstock status web` must not be an empty screen: a person who asks either waits for a rollout that has
not begun (is the namespace opted in?) or has missed one that is over.
"""

from dataclasses import dataclass
from typing import Any

from penstock.cli.cautions import cautions, headline
from penstock.cli.forecast import forecast
from penstock.cli.manifest import defaulted
from penstock.cli.reading import Sight, Told
from penstock.core import keys
from penstock.core.decide import decide
from penstock.core.gate import at_rest, replicas_of, way_back
from penstock.core.units import AnnotationError


@dataclass(frozen=True)
class Idle:
    """What is said of it."""

    namespace: str
    name: str
    opted_in: bool | None
    state: str
    summary: str
    warnings: tuple[str, ...]
    now: float
    events: tuple[Told, ...] = ()
    way_back: float = 0.0
    """Until when the former version may come back at once; 0 or over where it would be stepped."""

    def json(self) -> dict[str, Any]:
        """For scripts; `rollout` is null."""
        return {
            "namespace": self.namespace,
            "name": self.name,
            "rollout": None,
            "optedIn": self.opted_in,
            "state": self.state,
            "summary": self.summary,
            "fastRollbackUntil": self.way_back if self.way_back > self.now else None,
            "warnings": list(self.warnings),
        }


def idle(sight: Sight) -> Idle:
    """Of a Deployment whose record is none, or none that counts."""
    d = sight.seen.deployment
    opted_in, summary, warnings = None, "", tuple[str, ...]()
    try:
        f = forecast(defaulted(sight.obj), sight.namespace)
        opted_in, summary, warnings = f.opted_in, headline(f), cautions(f)
    except AnnotationError as error:
        warnings = (f"annotation {error}; until it is corrected no rollout advances",)
    if sight.silent:
        warnings = (*warnings, sight.silent)
    until = way_back(sight.obj)[1] if opted_in is not False else 0.0
    return Idle(d.namespace, d.name, opted_in, _state(sight), summary, warnings, sight.seen.now, sight.events, until)


def _state(sight: Sight) -> str:
    d = sight.seen.deployment
    if keys.RECORD in d.annotations:  # unreadable, or of another object: the decision says which
        return decide(sight.seen).message
    if keys.ROLLOUT in d.labels:
        return "the rollout is over, its traces are being cleared away"
    if replicas_of(sight.obj) and not at_rest(sight.obj):
        return "no active rollout; Kubernetes itself is replacing or starting pods"
    return "no active rollout"
