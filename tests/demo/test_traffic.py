"""Steady traffic: every request is accounted for, by what became of it."""

import asyncio
import contextlib
import itertools
import json
import random
import signal
import statistics
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from sandbox.demo import traffic
from sandbox.demo.traffic import KEPT, RENEWED, Connection, Count, End, Failed, Failure, Line, Traffic, bursty, steady

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: keep-alive\r\n\r\nv1\n"


@asynccontextmanager
async def server(serve: Serve) -> AsyncIterator[int]:
    async def guarded(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            await serve(reader, writer)
        writer.close()

    listening = await asyncio.start_server(guarded, "127.0.0.1", 0)
    async with listening:
        yield listening.sockets[0].getsockname()[1]


async def answers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Keeps its connections, as the demo application does."""
    while True:
        head = await reader.readuntil(b"\r\n\r\n")
        writer.write(ANSWER if b"keep-alive" in head else ANSWER.replace(b"keep-alive", b"close"))
        await writer.drain()
        if b"keep-alive" not in head:
            return


async def cuts(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(ANSWER[:20])
    await writer.drain()


async def fails(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(ANSWER.replace(b"200 OK", b"500 No").replace(b"keep-alive", b"close"))
    await writer.drain()


async def hangs(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def flowing(port: int, seconds: float = 0.5) -> list[Line]:
    lines: list[Line] = []
    moments = itertools.takewhile(lambda moment: moment < seconds, steady(100))
    await Traffic("127.0.0.1", port, lines.append).flow(moments, asyncio.Event())
    return lines


async def test_every_request_is_accounted_for_once() -> None:
    """Neither lost at the end nor counted twice."""
    async with server(answers) as port:
        lines = await flowing(port)
    last = lines[-2]
    assert isinstance(last, Count)
    assert (last.sent, last.answered, last.failed) == (50, {"v1": 50}, {})
    assert sum(last.slow.values()) == 0
    assert isinstance(lines[-1], End)


async def test_a_slow_answer_is_an_answer_and_is_counted_for_its_version(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has not failed; but somebody waited."""
    monkeypatch.setattr(traffic, "SLOW", 0.0)
    async with server(answers) as port:
        last = (await flowing(port, 0.1))[-2]
    assert isinstance(last, Count)
    assert (last.answered, last.slow) == ({"v1": 10}, {"v1": 10})


async def test_an_error_is_put_to_the_version_that_answered_it() -> None:
    """With two versions behind one Service, that is what tells them apart; a broken connection tells nothing."""
    async with server(fails) as port:
        assert {line.version for line in await flowing(port, 0.1) if isinstance(line, Failure)} == {"v1"}
    async with server(cuts) as port:
        assert {line.version for line in await flowing(port, 0.1) if isinstance(line, Failure)} == {""}


def test_steady_moments_lie_equally_far_apart() -> None:
    """By the clock, whatever became of the requests before."""
    assert list(itertools.islice(steady(4), 5)) == [0.0, 0.25, 0.5, 0.75, 1.0]


def test_bursts_change_the_rate_of_a_second_and_not_the_mean() -> None:
    """Otherwise a proof with bursts would be one with another amount of traffic."""
    moments = list(itertools.takewhile(lambda moment: moment < 4000, bursty(50, 1.0, random.Random(1))))
    assert moments == sorted(moments)
    counts = Counter(map(int, moments))
    seconds = [counts[second] for second in range(4000)]
    assert statistics.mean(seconds) == pytest.approx(50, rel=0.05)
    assert statistics.pstdev(seconds) == pytest.approx(50, rel=0.08)


@pytest.mark.parametrize(
    ("serve", "failed"),
    [(cuts, "cut"), (fails, "500"), (hangs, "timeout")],
)
async def test_each_way_to_fail_has_a_name(serve: Serve, failed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reason tells a drain that is too short from a pod that is down and from one that answers with errors."""
    monkeypatch.setattr(traffic, "DEADLINE", 0.2)
    async with server(serve) as port:
        lines = await flowing(port, 0.2)
    assert Counter(line.why for line in lines if isinstance(line, Failure)) == {failed: 20}
    last = lines[-2]
    assert isinstance(last, Count)
    assert (last.sent, last.answered, last.failed) == (20, {}, {failed: 20})


async def test_a_closed_port_is_refused() -> None:
    """What a pod whose container has ended does; its address is still there."""
    async with server(answers) as port:
        pass
    assert {line.why for line in await flowing(port, 0.1) if isinstance(line, Failure)} == {"refused"}


async def test_a_hanging_server_is_not_asked_less(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting for answers before sending would make an outage look small."""
    monkeypatch.setattr(traffic, "DEADLINE", 1.0)
    async with server(hangs) as port:
        lines = await flowing(port, 0.4)
    assert lines[-2].sent == 40  # type: ignore[union-attr]  # the last line but one is a Count


@asynccontextmanager
async def counted() -> AsyncIterator[tuple[int, list[None]]]:
    """A server that answers, and an entry for each connection that was opened to it."""
    opened: list[None] = []

    async def counting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        opened.append(None)
        await answers(reader, writer)

    async with server(counting) as port:
        yield port, opened


async def test_most_requests_open_a_connection_of_their_own() -> None:
    """A Service chooses the pod per connection; kept ones would never meet a dead one."""
    async with counted() as (port, opened):
        await flowing(port)
    assert 50 * (KEPT - 1) // KEPT < len(opened) < 50


async def test_a_kept_connection_is_given_up_after_some_requests() -> None:
    """Otherwise a quarter of all requests would go to the pods that were there first, and none of it to new ones."""
    async with counted() as (port, opened):
        connection = Connection("127.0.0.1", port)
        for _ in range(2 * RENEWED + 1):
            await connection.ask(keep=True)
        connection.close()
    assert len(opened) == 3


async def test_a_kept_connection_that_was_closed_in_time_is_not_a_failure() -> None:
    """Any client sees that before it sends, and opens another."""

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(ANSWER)
        await writer.drain()

    async with server(once) as port:
        connection = Connection("127.0.0.1", port)
        assert await connection.ask(keep=True) == "v1"
        await asyncio.sleep(0.05)
        assert await connection.ask(keep=True) == "v1"
        connection.close()


async def test_a_kept_connection_that_closes_on_a_request_is_one() -> None:
    """The request is lost, and nobody may assume that it had no effect."""
    asked = 0

    async def first_only(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        while asked < 2:
            await reader.readuntil(b"\r\n\r\n")
            asked += 1
            writer.write(ANSWER * (asked == 1))
            await writer.drain()

    async with server(first_only) as port:
        connection = Connection("127.0.0.1", port)
        assert await connection.ask(keep=True) == "v1"
        with pytest.raises(Failed, match="cut"):
            await connection.ask(keep=True)


async def test_a_signal_ends_it_with_a_last_line() -> None:
    """`sandbox exec` becomes this very process, so the story ends the traffic by signal and still gets all counts."""
    async with server(answers) as port:
        process = await running(port, "--seconds", "60")
        assert process.stdout is not None
        await process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        lines = (await asyncio.wait_for(process.stdout.read(), 10)).splitlines()
        assert await process.wait() == 0
    assert json.loads(lines[-1])["type"] == "end"
    counts = json.loads(lines[-2])
    assert counts["sent"] == sum(counts["answered"].values())


async def test_it_ends_when_nobody_listens_any_more() -> None:
    """A story that was killed must not leave traffic behind."""
    async with server(answers) as port:
        process = await running(port, "--seconds", "60")
        assert process.stdout is not None
        await process.stdout.readline()
        process._transport.get_pipe_transport(1).close()  # type: ignore[attr-defined]  # no public way to stop reading
        assert await asyncio.wait_for(process.wait(), 10) == 0


async def running(port: int, *arguments: str) -> asyncio.subprocess.Process:
    command = [sys.executable, "-m", "sandbox.demo.traffic", f"http://127.0.0.1:{port}/", *arguments]
    return await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
