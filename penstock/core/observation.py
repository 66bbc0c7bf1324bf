"""What is seen of one workload at one moment: the only input of a decision, and so what a replay needs.

Made from API objects by `Deployment.of` and friends; absent and null read the same everywhere.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from penstock.core import conditions as told
from penstock.core import keys
from penstock.core.fields import Fields
from penstock.core.gate import replicas_of
from penstock.core.judgement import NOT_YET, Judgement
from penstock.core.ownership import Entries, entries
from penstock.core.patch import value_at
from penstock.core.template import loose_hash, plain, template_hash

Object = Mapping[str, Any]


def moment(text: str | None) -> float:
    """Seconds since 1970 of an RFC 3339 time; 0 where there is none."""
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() if text else 0.0


@dataclass(frozen=True)
class Deployment:
    """A Deployment, as far as decisions need it."""

    namespace: str
    name: str
    uid: str
    resource_version: str
    replicas: int
    fields: Fields
    template: str
    loose: str
    spec: dict[str, Any]
    """The declared pod template."""
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    managed: Entries
    seen: bool
    """The native controller has seen the present generation."""
    status_replicas: int
    status_updated: int
    status_available: int
    condition: str
    """The reason of our own condition, empty where there is none."""
    stalled: bool = False
    """Our condition for kstatus is there, which says that the release has failed."""
    generation: int = 0

    @property
    def place(self) -> str:
        """How commands name it: `web -n shop`."""
        return f"{self.name} -n {self.namespace}"

    @classmethod
    def of(cls, obj: Object) -> "Deployment":
        """From the API object."""
        meta, status = obj["metadata"], obj.get("status") or {}
        template = obj["spec"]["template"]
        conditions = {c["type"]: c for c in status.get("conditions") or [] if told.ours(c)}
        return cls(
            namespace=meta["namespace"],
            name=meta["name"],
            uid=meta["uid"],
            resource_version=meta["resourceVersion"],
            replicas=replicas_of(obj),
            fields=Fields.of(obj),
            template=template_hash(template),
            loose=loose_hash(template),
            spec=template,
            labels=meta.get("labels") or {},
            annotations=meta.get("annotations") or {},
            managed=entries(obj),
            seen=status.get("observedGeneration", 0) >= meta.get("generation", 0),
            status_replicas=status.get("replicas") or 0,
            status_updated=status.get("updatedReplicas") or 0,
            status_available=status.get("availableReplicas") or 0,
            condition=conditions.get(keys.CONDITION, {}).get("reason", ""),
            stalled=keys.STALLED in conditions,
            generation=meta.get("generation", 0),
        )


@dataclass(frozen=True)
class ReplicaSet:
    """One version's pods."""

    name: str
    uid: str
    template: str
    spec: dict[str, Any]
    """The pod template as a Deployment would declare it."""
    replicas: int
    ready: int
    available: int
    min_ready: int
    seen: bool
    created: float
    revision: str
    marked: bool
    """It carries annotations of ours that the native controller copied from the Deployment."""
    desired: int | None = None
    """The replicas of the Deployment when the native controller last scaled it; None where it never did."""
    record: str = ""
    """The record as the native controller copied it last: read only where the Deployment's own was taken away."""
    refused: str = ""
    """Why pods cannot be created: a quota, or an admission that does not want them."""

    @classmethod
    def of(cls, obj: Object) -> "ReplicaSet":
        """From the API object."""
        meta, spec, status = obj["metadata"], obj["spec"], obj.get("status") or {}
        notes = meta.get("annotations") or {}
        return cls(
            name=meta["name"],
            uid=meta["uid"],
            template=template_hash(spec["template"]),
            spec=plain(spec["template"]),
            replicas=replicas_of(obj),
            ready=status.get("readyReplicas") or 0,
            available=status.get("availableReplicas") or 0,
            min_ready=spec.get("minReadySeconds") or 0,
            seen=status.get("observedGeneration", 0) >= meta.get("generation", 0),
            created=moment(meta.get("creationTimestamp")),
            revision=notes.get(keys.REVISION, ""),
            marked=any(key in notes for key in keys.COPIED),
            desired=_number(notes.get(keys.DESIRED, "")),
            record=notes.get(keys.RECORD, ""),
            refused=_refusal(status),
        )


def _number(text: str) -> int | None:
    """Anybody may write this annotation; Python refuses numbers of more than 4300 digits with an error."""
    return int(text) if text.isdecimal() and len(text) <= 10 else None


def _refusal(status: Object) -> str:
    """Without the name of the pod, which is another one at each try."""
    found = [
        c for c in status.get("conditions") or [] if c.get("type") == "ReplicaFailure" and c.get("status") == "True"
    ]
    return str(found[0].get("message") or "").rpartition("is forbidden: ")[2] if found else ""


