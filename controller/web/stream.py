"""Changes as server-sent events: what is new since a version, made when the viewer can take it.

No queue stands between the control loop and a viewer. Each round compares versions and sends the newest state, so one
who reads slowly gets it less often; one who does not read at all is let go. The browser comes back by itself, says
which version it had (Last-Event-ID), and gets what it has missed.
"""

import asyncio
from collections.abc import AsyncIterator, Callable

import msgspec
from starlette.types import Receive, Scope, Send

from controller.web.board import Board

GATHER = 0.4
"""Seconds in which changes are gathered: a window changes many pods at once."""

BEAT = 15.0
"""Seconds without a change after which a line is sent, so that proxies keep the connection."""

STUCK = 20.0
"""Seconds for one message to be taken."""

VIEWERS = 200
"""Streams at once; more are refused."""

HEADERS = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"x-accel-buffering", b"no")]


class Stream:
    """The response to one viewer: an ASGI application."""

    def __init__(self, board: Board, life: str, since: int, key: str, leads: Callable[[], bool]) -> None:
        self.board, self.since, self.key, self.leads = board, since, key, leads
        self.stale = life != board.life
        self.whole, self.results = -1, since

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Until the viewer goes, is let go, or another leads."""
        async with asyncio.TaskGroup() as group:
            sending = group.create_task(self._send(send))
            leaving = group.create_task(_left(receive))
            await asyncio.wait((sending, leaving), return_when=asyncio.FIRST_COMPLETED)
            sending.cancel()
            leaving.cancel()

    async def _send(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
        try:
            async for message in self._messages():
                async with asyncio.timeout(STUCK):
                    await send({"type": "http.response.body", "body": message, "more_body": True})
        except (TimeoutError, OSError):
            return
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _messages(self) -> AsyncIterator[bytes]:
        yield b"retry: 1000\n\n"
        if self.stale:
            yield b"event: stale\ndata: {}\n\n"
            return
        with self.board.bell() as bell:
            while self.leads():
                bell.clear()
                message = await self._news()
                if message == b"":
                    yield b"event: stale\ndata: {}\n\n"
                    return
                if message:
                    yield message
                    await asyncio.sleep(GATHER)
                try:
                    await asyncio.wait_for(bell.wait(), BEAT)
                except TimeoutError:
                    yield b": still here\n\n"

    async def _news(self) -> bytes | None:
        """What is new since the last message; None: nothing; empty: too much to be told."""
        board, version = self.board, self.board.version
        gone = board.gone(self.since)
        if gone is None:
            return b""
        news: dict[str, object] = {}
        rows = await board.rows(self.since)
        if rows:
            news["rows"] = rows
        if gone:
            news["gone"] = gone
        if board.results_version > self.results:
            self.results = board.results_version
            news["results"] = list(board.results)
        if self.key and board.version_of(self.key) != self.whole:
            self.whole = board.version_of(self.key)
            news["whole"] = board.whole(self.key)
        self.since = version
        if not news:
            return None
        return b"id: %s-%d\ndata: %s\n\n" % (board.life.encode(), version, msgspec.json.encode(news))


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
