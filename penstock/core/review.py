"""Validation: bad annotations are refused where they are written, un-gated changes in strict mode, and template
writes of our own identity that are neither the declared nor the stable version, or make another one of these.

Only a key that this write changes is judged: an object that was already bad stays editable.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from penstock.core import keys, plan
from penstock.core.admission import Request, admit
from penstock.core.guard import annotation, label, record_of
from penstock.core.patch import value_at
from penstock.core.template import template_hash
from penstock.core.units import AnnotationError, quoted


@dataclass(frozen=True)
class Review:
    """Whether a write is allowed; the message says what to correct."""

    allowed: bool
    message: str = ""
    warnings: tuple[str, ...] = ()
    reason: str = "Allowed"


ALLOWED = Review(True)


def review(request: Request, *, strict: bool = False) -> Review:
    """The answer of /validate, for Deployments and Namespaces."""
    new, old = request.object, request.old
    if new is None or request.username == keys.CONTROLLER:
        return ALLOWED
    found = problems(new, old, request.kind)
    if found:
        return Review(False, "; ".join(found), reason="BadAnnotation")
    if strict and _escaped(request):
        message = "this template change was not gated, the webhook did not answer; apply it again"
        return Review(False, message, reason="NotGated")
    if strict and _unpaused(request):
        message = "another webhook has taken out spec.paused, which holds this change at its first step"
        return Review(False, message, reason="Unpaused")
    return ALLOWED


def problems(new: Mapping[str, Any], old: Mapping[str, Any] | None, kind: str = "Deployment") -> list[str]:
    """What is wrong with the labels and annotations that a write changes, one sentence each."""
    return [*_bad_annotations(new, old, kind), *_bad_labels(new, old), *_bad_approvals(new, old)]


def fence(request: Request) -> Review:
    """The answer of /fence: our own identity may show two templates only, and not choose them, so a stolen token starts
    no other pod. What needs no hash is refused in the API server, see deploy/base/fence.yaml."""
    new, old = request.object, request.old
    if request.username != keys.CONTROLLER or new is None or old is None:
        return ALLOWED
    shown, before = (template_hash(each["spec"]["template"]) for each in (new, old))
    record = record_of(old)
    if shown != before and not (record and shown in (record.declared, record.stable)):
        return _fenced("the controller may only set the record's declared or stable template")
    if annotation(new, keys.RECORD) in (None, annotation(old, keys.RECORD)):
        return ALLOWED
    after = record_of(new)
    if record is None or after is None:
        return _fenced("the controller may only change a record that can be read, into one")
    if after.declared not in (record.declared, before):
        return _fenced("the controller may only record what is declared")
    if shown != before and after.stable != record.stable:
        return _fenced("the controller may not choose the stable version and show it in one write")
    return ALLOWED


def _fenced(message: str) -> Review:
    return Review(False, message, reason="Fenced")


def _changed(new: Mapping[str, Any], old: Mapping[str, Any] | None, kind: str) -> dict[str, str]:
    values = value_at(new, ("metadata", kind)) or {}
    before = value_at(old, ("metadata", kind)) or {}
    return {k: v for k, v in values.items() if k.startswith(keys.PREFIX) and before.get(k) != v}


def _bad_annotations(new: Mapping[str, Any], old: Mapping[str, Any] | None, kind: str) -> list[str]:
    found = []
    for key, value in sorted(_changed(new, old, "annotations").items()):
        if key == keys.ENABLED:
            found.append(f'annotation {key}: this is a label; write it under metadata.labels: {key}: "true"')
        elif kind == "Namespace" and key in keys.OUR_ANNOTATIONS:
            found.append(
                f"annotation {key}: it belongs to the rollout of one Deployment; a Namespace has none: remove it"
            )
        elif key not in (keys.RECORD, keys.PREVIOUS, keys.DECLARED):
            found += _bad_annotation(key, value)
    return found


def _bad_annotation(key: str, value: str) -> list[str]:
    try:
        plan.check(key, value)
    except AnnotationError as error:
        return [f"annotation {error}"]
    return []


def _bad_labels(new: Mapping[str, Any], old: Mapping[str, Any] | None) -> list[str]:
    found = []
    for key, value in sorted(_changed(new, old, "labels").items()):
        if key == keys.ENABLED and value not in ("true", "false"):
            found.append(f'label {key}: {quoted(value)} is not known; allowed: "true", "false"; example: {key}: "true"')
        elif key not in (keys.ENABLED, keys.ROLLOUT):
            found.append(f'label {key}: there is no such label; known: enabled; example: {keys.ENABLED}: "true"')
    return found


def _bad_approvals(new: Mapping[str, Any], old: Mapping[str, Any] | None) -> list[str]:
    """Steps named in `approve` must stand in `steps`, where both are written on the same object."""
    texts = [annotation(new, key) for key in (keys.APPROVE, keys.STEPS)]
    if None in texts or texts == [annotation(old, key) for key in (keys.APPROVE, keys.STEPS)]:
        return []
    try:
        wanted, steps = plan.approve((texts[0] or "").strip()), plan.steps((texts[1] or "").strip())
    except AnnotationError:
        return []  # said already
    missing, known = plan.unknown_approvals(steps, wanted), ", ".join(map(str, steps))
    if not missing:
        return []
    return [f"annotation {keys.APPROVE}: {missing[0]} is not one of the steps {known}; example: {steps[-1]}"]


def _escaped(request: Request) -> bool:
    """Whether the gate would still have something to say about the object as it is about to be stored."""
    if request.kind != "Deployment" or label(request.object, keys.ROLLOUT):
        return False
    return admit(request, now=0.0).reason == "Gated"


def _unpaused(request: Request) -> bool:
    """Whether a rollout begins, or another version comes into one, without the pause that admission has given it."""
    new, old = request.object, request.old
    if request.kind != "Deployment" or new is None or old is None or not label(new, keys.ROLLOUT):
        return False
    another = template_hash(new["spec"]["template"]) != template_hash(old["spec"]["template"])
    return (another or not label(old, keys.ROLLOUT)) and value_at(new, ("spec", "paused")) is not True
