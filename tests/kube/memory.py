"""An API server inside the process, at the seam where bytes come in: the real client above it, no sockets below.

Sockets and virtual time do not go together (looptime jumps whenever nothing is ready), so whatever is about hours and
deadlines runs on this; what is about HTTP and TLS runs on `loopback.py`, and what the API server really says on
`test_real_api_server.py`.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import jsonpatch

from penstock.kube.errors import Unavailable
from penstock.kube.transport import Client

Object = dict[str, Any]


@dataclass(frozen=True)
class Asked:
    """One request as it reached the server."""

    at: float
    method: str
    path: str
    query: Object
    body: Any = None

    @property
    def what(self) -> str:
        return "WATCH" if self.query.get("watch") else self.method


@dataclass
class Said:
    """An answer; `stream` gives a body piece by piece, in its own time."""

    status: int = 200
    body: bytes = b""
    stream: AsyncIterator[bytes] | None = None
    headers: dict[str, str] = field(default_factory=dict)
    phrase: str = ""
    idle: float | None = None
    request: str = ""

    async def read(self) -> bytes:
        return self.body

    async def chunks(self) -> AsyncIterator[bytes]:
        assert self.stream is not None
        while True:
            try:
                async with asyncio.timeout(self.idle):
                    chunk = await anext(self.stream)
            except StopAsyncIteration:
                return
            except TimeoutError:
                raise Unavailable(0, "Silent", "silent", request=self.request) from None
            yield chunk


def said(obj: Any, status: int = 200, **headers: str) -> Said:
    return Said(status, json.dumps(obj).encode(), headers={k.replace("_", "-"): v for k, v in headers.items()})


def refusal(code: int, reason: str, details: Object | None = None, **headers: str) -> Said:
    body = {"kind": "Status", "status": "Failure", "message": reason, "reason": reason, "code": code}
    return said(body | ({} if details is None else {"details": details}), code, **headers)


class Memory:
    """Stands in for `Connection`: each request goes to `respond`, which may take its time, fail, or never answer."""

    def __init__(self, respond: Callable[[Asked], Awaitable[Said]]) -> None:
        self.respond = respond
        self.asked: list[Asked] = []
        self.open = 0

    @contextlib.asynccontextmanager
    async def answer(
        self,
        method: str,
        path: str,
        query: Object,
        headers: Object,
        body: Any = None,
        *,
        idle: Any = None,
        request: str,
    ) -> AsyncIterator[Said]:
        asked = Asked(asyncio.get_running_loop().time(), method, path, dict(query), body)
        self.asked.append(asked)
        answer = await self.respond(asked)
        answer.idle, answer.request = idle, request
        self.open += 1
        try:
            yield answer
        finally:
            self.open -= 1

    def client(self) -> Client:
        return Client(self, "default")  # type: ignore[arg-type]  # the seam is three methods wide

    def whats(self) -> list[str]:
        return [asked.what for asked in self.asked]


class Store:
    """Objects with versions, as far as a Lease needs them: get, create, JSON Patch, delete."""

    def __init__(self) -> None:
        self.objects: dict[str, Object] = {}
        self.version = 100

    def put(self, path: str, obj: Object) -> Object:
        self.version += 1
        kept = obj | {"metadata": (obj.get("metadata") or {}) | {"resourceVersion": str(self.version)}}
        self.objects[path] = kept
        return kept

    def serve(self, asked: Asked) -> Said:
        path = asked.path
        if asked.method == "POST":
            path = f"{path}/{asked.body['metadata']['name']}"
            if path in self.objects:
                return refusal(409, "AlreadyExists")
            return said(self.put(path, asked.body), 201)
        if path not in self.objects:
            return refusal(404, "NotFound")
        if asked.method == "GET":
            return said(self.objects[path])
        try:
            return said(self.put(path, jsonpatch.apply_patch(self.objects[path], asked.body)))
        except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException):
            return refusal(422, "Invalid", {})  # all that a real one says, see test_real_api_server.py


async def never() -> Any:
    await asyncio.get_running_loop().create_future()


def refused() -> Unavailable:
    return Unavailable(0, "NoAnswer", "connection refused")


async def stream(*parts: bytes | float | Exception) -> AsyncIterator[bytes]:
    """A body: pieces, pauses in seconds, and a failure."""
    for part in parts:
        if isinstance(part, Exception):
            raise part
        if isinstance(part, bytes):
            yield part
        else:
            await asyncio.sleep(part)


def line(kind: str, obj: Object) -> bytes:
    return json.dumps({"type": kind, "object": obj}).encode() + b"\n"


def lines(events: Iterable[tuple[str, Object]]) -> bytes:
    return b"".join(line(kind, obj) for kind, obj in events)
