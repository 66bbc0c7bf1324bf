"""One manifest as the API server would store it: its shape checked, its defaults filled in.

`penstock plan` works without a cluster, and admission sees objects only after the API server has decoded and
defaulted them. So the part of both that admission reads is done here; all other fields are the API server's affair.
"""

import copy
import re
from collections.abc import Callable
from typing import Any

from penstock.core.fields import DEFAULT_DEADLINE, DEFAULT_SHARE, ROLLING, Fields
from penstock.core.keys import USER_ANNOTATIONS
from penstock.core.patch import Path, value_at
from penstock.core.plan import check
from penstock.core.units import AnnotationError, quoted

Object = dict[str, Any]

_PERCENT = re.compile(r"[0-9]{1,9}%")


def _whole(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**31


def _amount(value: Any) -> bool:
    return _whole(value) or (isinstance(value, str) and _PERCENT.fullmatch(value) is not None)


def _mapping(value: Any) -> bool:
    return isinstance(value, dict)


Shape = tuple[Path, Callable[[Any], bool], str]

METADATA: tuple[Shape, ...] = (
    (("metadata",), _mapping, "an object"),
    (("metadata", "name"), lambda value: isinstance(value, str) and bool(value), "a name"),
    (("metadata", "labels"), _mapping, "an object"),
    (("metadata", "annotations"), _mapping, "an object"),
)
SPEC: tuple[Shape, ...] = (
    (("spec",), _mapping, "an object"),
    (("spec", "template"), _mapping, "an object"),
    (("spec", "replicas"), _whole, "a whole number from 0"),
    (("spec", "paused"), lambda value: isinstance(value, bool), "true or false"),
    (("spec", "minReadySeconds"), _whole, "a whole number from 0"),
    (("spec", "progressDeadlineSeconds"), _whole, "a whole number from 0"),
    (("spec", "strategy"), _mapping, "an object"),
    (("spec", "strategy", "rollingUpdate"), _mapping, "an object"),
    (("spec", "strategy", "rollingUpdate", "maxSurge"), _amount, "a number of pods, or a percentage like 25%"),
    (("spec", "strategy", "rollingUpdate", "maxUnavailable"), _amount, "a number of pods, or a percentage like 25%"),
)
NEEDED = frozenset({("metadata",), ("metadata", "name"), ("spec",), ("spec", "template")})


def faults(obj: Object) -> list[str]:
    """Why the API server would refuse the object before any admission, one sentence each."""
    shapes = METADATA + (SPEC if obj.get("kind") == "Deployment" else ())
    found = [fault for path, fits, words in shapes if (fault := _fault(obj, path, fits, words))]
    if found:
        return found
    found = [*_bad_keys(obj), *_not_text(obj, "labels"), *_not_text(obj, "annotations")]
    problem = Fields.of(defaulted(obj)).problem() if obj.get("kind") == "Deployment" else None
    return [*found, problem] if problem else found


def _fault(obj: Object, path: Path, fits: Callable[[Any], bool], words: str) -> str | None:
    """The parent's own fault is told once; a value below it is absent then."""
    value = value_at(obj, path)
    if value is None:
        return f"{'.'.join(path)} is missing" if path in NEEDED and _present(obj, path[:-1]) else None
    return None if fits(value) else f"{'.'.join(path)} is {quoted(str(value))}; allowed: {words}"


def _present(obj: Object, path: Path) -> bool:
    return not path or _mapping(value_at(obj, path))


def _not_text(obj: Object, kind: str) -> list[str]:
    pairs = (value_at(obj, ("metadata", kind)) or {}).items()
    return [
        f"{kind.removesuffix('s')} {key}: {_untext(kind, key, value)}" for key, value in pairs if type(value) is not str
    ]


def _untext(kind: str, key: Any, value: Any) -> str:
    """YAML takes an unquoted yes for the truth; where a word was meant, the allowed ones are told."""
    if not isinstance(value, bool):
        return f"{quoted(str(value))} is not text; put it in quotes"
    text = f"an unquoted {'yes, on or true' if value else 'no, off or false'} is not text; put it in quotes"
    if kind == "labels" or key not in USER_ANNOTATIONS:
        return text
    try:
        check(key, "yes" if value else "no")
    except AnnotationError as error:
        return f"{text}; {error.problem}; example: {error.example}"
    return text


def _bad_keys(value: Any, path: Path = ()) -> list[str]:
    """YAML allows any key (`1:`, `yes:`), JSON only text."""
    if isinstance(value, list):
        return [fault for item in value for fault in _bad_keys(item, path)]
    if not isinstance(value, dict):
        return []
    bad = [f"{'.'.join(path)}: the key {key!r} is not text; put it in quotes" for key in value if type(key) is not str]
    return [*bad, *(fault for key, item in value.items() for fault in _bad_keys(item, (*path, str(key))))]


def defaulted(obj: Object, namespace: str = "") -> Object:
    """A copy of a Deployment with the defaults that matter to a rollout."""
    new = copy.deepcopy(obj)
    if namespace:
        new["metadata"].setdefault("namespace", namespace)
    spec = new["spec"]
    _default(spec, "replicas", 1)
    _default(spec, "progressDeadlineSeconds", DEFAULT_DEADLINE)
    _default(spec, "strategy", {})
    strategy = spec["strategy"]
    _default(strategy, "type", ROLLING)
    if strategy["type"] == ROLLING:
        _default(strategy, "rollingUpdate", {})
        _default(strategy["rollingUpdate"], "maxUnavailable", DEFAULT_SHARE)
        _default(strategy["rollingUpdate"], "maxSurge", DEFAULT_SHARE)
    return new


def _default(parent: Object, name: str, value: Any) -> None:
    if parent.get(name) is None:
        parent[name] = value
