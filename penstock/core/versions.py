"""What differs between two pod templates, in the words in which people name a version.

Nearly always an image; then the tag is enough. Where the images are the same, the fields that differ are named, with
the names of environment variables but never their values: a screen is shared more easily than a Secret should be.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from penstock.core.patch import value_at

Object = Mapping[str, Any]

LISTS = ("initContainers", "containers")
NONE = "-"


def changes(old: Object, new: Object) -> tuple[str, ...]:
    """`web: image shop/web:1.4 → 1.5`, `web: env VERSION`, `annotations`, `volumes`."""
    return (*_containers(old, new), *_others(old, new))


def _containers(old: Object, new: Object) -> Iterator[str]:
    before, after = _by_name(old), _by_name(new)
    for name in (*after, *(name for name in before if name not in after)):
        if name not in before or name not in after:
            yield f"{name}: {'added' if name in after else 'removed'}"
            continue
        for field in sorted(before[name].keys() | after[name].keys(), key=lambda field: (field != "image", field)):
            was, now = before[name].get(field), after[name].get(field)
            if was != now:
                yield f"{name}: {_change(field, was, now)}"


def _by_name(template: Object) -> dict[str, Object]:
    return {str(c.get("name")): c for kind in LISTS for c in value_at(template, ("spec", kind)) or []}


def _change(field: str, was: Any, now: Any) -> str:
    if field == "image":
        return f"image {was or NONE} → {_shorter(str(was or ''), str(now or NONE))}"
    if field == "env":
        before, after = ({e.get("name"): e for e in value or []} for value in (was, now))
        names = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
        return f"env {', '.join(map(str, names))}".rstrip()
    return field


def _shorter(was: str, now: str) -> str:
    """Only the tag, or digest, where the rest is the same. A port has a colon, too, so the last path part counts."""
    start = now.rfind("/") + 1
    for mark in ("@", ":"):
        place = now.find(mark, start)
        if place > 0 and was.startswith(now[: place + 1]):
            return now[place + 1 :]
    return now


def _others(old: Object, new: Object) -> Iterator[str]:
    for part in ("metadata", "spec"):
        before, after = old.get(part) or {}, new.get(part) or {}
        for field in sorted(before.keys() | after.keys()):
            if field not in LISTS and before.get(field) != after.get(field):
                yield field
