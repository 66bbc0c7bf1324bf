"""A Prometheus and a pod of paper: a real HTTP server on loopback that says what a test wants."""

import asyncio
import contextlib
import gzip
import json
from collections.abc import AsyncIterator
from typing import Any

from controller.sources.pods import Pods
from penstock.metrics.configuration import Prometheus as Settings
from penstock.metrics.prometheus import Prometheus
from penstock.metrics.source import Target
from tests.kube.loopback import CHUNKED, Asked, Loopback, Respond, chunk, http

NOW = 1_800_000_000.0


def said(result: Any, kind: str = "vector", **more: Any) -> bytes:
    """Prometheus' envelope."""
    data = {"resultType": kind, "result": result}
    return http(200, {"status": "success", "data": data, **more}, Content_Type="application/json")


def one(text: str) -> bytes:
    """One series with one value."""
    return said([{"metric": {}, "value": [NOW, text]}])


def series(pod: str, *values: tuple[float, str], **labels: str) -> dict[str, Any]:
    """Raw samples; times are seconds before NOW."""
    metric = {"__name__": "m", "namespace": "shop", "pod": pod, "instance": f"{pod}:80", "job": "j", **labels}
    return {"metric": metric, "values": [[NOW - ago, value] for ago, value in values]}


async def slow_loris(_asked: Asked, writer: asyncio.StreamWriter) -> None:
    """A byte now and then, for ever."""
    writer.write(CHUNKED)
    while not writer.is_closing():
        writer.write(chunk(b" "))
        await writer.drain()
        await asyncio.sleep(0.1)


async def silence(_asked: Asked, _writer: asyncio.StreamWriter) -> None:
    """Connected, and nothing."""
    await asyncio.sleep(60)


async def endless(_asked: Asked, writer: asyncio.StreamWriter) -> None:
    """A gigabyte, as fast as it is taken."""
    writer.write(CHUNKED.replace(b"application/json", b"text/plain"))
    piece = chunk(b"x" * 65536)
    for _ in range(16384):
        writer.write(piece)
        await writer.drain()
        if writer.is_closing():
            return


async def cut(_asked: Asked, writer: asyncio.StreamWriter) -> None:
    """Half of what was announced."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 100\r\n\r\nm 1\n")
    await writer.drain()
    writer.close()


async def reset(_asked: Asked, writer: asyncio.StreamWriter) -> None:
    """Nothing but the end."""
    writer.transport.abort()


async def no_http(_asked: Asked, writer: asyncio.StreamWriter) -> None:
    """Another protocol."""
    writer.write(b"220 mail.example ESMTP\r\n")
    await writer.drain()
    writer.close()


def bomb(size: int, kind: str = "application/json") -> bytes:
    """A gigabyte of blanks is a megabyte of gzip."""
    return http(200, gzip.compress(b" " * size, 1), Content_Type=kind, Content_Encoding="gzip")


def zipped(text: bytes, kind: str) -> bytes:
    """An honest compressed answer."""
    return http(200, gzip.compress(text), Content_Type=kind, Content_Encoding="gzip")


def page(text: str | bytes, kind: str = "text/plain; version=0.0.4") -> bytes:
    """What a pod shows."""
    return http(200, text.encode() if isinstance(text, str) else text, Content_Type=kind)


@contextlib.asynccontextmanager
async def prometheus(respond: Respond, **settings: Any) -> AsyncIterator[tuple[Prometheus, Loopback]]:
    """A source that asks this server."""
    async with Loopback(respond).running() as server, Prometheus(Settings(url=server.url, **settings)) as source:
        yield source, server


@contextlib.asynccontextmanager
async def pod(respond: Respond, name: str = "new", *, new: bool = True) -> AsyncIterator[tuple[Pods, Target]]:
    """A source and a pod that is this server."""
    async with Loopback(respond).running() as server, Pods() as source:
        yield source, Target("shop", name, new, "127.0.0.1", server.port)


def deep(levels: int) -> bytes:
    """JSON that is nothing but depth."""
    return json.dumps({"status": "success"})[:-1].encode() + b', "x": ' + b"[" * levels + b"]" * levels + b"}"
