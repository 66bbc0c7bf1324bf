"""Steady traffic through a Service, and an honest account of what became of each request.

Three ways in which a load generator hides failures, and what is done about each:

- It waits for an answer before it sends the next request, so a pod that hangs is asked less. Here requests begin by
  the clock, whatever became of those before.
- It keeps its connections. A Service chooses the pod per *connection*, so kept ones never meet a pod that is in the
  Service and does not answer, nor one that is new. Here three requests of four open a connection of their own, and a
  kept one is given up after some requests, as clients with a pool do.
- It tries again. Nothing is tried again here. The fourth request uses a kept connection, which finds the opposite
  mistake: a pod that closes connections under the client's hands instead of announcing it.

With --burst the rate is drawn anew every second, which is how traffic looks that nobody made for a test.

Runs where Services are reachable (`python -m sandbox exec`). Writes JSON lines, and ends by itself: after --seconds, on
SIGTERM or SIGINT, or when nobody reads its lines any more.
"""

import argparse
import asyncio
import contextlib
import itertools
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import NoReturn
from urllib.parse import urlsplit

import msgspec

REPORT = 0.5
"""Seconds between two lines with counts."""

DEADLINE = 5.0
"""Seconds for one request, connecting included; then it counts as failed. It also bounds what is under way."""

KEPT = 4
"""One request of so many uses a connection that is kept."""


SLOW = 0.25
"""Seconds, connecting included, beyond which an answer is slow."""


RENEWED = 20
"""A kept connection is closed after so many requests."""


class Count(msgspec.Struct, tag="count", frozen=True):
    """Since the beginning. What was sent and is neither answered nor failed is under way."""

    at: float
    sent: int
    answered: dict[str, int]
    """By version."""
    failed: dict[str, int]
    """By reason."""
    slow: dict[str, int] = {}
    """By version; these count as answered too."""


class Failure(msgspec.Struct, tag="failure", frozen=True):
    """One failed request. `at` is when it began: that decides which release it belongs to."""

    at: float
    why: str
    detail: str
    version: str = ""
    """That answered with an error; a pod that does not answer cannot say what it runs."""


class End(msgspec.Struct, tag="end", frozen=True):
    """The last line: nothing is under way any more."""

    at: float


Line = Count | Failure | End


class Failed(Exception):
    """A request that got no good answer: `why` in one word, to be counted, and what was seen."""

    def __init__(self, why: str, detail: str = "", version: str = "") -> None:
        super().__init__(why, detail, version)
        self.why, self.detail, self.version = why, detail, version


class Connection:
    """One connection to the Service, for one request or for many."""

    def __init__(self, host: str, port: int, path: str = "/") -> None:
        self._address, self._path = (host, port), path
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._asked = 0

    async def ask(self, *, keep: bool) -> str:
        """GET; what stands in the body is the version. Raises Failed."""
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
            self._streams, self._asked = await asyncio.open_connection(host, port), 0
        self._asked += 1
        reader, writer = self._streams
        wish = "keep-alive" if keep else "close"
        writer.write(f"GET {self._path} HTTP/1.1\r\nHost: {host}\r\nConnection: {wish}\r\n\r\n".encode())
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        status, *fields = head.split("\r\n")
        headers = dict(field.split(": ", 1) for field in fields if ": " in field)
        body = (await reader.readexactly(int(headers["content-length"]))).decode().strip()
        if headers.get("connection") == "close" or self._asked == RENEWED:
            self.close()
        code = status.split(" ")[1]
        if code != "200":
            raise Failed(code, body, body.partition(" ")[0] if code == "500" else "")
        return body

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
        self._streams = None


class Traffic:
    """Requests when they are due, and their counts."""

    def __init__(self, host: str, port: int, write: Callable[[Line], None], path: str = "/") -> None:
        self.host, self.port, self.write, self.path = host, port, write, path
        self.sent = 0
        self.answered: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()
        self.slow: Counter[str] = Counter()
        self._kept: list[Connection] = []
        self._under_way: set[asyncio.Task[None]] = set()

    async def flow(self, moments: Iterator[float], stop: asyncio.Event) -> None:
        """Send at these moments, seconds from now, or until told to stop; then wait for the answers."""
        reporting = asyncio.create_task(self._report())
        begun = time.monotonic()
        for moment in moments:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), max(0.0, begun + moment - time.monotonic()))
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
        return Count(time.time(), self.sent, dict(self.answered), dict(self.failed), dict(self.slow))

    async def _report(self) -> NoReturn:
        while True:
            self.write(self.count())
            await asyncio.sleep(REPORT)

    async def _request(self, *, kept: bool) -> None:
        begun, clock = time.time(), time.monotonic()
        connection = self._kept.pop() if kept and self._kept else Connection(self.host, self.port, self.path)
        try:
            async with asyncio.timeout(DEADLINE):
                version = await connection.ask(keep=kept)
        except (Failed, TimeoutError) as error:
            seen = error if isinstance(error, Failed) else Failed("timeout", f"no answer within {DEADLINE:g} s")
            self.failed[seen.why] += 1
            self.write(Failure(begun, seen.why, seen.detail, seen.version))
        else:
            self.answered[version] += 1
            self.slow[version] += time.monotonic() - clock > SLOW
        if kept:
            self._kept.insert(0, connection)
        else:
            connection.close()


def steady(rate: float) -> Iterator[float]:
    """Moments that lie equally far apart."""
    return (n / rate for n in itertools.count())


def bursty(rate: float, variation: float, chance: random.Random) -> Iterator[float]:
    """The same number in the long run, but each second has a rate of its own: a gamma number around the mean, with this
    coefficient of variation. 1 is what a service with a few large clients sees: one second in ten has a tenth of the
    mean or less, one in seven more than twice as much.
    """
    owed = 0.0
    for second in itertools.count():
        owed += rate * chance.gammavariate(variation**-2, variation**2)
        due = int(owed)
        owed -= due
        yield from (second + n / due for n in range(due))


async def run(url: str, moments: Iterator[float]) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)

    def write(line: Line) -> None:
        try:
            os.write(sys.stdout.fileno(), msgspec.json.encode(line) + b"\n")
        except BrokenPipeError:  # whoever read the lines has gone
            stop.set()

    parts = urlsplit(url)
    await Traffic(parts.hostname or "", parts.port or 80, write, parts.path or "/").flow(moments, stop)


def main() -> int:
    parser = argparse.ArgumentParser(description="Traffic to one URL; counts as JSON lines on standard output.")
    parser.add_argument("url")
    parser.add_argument("--rate", type=float, default=40.0, help="requests per second (40)")
    parser.add_argument("--seconds", type=float, default=600.0, help="ends by itself after so long (600)")
    parser.add_argument("--burst", type=float, default=0.0, help="coefficient of variation of a second's rate (0)")
    arguments = parser.parse_args()
    rate, burst = arguments.rate, arguments.burst
    moments = bursty(rate, burst, random.Random()) if burst else steady(rate)
    asyncio.run(run(arguments.url, itertools.takewhile(lambda moment: moment < arguments.seconds, moments)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
