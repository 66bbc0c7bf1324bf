"""An HTTP server on a loopback port that says exactly the bytes a test wants, also wrong ones.

A web framework would not send half a line and then reset the connection.
"""

import asyncio
import contextlib
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import yaml

from penstock.kube import Client
from penstock.kube.credentials import Kubeconfig


@dataclass(frozen=True)
class Asked:
    """One request off the wire."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    peer: int = 0

    @property
    def json(self) -> Any:
        return json.loads(self.body) if self.body else None


Respond = Callable[[Asked, asyncio.StreamWriter], Awaitable[None]]


def http(code: int, body: bytes | dict[str, Any], phrase: str = "Phrase", **headers: str) -> bytes:
    """A whole response."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    extra = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {code} {phrase}\r\nContent-Length: {len(raw)}\r\n{extra}\r\n".encode() + raw


CHUNKED = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
LAST = b"0\r\n\r\n"


def chunk(raw: bytes) -> bytes:
    return f"{len(raw):x}\r\n".encode() + raw + b"\r\n"


class Loopback:
    """Listens, notes each request, answers with `respond`."""

    def __init__(self, respond: Respond, secure: ssl.SSLContext | None = None) -> None:
        self.respond = respond
        self.asked: list[Asked] = []
        self.connections = 0
        self.port = 0
        self._secure = secure
        self._writers: list[asyncio.StreamWriter] = []

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["Loopback"]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._secure)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for writer in self._writers:
                writer.transport.abort()
            await asyncio.sleep(0)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.append(writer)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            while not writer.is_closing():
                asked = await _read(reader, writer.get_extra_info("peername")[1])
                self.asked.append(asked)
                await self.respond(asked, writer)
                await writer.drain()

    @property
    def url(self) -> str:
        return f"{'https' if self._secure else 'http'}://127.0.0.1:{self.port}"

    def kubeconfig(self, directory: Path, user: dict[str, Any] | None = None, **cluster: Any) -> Kubeconfig:
        """Written for this server."""
        file = directory / "kubeconfig"
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "it",
            "clusters": [{"name": "c", "cluster": {"server": self.url, **cluster}}],
            "users": [{"name": "u", "user": {"token": "secret"} if user is None else user}],
            "contexts": [{"name": "it", "context": {"cluster": "c", "user": "u", "namespace": "shop"}}],
        }
        file.write_text(yaml.safe_dump(config))
        return Kubeconfig(str(file))

    @contextlib.asynccontextmanager
    async def client(self, directory: Path) -> AsyncIterator[Client]:
        async with Client.at(self.kubeconfig(directory)) as client:
            yield client


async def _read(reader: asyncio.StreamReader, peer: int) -> Asked:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    method, target, _ = head[0].split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    split = urlsplit(target)
    return Asked(method, split.path, dict(parse_qsl(split.query, keep_blank_values=True)), headers, body, peer)


def always(raw: bytes) -> Respond:
    async def respond(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(raw)

    return respond
