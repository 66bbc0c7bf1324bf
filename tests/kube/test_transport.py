"""What goes over the wire, and that nothing on the wire can make a caller wait or fail with foreign errors."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from penstock.kube import PARTIAL, ApiError, Client, Conflict, Gone, Invalid, NotFound, Unavailable, objects
from penstock.kube.transport import DEADLINE
from tests.kube.loopback import CHUNKED, LAST, Asked, Loopback, always, chunk, http

PATH = objects.deployment("shop", "web")


def status(code: int, reason: str, **details: Any) -> dict[str, Any]:
    return {"kind": "Status", "status": "Failure", "message": "so", "reason": reason, "code": code, "details": details}


async def test_each_verb_sends_what_the_api_server_expects(tmp_path: Path) -> None:
    """Method, content type, query and body of every verb, in one table."""
    ops = [{"op": "test", "path": "/a", "value": "é"}]
    async with Loopback(always(http(200, {"ok": True}))).running() as server, server.client(tmp_path) as client:
        answers = [
            await client.get(PATH, accept=PARTIAL),
            await client.get(objects.pods("shop"), labelSelector="app in (a,b),!x,c=é+&d", limit=5),
            await client.post(objects.deployments("shop"), {"a": None}, fieldManager="penstock", dryRun="All"),
            await client.put(PATH, {"a": 1}),
            await client.patch(PATH, ops, fieldManager="penstock"),
            await client.strategic(PATH, {"a": 1}),
            await client.merge(PATH, {"a": None}),
            await client.apply(PATH, {"a": 1}, manager="penstock"),
            await client.apply(PATH, {"a": 1}, manager="penstock", force=True),
            await client.delete(PATH),
            await client.delete(PATH, uid="u", resource_version="7", propagationPolicy="Background"),
        ]
    assert answers == [{"ok": True}] * 11
    seen = [(a.method, a.path, a.query, a.headers.get("content-type"), a.json) for a in server.asked]
    plural = "/apis/apps/v1/namespaces/shop/deployments"
    options = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": "u", "resourceVersion": "7"}}
    selector = {"labelSelector": "app in (a,b),!x,c=é+&d", "limit": "5"}
    assert [(m, p, q, b) for m, p, q, _, b in seen] == [
        ("GET", f"{plural}/web", {}, None),
        ("GET", "/api/v1/namespaces/shop/pods", selector, None),
        ("POST", plural, {"fieldManager": "penstock", "dryRun": "All"}, {"a": None}),
        ("PUT", f"{plural}/web", {}, {"a": 1}),
        ("PATCH", f"{plural}/web", {"fieldManager": "penstock"}, ops),
        ("PATCH", f"{plural}/web", {}, {"a": 1}),
        ("PATCH", f"{plural}/web", {}, {"a": None}),
        ("PATCH", f"{plural}/web", {"fieldManager": "penstock", "force": "false"}, {"a": 1}),
        ("PATCH", f"{plural}/web", {"fieldManager": "penstock", "force": "true"}, {"a": 1}),
        ("DELETE", f"{plural}/web", {}, None),
        ("DELETE", f"{plural}/web", {"propagationPolicy": "Background"}, options),
    ]
    assert [content for *_, content, _ in seen[4:9]] == [
        "application/json-patch+json",
        "application/strategic-merge-patch+json",
        "application/merge-patch+json",
        "application/apply-patch+yaml",
        "application/apply-patch+yaml",
    ]
    assert server.asked[0].headers["accept"] == PARTIAL
    assert {a.headers["accept"] for a in server.asked[1:]} == {"application/json"}
    assert {a.headers["authorization"] for a in server.asked} == {"Bearer secret"}
    assert {a.headers["user-agent"] for a in server.asked} == {"penstock"}
    assert server.connections == 1


async def test_an_error_carries_everything_the_server_said(tmp_path: Path) -> None:
    """Logs, metrics and backoff read these fields."""
    raw = http(429, status(429, "TooManyRequests", retryAfterSeconds=3), Retry_After="7")
    async with Loopback(always(raw)).running() as server, server.client(tmp_path) as client:
        with pytest.raises(Unavailable) as caught:
            await client.get(PATH)
    error = caught.value
    assert (error.status, error.reason, error.message, error.retry_after) == (429, "TooManyRequests", "so", 7.0)
    assert str(error) == f"get {PATH}: so (429 TooManyRequests)"


async def test_writes_are_told_with_their_outcome(tmp_path: Path) -> None:
    """For the metric of writes by code; reads are not told, an unanswered write has status 0."""

    async def respond(asked: Asked, writer: asyncio.StreamWriter) -> None:
        if asked.method == "DELETE":
            await asyncio.sleep(60)
        writer.write(http({"POST": 201, "PATCH": 422}.get(asked.method, 200), status(422, "Invalid")))

    told: list[tuple[str, str, int]] = []
    async with Loopback(respond).running() as server, server.client(tmp_path) as client:
        client.on_write = lambda verb, path, code: told.append((verb, path, code))
        await client.get(PATH)
        await client.post(objects.deployments("shop"), {})
        with pytest.raises(Conflict):
            await client.patch(PATH, [{"op": "test", "path": "/a", "value": 1}])
        with pytest.raises(Invalid):
            await client.patch(PATH, [{"op": "remove", "path": "/a"}])
        with pytest.raises(Unavailable):
            await client.delete(PATH, timeout=0.1)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await client.delete(PATH)
    assert told == [
        ("post", "/apis/apps/v1/namespaces/shop/deployments", 201),
        ("patch", PATH, 422),
        ("patch", PATH, 422),
        ("delete", PATH, 0),
        ("delete", PATH, 0),
    ]


async def hang(asked: Asked, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(60)


async def hang_in_the_body(asked: Asked, writer: asyncio.StreamWriter) -> None:
    writer.write(CHUNKED + chunk(b'{"kind":'))
    await writer.drain()
    await asyncio.sleep(60)


async def reset(asked: Asked, writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


async def reset_in_the_body(asked: Asked, writer: asyncio.StreamWriter) -> None:
    writer.write(CHUNKED + chunk(b'{"kind":'))
    await writer.drain()
    await asyncio.sleep(0.02)
    writer.transport.abort()


@pytest.mark.parametrize(
    ("respond", "reason"),
    [
        (hang, "Timeout"),
        (hang_in_the_body, "Timeout"),
        (reset, "NoAnswer"),
        (reset_in_the_body, "NoAnswer"),
        (always(b"SSH-2.0-OpenSSH_9\r\n\r\n"), "NoAnswer"),
        (always(http(200, b"<html>Log in</html>")), "NotJSON"),
        (always(http(200, b"")), "NotJSON"),
        (always(http(200, b"[1]")), "NotJSON"),
        (always(http(200, b'{"a": "\xff"}')), "NotJSON"),
        (always(http(502, b"<html>\n<b>Bad</b> Gateway</html>", "Bad Gateway")), "Bad Gateway"),
    ],
)
async def test_whatever_comes_back_is_an_error_of_ours_and_in_time(respond: Any, reason: str, tmp_path: Path) -> None:
    """Callers catch ApiError and nothing else; the deadline covers the body."""
    async with Loopback(respond).running() as server, server.client(tmp_path) as client:
        begun = asyncio.get_running_loop().time()
        with pytest.raises(Unavailable) as caught:
            await client.post(PATH, {}, timeout=0.3)
        assert asyncio.get_running_loop().time() - begun < 0.6
        assert caught.value.reason == reason
        assert len(server.asked) == 1  # never repeated by itself: it may have been written


async def test_nobody_listening_is_unavailable(tmp_path: Path) -> None:
    """An API server that restarts."""
    async with Loopback(hang).running() as server:
        pass
    async with server.client(tmp_path) as client:
        with pytest.raises(Unavailable) as caught:
            await client.get(PATH)
        assert str(server.port) in caught.value.message


async def test_every_request_has_a_deadline_without_being_asked() -> None:
    """The official default is five minutes, and none for some calls."""
    for name in ("get", "post", "put", "patch", "strategic", "merge", "apply", "delete", "watch"):
        assert getattr(Client, name).__kwdefaults__["timeout"] == DEADLINE == 10.0


async def test_the_environments_proxy_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy of the outside world cannot reach a loopback or in-cluster address."""
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with Loopback(always(http(200, {}))).running() as server, server.client(tmp_path) as client:
        assert await client.get(PATH) == {}


