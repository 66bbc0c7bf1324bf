"""Reads one workload from the API server, as a decision sees it.

The same value that the controller decides on, so that what is shown is what it does. Two things differ on purpose:
we take the record's own epoch (a reader leads nothing), and readiness that came and went is not known to one look.
"""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from penstock.cli.errors import Refusal
from penstock.clock import now as present
from penstock.core import keys
from penstock.core.guard import label, record_of
from penstock.core.observation import Deployment, Observation, Pod, ReplicaSet
from penstock.core.patch import value_at
from penstock.core.units import clock
from penstock.kube import ApiError, Client, Denied, NotFound, objects

Object = dict[str, Any]

SYSTEM = "penstock-system"
REPORTER = "penstock.dev/controller"
LEASE = "penstock-controller"

SILENT = 30.0
"""Seconds without a renewal after which nobody holds a lease: twice its duration."""

TOLD = 5
"""Events that are shown."""


@dataclass(frozen=True)
class Condition:
    """Our condition in the Deployment's status: what the controller said last."""

    reason: str
    message: str


@dataclass(frozen=True)
class Told:
    """One Event."""

    moment: float
    reason: str
    message: str
    warning: bool


@dataclass(frozen=True)
class Sight:
    """All that is shown of one Deployment."""

    obj: Object
    seen: Observation
    namespace: Object | None
    """None: we may not read it."""
    events: tuple[Told, ...] = ()
    silent: str = ""
    """Why no controller seems to be at work; empty where one is, or where we may not know."""

    @property
    def condition(self) -> Condition | None:
        for condition in value_at(self.obj, ("status", "conditions")) or []:
            if condition.get("type") == keys.CONDITION:
                return Condition(condition.get("reason") or "", condition.get("message") or "")
        return None


async def workload(client: Client, namespace: str, name: str) -> Sight:
    """One Deployment, with everything around it."""
    try:
        obj = await client.get(objects.deployment(namespace, name))
    except NotFound:
        await must_exist(client, namespace)
        raise Refusal(f"there is no Deployment {name} in namespace {namespace}", "name another one by -n") from None
    selector = objects.selector(obj)
    replicasets, pods, home, events, silent = await asyncio.gather(
        client.get(objects.replicasets(namespace), labelSelector=selector),
        client.get(objects.pods(namespace), labelSelector=selector),
        home_of(client, namespace),
        told(client, obj),
        silence(client, namespace),
    )
    return sight(obj, replicasets["items"], pods["items"], home, events, silent)


def sight(
    obj: Object,
    replicasets: Iterable[Object],
    pods: Iterable[Object],
    namespace: Object | None,
    events: tuple[Told, ...] = (),
    silent: str = "",
) -> Sight:
    """From API objects; those of other owners with the same labels are left out."""
    record = record_of(obj)
    own = [rs for rs in replicasets if objects.owner_uid(rs) == objects.uid(obj)]
    seen = Observation(
        now=present(),
        deployment=Deployment.of(obj),
        replicasets=tuple(map(ReplicaSet.of, own)),
        pods=tuple(map(Pod.of, pods)),
        namespace_labels=namespace_labels(obj, namespace),
        namespace_annotations=value_at(namespace, ("metadata", "annotations")) or {},
        epoch=record.epoch if record else 0,
    )
    return Sight(obj, seen, namespace, events, silent)


def namespace_labels(obj: Object, namespace: Object | None) -> Mapping[str, str]:
    """Where the Namespace may not be read, an active rollout is taken as proof that it is opted in."""
    if namespace is None and label(obj, keys.ROLLOUT):
        return {keys.ENABLED: "true"}
    return value_at(namespace, ("metadata", "labels")) or {}


async def home_of(client: Client, namespace: str) -> Object | None:
    """The Namespace; None where we may not read it."""
    try:
        return await client.get(objects.namespace(namespace))
    except Denied:
        return None


async def must_exist(client: Client, namespace: str) -> None:
    """Refusal where there is no such namespace: a typing error in its name is no empty list."""
    try:
        await home_of(client, namespace)
    except NotFound:
        raise Refusal(f"there is no namespace {namespace}", "they are listed by: kubectl get namespaces") from None


async def told(client: Client, obj: Object) -> tuple[Told, ...]:
    """The last Events of ours about an object, the newest first; none where we may not read them."""
    fields = f"regarding.uid={objects.uid(obj)},reportingController={REPORTER}"
    try:
        listed = await client.get(objects.events(objects.namespace_of(obj)), fieldSelector=fields)
    except ApiError:
        return ()
    events = [_told(event) for event in listed["items"]]
    return tuple(sorted(events, key=lambda event: -event.moment)[:TOLD])


def _told(event: Object) -> Told:
    stamp = objects.at(event, "series", "lastObservedTime") or event.get("eventTime")
    moment = objects.moment(stamp) or objects.moment(objects.at(event, "metadata", "creationTimestamp")) or 0.0
    return Told(moment, event.get("reason") or "", event.get("note") or "", event.get("type") == "Warning")


async def silence(client: Client, namespace: str) -> str:
    """Why no controller seems to look after a namespace; empty where one does, or where we may not know."""
    try:
        leases = (await client.get(objects.leases(SYSTEM)))["items"]
    except ApiError:
        return ""
    return unattended(leases, namespace, present())


def unattended(leases: Iterable[Object], namespace: str, now: float) -> str:
    """The same, from the leases there are."""
    mine = [lease for lease in leases if _looks_after(objects.name(lease), namespace)]
    if not mine:
        return f"nothing moves on, no controller has ever run here (no Lease {LEASE} in {SYSTEM})"
    held = [lease for lease in mine if objects.at(lease, "spec", "holderIdentity")]
    if any(now - _renewed(lease) < SILENT for lease in held):
        return ""
    last = max(map(_renewed, mine))
    return f"nothing moves on, no controller is at work{f', the last one was seen at {clock(last)}' if last else ''}"


def _renewed(lease: Object) -> float:
    return objects.moment(objects.at(lease, "spec", "renewTime")) or 0.0


def _looks_after(lease: str, namespace: str) -> bool:
    """One controller for all, or one whose lease names its namespaces, joined by `-`."""
    return lease == LEASE or f"-{namespace}-" in f"{lease.removeprefix(LEASE)}-"
