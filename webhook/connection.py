"""One HTTP connection that cannot be held for nothing.

uvicorn waits for ever for the rest of a header or a body, and its own limit on connections turns genuine requests away
once it is reached (measured: 150 half-sent headers, and 20 of 20 genuine requests got 503). Here a request has to come
in within seconds, and of the connections that have nothing going on only so many are kept: the one that has been idle
longest makes room, so whoever opens thousands ends their own.

A connection on which nothing has been said yet counts as idle, not as slow. The API server opens spare ones, and
closing one a moment before it is used costs a call: a POST is not repeated.
"""

import asyncio
from dataclasses import dataclass

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState


@dataclass(frozen=True)
class Limits:
    """Seconds, and connections."""

    handshake: float = 5.0
    header: float = 5.0
    body: float = 5.0
    leftover: float = 1.0  # for the rest of a body after an early answer, so that the answer can be read
    idle: int = 120  # Go keeps idle connections for 90 s; whoever closes first must not be us
    most_idle: int = 256


USUAL = Limits()


class Connections(ServerState):
    """What all connections of one server share."""

    def __init__(self, limits: Limits) -> None:
        super().__init__()
        self.limits = limits
        self.closing = False
        """Answers end their connection, so that clients move to another replica before this one is gone."""
        self.idle: dict[Connection, None] = {}


class Connection(HttpToolsProtocol):
    """uvicorn's protocol with a timer."""

    server_state: Connections
    _timer: asyncio.TimerHandle | None = None
    _receiving = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        super().connection_made(transport)
        self._rest()

    def connection_lost(self, exc: Exception | None) -> None:
        self._limit(None)
        self.server_state.idle.pop(self, None)
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._receiving = True
        self._limit(self.server_state.limits.header)

    def on_headers_complete(self) -> None:
        self.server_state.idle.pop(self, None)
        self._limit(self.server_state.limits.body)
        super().on_headers_complete()
        if self.server_state.closing and self.cycle is not None:
            self.cycle.keep_alive = False

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._receiving = False
        self._limit(None)
        if self.cycle is not None and self.cycle.response_complete:
            self._rest()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._receiving:
            self._limit(self.server_state.limits.leftover)
        elif not self.transport.is_closing():
            self._rest()

    def _rest(self) -> None:
        """Nothing is going on here; the longest at rest leaves if there are too many."""
        state = self.server_state
        self._limit(state.limits.idle)
        state.idle.pop(self, None)
        state.idle[self] = None
        if len(state.idle) > state.limits.most_idle:
            oldest = next(iter(state.idle))
            del state.idle[oldest]
            oldest._end()

    def _limit(self, seconds: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self.loop.call_later(seconds, self._end) if seconds is not None else None

    def _end(self) -> None:
        # Not close(): that waits for the other side to take part in the end of TLS.
        self.transport.abort()
