"""Who owns a field in metadata.managedFields, and how a field we changed goes back to its owner.

A write of ours that changes a field takes it from the user's tool (structured-merge-diff removes it from every
other manager). Their next server-side apply without force then fails with a conflict *before* admission, even a
revert; and a field they leave out later would stay for ever. The API server honours a managedFields list that a
later write sends, so the fields are given back. Who they belong to is kept in the record, for a crash in between.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from penstock.core import keys
from penstock.core.fields import PATHS
from penstock.core.patch import value_at

Owners = dict[str, tuple[str, ...]]
"""Field name (fields.PATHS) → owners, each as `manager/operation`."""

Entries = list[dict[str, Any]]


def entries(obj: Mapping[str, Any] | None) -> Entries:
    """metadata.managedFields of an object, empty where there is none."""
    return list(value_at(obj, ("metadata", "managedFields")) or [])


def ours(entry: Mapping[str, Any]) -> bool:
    """Whether an entry is Penstock's."""
    return entry.get("manager") == keys.MANAGER


def _field_path(name: str) -> tuple[str, ...]:
    return tuple("f:" + part for part in PATHS[name])


def _owns(entry: Mapping[str, Any], name: str) -> bool:
    return value_at(entry.get("fieldsV1"), _field_path(name)) is not None


def owners(managed: Iterable[Mapping[str, Any]], known: Owners | None = None) -> Owners:
    """Foreign owners of our fields, added to those already `known`."""
    out = dict(known or {})
    for entry in managed:
        if ours(entry) or entry.get("subresource"):
            continue
        label = f"{entry.get('manager')}/{entry.get('operation')}"
        for name in PATHS:
            if _owns(entry, name) and label not in out.get(name, ()):
                out[name] = (*out.get(name, ()), label)
    return out


def stated(old: Entries, new: Entries) -> frozenset[str]:
    """Fields that a foreign manager owns in `new` and did not own in `old`: its write states their value,
    even where that equals the value in force and so changed nothing."""
    before, after = owners(old), owners(new)
    return frozenset(name for name, who in after.items() if set(who) - set(before.get(name, ())))


def taken(managed: Entries, known: Owners) -> tuple[str, ...]:
    """Fields that belong to somebody else (by the record) and stand in our entry now."""
    return tuple(name for name in known if any(ours(e) and _owns(e, name) for e in managed))


def in_the_way(managed: Entries, known: Owners) -> bool:
    """Whether an owner's next server-side apply would conflict with us. An owner by Update (kubectl create, Helm)
    never conflicts: its fields can wait until the end."""
    return any(owner.endswith("/Apply") for name in taken(managed, known) for owner in known[name])


def given_back(managed: Entries, known: Owners) -> Entries:
    """The list without our entries, each field of ours back in the entry of its owner where that still exists.

    Our entry for the status stays as long as our condition does: where admission ends a rollout with no controller
    alive, it is what the next controller finds, in metadata alone, to know that the condition is still there.
    """
    lost = taken(managed, known)
    out = []
    for entry in managed:
        if ours(entry):
            out += [entry] if entry.get("subresource") else []
            continue
        label = f"{entry.get('manager')}/{entry.get('operation')}"
        names = [n for n in lost if label in known[n] and not entry.get("subresource")]
        out.append(_with_fields(entry, names) if names else entry)
    return out


def _with_fields(entry: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    tree = dict(entry.get("fieldsV1") or {})
    for name in names:
        tree = _grown(tree, _field_path(name))
    return {**entry, "fieldsV1": tree}


def _grown(tree: Mapping[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    if not path:
        return dict(tree)
    return {**tree, path[0]: _grown(tree.get(path[0]) or {}, path[1:])}