@dataclass(frozen=True)
class Pod:
    """One pod. `owner` is the uid of its ReplicaSet."""

    name: str
    owner: str
    created: float
    ready: bool
    ready_since: float
    scheduled: bool
    deleting: bool
    restarts: int
    """Restarts of containers, and crashes that wait for their restart."""
    crashed: float = 0
    """When a container last ended with an exit code other than 0; 0 where none did."""
    exit_code: int = 0
    out_of_memory: bool = False
    waiting: tuple[str, ...] = ()
    """Reasons of containers that wait to start."""
    outside: str = ""
    """What befell it that is not the release's: Evicted, Preempting, NodeLost, or its node is not ready."""
    started: float = 0
    """When the first of its running containers started; 0 where none runs. Which of them serves metrics is not known:
    with one container it is exact, with more a restart shows in falling counters."""
    flaps: int = 0
    """Times it went from Ready to not Ready, as our watch saw."""
    image: str = ""
    """The image that a container waits for in vain."""
    placed: float = 0
    """When a node was found for it; 0 where that is not known."""
    finished: bool = False
    """It has ended for good, and another one takes its place; an evicted pod's object may stay for days."""

    @property
    def starting_since(self) -> float:
        """Since when it could have become Ready."""
        return max(self.created, self.placed, self.ready_since)

    @classmethod
    def of(cls, obj: Object, flaps: int = 0) -> "Pod":
        """From the API object."""
        meta, status = obj["metadata"], obj.get("status") or {}
        owner = next((o["uid"] for o in meta.get("ownerReferences") or [] if o.get("controller")), "")
        conditions = {c["type"]: c for c in status.get("conditions") or []}
        ready, scheduled = conditions.get("Ready") or {}, conditions.get("PodScheduled") or {}
        containers = [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]
        ends = [end for c in containers for end in _crashes(c)]
        last: Mapping[str, Any] = max(ends, key=lambda end: moment(end.get("finishedAt")), default={})
        return cls(
            name=meta["name"],
            owner=owner,
            created=moment(meta.get("creationTimestamp")),
            ready=ready.get("status") == "True" and not meta.get("deletionTimestamp"),
            ready_since=moment(ready.get("lastTransitionTime")),
            scheduled=scheduled.get("status") != "False",
            deleting=bool(meta.get("deletionTimestamp")),
            restarts=sum(_restarts(c) for c in containers),
            crashed=moment(last.get("finishedAt")),
            exit_code=last.get("exitCode", 0),
            out_of_memory=any(end.get("reason") == "OOMKilled" for end in ends),
            waiting=tuple(sorted({r for c in containers if (r := value_at(c, ("state", "waiting", "reason")))})),
            outside=status.get("reason") or ("its node is not ready" if without_node(status) else ""),
            started=min(filter(None, map(_started, status.get("containerStatuses") or ())), default=0.0),
            flaps=flaps,
            image=next((c.get("image") or "" for c in containers if _image_missing(c)), ""),
            placed=moment(scheduled.get("lastTransitionTime")),
            finished=status.get("phase") in ("Failed", "Succeeded"),
        )


def without_node(status: Object) -> bool:
    """Whether a pod is not Ready only because its node has gone silent: the node controller writes that into the one
    condition and gives no reason (MarkPodsNotReady, 1.37), whereas a kubelet says so of the containers too."""
    conditions = {c["type"]: c for c in status.get("conditions") or []}
    ready, containers = conditions.get("Ready") or {}, conditions.get("ContainersReady") or {}
    return (ready.get("status"), ready.get("reason") or "", containers.get("status")) == ("False", "", "True")


def _image_missing(container: Object) -> bool:
    """ErrImagePull, ImagePullBackOff, ErrImageNeverPull, InvalidImageName."""
    return "Image" in (value_at(container, ("state", "waiting", "reason")) or "")


def _crashes(container: Object) -> list[Any]:
    """Ends with an exit code other than 0: the present one and the last. kubelet 1.37 shows `terminated` for most of
    the time between two restarts of a crash loop, so waiting reasons alone would miss it."""
    ends = [value_at(container, (state, "terminated")) for state in ("state", "lastState")]
    return [end for end in ends if end and end.get("exitCode")]


def _started(container: Object) -> float:
    return moment(value_at(container, ("state", "running", "startedAt")))


def _restarts(container: Object) -> int:
    ended = value_at(container, ("state", "terminated", "exitCode"))
    return int(container.get("restartCount") or 0) + (1 if ended else 0)


@dataclass(frozen=True)
class Observation:
    """All that a decision may know."""

    now: float
    deployment: Deployment
    replicasets: tuple[ReplicaSet, ...] = ()
    pods: tuple[Pod, ...] = ()
    namespace_labels: Mapping[str, str] = field(default_factory=dict)
    namespace_annotations: Mapping[str, str] = field(default_factory=dict)
    judgement: Judgement = NOT_YET
    """What the metric checks have gathered."""
    epoch: int = 0
    """Lease transitions under which this controller leads."""
