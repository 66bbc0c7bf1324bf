"""All objects of a kind by their metadata alone, page by page: a cluster's Deployments with their pod templates do not
fit into one answer, nor into a small controller's memory."""

from collections.abc import AsyncIterator
from typing import Any

from penstock.kube import objects
from penstock.kube.transport import PARTIAL_LIST, Client

PAGE = 500
DEADLINE = 30.0
"""Seconds for one page."""


async def metadata(client: Client, path: str, **params: Any) -> AsyncIterator[dict[str, Any]]:
    """Each object in the list at PATH, without spec and status."""
    token: str | None = ""
    while token is not None:
        more = params | ({"continue": token} if token else {})
        page = await client.get(path, accept=PARTIAL_LIST, timeout=DEADLINE, limit=PAGE, **more)
        for item in page["items"] or ():
            yield item
        token = objects.at(page, "metadata", "continue") or None
