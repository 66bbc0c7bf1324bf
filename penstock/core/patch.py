"""JSON Patch operations made by name, never computed as a difference of two objects.

A computed diff may turn two unrelated edits with equal values into a `move`, which breaks next to other
mutators. Here a caller states what a field shall be; an operation appears only where it is not so already,
parents are created only where absent, and everything we do not know survives.
"""

from collections.abc import Iterable, Mapping
from typing import Any

Path = tuple[str, ...]
Operation = dict[str, Any]


def pointer(path: Path) -> str:
    """The JSON pointer of a path: `~` and `/` inside a name are escaped.

    >>> pointer(("metadata", "annotations", "penstock.dev/record"))
    '/metadata/annotations/penstock.dev~1record'
    """
    return "".join("/" + name.replace("~", "~0").replace("/", "~1") for name in path)


def value_at(obj: Mapping[str, Any] | None, path: Path) -> Any:
    """The value at `path`, or None where anything on the way is absent or null."""
    value: Any = obj
    for name in path:
        if not isinstance(value, Mapping):
            return None
        value = value.get(name)
    return value


def operations(obj: Mapping[str, Any], wanted: Iterable[tuple[Path, Any]]) -> tuple[Operation, ...]:
    """Operations that make each path of `obj` hold its wanted value; None means absent.

    Made for the result again, there are none. `obj` is not changed.
    """
    out: list[Operation] = []
    now = obj
    for path, value in wanted:
        if value_at(now, path) != value:
            operation, now = _change(now, path, value)
            out.append(operation)
    return tuple(out)


def _change(obj: Mapping[str, Any], path: Path, value: Any) -> tuple[Operation, Mapping[str, Any]]:
    if value is None:
        return {"op": "remove", "path": pointer(path)}, _with(obj, path, None)
    depth = next(i for i in range(1, len(path) + 1) if i == len(path) or value_at(obj, path[:i]) is None)
    target = path[:depth]
    for name in reversed(path[depth:]):
        value = {name: value}
    verb = "add" if value_at(obj, target) is None else "replace"
    return {"op": verb, "path": pointer(target), "value": value}, _with(obj, target, value)


def _with(obj: Mapping[str, Any], path: Path, value: Any) -> dict[str, Any]:
    """A copy of `obj` that differs along `path` only."""
    name, rest = path[0], path[1:]
    copy = dict(obj)
    if rest:
        copy[name] = _with(copy[name], rest, value)
    elif value is None:
        copy.pop(name, None)
    else:
        copy[name] = value
    return copy


def test(path: Path, value: Any) -> Operation:
    """The operation that makes the whole patch fail where the object is not what we looked at."""
    return {"op": "test", "path": pointer(path), "value": value}
