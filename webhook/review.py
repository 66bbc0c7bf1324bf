"""AdmissionReview in, AdmissionReview out: bytes to the core's Request, the core's answer to bytes.

Only the fields we read are typed. Objects stay dictionaries, because a patch must not depend on what we know of them.
Three kinds of bad input: what is no review is refused with 400, for nobody could match an answer to it; what is a
review of something unreadable is answered in its own form; and what is deeper than any Deployment is not handed to
recursive code. NaN, lone surrogates and half characters are no JSON and end in the first kind.
"""

import textwrap
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

from penstock.core.admission import Request
from penstock.core.patch import Operation

API_VERSION = "admission.k8s.io/v1"
KIND = "AdmissionReview"

DEEPEST = 64
"""Levels of an object. A Deployment with all its affinities and managedFields has fewer than 20."""

WARNING = 120
"""Characters of one warning; Kubernetes asks for no more, and cuts what is over 256."""

WARNINGS = 8

LONGEST_UID = 128


class Malformed(Exception):
    """A body that cannot be decided on. With a uid it can still be answered."""

    def __init__(self, message: str, uid: str = "") -> None:
        super().__init__(message)
        self.uid = uid


@dataclass(frozen=True)
class Answer:
    """What the API server is told; `reason` is one word for metrics and logs."""

    allowed: bool = True
    patch: tuple[Operation, ...] = ()
    message: str = ""
    warnings: tuple[str, ...] = ()
    reason: str = "Allowed"


class _Kind(msgspec.Struct, frozen=True):
    group: str | None = None
    version: str | None = None
    kind: str | None = None


class _User(msgspec.Struct, frozen=True):
    username: str | None = None


class _Options(msgspec.Struct, frozen=True):
    fieldManager: str | None = None


class _Asked(msgspec.Struct, frozen=True):
    uid: str
    operation: str
    kind: _Kind
    namespace: str | None = None
    name: str | None = None
    subResource: str | None = None
    userInfo: _User | None = None
    options: _Options | None = None
    dryRun: bool | None = None
    object: Any = None
    oldObject: Any = None


class _Asking(msgspec.Struct, frozen=True):
    apiVersion: str
    kind: str
    request: _Asked


class _Status(msgspec.Struct, frozen=True):
    message: str
    code: int = 403
    reason: str = "Forbidden"


class _Answered(msgspec.Struct, frozen=True, omit_defaults=True):
    uid: str
    allowed: bool
    status: _Status | None = None
    patchType: str | None = None
    patch: bytes | None = None
    warnings: list[str] | None = None
    auditAnnotations: dict[str, str] | None = None


class _Answering(msgspec.Struct, frozen=True):
    response: _Answered
    apiVersion: str = API_VERSION
    kind: str = KIND


_decoder = msgspec.json.Decoder(_Asking)
_encoder = msgspec.json.Encoder()


def decode(body: bytes) -> Request:
    """The request in a review. Raises Malformed."""
    try:
        review = _decoder.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise Malformed(f"this is no AdmissionReview: {str(error)[:WARNING]}") from error
    if (review.apiVersion, review.kind) != (API_VERSION, KIND):
        raise Malformed(f"only {KIND} of {API_VERSION} is understood here")
    asked = review.request
    if not 0 < len(asked.uid) <= LONGEST_UID:
        raise Malformed("the review has no uid, or one that is too long")
    return Request(
        uid=asked.uid,
        operation=asked.operation,
        kind=_kind(asked),
        namespace=asked.namespace or "",
        name=asked.name or "",
        username=(asked.userInfo and asked.userInfo.username) or "",
        field_manager=(asked.options and asked.options.fieldManager) or "",
        dry_run=bool(asked.dryRun),
        object=_object(asked.object, asked.uid),
        old=_object(asked.oldObject, asked.uid),
    )


def encode(uid: str, answer: Answer) -> bytes:
    """The review that answers `uid`."""
    patch = _encoder.encode(answer.patch) if answer.patch else None
    answered = _Answered(
        uid=uid,
        allowed=answer.allowed,
        status=None if answer.allowed else _Status(answer.message),
        patchType="JSONPatch" if patch else None,
        patch=patch,
        warnings=lines(answer.warnings) or None,
        auditAnnotations={"decision": answer.reason} if answer.patch or not answer.allowed else None,
    )
    return _encoder.encode(_Answering(answered))


def lines(warnings: Iterable[str]) -> list[str]:
    """Warnings as they may be sent: each short, on one line, without what a terminal would obey."""
    found = [line for warning in warnings for line in textwrap.wrap(_visible(warning), WARNING)]
    return found[:WARNINGS]


def _visible(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in " ".join(text.split()))


def _kind(asked: _Asked) -> str:
    """The kind where it is one of those that we are asked about; another group's Deployment is not ours."""
    kind = asked.kind
    known = (kind.group or "", kind.version, kind.kind) in (("apps", "v1", "Deployment"), ("", "v1", "Namespace"))
    return str(kind.kind) if known and not asked.subResource else f"{kind.kind}.{kind.group or ''}"


def _object(value: Any, uid: str) -> dict[str, Any] | None:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise Malformed("the object is not an object", uid)
    if _deeper(value, DEEPEST):
        raise Malformed(f"the object is nested deeper than {DEEPEST} levels", uid)
    return value


def _deeper(value: dict[str, Any], levels: int) -> bool:
    """Whether containers are nested deeper; level by level, since recursion is what this protects from."""
    level: list[Any] = [value]
    for _ in range(levels):
        level = [
            child
            for parent in level
            for child in (parent.values() if type(parent) is dict else parent)
            if type(child) is dict or type(child) is list
        ]
        if not level:
            return False
    return True
