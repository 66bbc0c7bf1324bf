"""What a controller asks of the API server, one entry for each request that passed the proxy.

The controller's own metrics count what it believes to have sent; the promise is about what arrives. A watch is one
request for as long as it is open.
"""

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

Object = dict[str, Any]

VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
READS = frozenset({"get", "list", "watch"})


@dataclass
class Entry:
    """One request: `resource` as RBAC names it, such as deployments/status; bytes are those of the bodies."""

    verb: str
    resource: str
    path: str
    sent: int = 0
    received: int = 0
    status: int = 0
    """0 until it is answered."""
    answer: Object = field(default_factory=dict)
    """What a write that was accepted left in the store; lease renewals are not kept."""
    at: float = 0.0
    """When it came, by `time.monotonic`."""
    over: bool = False
    request: web.Request | None = None

    @classmethod
    def of(cls, request: web.Request, body: bytes) -> "Entry":
        """A request that has just come in."""
        resource, named = _resource(request.path)
        verb = VERBS.get(request.method) or ("get" if named else "list")
        if request.query.get("watch") in ("1", "true", "True"):
            verb = "watch"
        return cls(verb, resource, request.path, len(body), at=time.monotonic(), request=request)

    @property
    def open(self) -> bool:
        """Neither side has ended it."""
        return not self.over and self.request is not None and self.request.transport is not None

    @property
    def write(self) -> bool:
        """It may change something; a lease says only that the process lives."""
        return self.verb not in READS and self.resource != "leases"

    @property
    def stored(self) -> bool:
        """A write that was accepted."""
        return self.write and 200 <= self.status < 300

    def __str__(self) -> str:
        return f"{self.verb} {self.resource}"


@dataclass
class Ledger:
    """All requests of one controller since the page was turned; watches that are open stay on it."""

    entries: list[Entry] = field(default_factory=list)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries)

    def turn(self) -> None:
        """A new page."""
        self.entries = self.watches()

    def watches(self) -> list[Entry]:
        """Those that are open."""
        return [entry for entry in self.entries if entry.verb == "watch" and entry.open]

    def asked(self) -> int:
        """How many requests there are, leases left out."""
        return sum(entry.resource != "leases" for entry in self.entries)

    def counts(self) -> Counter[str]:
        """Requests by verb and resource."""
        return counted(self.entries)


def counted(entries: Iterable[Entry]) -> Counter[str]:
    """Requests by verb and resource."""
    return Counter(map(str, entries))


def _resource(path: str) -> tuple[str, bool]:
    """The resource of a path, and whether the path names one object."""
    parts = path.strip("/").split("/")
    parts = parts[2:] if parts[0] == "api" else parts[3:]
    if parts[:1] == ["namespaces"] and len(parts) > 2:
        parts = parts[2:]
    return "/".join(parts[:1] + parts[2:]), len(parts) > 1
