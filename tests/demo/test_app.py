"""The demo application as the kubelet meets it: a process, signals, sockets."""

import asyncio
import math
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from statistics import NormalDist

import pytest

import sandbox.demo.app
from sandbox.demo.app import Settings

PROGRAM = [sys.executable, str(Path(sandbox.demo.app.__file__))]


class Running:
    """The application, on a port that the kernel chose."""

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self.process, self.port = process, port

    async def connect(self) -> "Client":
        return Client(*await asyncio.open_connection("127.0.0.1", self.port))

    async def get(self, path: str) -> tuple[int, str, str]:
        return await (await self.connect()).get(path)

    async def eventually(self, path: str, code: int) -> tuple[int, str, str]:
        """The first answer with this code; a signal takes a moment."""
        for _ in range(200):
            if (answer := await self.get(path))[0] == code:
                break
            await asyncio.sleep(0.01)
        return answer

    async def ended(self) -> int:
        return await asyncio.wait_for(self.process.wait(), 5)


class Client:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def send(self, path: str, method: str = "GET") -> None:
        self.writer.write(f"{method} {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())

    async def receive(self) -> tuple[int, str, str]:
        """Status code, the Connection header, the body."""
        head = (await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 5)).decode()
        status, *fields = head.strip().split("\r\n")
        headers = dict(field.split(": ", 1) for field in fields)
        body = await self.reader.readexactly(int(headers["Content-Length"]))
        return int(status.split(" ")[1]), headers["Connection"], body.decode()

    async def get(self, path: str) -> tuple[int, str, str]:
        self.send(path)
        return await self.receive()

    async def closed(self) -> bool:
        return await asyncio.wait_for(self.reader.read(), 5) == b""


