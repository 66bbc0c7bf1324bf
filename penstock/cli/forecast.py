"""What a change of a Deployment's pod template would do, told beforehand.

Nothing here knows a rule of its own: the object is put as it would be at rest with another template, and the code
that admits and decides on a cluster is asked. A forecast by other arithmetic would one day say something else.
"""

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import jsonpatch

from penstock.core import keys
from penstock.core.admission import Admission, Request, admit
from penstock.core.decide import decide, situation
from penstock.core.exposure import Budget, Exposure, Window, budget, window
from penstock.core.fields import Fields
from penstock.core.gate import replicas_of
from penstock.core.guard import label, record_of
from penstock.core.observation import Deployment, Observation, ReplicaSet
from penstock.core.patch import value_at
from penstock.core.plan import Plan, plan
from penstock.core.situation import Situation
from penstock.core.template import plain, template_hash

Object = dict[str, Any]

UNKNOWN_UID = "00000000-0000-0000-0000-000000000000"
"""Stands for the uid, which only the API server gives."""


@dataclass(frozen=True)
class Stage:
    """One step, the windows that bring its pods, and whether a person must say yes before it is left."""

    exposure: Exposure
    windows: tuple[Window, ...]
    approval: bool

    def old(self, replicas: int) -> int:
        """Pods of the old version beside the new ones; the surge of the last window stays while holding."""
        return replicas + self.windows[-1].surge - self.exposure.pods


@dataclass(frozen=True)
class Forecast:
    """All that can be said before the change."""

    manifest: Object
    """With defaults, as it goes into admission."""
    admitted: Object
    """As it comes out of it."""
    admission: Admission
    """What admission answers, or would answer if the namespace were opted in."""
    opted_in: bool | None
    """None: the Namespace is not known."""
    plan: Plan
    limits: Budget
    stages: tuple[Stage, ...]
    notes: Mapping[str, str]
    """Annotations of the Namespace and of the Deployment, which has the last word."""
    first: str
    """The first sentence of the rollout; empty where none begins."""

    @property
    def namespace(self) -> str:
        return str(self.manifest["metadata"]["namespace"])

    @property
    def name(self) -> str:
        return str(self.manifest["metadata"]["name"])

    @property
    def replicas(self) -> int:
        return replicas_of(self.manifest)

    @property
    def gated(self) -> bool:
        return self.admission.reason == "Gated"


def opted_in(obj: Object, namespace: Object | None) -> bool | None:
    """Whether changes of the object are stepped; None where only its Namespace could tell, which is not known."""
    own = label(obj, keys.ENABLED)
    if own in ("true", "false"):
        return own == "true"
    return None if namespace is None else label(namespace, keys.ENABLED) == "true"


def forecast(manifest: Object, namespace: Object | None) -> Forecast:
    """The forecast for a Deployment with its defaults (manifest.defaulted). Raises AnnotationError."""
    defaults = value_at(namespace, ("metadata", "annotations")) or {}
    own = value_at(manifest, ("metadata", "annotations")) or {}
    chosen = plan(own, defaults)
    wanted = opted_in(manifest, namespace)
    old, new = _write(manifest)
    meta = new["metadata"]
    asked = Request("", "UPDATE", "Deployment", meta["namespace"], meta["name"], "", "", True, new, old)
    admission = admit(asked, now=0.0)
    admitted: Object = jsonpatch.apply_patch(new, list(admission.patch))
    fields = Fields.of(new)
    first, stages = "", tuple[Stage, ...]()
    if admission.reason == "Gated":
        seen = _look(old, admitted, defaults)
        record = record_of(admitted)
        assert record is not None  # the gate has just written it
        first, stages = decide(seen).message, tuple(_stages(situation(seen, record)))
    return Forecast(
        manifest=manifest,
        admitted=manifest if wanted is False else _shown(admitted, manifest),
        admission=admission,
        opted_in=wanted,
        plan=chosen,
        limits=budget(fields.surge, fields.unavailable, replicas_of(new)),
        stages=stages,
        notes={**defaults, **own},
        first=first,
    )


def _write(manifest: Object) -> tuple[Object, Object]:
    """The stored object, at rest with another template, and the one that is applied to it."""
    new = copy.deepcopy(manifest)
    new["metadata"] |= {"uid": new["metadata"].get("uid") or UNKNOWN_UID, "resourceVersion": "1", "generation": 1}
    new["metadata"].pop("managedFields", None)
    replicas = replicas_of(new)
    new["status"] = {
        "observedGeneration": 1,
        "replicas": replicas,
        "updatedReplicas": replicas,
        "availableReplicas": replicas,
    }
    old = copy.deepcopy(new)
    for kind, ours in (("annotations", keys.OUR_ANNOTATIONS), ("labels", (keys.ROLLOUT,))):
        kept = {k: v for k, v in (old["metadata"].get(kind) or {}).items() if k not in ours}
        old["metadata"][kind] = kept
    inner = old["spec"]["template"].get("metadata") or {}
    former = {**(inner.get("annotations") or {}), keys.PREFIX + "former": "true"}
    old["spec"]["template"]["metadata"] = {**inner, "annotations": former}
    return old, new


def _look(old: Object, admitted: Object, defaults: Mapping[str, str]) -> Observation:
    """What the controller sees first: the declared template held back, all pods of the former one."""
    replicas, template = replicas_of(old), old["spec"]["template"]
    stable = ReplicaSet(
        name=f"{old['metadata']['name']}-former",
        uid="",
        template=template_hash(template),
        spec=plain(template),
        replicas=replicas,
        ready=replicas,
        available=replicas,
        min_ready=0,
        seen=True,
        created=0.0,
        revision="1",
        marked=False,
    )
    return Observation(0.0, Deployment.of(admitted), (stable,), (), {keys.ENABLED: "true"}, defaults)


def _stages(s: Situation) -> Iterator[Stage]:
    available = 0
    for step, exposure in enumerate(s.exposures, 1):
        windows = tuple(_windows(exposure.pods, s.limits, available))
        yield Stage(exposure, windows, s.needs_approval(step))
        available = exposure.pods


def _windows(pods: int, limits: Budget, available: int) -> Iterator[Window]:
    while available < pods:
        opening = window(pods, limits, available)
        yield opening
        available = opening.target


def _shown(admitted: Object, manifest: Object) -> Object:
    """Without what only the API server adds."""
    shown = {k: v for k, v in admitted.items() if k != "status" or k in manifest}
    added = {"uid", "resourceVersion", "generation"} - manifest["metadata"].keys()
    return {**shown, "metadata": {k: v for k, v in admitted["metadata"].items() if k not in added}}
