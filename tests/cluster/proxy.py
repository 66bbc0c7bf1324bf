"""A way to the API server that knows all of a controller's requests, and lets each of them meet with whatever is to be.

A crash-only program is proven by crashes at its every write, on all three sides of it: before the write is sent,
after it is stored but before the answer is seen (the one that programs get wrong), and after the answer. The process
cannot be asked to die there by itself, so it is killed from here, where its bytes pass. What else may happen to a
request, and to an event of a watch, is the `weather`; see tests/cluster/faults.

Plain HTTP towards the controller: it is on loopback, and TLS twice would only cost time.
"""

import asyncio
import enum
import gzip
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web
from yarl import URL

from tests.cluster.faults.fault import Fault, Kind, refusal
from tests.cluster.faults.frozen import only
from tests.cluster.faults.weather import Torn, Weather
from tests.cluster.kubeconfig import Access
from tests.cluster.ledger import Entry, Ledger

HOP_BY_HOP = frozenset({"connection", "transfer-encoding", "keep-alive", "host", "content-length"})


class Cut(enum.StrEnum):
    """On which side of a write the process dies."""

    BEFORE = "before it is sent"
    UNSEEN = "stored, the answer unseen"
    AFTER = "after the answer"


@dataclass(frozen=True)
class Trap:
    """Springs at write number `at` of a process's life, from 1; after the write only those count that were stored."""

    at: int
    cut: Cut
    spring: Callable[[], None]
    later: asyncio.Event | None = None
    """With BEFORE: the write is sent all the same, once this is set, as from a process that was stopped and goes on."""


@dataclass
class Proxy:
    """One controller's way to the API server. Writes are those of the rollout: leases are left out."""

    access: Access
    session: aiohttp.ClientSession
    trap: Trap | None = None
    sent: int = 0
    """Writes of the present process, refused ones among them."""
    stored: list[str] = field(default_factory=list)
    """Writes of the present process that changed something."""
    ledger: Ledger = field(default_factory=Ledger)
    weather: Weather = field(default_factory=Weather)
    noticed: Callable[[Entry], None] | None = None
    """Told of each write that was stored, before anything else passes."""
    url: str = ""
    _runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Listen on a port of loopback that `url` then names."""
        app = web.Application(client_max_size=8 * 2**20)
        app.router.add_route("*", "/{path:.*}", self._pass)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"

    def reborn(self) -> None:
        """Another process begins its life."""
        self.sent = 0
        self.stored.clear()

    async def stop(self) -> None:
        """Close everything."""
        if self._runner:
            await self._runner.cleanup()

    async def _pass(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        entry = Entry.of(request, body)
        self.ledger.entries.append(entry)
        try:
            return await self._passed(request, body, entry)
        except (ConnectionResetError, aiohttp.ClientError):  # one of the two has gone; the other shall see it so
            return _dropped(request)
        finally:
            entry.over, entry.request = True, None

    async def _passed(self, request: web.Request, body: bytes, entry: Entry) -> web.StreamResponse:
        write = entry.write
        self.sent += write
        trap = self.trap
        if trap and trap.cut is Cut.BEFORE and write and trap.at == self.sent:
            trap.spring()
            if trap.later is None:
                return _dropped(request)
            await trap.later.wait()
        fault = self.weather.struck(entry)
        if fault and fault.kind is Kind.LATE:
            await self.weather.last(fault.seconds)
        if fault and fault.kind is Kind.REFUSED:
            entry.status = fault.code
            return refusal(fault)
        view, url = self.weather.view, URL(self.access.server + request.raw_path, encoded=True)
        past = view.past(entry, url) if view else None
        headers = {k: v for k, v in request.headers.items() if k.lower() not in HOP_BY_HOP}
        async with self.session.request(
            request.method, past or url, data=body or None, headers=headers, ssl=self.access.tls, allow_redirects=False
        ) as answer:
            entry.status = answer.status
            due = self._stored(request) if entry.stored else None
            if due and due.cut is Cut.UNSEEN:
                await answer.read()
                due.spring()
                return _dropped(request)
            if past and entry.verb == "get":
                return await _found(answer)
            if fault and not await self._survived(fault, entry, answer):
                return _dropped(request)
            response = await self._relayed(request, answer, entry, torn=bool(fault) and fault.kind is Kind.TORN)
        if due and due.cut is Cut.AFTER:
            due.spring()
        if self.noticed and entry.stored:
            self.noticed(entry)
        return response

    async def _survived(self, fault: Fault, entry: Entry, answer: aiohttp.ClientResponse) -> bool:
        """What is done is done; whether the answer gets through."""
        if fault.kind is Kind.SILENT:
            await self.weather.last(fault.seconds)
        if fault.kind is Kind.LOST and entry.verb != "watch":
            await answer.read()
        return fault.kind is not Kind.LOST

    async def _relayed(
        self, request: web.Request, answer: aiohttp.ClientResponse, entry: Entry, *, torn: bool
    ) -> web.StreamResponse:
        headers = {k: v for k, v in answer.headers.items() if k.lower() not in HOP_BY_HOP}
        response = web.StreamResponse(status=answer.status, reason=answer.reason, headers=headers)
        await response.prepare(request)
        kept = bytearray()
        async for chunk in self._body(answer, entry):
            if torn:
                await response.write(chunk[: len(chunk) // 2])
                raise Torn
            entry.received += len(chunk)
            if entry.stored and "Content-Encoding" not in answer.headers:
                kept += chunk
            await response.write(chunk)
        await response.write_eof()
        entry.answer = json.loads(kept) if kept else {}
        return response

    async def _body(self, answer: aiohttp.ClientResponse, entry: Entry) -> AsyncIterator[bytes]:
        if entry.verb != "watch" or answer.status != 200:
            async for chunk in answer.content.iter_any():
                yield chunk
            return
        async for line in self.weather.events(entry, _lines(answer)):
            yield line

    def _stored(self, request: web.Request) -> Trap | None:
        self.stored.append(f"{request.method} {request.path}")
        return self.trap if self.trap and self.trap.at == len(self.stored) else None


async def _found(answer: aiohttp.ClientResponse) -> web.Response:
    """The one object of a list by name."""
    encoded = answer.headers.get("Content-Encoding") == "gzip"
    raw = await answer.read()
    found = only(json.loads(gzip.decompress(raw) if encoded else raw))
    return web.json_response(found) if found else refusal(Fault(Kind.REFUSED, code=404))


async def _lines(answer: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    rest = b""
    async for chunk in answer.content.iter_any():
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line + b"\n"


def _dropped(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=502)
