"""The two ways out, against a receiver on this machine: signed as documented, and silent about addresses."""

import asyncio
import json
import re
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from controller.notify import channels
from controller.notify.channels import Apprise, Failed, Signed, message, words
from penstock.signals.signature import SIGNATURE, TIMESTAMP, genuine, signature
from penstock.signals.targets import Webhook
from tests.certs.test_probe import free_port
from tests.notify.news import NEWS, news
from tests.webhook.conftest import certificate
from tests.webhook.running import running

GUIDE = Path(__file__).parents[2] / "docs" / "guide" / "signals.md"
KEY = b"a key of the administrator's"


@dataclass
class Receiver:
    """What answers, and what came."""

    url: str
    status: int = 204
    headers: dict[str, str] = field(default_factory=dict)
    came: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    wait: float = 0.0


@asynccontextmanager
async def receiver() -> AsyncIterator[Receiver]:
    """A server on this machine, whose path is a secret."""
    port = free_port()
    found = Receiver(f"http://127.0.0.1:{port}/T0KEN")

    async def take(request: web.Request) -> web.Response:
        found.came.append((request.path, dict(request.headers), await request.read()))
        await asyncio.sleep(found.wait)
        return web.Response(status=found.status, headers=found.headers)

    app = web.Application()
    app.router.add_route("*", "/{any:.*}", take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield found
    finally:
        await runner.cleanup()


def signed(directory: Path, url: str, ca: str = "") -> Signed:
    """The channel, with its files as a Secret is mounted."""
    (directory / "url").write_text(f"{url}\n")
    (directory / "key").write_bytes(KEY + b"\n")
    (directory / "ca").write_text(ca)
    ca_file = str(directory / "ca") if ca else ""
    return Signed(Webhook(url_file=str(directory / "url"), key_file=str(directory / "key"), ca_file=ca_file))


async def test_a_message_is_signed_over_its_time_and_body(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And goes straight to its receiver, whatever proxies the environment names."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    async with receiver() as there:
        await signed(tmp_path, there.url).send([NEWS, news("k2")], "prod-eu")

    path, headers, body = there.came[0]
    assert (len(there.came), path, headers["Content-Type"]) == (1, "/T0KEN", "application/json")
    assert genuine(KEY, headers[TIMESTAMP], body, headers[SIGNATURE], time.time())
    said = json.loads(body)
    assert (said["version"], said["cluster"], [n["id"] for n in said["notifications"]]) == (1, "prod-eu", ["k1", "k2"])
    assert said["notifications"][0] == {
        "id": "k1", "kind": "rejected", "reason": "Rejected", "namespace": "shop", "name": "web", "rollout": "3f2a9c1e",
        "step": 1, "steps": 3, "message": NEWS.message, "time": 1_800_000_000, "trace": "",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("change", "accepted"),
    [
        ({}, True),
        ({"timestamp": "1001"}, False),
        ({"body": b"other"}, False),
        ({"key": b"other"}, False),
        ({"now": 1300.0}, True),
        ({"now": 1301.0}, False),
        ({"now": 699.0}, False),
        ({"timestamp": "١٠٠٠"}, False),
        ({"found": "v1=é"}, False),
    ],
)
def test_a_signature_holds_for_one_body_one_key_and_five_minutes(change: dict[str, object], accepted: bool) -> None:
    """Else a message could be changed, or sent again for ever."""
    values = {"key": KEY, "timestamp": "1000", "body": b"{}", "found": signature(KEY, "1000", b"{}"), "now": 1000.0}
    assert genuine(**{**values, **change}) is accepted  # type: ignore[arg-type]  # a table of several types


@pytest.mark.parametrize(
    ("status", "headers", "words", "again", "after"),
    [
        (500, {}, "HTTP 500", True, 0),
        (429, {"Retry-After": "30"}, "HTTP 429", True, 30),
        (429, {"Retry-After": "86400"}, "HTTP 429", True, 600),
        (404, {}, "HTTP 404", False, 0),
        (302, {"Location": "/elsewhere"}, "HTTP 302, a redirect, which is not followed", False, 0),
    ],
)
async def test_what_an_answer_means(
    tmp_path: Path, status: int, headers: dict[str, str], words: str, again: bool, after: float
) -> None:
    """A redirect could lead anywhere, also inside the cluster."""
    async with receiver() as there:
        there.status, there.headers = status, headers
        with pytest.raises(Failed) as failed:
            await signed(tmp_path, there.url).send([NEWS], "")

    assert (str(failed.value), failed.value.again, failed.value.after) == (words, again, after)
    assert len(there.came) == 1


async def test_no_failure_tells_the_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Logs are read by more people than Secrets."""
    monkeypatch.setattr(channels, "PATIENCE", 0.2)
    said = []
    with running(certificate()) as tls:
        async with receiver() as there:
            there.wait = 0.5
            urls = {
                there.url: "no answer within 0.2 s",
                f"http://127.0.0.1:{free_port()}/T0KEN": "no answer (ClientConnectorError)",
                f"https://127.0.0.1:{tls.port}/T0KEN": "its certificate is not trusted",
                "slack://T0KEN": "not an http or https address",
                "http://": "not an http or https address",
            }
            for url in urls:
                with pytest.raises(Failed) as failed:
                    await signed(tmp_path, url).send([NEWS], "")
                said.append(str(failed.value))

    assert said == list(urls.values())


async def test_a_missing_or_empty_file_is_told_by_its_name(tmp_path: Path) -> None:
    """A Secret that is not there yet; the next try reads it again."""
    (tmp_path / "empty").write_text("\n")
    for file, problem in (("none", "cannot be read (FileNotFoundError)"), ("empty", "is empty")):
        with pytest.raises(Failed, match=re.escape(f"{tmp_path / file} {problem}")):
            await Apprise(str(tmp_path / file)).send([NEWS], "")


async def test_a_private_ca_is_trusted_where_it_is_named(tmp_path: Path) -> None:
    """The webhook's own server stands for a receiver with TLS: it refuses the path, and is trusted."""
    with running(certificate()) as tls:
        channel = signed(tmp_path, f"https://127.0.0.1:{tls.port}/T0KEN", tls.trusted.decode())
        with pytest.raises(Failed, match=r"^HTTP 404$"):
            await channel.send([NEWS], "")


@pytest.mark.slow
async def test_apprise_sends_what_it_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real library, by its JSON service, and no answer of it says the address."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    file = tmp_path / "chat"
    async with receiver() as there:
        file.write_text(there.url.replace("http://", "json://"))
        await Apprise(str(file)).send([NEWS], "prod-eu")
        there.status = 500
        with pytest.raises(Failed, match=r"^the service did not take it$"):
            await Apprise(str(file)).send([NEWS], "")
        file.write_text("nonsense://T0KEN")
        with pytest.raises(Failed, match=r"^apprise does not know such a URL$"):
            await Apprise(str(file)).send([NEWS], "")

    said = json.loads(there.came[0][2])
    assert (said["title"], said["message"]) == ("rejected: shop/web (prod-eu)", NEWS.message)


def test_many_pieces_of_news_are_one_short_message() -> None:
    """A chat cuts long ones anywhere."""
    title, body = words([news(f"k{i}", name=f"web-{i}") for i in range(30)], "")
    lines = body.splitlines()
    assert (title, len(lines), lines[-1]) == ("30 rollouts", 21, "and 10 more")
    assert lines[0] == f"rejected: shop/web-0: {NEWS.message}"


def test_what_a_chat_would_obey_is_replaced() -> None:
    """Image names and log lines are the tenant's words."""
    said = words([news("k", message="<!channel> @everyone [a](https://b) `c` *d*\n\x1b[31m")], "")[1]
    assert said == "‹!channel› ＠everyone (a)(https://b) 'c' ·d·  (31m"


@contextmanager
def documented(directory: Path, port: int) -> Iterator["subprocess.Popen[str]"]:
    """The guide's receiver, as its reader would run it."""
    code = re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL)[0]
    (directory / "receiver.py").write_text(code)
    (directory / "key").write_bytes(KEY + b"\n")
    command = [sys.executable, "receiver.py", "key", str(port)]
    process = subprocess.Popen(command, cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


async def test_the_receiver_of_the_guide_takes_what_we_send_and_nothing_forged(tmp_path: Path) -> None:
    """An example that is wrong is copied into a hundred receivers."""
    port = free_port()
    url = f"http://127.0.0.1:{port}/"
    with documented(tmp_path, port) as there:
        async with aiohttp.ClientSession(trust_env=False) as session, asyncio.timeout(20):
            forged, body = 0, message([NEWS], "")
            while not forged:
                try:
                    headers = {TIMESTAMP: str(int(time.time())), SIGNATURE: signature(b"other", "1", body)}
                    async with session.post(url, data=body, headers=headers) as answer:
                        forged = answer.status
                except aiohttp.ClientConnectorError:
                    await asyncio.sleep(0.05)
        await signed(tmp_path, url).send([NEWS], "")
        assert there.stdout
        assert (forged, there.stdout.readline()) == (401, f"rejected shop web {NEWS.message}\n")
