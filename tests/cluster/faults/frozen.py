"""A view of the store as it was at one moment, while writes go live: an API server whose cache has stopped.

The API server itself can list the past (`resourceVersionMatch: Exact`), so nothing has to be kept here. Objects that
are read by their name are listed by it. Events from after the moment wait until the view thaws. Leases stay live:
whoever leads must know it.
"""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from yarl import URL

from tests.cluster.ledger import Entry

LIVE = frozenset({"leases", "namespaces"})


@dataclass
class View:
    """What is seen until `thaw`; `version` is the moment."""

    version: int
    thawed: asyncio.Event = field(default_factory=asyncio.Event)
    served: int = 0
    """Reads that were answered from the past."""

    def thaw(self) -> None:
        """The cache goes on."""
        self.thawed.set()

    async def reached(self, obj: dict[str, Any]) -> None:
        """Returns when an event of a watch may be seen."""
        if int(obj.get("metadata", {}).get("resourceVersion", 0)) > self.version:
            await self.thawed.wait()

    def past(self, entry: Entry, url: URL) -> URL | None:
        """Where a read finds the past; None for what is live."""
        if self.thawed.is_set() or entry.resource in LIVE or entry.verb not in ("get", "list"):
            return None
        if "continue" in url.query:
            return None
        self.served += 1
        exact = {"resourceVersion": str(self.version), "resourceVersionMatch": "Exact"}
        if entry.verb == "list":
            return url.update_query(exact)
        collection = url.with_path(url.path.rpartition("/")[0])
        return collection.update_query(exact | {"fieldSelector": f"metadata.name={url.name}"})


def only(listed: dict[str, Any]) -> dict[str, Any] | None:
    """The object that a list by name has found, as reading it would show it."""
    kind = {"apiVersion": listed["apiVersion"], "kind": listed["kind"].removesuffix("List")}
    items = listed["items"]
    return kind | items[0] if items else None
