"""The forwarder is invisible: what goes in comes out, ends when it ends, and fails when it fails."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator

import pytest

from sandbox import forwarder

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Inside:
    """A server that keeps its connections for the test to look at."""

    def __init__(self) -> None:
        self.accepted: asyncio.Queue[Streams] = asyncio.Queue()
        self.port = 0

    async def run(self) -> asyncio.Server:
        """Listen on a free port."""
        server = await asyncio.start_server(lambda r, w: self.accepted.put((r, w)), "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        return server


@pytest.fixture
async def inside() -> AsyncIterator[Inside]:
    """What is forwarded to."""
    made = Inside()
    server = await made.run()
    yield made
    server.close()


@pytest.fixture
async def outside(inside: Inside) -> AsyncIterator[int]:
    """The port that is forwarded from."""
    listening = socket.create_server(("127.0.0.1", 0))
    task = asyncio.create_task(forwarder.serve(listening, inside.port))
    yield listening.getsockname()[1]
    task.cancel()


async def test_bytes_pass_in_both_directions(inside: Inside, outside: int) -> None:
    """More of them than any buffer on the way holds."""
    reader, writer = await asyncio.open_connection("127.0.0.1", outside)
    far_reader, far_writer = await inside.accepted.get()
    sent = bytes(range(256)) * 40_000

    async def send(to: asyncio.StreamWriter) -> None:
        to.write(sent)
        await to.drain()

    _, _, there, back = await asyncio.wait_for(
        asyncio.gather(
            send(writer), send(far_writer), far_reader.readexactly(len(sent)), reader.readexactly(len(sent))
        ),
        10,
    )
    assert (there == sent, back == sent) == (True, True)


async def test_one_direction_may_end_before_the_other(inside: Inside, outside: int) -> None:
    """A client may have said all and still wait for the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", outside)
    far_reader, far_writer = await inside.accepted.get()
    writer.write(b"question")
    writer.write_eof()

    assert await asyncio.wait_for(far_reader.read(), 5) == b"question"
    far_writer.write(b"answer")
    far_writer.close()
    assert await asyncio.wait_for(reader.read(), 5) == b"answer"


async def test_a_client_that_vanishes_is_gone_inside_too(inside: Inside, outside: int) -> None:
    """A killed controller's watch must not be served on: its end is part of what tests look at."""
    _, writer = await asyncio.open_connection("127.0.0.1", outside)
    far_reader, _ = await inside.accepted.get()
    plug = writer.get_extra_info("socket")
    plug.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset, not an orderly end
    writer.transport.abort()

    assert await asyncio.wait_for(far_reader.read(), 5) == b""


async def test_nobody_inside_is_a_closed_connection_and_later_ones_work(inside: Inside) -> None:
    """While the API server restarts, clients must fail fast and then get through."""
    server = await inside.run()
    server.close()
    await server.wait_closed()
    listening = socket.create_server(("127.0.0.1", 0))
    task = asyncio.create_task(forwarder.serve(listening, inside.port))
    port = listening.getsockname()[1]
    reader, _ = await asyncio.open_connection("127.0.0.1", port)
    assert await asyncio.wait_for(reader.read(), 5) == b""

    def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"back again")
        writer.close()

    again = await asyncio.start_server(greet, "127.0.0.1", inside.port)
    reader, _ = await asyncio.open_connection("127.0.0.1", port)
    assert await asyncio.wait_for(reader.read(), 5) == b"back again"
    task.cancel()
    again.close()
