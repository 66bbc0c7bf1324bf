"""What may happen to one request between a controller and the API server, and to one event of a watch.

Some of it happens before anything is stored, some after; a controller cannot tell which, and that is the point.
"""

import enum
import json
from dataclasses import dataclass

from aiohttp import web


class Kind(enum.StrEnum):
    """Ways in which a request fails."""

    LATE = "sent late, also when nobody waits for it any more"
    REFUSED = "refused by the API server"
    LOST = "done, and the answer lost"
    SILENT = "done, and the answer late"
    TORN = "done, and the connection reset in the middle of the answer"


class Turn(enum.StrEnum):
    """What becomes of an event of a watch."""

    DROPPED = "dropped"
    DOUBLED = "doubled"
    DELAYED = "delayed, and all after it"
    TORN = "the connection reset in the middle of it"
    GONE = "410 instead of it"


@dataclass(frozen=True)
class Fault:
    """One misfortune. `seconds` for those that last, `code` and `wait` (Retry-After) for refusals."""

    kind: Kind
    seconds: float = 0.0
    code: int = 0
    wait: int = 0

    def __str__(self) -> str:
        more = f"{self.seconds:.1f} s" if self.seconds else f"{self.code}" if self.code else ""
        return f"{self.kind} {more}".strip()


REASONS = {
    404: "NotFound",
    409: "Conflict",
    410: "Expired",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
}


def status(code: int, wait: int = 0) -> dict[str, object]:
    """A refusal as the API server words it."""
    details = {"details": {"retryAfterSeconds": wait}} if wait else {}
    reason = REASONS[code]
    return {
        "apiVersion": "v1",
        "kind": "Status",
        "status": "Failure",
        "code": code,
        "reason": reason,
        "message": "a fault",
        **details,
    }


def refusal(fault: Fault) -> web.Response:
    """The answer of an API server that does not do it."""
    headers = {"Retry-After": str(fault.wait)} if fault.wait else {}
    return web.json_response(status(fault.code, fault.wait), status=fault.code, headers=headers)


def gone() -> bytes:
    """The last line of a watch whose version is forgotten."""
    return json.dumps({"type": "ERROR", "object": status(410)}).encode() + b"\n"
