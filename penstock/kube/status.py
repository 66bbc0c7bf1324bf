"""From the bytes of a refusal to the error it is.

The API server explains refusals in a `Status` object. A proxy in between does not: it sends HTML, and that must not
be taken for an answer of the API server. One case needs knowledge of the request: the API server reports a failed
`test` of a JSON Patch as 422 `Invalid` with a fixed sentence, like an object that breaks validation. Measured on 1.37:
a validation error names the kind and its causes in `details`, a patch that could not be applied leaves `details` empty;
whether a `test` failed or a path was missing cannot be seen. So a refused patch that held a `test` is a Conflict: the
object is not what was expected, either way.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from penstock.kube.errors import ApiError, Conflict, Denied, Gone, Invalid, NotFound, Unavailable

SHOWN = 200
"""Characters of a foreign body that are worth quoting."""

QUOTE_END = '": '

KINDS: Mapping[int, type[ApiError]] = {
    401: Denied,
    403: Denied,
    404: NotFound,
    408: Unavailable,
    409: Conflict,
    410: Gone,
    429: Unavailable,
}


class Cause(msgspec.Struct, frozen=True):
    field: str | None = None


class Details(msgspec.Struct, frozen=True):
    kind: str | None = None
    causes: list[Cause] | None = None
    retryAfterSeconds: float | None = None


class Status(msgspec.Struct, frozen=True):
    kind: str | None = None
    message: str | None = None
    reason: str | None = None
    code: int | None = None
    details: Details | None = None


def refused(
    code: int, phrase: str, headers: Mapping[str, str], raw: bytes, request: str, *, tested: bool = False
) -> ApiError:
    """The error for an answer with a status code that is not 2xx."""
    wait = _seconds(headers.get("Retry-After"))
    status = _status(raw)
    if status is None:
        message = f"the answer is no Kubernetes Status: {_quoted(raw)}"
        return _kind(code)(code, phrase, message, wait, request)
    if wait is None and status.details is not None:
        wait = status.details.retryAfterSeconds
    kind = _kind(code)
    if code == 422 and tested and (status.details is None or status.details in (Details(), Details(kind=""))):
        kind = Conflict
    return kind(code, status.reason or phrase, _told(status), wait, request)


def event(line: bytes, request: str) -> dict[str, Any]:
    """One line of a watch; an event of type ERROR, always the last one, is raised as what it stands for."""
    seen = decoded(line, request)
    if seen.get("type") == "ERROR":
        status = msgspec.convert(seen.get("object") or {}, Status, strict=False)
        code = status.code or 500
        wait = status.details.retryAfterSeconds if status.details else None
        raise _kind(code)(code, status.reason or "", _told(status), wait, request)
    return seen


def decoded(raw: bytes, request: str) -> dict[str, Any]:
    """A JSON object, or Unavailable: what else comes with a 200 was said by something in between, a login page say."""
    try:
        return msgspec.json.decode(raw, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Unavailable(0, "NotJSON", f"the answer is not JSON: {_quoted(raw)}", request=request) from error


def asks(operations: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a JSON Patch asks for anything about the object's present state."""
    return any(operation.get("op") == "test" for operation in operations)


def _told(status: Status) -> str:
    """The server's message, without the whole object (it may be a Secret) that it quotes if a patch breaks its type."""
    message = status.message or "no message"
    causes = status.details.causes if status.details else None
    if any(cause.field == "patch" for cause in causes or ()):
        return f"the patched object does not fit its kind: {message.rpartition(QUOTE_END)[2]}"
    return message


def _kind(code: int) -> type[ApiError]:
    return KINDS.get(code, Invalid if 400 <= code < 500 else Unavailable)


def _status(raw: bytes) -> Status | None:
    try:
        status = msgspec.json.decode(raw, type=Status)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return status if status.kind == "Status" else None


def _seconds(header: str | None) -> float | None:
    # RFC 9110 allows a date too; the API server only ever sends whole seconds.
    return float(header) if header is not None and header.isascii() and header.isdigit() else None


def _quoted(raw: bytes) -> str:
    return " ".join(raw[: 4 * SHOWN].decode(errors="replace").split())[:SHOWN] or "(empty)"
