"""The page's port. The web framework is imported when the first viewer comes: until then the page is one open socket.

It takes some tenths of a second of a core and 12 MB (measured in a pod: 74 to 86), which nobody who never looks should
pay. The import runs in a thread, so that a rollout that is under way goes on meanwhile. Whatever goes wrong here ends
the page and not the controller.
"""

import asyncio
import importlib
import socket
from typing import TYPE_CHECKING

import structlog

from controller.settings import Settings
from controller.web.access import Access, access
from controller.web.board import Board
from controller.web.leadership import Leadership

if TYPE_CHECKING:
    from starlette.types import ASGIApp

log = structlog.get_logger()


def access_of(settings: Settings) -> Access:
    """Who may look, by the settings. Raises AccessError."""
    return access(
        settings.page_address,
        token_file=settings.page_token_file,
        header=settings.page_user_header,
        proxies=settings.page_proxies,
        hosts=settings.page_hosts,
    )


def bound(address: str, port: int) -> socket.socket:
    """A socket that listens; a port that is taken is found at the start."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    made = socket.create_server((address, port), family=family, backlog=128)
    made.setblocking(False)
    return made


async def serve_page(
    listening: socket.socket, board: Board, leadership: Leadership, allowed: Access, prefix: str
) -> None:
    """Until cancelled."""
    await _called(listening)
    try:
        await _serve(listening, board, leadership, allowed, prefix)
    except Exception:  # a bug here must not stop rollouts
        log.exception("the page has ended by an error of ours")


async def _serve(listening: socket.socket, board: Board, leadership: Leadership, allowed: Access, prefix: str) -> None:
    listener = await asyncio.to_thread(importlib.import_module, "controller.web.listener")
    app: ASGIApp = listener.page(board, leadership, allowed, prefix)
    log.info("the page is served", address="{}:{}".format(*listening.getsockname()[:2]))
    await listener.Listener(app).serve([listening])


async def _called(listening: socket.socket) -> None:
    """Returns when somebody connects; they wait in the socket's queue."""
    loop, called = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(listening, called.set)
    try:
        await called.wait()
    finally:
        loop.remove_reader(listening)
