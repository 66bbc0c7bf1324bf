"""What happened to one Deployment, as the API server recorded it, in the order in which it happened.

Three watches arrive interleaved at random, and "never more new pods than the step allows" compares an event of one with
an event of another. So events are put in the order of their resourceVersions, which are revisions of one store, before
anything is judged: a bound is neither reported broken nor kept because one watch was late.

Which version a pod is of is read from its own environment, not by Penstock's rules: a witness must not use the
arithmetic of the accused.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from penstock.core import keys
from penstock.core.record import RecordError, decode
from penstock.core.rollout import Phase
from penstock.kube import objects

Object = Mapping[str, Any]


@dataclass(frozen=True)
class Deployment:
    """The declared version, and where its rollout is; without a rollout `phase` is None."""

    version: str
    paused: bool
    complete: bool
    """Every pod is of the declared version and available."""
    rollout: str = ""
    """Value of Penstock's label."""
    phase: Phase | None = None
    step: int = 0
    message: str = ""
    """What Penstock says, in its condition."""
    verdict: str = ""
    """Reason and words with which Penstock has decided against the release."""

    @classmethod
    def of(cls, obj: Object) -> "Deployment":
        said = [c for c in objects.at(obj, "status", "conditions", default=[]) if c["type"] == keys.CONDITION]
        seen = cls(
            version=_version(objects.at(obj, "spec", "template", "spec")),
            paused=objects.at(obj, "spec", "paused", default=False),
            complete=_complete(obj),
            rollout=objects.labels(obj).get(keys.ROLLOUT, ""),
            message=said[0].get("message", "") if said else "",
        )
        try:
            record = decode(objects.annotations(obj)[keys.RECORD])
        except (KeyError, RecordError):
            return seen
        verdict = f"{record.note}: {record.failed}" if record.failed else ""
        return replace(seen, phase=record.phase, step=record.step, verdict=verdict)


@dataclass(frozen=True)
class ReplicaSet:
    """Pods that are to be of one version."""

    version: str
    replicas: int

    @classmethod
    def of(cls, obj: Object) -> "ReplicaSet":
        replicas = objects.at(obj, "spec", "replicas", default=0)
        return cls(_version(objects.at(obj, "spec", "template", "spec")), replicas)


@dataclass(frozen=True)
class Pod:
    """One pod; while it is `going` it counts for nothing."""

    version: str
    ready: bool
    going: bool
    crashes: int

    @classmethod
    def of(cls, obj: Object) -> "Pod":
        conditions = objects.at(obj, "status", "conditions", default=[])
        containers = objects.at(obj, "status", "containerStatuses", default=[])
        going = bool(objects.at(obj, "metadata", "deletionTimestamp"))
        return cls(
            version=_version(objects.at(obj, "spec")),
            ready=not going and any(c["type"] == "Ready" and c["status"] == "True" for c in conditions),
            going=going,
            crashes=sum(_crashes(container) for container in containers),
        )


Fact = Deployment | ReplicaSet | Pod


@dataclass(frozen=True)
class Event:
    """One object at one revision; without a `fact` it has gone."""

    revision: int
    at: float
    kind: type[Fact]
    name: str
    fact: Fact | None


@dataclass(frozen=True)
class Cluster:
    """The Deployment, its ReplicaSets and its pods at one revision."""

    at: float = 0.0
    revision: int = 0
    facts: Mapping[tuple[type[Fact], str], Fact] = field(default_factory=dict)

    def after(self, event: Event) -> "Cluster":
        """The cluster as the event leaves it."""
        facts = dict(self.facts)
        if event.fact is None:
            facts.pop((event.kind, event.name), None)
        else:
            facts[event.kind, event.name] = event.fact
        return Cluster(event.at, event.revision, facts)

    @property
    def deployment(self) -> Deployment | None:
        return next((fact for fact in self.facts.values() if isinstance(fact, Deployment)), None)

    @property
    def replicasets(self) -> tuple[ReplicaSet, ...]:
        return tuple(fact for fact in self.facts.values() if isinstance(fact, ReplicaSet))

    @property
    def pods(self) -> Mapping[str, Pod]:
        """By name."""
        return {name: fact for (_, name), fact in self.facts.items() if isinstance(fact, Pod)}

    def sized(self, version: str | None = None) -> int:
        """Pods that ReplicaSets ask for: of one version, or in all."""
        return sum(rs.replicas for rs in self.replicasets if version in (None, rs.version))

    def living(self, version: str) -> int:
        """Pods of one version that are not being deleted."""
        return sum(pod.version == version and not pod.going for pod in self.pods.values())

    def ready(self, version: str | None = None) -> int:
        """Pods that serve: of one version, or in all."""
        return sum(pod.ready for pod in self.pods.values() if version in (None, pod.version))


def replay(events: Iterable[Event]) -> Iterator[Cluster]:
    """The cluster after each event, in the order of revisions."""
    cluster = Cluster()
    for event in sorted(events, key=lambda event: event.revision):
        cluster = cluster.after(event)
        yield cluster


def _version(pod_spec: Any) -> str:
    for variable in objects.at(pod_spec, "containers", 0, "env", default=[]):
        if variable["name"] == "VERSION":
            return str(variable["value"])
    return ""


def _complete(obj: Object) -> bool:
    wanted = objects.at(obj, "spec", "replicas", default=1)
    counts = [objects.at(obj, "status", key) for key in ("replicas", "updatedReplicas", "availableReplicas")]
    seen = objects.at(obj, "status", "observedGeneration", default=0) >= objects.at(obj, "metadata", "generation")
    return bool(seen) and counts == [wanted] * 3


def _crashes(container: Object) -> int:
    """Restarts, and a crash that has not been followed by one yet."""
    ended = objects.at(container, "state", "terminated", "exitCode", default=0)
    return int(objects.at(container, "restartCount", default=0)) + int(ended != 0)
