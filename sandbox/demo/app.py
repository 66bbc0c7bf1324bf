"""The application that the demo releases: a small HTTP server that goes without losing a request.

What a container must do for that, and most do not: as process 1 it has to ask for SIGTERM, or the kernel ignores the
signal and the pod is killed after its whole grace period. And the signal comes *before* the pod has left the Service,
since endpoints are removed meanwhile, machine by machine; whoever stops listening at once refuses requests that are on
their way. So it turns unready, goes on serving for DRAIN seconds with `Connection: close`, which sends clients that
keep connections to other pods, and ends when the last answer is out.

One file of the standard library, because the image has nothing else. The environment says which release it is and
what is wrong with it: VERSION, CRASH_AFTER (seconds), ERROR_RATE (0 to 1), and how long answers take, in seconds: as a
lognormal around the median DELAY, whose logarithm has the standard deviation SPREAD. TAIL makes the slower half so many
times slower and leaves the faster one alone, as a cache that misses or a lock that is waited for does: with 1.3 every
percentile above the median is 30 % up, and a mean or a median hardly shows it.
"""

import asyncio
import functools
import math
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
PHRASES = {200: "OK", 404: "Not Found", 405: "Method Not Allowed"}
PHRASES |= {431: "Request Header Fields Too Large", 500: "Internal Server Error", 503: "Service Unavailable"}
LONGEST_HEAD = 16 * 1024
PATIENCE = 10.0
"""Seconds after the drain for requests that are still being answered; the pod's grace period bounds it anyway."""


@dataclass(frozen=True)
class Settings:
    """What the environment says."""

    version: str = "v1"
    crash_after: float = 0.0
    error_rate: float = 0.0
    delay: float = 0.0
    spread: float = 0.0
    tail: float = 1.0
    drain: float = 5.0
    port: int = 8080

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> "Settings":
        """Raises ValueError, with the variable's name, for what is no number."""
        return cls(
            version=environ.get("VERSION", cls.version),
            crash_after=_number(environ, "CRASH_AFTER", cls.crash_after),
            error_rate=_number(environ, "ERROR_RATE", cls.error_rate),
            delay=_number(environ, "DELAY", cls.delay),
            spread=_number(environ, "SPREAD", cls.spread),
            tail=_number(environ, "TAIL", cls.tail),
            drain=_number(environ, "DRAIN", cls.drain),
            port=int(_number(environ, "PORT", cls.port)),
        )

    def latency(self, deviation: float) -> float:
        """Seconds until an answer that is so many standard deviations slower than the median."""
        seconds = self.delay * math.exp(self.spread * deviation)
        return seconds * self.tail if deviation > 0 else seconds


def _number(environ: Mapping[str, str], name: str, default: float) -> float:
    text = environ.get(name) or str(default)
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise ValueError(f"{name} is {text!r}, expected a number, 0 or more")
    return value


class Counters:
    """Requests by status code, and how long they took; probes and scrapes are not counted."""

    def __init__(self) -> None:
        self.codes = Counter({200: 0, 500: 0})
        self.within = [0] * len(BOUNDS)
        self.seconds = 0.0

    def observe(self, code: int, seconds: float) -> None:
        self.codes[code] += 1
        self.seconds += seconds
        for i, bound in enumerate(BOUNDS):
            self.within[i] += seconds <= bound

    def text(self) -> str:
        """In the Prometheus text format."""
        total = self.codes.total()
        bounds = zip(BOUNDS, self.within, strict=True)
        lines = [
            "# HELP http_requests_total Requests answered, by status code.",
            "# TYPE http_requests_total counter",
            *(f'http_requests_total{{code="{code}"}} {n}' for code, n in sorted(self.codes.items())),
            "# HELP http_request_duration_seconds Time from the whole request to the answer.",
            "# TYPE http_request_duration_seconds histogram",
            *(f'http_request_duration_seconds_bucket{{le="{bound}"}} {n}' for bound, n in bounds),
            f'http_request_duration_seconds_bucket{{le="+Inf"}} {total}',
            f"http_request_duration_seconds_sum {self.seconds:.6f}",
            f"http_request_duration_seconds_count {total}",
        ]
        return "\n".join(lines) + "\n"


