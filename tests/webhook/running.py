"""A webhook as it listens: real TLS, real sockets, uvloop in a thread of its own; only its Secret comes by hand."""

import asyncio
import http.client
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from prometheus_client import generate_latest

from certs import Serving, bundle
from certs.protocol import Held
from tests.certs.moments import secret
from webhook.app import admission_app
from webhook.connection import USUAL, Limits
from webhook.listener import Listener, Loop, bound
from webhook.telemetry import Telemetry

T = TypeVar("T")
Object = dict[str, Any]

HOST = "127.0.0.1"


@dataclass
class Running:
    """What tests may touch; everything inside the loop goes through `inside`."""

    port: int
    serving: Serving
    telemetry: Telemetry
    listener: Listener
    loop: asyncio.AbstractEventLoop
    trusted: bytes = b""
    ready: list[bool] = field(default_factory=lambda: [True])

    def inside(self, work: Callable[[], T]) -> T:
        """Call something in the loop's thread."""

        async def run() -> T:
            return work()

        return asyncio.run_coroutine_threadsafe(run(), self.loop).result(5)

    def certify(self, content: Held) -> None:
        """As if the Secret had this content now."""
        self.trusted += bundle.text(content.bundle)
        self.inside(lambda: self.serving.take(secret(content)))

    def tls(self) -> ssl.SSLContext:
        """A client that trusts every CA there was so far."""
        return ssl.create_default_context(cadata=self.trusted.decode())

    def connect(self) -> ssl.SSLSocket:
        """A connection on which nothing was said yet."""
        raw = socket.create_connection((HOST, self.port), timeout=5)
        return self.tls().wrap_socket(raw, server_hostname=HOST)

    def http(self) -> http.client.HTTPSConnection:
        """A client that keeps its connection."""
        return http.client.HTTPSConnection(HOST, self.port, context=self.tls(), timeout=10)

    def post(self, path: str, body: bytes, headers: dict[str, str] | None = None) -> tuple[int, Object]:
        """One request on a connection of its own: the status, and the JSON that came with it."""
        connection = self.http()
        try:
            connection.request("POST", path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def metrics(self) -> str:
        """What Prometheus would read."""
        return generate_latest(self.telemetry.registry).decode()


@contextmanager
def running(content: Held, limits: Limits = USUAL, *, strict: bool = False) -> Iterator[Running]:
    """A webhook that serves the certificate in `content`."""
    port = bound(HOST, 0)
    telemetry, serving, ready = Telemetry(), Serving(), [True]
    listener = Listener(admission_app(telemetry, lambda: ready[0], strict=strict), serving.context(), limits)
    loop = Loop()
    loop.handshake = limits.handshake

    def serve() -> None:
        loop.run_until_complete(listener.serve([port]))

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    found = Running(port.getsockname()[1], serving, telemetry, listener, loop, ready=ready)
    while not listener.started:
        time.sleep(0.005)
    found.certify(content)
    try:
        yield found
    finally:
        listener.should_exit = True
        thread.join(15)
        loop.close()