async def test_kubeconfigs_own_proxy_is_used(tmp_path: Path) -> None:
    """The one place where a proxy for this cluster can be named."""
    async with Loopback(always(http(200, {"via": "proxy"}))).running() as proxy:
        nowhere = Loopback(hang)
        place = nowhere.kubeconfig(tmp_path, **{"proxy-url": proxy.url})
        async with Client.at(place) as client:
            assert await client.get(PATH) == {"via": "proxy"}


async def test_a_caller_that_gives_up_leaves_no_connection_in_use(tmp_path: Path) -> None:
    """A cancelled request's answer must never be read as the answer to the next one."""
    slow = asyncio.Event()

    async def respond(asked: Asked, writer: asyncio.StreamWriter) -> None:
        if asked.query:
            await slow.wait()
        writer.write(http(200, {"for": asked.query}))

    async with Loopback(respond).running() as server, server.client(tmp_path) as client:
        with pytest.raises(Unavailable):
            await client.get(PATH, timeout=0.1, limit=1)
        slow.set()
        assert await client.get(PATH) == {"for": {}}
        assert server.connections == 2


async def collected(client: Client, **options: Any) -> tuple[list[Any], ApiError | None]:
    events = []
    try:
        async for event in client.watch(objects.deployments(), **options):
            events.append(event)
    except ApiError as error:
        return events, error
    return events, None