class Application:
    """What is answered to which path, and the drain."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.counters = Counters()
        self.draining = False
        self.conversations: set[Conversation] = set()
        self._told_to_stop = asyncio.Event()

    def answer(self, method: str, path: str) -> tuple[int, str]:
        """Status code and body."""
        if method not in ("GET", "HEAD"):
            return 405, "only GET and HEAD\n"
        match path:
            case "/":
                if random.random() < self.settings.error_rate:
                    return 500, f"{self.settings.version} fails on purpose\n"
                return 200, f"{self.settings.version}\n"
            case "/fail":  # asked for what a dependency cannot give: every version fails alike
                return 500, f"{self.settings.version} fails as asked\n"
            case "/healthz":
                return (503, "draining\n") if self.draining else (200, "ok\n")
            case "/metrics":
                return 200, self.counters.text()
        return 404, "not found\n"

    def stop(self) -> None:
        """Begin to drain; a second signal changes nothing."""
        self.draining = True
        self._told_to_stop.set()

    async def serve(self) -> None:
        """Until SIGTERM or SIGINT, and then until drained."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        if self.settings.crash_after:
            loop.call_later(self.settings.crash_after, crash)
        server = await loop.create_server(lambda: Conversation(self), "0.0.0.0", self.settings.port, backlog=256)
        port = server.sockets[0].getsockname()[1]
        print(f"{self.settings.version} serves on port {port}", flush=True)
        await self._told_to_stop.wait()
        print(f"drains for {self.settings.drain:g} s", flush=True)
        await asyncio.sleep(self.settings.drain)
        server.close()
        await self._finished()

    async def _finished(self) -> None:
        """Wait for the answers that are under way; connections without a request are closed."""
        deadline = time.monotonic() + PATIENCE
        while self.conversations and time.monotonic() < deadline:
            for conversation in tuple(self.conversations):
                conversation.close_if_idle()
            await asyncio.sleep(0.02)


class Conversation(asyncio.Protocol):
    """One connection: requests one after the other. A protocol, not streams: it knows when it is idle."""

    def __init__(self, application: Application) -> None:
        self.application = application
        self.received = b""
        self.answering = False
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.application.conversations.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.application.conversations.discard(self)

    def data_received(self, data: bytes) -> None:
        self.received += data
        self.next_request()

    def close_if_idle(self) -> None:
        if not self.answering and not self.received:
            self.transport.close()

    def next_request(self) -> None:
        """Answer the first whole request that was received, if there is one and none is being answered."""
        if self.answering:
            return
        head, end, rest = self.received.partition(b"\r\n\r\n")
        if not end:
            if len(head) > LONGEST_HEAD:
                self.send(431, "", b"", counted=False, close=True, begun=0.0)
            return
        self.received, self.answering = rest, True
        line, *headers = head.decode("latin-1").split("\r\n")
        method, path, protocol = (*line.split(" "), "", "")[:3]
        sent = {name.lower(): value.strip().lower() for name, _, value in (h.partition(":") for h in headers)}
        close = protocol != "HTTP/1.1" or sent.get("connection") == "close" or method not in ("GET", "HEAD")
        path = path.partition("?")[0]
        code, body = self.application.answer(method, path)
        counted = path not in ("/healthz", "/metrics")
        send = functools.partial(
            self.send, code, method, body.encode(), counted=counted, close=close, begun=time.monotonic()
        )
        delay = self.application.settings.latency(random.gauss()) if counted else 0.0
        if delay:
            asyncio.get_running_loop().call_later(delay, send)
        else:
            send()

    def send(self, code: int, method: str, body: bytes, *, counted: bool, close: bool, begun: float) -> None:
        """One answer; then the next request that may be waiting already."""
        if counted:
            self.application.counters.observe(code, time.monotonic() - begun)
        close = close or self.application.draining
        head = (
            f"HTTP/1.1 {code} {PHRASES[code]}\r\nContent-Type: text/plain; charset=utf-8\r\n"
            f"Content-Length: {len(body)}\r\nConnection: {'close' if close else 'keep-alive'}\r\n\r\n"
        )
        self.transport.write(head.encode() + (b"" if method == "HEAD" else body))
        self.answering = False
        if close:
            self.transport.close()
        elif self.received:  # by way of the loop: a client may have sent a thousand requests at once
            asyncio.get_running_loop().call_soon(self.next_request)


def crash() -> None:
    """As a segmentation fault would: no drain, no goodbye."""
    print("crashes on purpose", file=sys.stderr, flush=True)
    os._exit(1)


def main() -> int:
    try:
        settings = Settings.of(os.environ)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    asyncio.run(Application(settings).serve())
    return 0


if __name__ == "__main__":
    sys.exit(main())
