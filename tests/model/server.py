"""The part of an API server that a Deployment meets: defaults, validation, admission, the step lock, generations,
versions and field ownership.

Only what decisions can see is modelled, but that without mercy: a write on an old version is a conflict, a server-side
apply of a field that another manager owns is one too, and what the validation refuses never reaches the store.
"""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import jsonpatch

from penstock.core import keys
from penstock.core.admission import Admission, Request, admit
from penstock.core.fields import PATHS
from penstock.core.patch import value_at
from tests.model.native import Conflict

Object = dict[str, Any]

LEAVES = {**PATHS, "template": ("spec", "template")}
"""What ownership is kept of; the template as a whole."""


class Refused(Exception):
    """The API server does not take this write."""


class Server:
    """One stored Deployment."""

    def __init__(self, obj: Object, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.webhook = True
        self.obj = _normal(obj)
        self.obj["metadata"] |= {"uid": "uid-1", "generation": 1, "resourceVersion": "1"}
        self.obj["metadata"]["managedFields"] = []
        self.obj["status"] = {}

    def user(self, change: Callable[[Object], None], manager: str = "kubectl", username: str = "ann") -> Admission:
        """A write of a person or tool: `change` makes the new object of a copy of the stored one."""
        new = deepcopy(self.obj)
        change(new)
        return self._admitted(_normal(new), manager, "Update", username)

    def apply(self, stated: dict[str, Any], template: Object, manager: str) -> Admission:
        """A server-side apply without force of fields (by name) and template. Fields left out are given up."""
        values = {**stated, "template": template}
        for name, value in values.items():
            other = [e for e in self._entries() if e["manager"] != manager and _owns(e, name)]
            if other and value_at(self.obj, LEAVES[name]) != value:
                raise Refused(f"conflict with {other[0]['manager']} using apps/v1: {name}")
        new = deepcopy(self.obj)
        for name, value in values.items():
            _put(new, LEAVES[name], deepcopy(value))
        mine = next((e for e in self._entries() if (e["manager"], e["operation"]) == (manager, "Apply")), None)
        for name in LEAVES:
            alone = mine and _owns(mine, name) and sum(_owns(e, name) for e in self._entries()) == 1
            if alone and name not in values:
                _put(new, LEAVES[name], None)
        return self._admitted(_normal(new), manager, "Apply", "ann", frozenset(values))

    def _admitted(
        self, new: Object, manager: str, operation: str, username: str, stated: frozenset[str] | None = None
    ) -> Admission:
        new["metadata"]["managedFields"] = owned(self.obj, new, manager, operation, stated)
        answer = Admission(())
        if self.webhook and _called(self.obj, new):
            gating = value_at(new, ("metadata", "labels", keys.ENABLED)) != "false"
            request = Request("u", "UPDATE", "Deployment", "shop", "web", username, manager, False, new, self.obj)
            answer = admit(deepcopy_request(request), self._clock(), gating=gating)
            new = _normal(jsonpatch.apply_patch(new, list(answer.patch)))
        if _locked(self.obj, new):
            raise Refused("the step lock: the webhook did not answer")
        problem = invalid(new)
        if problem:
            raise Refused(problem)
        self._store(new)
        return answer

    def controller(self, operations: tuple[dict[str, Any], ...], version: str) -> None:
        """A JSON patch of ours, with a test of the version that was looked at."""
        if version != self.obj["metadata"]["resourceVersion"]:
            raise Conflict
        new = _normal(jsonpatch.apply_patch(self.obj, list(operations)))
        new["metadata"]["managedFields"] = owned(
            {**self.obj, "metadata": {**self.obj["metadata"], "managedFields": new["metadata"]["managedFields"]}},
            new,
            keys.MANAGER,
            "Update",
            None,
        )
        problem = invalid(new)
        if problem:
            raise AssertionError(f"we sent what the API server refuses: {problem}")
        self._store(new)

    def scale(self, replicas: int) -> None:
        """The /scale subresource: no webhook sees it."""
        new = deepcopy(self.obj)
        new["spec"]["replicas"] = replicas
        self._store(new)

    def report(self, status: Object) -> None:
        """The /status subresource; conditions stay unless given."""
        self.obj = {**self.obj, "status": {**self.obj["status"], **status}}
        self._next_version()

    def _store(self, new: Object) -> None:
        old = self.obj
        if new == old:
            return
        changed = new["spec"] != old["spec"] or _annotations(new) != _annotations(old)
        new["metadata"]["generation"] = old["metadata"]["generation"] + changed
        self.obj = new
        self._next_version()

    def _next_version(self) -> None:
        meta = self.obj["metadata"]
        self.obj = {**self.obj, "metadata": {**meta, "resourceVersion": str(int(meta["resourceVersion"]) + 1)}}

    def _entries(self) -> list[Object]:
        return list(self.obj["metadata"]["managedFields"])


def deepcopy_request(request: Request) -> Request:
    """Admission gets copies, as through a wire: what it might change in place is not changed in the store."""
    return Request(**deepcopy(vars(request)))


def _annotations(obj: Object) -> Object:
    return obj["metadata"].get("annotations") or {}


def _called(old: Object, new: Object) -> bool:
    """The match conditions of /mutate and /guard."""
    ours = any(
        value_at(o, ("metadata", "labels", keys.ROLLOUT)) or value_at(o, ("metadata", "annotations", keys.RECORD))
        for o in (old, new)
    )
    paused = value_at(old, PATHS["paused"]) != value_at(new, PATHS["paused"])
    return ours or paused or old["spec"]["template"] != new["spec"]["template"]


def _locked(old: Object, new: Object) -> bool:
    marks = [value_at(o, ("metadata", "labels", keys.ROLLOUT)) for o in (old, new)]
    if None in marks or marks[0] == "finishing":
        return False
    return value_at(old, PATHS["paused"]) is True and value_at(new, PATHS["paused"]) is not True


def _normal(obj: Object) -> Object:
    """Defaults in, zero values and empty maps out, as the store has them."""
    new = deepcopy(obj)
    spec, meta = new["spec"], new["metadata"]
    strategy = spec.setdefault("strategy", {})
    strategy.setdefault("type", "RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        rolling = strategy.get("rollingUpdate") or {}
        strategy["rollingUpdate"] = {"maxSurge": "25%", "maxUnavailable": "25%"} | {
            k: v for k, v in rolling.items() if v is not None
        }
    elif not strategy.get("rollingUpdate"):
        strategy.pop("rollingUpdate", None)
    if spec.get("progressDeadlineSeconds") is None:
        spec["progressDeadlineSeconds"] = 600
    for key in ("paused", "minReadySeconds"):
        if not spec.get(key):
            spec.pop(key, None)
    for key in ("labels", "annotations"):
        if not meta.get(key):
            meta.pop(key, None)
    return new


def invalid(obj: Object) -> str:
    """Why the API server would refuse the spec, or an empty text."""
    spec = obj["spec"]
    strategy = spec["strategy"]
    rolling = strategy.get("rollingUpdate")
    if strategy["type"] not in ("RollingUpdate", "Recreate"):
        return "strategy.type: unsupported"
    if strategy["type"] == "Recreate" and rolling is not None:
        return "rollingUpdate may not be given with Recreate"
    for value in (rolling or {}).values():
        if isinstance(value, str) and not (value[-1:] == "%" and value[:-1].isdecimal()):
            return "must be an integer or a percentage"
        if isinstance(value, int) and value < 0:
            return "must not be negative"
    if rolling and all(str(v).strip("%0") == "" for v in rolling.values()):
        return "maxUnavailable may not be 0 when maxSurge is 0"
    if spec["progressDeadlineSeconds"] <= spec.get("minReadySeconds", 0):
        return "progressDeadlineSeconds must be greater than minReadySeconds"
    if not 0 <= spec.get("minReadySeconds", 0) < 2**31 or spec["progressDeadlineSeconds"] >= 2**31:
        return "out of range"
    return ""


def owned(
    old: Object, new: Object, manager: str, operation: str, stated: frozenset[str] | None
) -> list[dict[str, Any]]:
    """managedFields after a write: fields that it changed (or an apply states) are its manager's, and only its."""
    before = {name: value_at(old, path) for name, path in LEAVES.items()}
    after = {name: value_at(new, path) for name, path in LEAVES.items()}
    changed = {name for name in LEAVES if before[name] != after[name]}
    out, found = [], False
    for entry in old["metadata"]["managedFields"]:
        names = {name for name in LEAVES if _owns(entry, name)}
        if (entry["manager"], entry["operation"]) == (manager, operation):
            found = True
            names = set(stated) if stated is not None else names | {n for n in changed if after[n] is not None}
        else:
            names -= changed
        out.append(_entry(entry["manager"], entry["operation"], names))
    if not found:
        own = set(stated) if stated is not None else {n for n in changed if after[n] is not None}
        out.append(_entry(manager, operation, own))
    return [e for e in out if e["fieldsV1"]]


def _entry(manager: str, operation: str, names: set[str]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for name in sorted(names):
        at = tree
        for part in LEAVES[name]:
            at = at.setdefault("f:" + part, {})
    return {"manager": manager, "operation": operation, "apiVersion": "apps/v1", "fieldsV1": tree}


def _owns(entry: Object, name: str) -> bool:
    return value_at(entry["fieldsV1"], tuple("f:" + part for part in LEAVES[name])) is not None


def _put(obj: Object, path: tuple[str, ...], value: Any) -> None:
    for name in path[:-1]:
        obj = obj.setdefault(name, {})
    if value is None:
        obj.pop(path[-1], None)
    else:
        obj[path[-1]] = value
