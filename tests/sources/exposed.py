"""Pods of a test that a real Prometheus scrapes: what they show is computed at each scrape and remembered."""

import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PROTOBUF = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"


class Exposed:
    """One pod; `page` gets the number of the scrape."""

    def __init__(self, page: Callable[[int], bytes], kind: str = "text/plain; version=0.0.4") -> None:
        self.scrapes = 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.scrapes += 1
                body = page(outer.scrapes)
                self.send_response(200)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    @contextmanager
    def serving(self) -> Iterator[str]:
        """Its address."""
        thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield f"127.0.0.1:{self.server.server_address[1]}"
        finally:
            self.close()

    def close(self) -> None:
        """Deleted."""
        self.server.shutdown()
        self.server.server_close()


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def _zigzag(number: int) -> bytes:
    return _varint(number << 1 if number >= 0 else (-number << 1) - 1)


def _field(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def native(name: str, first: int, counts: list[int]) -> bytes:
    """A native histogram of schema 0, where bucket i ends at 2 to the power of i; COUNTS from bucket FIRST on."""
    deltas = [now - before for before, now in zip([0, *counts], counts, strict=False)]
    span = b"\x08" + _zigzag(first) + b"\x10" + _varint(len(counts))
    histogram = b"".join(
        [
            b"\x08" + _varint(sum(counts)),
            b"\x11" + struct.pack("<d", 1.0),
            b"\x28" + _zigzag(0),
            b"\x31" + struct.pack("<d", 1e-9),
            b"\x38\x00",
            _field(12, span),
            *(b"\x68" + _zigzag(delta) for delta in deltas),
        ]
    )
    family = _field(1, name.encode()) + _field(2, b"x") + b"\x18\x04" + _field(4, _field(7, histogram))
    return _varint(len(family)) + family
