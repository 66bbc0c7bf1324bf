"""Writes to Deployments, generated: from every situation that exists, with the edits that people and tools make.

Stored objects are at rest, in any phase, orphaned or damaged, never in a state that no write of ours leads to: what is
in force follows from what is saved.
"""

import json
from copy import deepcopy
from dataclasses import replace

from hypothesis import strategies as st

from penstock.core import keys
from penstock.core.admission import Request
from penstock.core.fields import Fields
from penstock.core.record import Record, encode
from penstock.core.rollout import Phase
from tests.core import shop
from tests.core.shop import NOW, Object, deployment, labelled, noted, rolling, template, write

AMOUNT = st.sampled_from([None, 0, 1, 3, "0%", "10%", "25%", "100%"])
RECREATE = Fields(type="Recreate", surge=None, unavailable=None)
ROLLING = st.builds(
    Fields,
    surge=AMOUNT,
    unavailable=AMOUNT,
    min_ready=st.sampled_from([None, 5]),
    deadline=st.sampled_from([None, 60, 600]),
    paused=st.sampled_from([None, None, True]),
).filter(lambda f: f.problem() is None)
FIELDS = st.one_of(ROLLING, ROLLING, ROLLING, st.just(RECREATE))
VERSIONS = st.sampled_from(["v1", "v2", "v3"])
CLAMP = {"surge": "10%", "paused": True}
BRAKE = {"surge": "10%", "unavailable": 0, "min_ready": keys.BRAKE_READY, "deadline": keys.BRAKE_DEADLINE}
MANAGED = st.sampled_from(
    [
        None,
        [{"manager": "argocd", "operation": "Apply", "fieldsV1": {"f:spec": {"f:minReadySeconds": {}}}}],
        [
            {"manager": "argocd", "operation": "Apply", "fieldsV1": {}},
            {"manager": "penstock", "operation": "Update", "fieldsV1": {"f:spec": {"f:paused": {}}}},
        ],
    ]
)
OWNERS = st.sampled_from([{}, {"paused": ("argocd/Apply",)}])


def with_fields(obj: Object, fields: Fields) -> Object:
    """`obj` with other fields in force."""
    out = deepcopy(obj)
    for path, value in fields.wanted():
        parent = out
        for name in path[:-1]:
            parent = parent.setdefault(name, {})
        parent.pop(path[-1], None)
        if value is not None:
            parent[path[-1]] = value
    return out


def future(obj: Object) -> Object:
    """`obj` with fields that this version does not know, everywhere."""
    out = deepcopy(obj)
    out["futureField"] = {"deep": [None, 1]}
    out["spec"]["futureField"] = "x"
    out["spec"].setdefault("strategy", {})["futureField"] = {"a": 0}
    out["metadata"]["futureField"] = ["y"]
    out["status"]["futureField"] = False
    return out


@st.composite
def rollouts(draw: st.DrawFn) -> tuple[Record, Object]:
    """A stored object in a rollout, in any phase and state of decay."""
    known = shop.record(draw(st.sampled_from(Phase)), saved=draw(FIELDS), owners=draw(OWNERS), failed=draw(FAILURES))
    known = replace(known, awaiting=known.phase is Phase.HOLDING and draw(st.booleans()))
    if known.phase is Phase.RETREATING and draw(st.booleans()):  # the stable template is shown for a moment
        return known, future(noted(rolling(known, "v1", known.saved.rolling()), declared=json.dumps(template("v2"))))
    force: Object = {} if known.phase in (Phase.FINISHING, Phase.LEAVING) else draw(st.sampled_from([CLAMP, BRAKE]))
    obj = rolling(known, fields=replace(known.saved.rolling(), **force) if force else None)
    return known, future(obj)


FAILURES = st.sampled_from(["", "step 1 of 3: pod x crash-loops"])


@st.composite
def decayed(draw: st.DrawFn) -> Object:
    """A stored object with parts of a rollout missing or wrong."""
    known, obj = draw(rollouts())
    match draw(st.sampled_from(["label", "record", "uid", "damage"])):
        case "label":
            del obj["metadata"]["labels"][keys.ROLLOUT]
        case "record":
            del obj["metadata"]["annotations"][keys.RECORD]
        case "uid":
            obj = noted(obj, record=encode(replace(known, uid="d-9")))
        case _:
            obj = noted(obj, record='{"v":1}')
    return obj


@st.composite
def resting(draw: st.DrawFn) -> Object:
    """A stored object outside any rollout, maybe in the middle of a native one."""
    obj = future(with_fields(deployment(draw(VERSIONS)), draw(FIELDS)))
    obj["status"]["updatedReplicas"] = draw(st.sampled_from([10, 10, 4]))
    obj["status"]["availableReplicas"] = draw(st.sampled_from([10, 10, 0]))
    return noted(obj, previous=json.dumps({"template": shop.V2, "until": NOW + 60})) if draw(st.booleans()) else obj


STORED = st.one_of(rollouts().map(lambda pair: pair[1]), decayed(), resting())


FORGED = shop.record(stable=shop.V3, step=3, target=10, saved=Fields(surge=9))


@st.composite
def edited(draw: st.DrawFn, old: Object) -> Object:
    """What a person or a tool sends for `old`: parts of it, the whole manifest, or something from elsewhere."""
    new = deepcopy(old)
    whole = draw(st.booleans())
    if whole:
        new = future(with_fields(deployment(draw(VERSIONS)), draw(FIELDS)))
        for kind in ("labels", "annotations"):
            if kind in old["metadata"] and draw(st.booleans()):
                new["metadata"][kind] = deepcopy(old["metadata"][kind])
    if draw(st.booleans()):
        new["spec"]["template"] = template(draw(VERSIONS), draw(st.sampled_from(["", "", "now"])))
    if draw(st.booleans()):
        new = with_fields(new, draw(FIELDS))
    if draw(st.booleans()):
        new["spec"].pop("paused", None)
    if draw(st.integers(0, 4)) == 0:
        new = labelled(new, enabled="false")
    if draw(st.integers(0, 3)) == 0:
        (new["metadata"].get("labels") or {}).pop(keys.ROLLOUT, None)
    if draw(st.integers(0, 3)) == 0:
        new = noted(new, record=draw(st.sampled_from([None, "damaged", encode(FORGED)])))
    if draw(st.integers(0, 3)) == 0:
        new = noted(new, request="{}", steps="1")
    if draw(st.integers(0, 5)) == 0:
        new = labelled(new, rollout="holding")
    new["spec"]["replicas"] = draw(st.sampled_from([10, 10, 10, 0, 1]))
    managed = draw(MANAGED)
    if managed is not None:
        new["metadata"]["managedFields"] = managed
    return new


@st.composite
def writes(draw: st.DrawFn) -> Request:
    """A write, as admission sees it."""
    old = draw(STORED)
    manager = draw(st.sampled_from(["kubectl-edit", "kubectl-rollout", "argocd-controller", "penstock"]))
    new = draw(edited(old))
    create = draw(st.integers(0, 4)) == 0
    return write(None if create else old, new, field_manager=manager)
