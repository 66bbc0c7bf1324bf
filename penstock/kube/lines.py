"""Lines out of chunks, however they were cut.

aiohttp's own `readline` awaits once per line and fails on a line longer than twice its buffer; one watch event can be
several megabytes (an object of 1.5 MB in etcd grows as JSON). Cutting the chunks ourselves costs no await per event.
"""

LONGEST = 64 * 1024 * 1024
"""Bytes without a line end after which the peer is not an API server."""


class Lines:
    """Feed chunks, get the lines that have become whole, without their ends and without empty ones."""

    def __init__(self) -> None:
        self._begun: list[bytes] = []
        self._length = 0

    def feed(self, chunk: bytes) -> list[bytes]:
        """The lines that this chunk completes."""
        first, *rest = chunk.split(b"\n")
        self._begun.append(first)
        self._length += len(first)
        if self._length > LONGEST:
            raise ValueError(f"a line of more than {LONGEST} bytes")
        if not rest:
            return []
        # Joined once per line, not once per chunk: a line of 2 MB arrives in some 30 pieces.
        whole = [b"".join(self._begun), *rest[:-1]]
        self._begun, self._length = [rest[-1]], len(rest[-1])
        return [line for line in whole if line.strip()]

    @property
    def rest(self) -> bytes:
        """What came after the last line end: at the end of a stream, a line that was cut off."""
        return b"".join(self._begun)
