"""Pods, and the ReplicaSet controller that makes, counts and deletes them."""

from dataclasses import dataclass, replace
from itertools import count

from tests.model.native import ReplicaSet


@dataclass
class Pod:
    """One pod. `broken`: it stopped being Ready by itself, so whatever is missing for it is nobody's doing."""

    name: str
    owner: str
    created: float
    ready: bool = False
    since: float = 0
    broken: bool = False
    restarts: int = 0
    crashed: float = 0
    exit_code: int = 0
    flaps: int = 0


class Pods:
    """All pods of the cluster."""

    def __init__(self) -> None:
        self._names = count(1)
        self.all: dict[str, Pod] = {}

    def of(self, owner: str) -> list[Pod]:
        return [p for p in self.all.values() if p.owner == owner]

    def count(self, rs: ReplicaSet, now: float) -> ReplicaSet:
        """The ReplicaSet with the status that its controller reports of these pods."""
        mine = self.of(rs.name)
        return replace(
            rs,
            observed=rs.generation,
            replicas=len(mine),
            ready=sum(p.ready for p in mine),
            available=sum(p.ready and now - p.since >= rs.min_ready for p in mine),
        )

    def fit(self, rs: ReplicaSet, now: float) -> None:
        """As many pods as the spec says; those that are not Ready go first."""
        mine = sorted(self.of(rs.name), key=lambda p: (p.ready, -p.created))
        for pod in mine[: max(0, len(mine) - rs.size)]:
            del self.all[pod.name]
        for _ in range(rs.size - len(mine)):
            name = f"{rs.name}-{next(self._names)}"
            self.all[name] = Pod(name, rs.name, now, since=now)

    # -- what happens to pods

    def start(self, owner: str, now: float) -> None:
        """All pods of one ReplicaSet that are not broken become Ready."""
        for pod in self.of(owner):
            if not pod.ready and not pod.broken:
                pod.ready, pod.since = True, now

    def disturb(self, pod: Pod, now: float) -> None:
        """It stops being Ready, by itself."""
        if pod.ready:
            pod.ready, pod.since, pod.broken = False, now, True
            pod.flaps += 1

    def crash(self, pod: Pod, now: float) -> None:
        """A container of it ends with an exit code."""
        self.disturb(pod, now)
        pod.restarts, pod.crashed, pod.exit_code = pod.restarts + 1, now, 1

    def heal(self) -> None:
        for pod in self.all.values():
            pod.broken = False