def watching(*parts: bytes | float | None) -> Any:
    """Chunks, pauses; None resets the connection, otherwise the stream ends properly."""

    async def respond(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(CHUNKED)
        for part in parts:
            await writer.drain()
            if part is None:
                await asyncio.sleep(0.02)
                writer.transport.abort()
                return
            if isinstance(part, bytes):
                writer.write(chunk(part))
            else:
                await asyncio.sleep(part)
        writer.write(LAST)

    return respond


async def test_a_watch_gives_events_until_the_server_ends_it(tmp_path: Path) -> None:
    """Lines may be cut anywhere; blank ones are nothing."""
    parts = (b'{"type":"ADDED","obj', b'ect":{"a":1}}\n{"type":"BOOKMARK","object":{}}\n\n', b'{"type":"X"}\n')
    async with Loopback(watching(*parts)).running() as server, server.client(tmp_path) as client:
        events, error = await collected(client, resourceVersion="5", allowWatchBookmarks=True, timeoutSeconds=290)
    assert (events, error) == (
        [{"type": "ADDED", "object": {"a": 1}}, {"type": "BOOKMARK", "object": {}}, {"type": "X"}],
        None,
    )
    assert server.asked[0].query == {
        "watch": "true",
        "resourceVersion": "5",
        "allowWatchBookmarks": "true",
        "timeoutSeconds": "290",
    }


async def test_a_watch_passes_objects_of_many_megabytes(tmp_path: Path) -> None:
    """An object of 1.5 MB in etcd is more as JSON; aiohttp's own lines end at 4 MiB here."""
    big = json.dumps({"type": "ADDED", "object": {"x": "y" * 6_000_000}}).encode() + b"\n"
    pieces = tuple(big[at : at + 100_000] for at in range(0, len(big), 100_000))
    async with Loopback(watching(*pieces)).running() as server, server.client(tmp_path) as client:
        events, error = await collected(client)
    assert (len(events), len(events[0]["object"]["x"]), error) == (1, 6_000_000, None)


@pytest.mark.parametrize(
    ("respond", "kind", "reason", "count"),
    [
        (watching(b'{"type":"ADDED"}\n{"ty', None), Unavailable, "NoAnswer", 1),
        (watching(b'{"type":"ADDED"}\n', 60.0), Unavailable, "Silent", 1),
        (watching(b'{"type":"ADDED"}\n<html>\n'), Unavailable, "NotJSON", 1),
        (watching(b'{"type":"ERROR","object":{"code":410,"reason":"Expired"}}\n'), Gone, "Expired", 0),
        (watching(b'{"type":"ERROR","object":null}\n'), Unavailable, "", 0),
        (always(http(410, status(410, "Expired"))), Gone, "Expired", 0),
        (always(http(404, b"404 page not found\n", "Not Found")), NotFound, "Not Found", 0),
        (hang, Unavailable, "Timeout", 0),
        (reset, Unavailable, "NoAnswer", 0),
    ],
)
async def test_a_watch_that_breaks_says_how(
    respond: Any, kind: type[ApiError], reason: str, count: int, tmp_path: Path
) -> None:
    """What came before the break was given."""
    async with Loopback(respond).running() as server, server.client(tmp_path) as client:
        events, error = await collected(client, timeout=0.3, idle=0.3)
    assert (type(error), error and error.reason, len(events)) == (kind, reason, count)


async def test_many_watches_leave_room_for_requests(tmp_path: Path) -> None:
    """Each active rollout has two watches; the client's own limit of 100 connections would stop the lease at fifty."""

    async def respond(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(CHUNKED + chunk(b'{"type":"ADDED"}\n') if asked.query else http(200, {"ok": True}))

    async with Loopback(respond).running() as server, server.client(tmp_path) as client:
        watches = [client.watch(PATH) for _ in range(120)]
        await asyncio.gather(*(anext(each) for each in watches))
        assert await client.get(PATH) == {"ok": True}
        await asyncio.gather(*(each.aclose() for each in watches))


async def test_a_watch_that_is_left_closes_its_connection(tmp_path: Path) -> None:
    """Otherwise the server keeps a watcher for every one we ever had."""
    closed = asyncio.Event()

    async def respond(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(CHUNKED)
        try:
            for _ in range(200):
                writer.write(chunk(b'{"type":"ADDED"}\n'))
                await writer.drain()
                await asyncio.sleep(0.01)
        except ConnectionError:
            closed.set()

    async with Loopback(respond).running() as server, server.client(tmp_path) as client:
        events = client.watch(PATH)
        assert await anext(events) == {"type": "ADDED"}
        await events.aclose()
        async with asyncio.timeout(2):
            await closed.wait()


def test_importing_is_cheap() -> None:
    """`penstock --help` and completion must not load a client of 74 MB."""
    code = "import sys, penstock.kube; print([m for m in ('kubernetes', 'aiohttp', 'yaml') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
