"""Steady traffic through a Service, and an honest account of what became of each request.

Three ways in which a load generator hides failures, and what is done about each:

- It waits for an answer before it sends the next request, so a pod that hangs is asked less. Here requests begin by
  the clock, whatever became of those before.
- It keeps its connections. A Service chooses the pod per *connection*, so kept ones never meet a pod that is in the
  Service and does not answer. Here three requests of four open a connection of their own.
- It tries again. Nothing is tried again here. The fourth request uses a kept connection, which finds the opposite
  mistake: a pod that closes connections under the client's hands instead of announcing it.

Runs where Services are reachable (`python -m sandbox exec`). Writes JSON lines, and ends by itself: after --seconds, on
SIGTERM or SIGINT, or when nobody reads its lines any more.
"""

import argparse
import asyncio
import contextlib
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import NoReturn
from urllib.parse import urlsplit

import msgspec

REPORT = 0.5
"""Seconds between two lines with counts."""

DEADLINE = 5.0
"""Seconds for one request, connecting included; then it counts as failed. It also bounds what is under way."""

KEPT = 4
"""One request of so many uses a connection that is kept."""


class Count(msgspec.Struct, tag="count", frozen=True):
    """Since the beginning. What was sent and is neither answered nor failed is under way."""

    at: float
    sent: int
    answered: dict[str, int]
    failed: dict[str, int]


class Failure(msgspec.Struct, tag="failure", frozen=True):
    """One failed request. `at` is when it began: that decides which release it belongs to."""

    at: float
    why: str
    detail: str


class End(msgspec.Struct, tag="end", frozen=True):
    """The last line: nothing is under way any more."""

    at: float


Line = Count | Failure | End


class Failed(Exception):
    """A request that got no good answer: `why` in one word, to be counted, and what was seen."""

    def __init__(self, why: str, detail: str = "") -> None:
        super().__init__(why, detail)
        self.why, self.detail = why, detail


class Connection:
    """One connection to the Service, for one request or for many."""

    def __init__(self, host: str, port: int) -> None:
        self._address = host, port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, *, keep: bool) -> str:
        """GET /; what stands in the body is the version. Raises Failed."""
        try:
            return await self._ask(keep)
        except Failed:
            self.close()
            raise
        except asyncio.IncompleteReadError as error:
            self.close()
            raise Failed("cut", f"closed after {len(error.partial)} bytes of the answer") from None
        except ConnectionError as error:
            self.close()
            raise Failed("refused" if isinstance(error, ConnectionRefusedError) else "reset", str(error)) from None
        except OSError as error:
            self.close()
            raise Failed("unreachable", str(error)) from None
        except asyncio.CancelledError:
            self.close()
            raise

    async def _ask(self, keep: bool) -> str:
        host, port = self._address
        if self._streams is None or self._streams[0].at_eof():  # a close that was seen in time is no failure
            self.close()
            self._streams = await asyncio.open_connection(host, port)
        reader, writer = self._streams
        wish = "keep-alive" if keep else "close"
        writer.write(f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: {wish}\r\n\r\n".encode())
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        status, *fields = head.split("\r\n")
        headers = dict(field.split(": ", 1) for field in fields if ": " in field)
        body = (await reader.readexactly(int(headers["content-length"]))).decode().strip()
        if headers.get("connection") == "close":
            self.close()
        code = status.split(" ")[1]
        if code != "200":
            raise Failed(code, body)
        return body

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
        self._streams = None


class Traffic:
    """Requests at a steady rate, and their counts."""

    def __init__(self, host: str, port: int, rate: float, write: Callable[[Line], None]) -> None:
        self.host, self.port, self.rate, self.write = host, port, rate, write
        self.sent = 0
        self.answered: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()
        self._kept: list[Connection] = []
        self._under_way: set[asyncio.Task[None]] = set()

    async def flow(self, seconds: float, stop: asyncio.Event) -> None:
        """Send until told to stop or until the time is over, then wait for the answers."""
        reporting = asyncio.create_task(self._report())
        begun = time.monotonic()
        while (due := begun + self.sent / self.rate) < begun + seconds:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), max(0.0, due - time.monotonic()))
            if stop.is_set():
                break
            self.sent += 1
            task = asyncio.create_task(self._request(kept=self.sent % KEPT == 0))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)
        await asyncio.gather(*self._under_way)
        reporting.cancel()
        for connection in self._kept:
            connection.close()
        self.write(self.count())
        self.write(End(time.time()))

    def count(self) -> Count:
        return Count(time.time(), self.sent, dict(self.answered), dict(self.failed))

    async def _report(self) -> NoReturn:
        while True:
            self.write(self.count())
            await asyncio.sleep(REPORT)

    async def _request(self, *, kept: bool) -> None:
        begun = time.time()
        connection = self._kept.pop() if kept and self._kept else Connection(self.host, self.port)
        try:
            async with asyncio.timeout(DEADLINE):
                version = await connection.ask(keep=kept)
        except (Failed, TimeoutError) as error:
            seen = error if isinstance(error, Failed) else Failed("timeout", f"no answer within {DEADLINE:g} s")
            self.failed[seen.why] += 1
            self.write(Failure(begun, seen.why, seen.detail))
        else:
            self.answered[version] += 1
        if kept:
            self._kept.insert(0, connection)
        else:
            connection.close()


async def run(url: str, rate: float, seconds: float) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)

    def write(line: Line) -> None:
        try:
            os.write(sys.stdout.fileno(), msgspec.json.encode(line) + b"\n")
        except BrokenPipeError:  # whoever read the lines has gone
            stop.set()

    parts = urlsplit(url)
    await Traffic(parts.hostname or "", parts.port or 80, rate, write).flow(seconds, stop)


def main() -> int:
    parser = argparse.ArgumentParser(description="Steady traffic to one URL; counts as JSON lines on standard output.")
    parser.add_argument("url")
    parser.add_argument("--rate", type=float, default=40.0, help="requests per second (40)")
    parser.add_argument("--seconds", type=float, default=600.0, help="ends by itself after so long (600)")
    arguments = parser.parse_args()
    asyncio.run(run(arguments.url, arguments.rate, arguments.seconds))
    return 0


if __name__ == "__main__":
    sys.exit(main())
