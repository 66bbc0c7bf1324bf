"""What a Lease object says, and the JSON Patches that change it. Pure: the time is an argument.

Each patch tests the resourceVersion that was read, so of two candidates one wins and the other gets a Conflict. Single
fields are set, never the whole object or the whole spec: labels, owners and newer fields survive.
"""

from dataclasses import dataclass
from typing import Any

from penstock.kube import objects

Operations = list[dict[str, Any]]

EPOCH = 1_735_689_600
"""2025-01-01T00:00:00Z, from where a new Lease counts its first transition, one per second."""


@dataclass(frozen=True)
class Claim:
    """Who holds a Lease and since when. `renewed` stays text: it is compared, never calculated with."""

    holder: str
    transitions: int
    duration: float
    renewed: str
    version: str
    bare: bool = False

    @property
    def term(self) -> tuple[str, int, str]:
        """Changes with each renewal, and only then; labels and annotations do not count."""
        return self.holder, self.transitions, self.renewed


def read(obj: objects.Object, duration: float) -> Claim:
    """The claim in a Lease; `duration` where none is stored. An empty Lease is held by nobody."""
    return Claim(
        holder=str(objects.at(obj, "spec", "holderIdentity", default="")),
        transitions=int(objects.at(obj, "spec", "leaseTransitions", default=0)),
        duration=float(objects.at(obj, "spec", "leaseDurationSeconds", default=duration)),
        renewed=str(objects.at(obj, "spec", "renewTime", default="")),
        version=objects.version(obj),
        bare=objects.at(obj, "spec") is None,
    )


def first_transition(known: int, now: float) -> int:
    """The transition that a new Lease starts with.

    Somebody may delete the Lease, or reinstall Penstock while rollouts are held whose records name an epoch. Counting
    from 1 again would make the new leader look older than the dead one, so a new Lease starts at the clock's seconds:
    leaders change less often than that. Fits int32 until 2093.
    """
    return max(known + 1, int(now) - EPOCH, 1)


def created(ns: str, name: str, identity: str, transitions: int, duration: float, now: float) -> dict[str, Any]:
    """A new Lease, held."""
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"namespace": ns, "name": name},
        "spec": {"leaseTransitions": transitions, **_held(identity, duration, now)},
    }


def taken(claim: Claim, identity: str, duration: float, now: float) -> Operations:
    """A new holder. The transition grows always, also when the holder before had the same name."""
    fields = {"leaseTransitions": claim.transitions + 1, **_held(identity, duration, now)}
    return _patch(claim, fields)


def renewed(claim: Claim, now: float) -> Operations:
    """The same holder, still alive."""
    return _patch(claim, {"renewTime": objects.rfc3339(now)})


def released(claim: Claim, now: float) -> Operations:
    """Nobody; the next candidate need not wait."""
    return _patch(claim, {"holderIdentity": "", "renewTime": objects.rfc3339(now)})


def _held(identity: str, duration: float, now: float) -> dict[str, Any]:
    return {
        "holderIdentity": identity,
        "leaseDurationSeconds": int(duration),
        "acquireTime": objects.rfc3339(now),
        "renewTime": objects.rfc3339(now),
    }


def _patch(claim: Claim, fields: dict[str, Any]) -> Operations:
    test: Operations = [{"op": "test", "path": "/metadata/resourceVersion", "value": claim.version}]
    parent: Operations = [{"op": "add", "path": "/spec", "value": {}}] if claim.bare else []
    return test + parent + [{"op": "add", "path": f"/spec/{name}", "value": fields[name]} for name in sorted(fields)]