@asynccontextmanager
async def application(*before: str, **environment: str) -> AsyncIterator[Running]:
    process = await asyncio.create_subprocess_exec(
        *before, *PROGRAM, env={"VERSION": "v7", "PORT": "0", **environment}, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        said = (await asyncio.wait_for(process.stdout.readline(), 10)).decode()
        yield Running(process, int(said.rsplit(" ", 1)[1]))
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_it_answers_with_its_version_and_counts_what_users_asked_for() -> None:
    """Probes and scrapes are not traffic: counted, they would hide a small share of errors."""
    async with application() as app:
        assert await app.get("/") == (200, "keep-alive", "v7\n")
        assert await app.get("/healthz") == (200, "keep-alive", "ok\n")
        assert (await app.get("/nowhere?at=all"))[0] == 404
        _, _, metrics = await app.get("/metrics")
    assert [line for line in metrics.splitlines() if line.startswith("http_requests_total")] == [
        'http_requests_total{code="200"} 1',
        'http_requests_total{code="404"} 1',
        'http_requests_total{code="500"} 0',
    ]
    assert 'http_request_duration_seconds_bucket{le="+Inf"} 2' in metrics
    assert "http_request_duration_seconds_count 2" in metrics


async def test_told_to_end_it_turns_unready_and_serves_on() -> None:
    """Endpoints are removed while the pod is already ending: who stops listening at once loses requests."""
    async with application(DRAIN="0.6") as app:
        kept = await app.connect()
        assert await kept.get("/") == (200, "keep-alive", "v7\n")
        app.process.terminate()
        assert await app.eventually("/healthz", 503) == (503, "close", "draining\n")
        assert await app.get("/") == (200, "close", "v7\n")
        assert await kept.get("/") == (200, "close", "v7\n")
        assert await kept.closed()
        assert await app.ended() == 0


async def test_a_request_that_takes_longer_than_the_drain_is_answered() -> None:
    """In-flight requests are finished, not cut."""
    async with application(DRAIN="0.1", DELAY="0.5") as app:
        client = await app.connect()
        client.send("/")
        await asyncio.sleep(0.1)
        app.process.terminate()
        assert await client.receive() == (200, "close", "v7\n")
        assert await app.ended() == 0


async def test_an_idle_connection_does_not_hold_up_its_end() -> None:
    """A client that keeps a connection and is silent would otherwise cost the whole grace period."""
    async with application(DRAIN="0.1") as app:
        idle = await app.connect()
        await idle.get("/")
        app.process.terminate()
        assert await app.ended() == 0
        assert await idle.closed()


UNSHARE = ("unshare", "--fork", "--pid", "--kill-child")


def pid_namespaces() -> bool:
    if not shutil.which("unshare"):
        return False
    return subprocess.run([*UNSHARE, "true"], check=False, capture_output=True).returncode == 0


def terminate_children(pid: int) -> None:
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        os.kill(int(child), signal.SIGTERM)


@pytest.mark.skipif(not pid_namespaces(), reason="needs the right to make a pid namespace")
async def test_as_process_1_it_ends_by_sigterm() -> None:
    """The kernel ignores signals to process 1 that it has not asked for; the kubelet would have to kill it."""
    async with application(*UNSHARE, DRAIN="0.1") as app:
        terminate_children(app.process.pid)
        assert await app.ended() == 0


async def test_a_bad_release_serves_first_and_then_crashes() -> None:
    """Otherwise it would never become Ready, and the native controller would stop it without us."""
    async with application(CRASH_AFTER="0.5") as app:
        assert await app.get("/healthz") == (200, "keep-alive", "ok\n")
        assert await app.ended() == 1


async def test_a_faulty_release_fails_its_share_of_requests() -> None:
    """What `errors` compares; the answer names its version, so that a client can tell who failed."""
    async with application(ERROR_RATE="1") as app:
        assert await app.get("/") == (500, "keep-alive", "v7 fails on purpose\n")
        assert await app.get("/healthz") == (200, "keep-alive", "ok\n")
        assert 'http_requests_total{code="500"} 1' in (await app.get("/metrics"))[2]


def test_a_slower_tail_is_slower_by_what_it_says_at_every_percentile_above_the_median() -> None:
    """The half below stays as it was: an average would hide what one request in twenty feels."""
    good = Settings(delay=0.115, spread=0.3)
    bad = replace(good, tail=1.3)
    normal = NormalDist()
    for percent in (50.1, 75, 95, 99):
        deviation = normal.inv_cdf(percent / 100)
        assert bad.latency(deviation) == pytest.approx(1.3 * good.latency(deviation))
    assert [bad.latency(d) for d in (-2.0, 0.0)] == [good.latency(d) for d in (-2.0, 0.0)]
    assert good.latency(0.0) == 0.115
    assert good.latency(1.0) == pytest.approx(0.115 * math.exp(0.3))


async def test_the_histogram_holds_what_the_tail_does_to_real_answers() -> None:
    """The sum of the parts: what `slow` reads is the time that clients waited."""
    async with application(DELAY="0.02", SPREAD="0.1", TAIL="20") as app:
        clients = [await app.connect() for _ in range(40)]
        await asyncio.gather(*(client.get("/") for client in clients))
        _, _, metrics = await app.get("/metrics")
    found = re.search(r'http_request_duration_seconds_bucket\{le="0.25"\} (\d+)', metrics)
    assert found is not None
    assert 5 < int(found[1]) < 35  # half of 40, give or take almost five standard deviations
    assert "http_request_duration_seconds_count 40" in metrics


async def test_requests_sent_at_once_are_answered_in_order() -> None:
    """Pipelining, with a delay: the second answer must not overtake the first."""
    async with application(DELAY="0.05") as app:
        client = await app.connect()
        client.send("/")
        client.send("/healthz")
        client.send("/", method="DELETE")
        assert [await client.receive() for _ in range(3)] == [
            (200, "keep-alive", "v7\n"),
            (200, "keep-alive", "ok\n"),
            (405, "close", "only GET and HEAD\n"),
        ]
        assert await client.closed()


async def test_an_endless_head_is_refused() -> None:
    """Memory of a pod is small."""
    async with application() as app:
        client = await app.connect()
        client.writer.write(b"GET / HTTP/1.1\r\nX: " + b"x" * 20000)
        assert (await client.receive())[0] == 431
        assert await client.closed()


@pytest.mark.parametrize("text", ["soon", "-1", "nan", "inf"])
def test_an_environment_that_makes_no_sense_is_named(text: str) -> None:
    """A pod that silently ignored a typing error would be a good release."""
    ended = subprocess.run(PROGRAM, env={"CRASH_AFTER": text}, check=False, capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (2, f"CRASH_AFTER is '{text}', expected a number, 0 or more\n")
