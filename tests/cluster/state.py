"""The namespace as it was after one event: objects by uid, put together while a history is played.

Watches of different kinds arrive in any order. Resource versions are one counter for the whole store, so played in
their order the events are what really happened, one after another.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from tests.cluster.reading import Deployment, Limits, Pod, ReplicaSet


@dataclass(frozen=True)
class Event:
    """One change of one object. `at` is when the recorder heard of it, for people and for times of stay."""

    version: int
    at: float
    type: str
    object: Deployment | ReplicaSet | Pod

    @property
    def deleted(self) -> bool:
        """The object has gone."""
        return self.type == "DELETED"


@dataclass(frozen=True)
class Wish:
    """What the user wanted at one generation of a Deployment."""

    generation: int
    replicas: int
    limits: Limits


@dataclass
class State:
    """One Deployment with its ReplicaSets and pods, and what the native controllers have not seen yet."""

    deployment: Deployment | None = None
    replicasets: dict[str, ReplicaSet] = field(default_factory=dict)
    pods: dict[str, Pod] = field(default_factory=dict)
    known: str = ""
    """The uid of the Deployment; another one of the same name starts from nothing."""
    wishes: list[Wish] = field(default_factory=list)
    sizes: defaultdict[str, list[tuple[int, int]]] = field(default_factory=lambda: defaultdict(list))
    """ReplicaSet → (generation, replicas), as far back as its controller may still be looking."""

    def take(self, event: Event) -> None:
        """Apply an event."""
        match event.object:
            case Deployment() as deployment:
                self._deployment(deployment, event.deleted)
            case ReplicaSet() as replicaset:
                self._replicaset(replicaset, event.deleted)
            case Pod() as pod:
                if event.deleted:
                    self.pods.pop(pod.uid, None)
                else:
                    self.pods[pod.uid] = pod

    def _deployment(self, deployment: Deployment, deleted: bool) -> None:
        if deleted:
            self.deployment = None
            return
        if self.known != deployment.uid:
            self.wishes.clear()
        self.known = deployment.uid
        self.deployment = deployment
        self.wishes.append(Wish(deployment.generation, deployment.replicas, deployment.limits))
        self.wishes = [w for w in self.wishes if w.generation >= deployment.observed] or self.wishes[-1:]

    def _replicaset(self, replicaset: ReplicaSet, deleted: bool) -> None:
        if deleted:
            self.replicasets.pop(replicaset.uid, None)
            self.sizes.pop(replicaset.uid, None)
            return
        self.replicasets[replicaset.uid] = replicaset
        sizes = [*self.sizes[replicaset.uid], (replicaset.generation, replicaset.replicas)]
        self.sizes[replicaset.uid] = [s for s in sizes if s[0] >= replicaset.observed] or sizes[-1:]

    @property
    def own(self) -> list[ReplicaSet]:
        """ReplicaSets of this Deployment, or that wait to be adopted, and not of one that had its name before and is
        being cleared away."""
        return [rs for rs in self.replicasets.values() if rs.owner in (self.known, "")]

    def of_version(self, version: str) -> list[ReplicaSet]:
        """Its ReplicaSets."""
        return [rs for rs in self.own if rs.version == version]

    def declared_pods(self, version: str) -> int:
        """Pods of a version, by spec.replicas."""
        return sum(rs.replicas for rs in self.of_version(version))

    def wanted_pods(self, version: str) -> int:
        """The most pods of a version that the ReplicaSet controller may be making now, its caches being what they
        are."""
        return sum(max(size for _, size in self.sizes[rs.uid]) for rs in self.of_version(version))

    def living(self, version: str) -> list[Pod]:
        """Pods of a version that exist and are not deleted."""
        owners = {rs.uid for rs in self.of_version(version)}
        return [pod for pod in self.pods.values() if pod.owner in owners and pod.alive]

    @property
    def total(self) -> int:
        """I3: pods in all, by spec.replicas."""
        return sum(rs.replicas for rs in self.own)

    @property
    def most(self) -> int:
        """I3: the bound, whatever generation the native controller has seen."""
        return max(w.limits.most(w.replicas) for w in self.wishes)

    @property
    def fewest(self) -> int:
        """I1: the floor, whatever generation the native controller has seen."""
        return min(w.limits.fewest(w.replicas) for w in self.wishes)

    @property
    def replicas(self) -> Collection[int]:
        """The numbers of replicas that may be in force."""
        return {w.replicas for w in self.wishes}

    def words(self) -> str:
        """The state in one line."""
        d = self.deployment
        sizes = " + ".join(self._sizes()) or "no ReplicaSet"
        if d is None:
            return sizes
        grant = f"{d.grant.phase} {d.grant.step}, {d.grant.target} of {d.grant.replicas}" if d.grant else "no record"
        paused = "paused" if d.paused else "running"
        seen = "" if d.observed >= d.generation else f" (generation {d.generation}, seen {d.observed})"
        return f"{sizes} of {d.replicas} | {d.image} {paused} {d.clamps} | {grant}{seen}"

    def _sizes(self) -> Iterable[str]:
        for rs in sorted(self.own, key=lambda rs: (rs.image, rs.name)):
            pods = [pod for pod in self.pods.values() if pod.owner == rs.uid and pod.alive]
            if rs.replicas or pods:
                yield f"{rs.image} {rs.replicas}/{len(pods)}/{sum(p.ready for p in pods)}"
