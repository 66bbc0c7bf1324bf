"""From a command to a conversation with the cluster: credentials, namespace, one event loop.

`kubernetes` and aiohttp take a second to import, so nothing of them is touched before a command needs a cluster.
"""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from penstock import __version__
from penstock.cli.options import settings

if TYPE_CHECKING:
    from penstock.kube import Client

T = TypeVar("T")

Work = Callable[["Client", str], Awaitable[T]]
"""Gets the client and the namespace that the user means."""

AGENT = f"penstock-cli/{__version__}"


def run(work: Work[T]) -> T:
    """Run `work` to its end; errors are told by the group (main.py), Ctrl-C by click."""
    import asyncio

    from penstock.kube import Client

    chosen = settings()

    async def connected() -> T:
        async with Client.connect(chosen.kubeconfig, chosen.context, AGENT) as client:
            return await work(client, chosen.namespace or client.namespace)

    return asyncio.run(connected())
