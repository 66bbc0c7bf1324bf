"""The active rollouts of a namespace, or of all, one row each: from one list of Deployments, whatever their number."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from penstock.cli.reading import Sight, sight
from penstock.core import keys
from penstock.core.decide import situation
from penstock.core.guard import record_of
from penstock.core.outlook import where
from penstock.core.rollout import Phase
from penstock.kube import objects

Object = dict[str, Any]


@dataclass(frozen=True)
class Row:
    """One rollout, as far as its Deployment alone tells."""

    namespace: str
    name: str
    state: str
    phase: Phase | None
    step: int
    steps: int
    new: int
    replicas: int
    reason: str
    message: str
    started: float
    rollout: str

    @property
    def where(self) -> str:
        return where(self.phase, self.step, self.steps) if self.phase else "ending"


@dataclass(frozen=True)
class Overview:
    """All rows, by namespace and name."""

    namespace: str
    """Empty: all."""
    rows: tuple[Row, ...]
    now: float
    warning: str = ""

    def json(self) -> list[dict[str, Any]]:
        """For scripts."""
        return [asdict(row) for row in self.rows]


def overview(
    namespace: str,
    deployments: Iterable[Object],
    homes: Mapping[str, Object | None],
    now: float,
    warning: str = "",
) -> Overview:
    """From Deployments that carry our label; `homes` are their Namespaces, where these may be read."""
    rows = [_row(sight(obj, (), (), homes.get(objects.namespace_of(obj)))) for obj in deployments]
    return Overview(namespace, tuple(sorted(rows, key=lambda row: (row.namespace, row.name))), now, warning)


def _row(seen: Sight) -> Row:
    record, d = record_of(seen.obj), seen.seen.deployment
    s = situation(seen.seen, record) if record else None
    said = seen.condition
    return Row(
        namespace=d.namespace,
        name=d.name,
        state=d.labels.get(keys.ROLLOUT, ""),
        phase=record.phase if record else None,
        step=record.step if record else 0,
        steps=len(s.exposures) if s else 0,
        new=d.status_updated,
        replicas=d.replicas,
        reason=said.reason if said else "",
        message=said.message if said else "",
        started=record.started if record else 0.0,
        rollout=record.id if record else "",
    )
