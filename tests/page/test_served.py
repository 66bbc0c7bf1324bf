"""The page over HTTP: what is answered to whom, under which name and prefix, and how changes come."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from controller.web import stream
from controller.web.access import Access, access
from controller.web.board import Board
from tests.page.scenes import ERRORS, Scene
from tests.page.served import Served, served

TOKEN = "a-token-of-some-length"


@pytest.fixture(scope="module")
def scene() -> Scene:
    """A rollout at its first step."""
    return Scene(Board(), "shop", "web", **ERRORS).begin().until_step(1)


@pytest.fixture
def page(scene: Scene) -> Iterator[Served]:
    """On loopback."""
    with served(scene.board, access("127.0.0.1")) as page:
        yield page


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """A browser without a page."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        yield session


async def get(session: aiohttp.ClientSession, url: str, **headers: str) -> tuple[int, Any, Any]:
    async with session.get(url, headers=headers, allow_redirects=False) as answer:
        text = await answer.text()
        return answer.status, json.loads(text) if answer.content_type == "application/json" else text, answer.headers


async def test_the_snapshot_and_one_rollout_are_read(page: Served, session: aiohttp.ClientSession) -> None:
    """What scripts and the page begin with; and that FastAPI's document describes just that."""
    status, snapshot, headers = await get(session, page.url + "api/rollouts")
    assert (status, [row["key"] for row in snapshot["rollouts"]]) == (200, ["shop/web"])
    assert headers["cache-control"] == "no-store"
    _, whole, _ = await get(session, page.url + "api/rollouts/shop/web")
    assert (whole["row"], len(whole["pods"])) == (snapshot["rollouts"][0], 11)
    missing = await get(session, page.url + "api/rollouts/shop/api")
    assert missing[:2] == (404, {"problem": "none", "words": "shop/api has no active rollout"})

    _, document, _ = await get(session, page.url + "api/openapi.json")
    assert set(document["components"]["schemas"]["Whole"]["properties"]) == set(whole)
    assert set(document["components"]["schemas"]["Row"]["properties"]) == set(whole["row"])
    assert set(document["components"]["schemas"]["Chart"]["properties"]) == set(whole["charts"][0])
    writes = {path: set(methods) - {"get"} for path, methods in document["paths"].items() if set(methods) - {"get"}}
    assert writes == {"/api/session": {"post", "delete"}}


async def test_every_answer_forbids_what_the_page_does_not_need(page: Served, session: aiohttp.ClientSession) -> None:
    """Scripts and styles of its own only, in no frame, for no other site."""
    for path in ("", "app.js", "api/rollouts", "nothing", "../../etc/passwd"):
        _, _, headers = await get(session, page.url + path)
        assert headers["content-security-policy"].startswith("default-src 'self'; ")
        assert (headers["x-content-type-options"], headers["x-frame-options"]) == ("nosniff", "DENY")
        assert "server" not in headers
    text = (await get(session, page.url))[1]
    assert "http://" not in text
    assert "https://" not in text
    assert " style=" not in text
    assert "<script>" not in text


async def test_another_name_is_refused_on_loopback(page: Served, session: aiohttp.ClientSession) -> None:
    """DNS rebinding; also for the page itself, and for the stream."""
    for path in ("", "api/rollouts", "api/changes?since=0", "api/session"):
        status, said, _ = await get(session, page.url + path, host="evil.example")
        assert (status, said["problem"]) == (421, "host")


async def test_who_does_not_lead_says_so(page: Served, session: aiohttp.ClientSession) -> None:
    """An empty list from a replica that waits would read as "no rollout"."""
    page.leads[0] = False
    for path in ("api/rollouts", "api/rollouts/shop/web", "api/changes?since=0"):
        status, said, _ = await get(session, page.url + path)
        assert (status, said["problem"]) == (503, "leader")
        assert "kubectl get lease penstock-controller -n penstock-system" in said["words"]


async def test_files_are_sent_once(page: Served, session: aiohttp.ClientSession) -> None:
    """And never another version of one to another version of the page."""
    _, _, headers = await get(session, page.url + "app.js")
    status, _, _ = await get(session, page.url + "app.js", **{"if-none-match": headers["etag"]})
    assert (status, headers["cache-control"]) == (304, "no-cache")


@pytest.mark.parametrize(
    ("told", "base"),
    [
        ("/ops/penstock", '<base href="/ops/penstock/">'),
        ("/ops/penstock/", '<base href="/ops/penstock/">'),
        ("//evil.example", ""),
        ('/"><script>', ""),
        ("", ""),
    ],
)
async def test_a_prefix_that_a_proxy_tells_of(
    told: str, base: str, page: Served, session: aiohttp.ClientSession
) -> None:
    """Every address of the page is relative to it, and nothing else may be put into the document."""
    text = (await get(session, page.url, **{"x-forwarded-prefix": told}))[1]
    assert [line.strip() for line in text.splitlines() if "<base" in line] == ([base] if base else [])


async def test_a_prefix_that_a_proxy_leaves_on(scene: Scene, session: aiohttp.ClientSession) -> None:
    """Some take it off, some do not; with the setting both work."""
    with served(scene.board, Access(), "/ops/penstock") as page:
        for path in ("ops/penstock", "ops/penstock/", "", "ops/penstock/app.js", "ops/penstock/api/rollouts"):
            assert (await get(session, page.url + path))[0] == 200, path
        assert (await get(session, page.url + "ops/penstocks"))[0] == 404


async def test_elsewhere_a_token_is_asked_for(
    scene: Scene, session: aiohttp.ClientSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the browser it is typed once; a GET changes nothing."""
    monkeypatch.setattr("controller.web.app.WRONG", 0.01)
    file = tmp_path / "token"
    file.write_text(TOKEN)
    with served(scene.board, access("0.0.0.0", token_file=str(file))) as page:
        for path in ("api/rollouts", "api/rollouts/shop/web", "api/changes?since=0"):
            status, said, _ = await get(session, page.url + path)
            assert (status, said["problem"]) == (401, "token")
        assert (await get(session, page.url))[0] == 200
        assert (await get(session, page.url + "api/rollouts", authorization=f"Bearer {TOKEN}"))[0] == 200
        async with session.post(page.url + "api/session", json={"token": "wrong"}) as answer:
            assert (answer.status, answer.headers.get("set-cookie")) == (401, None)
        async with session.post(page.url + "api/session", data=f"token={TOKEN}") as answer:
            assert answer.status == 422  # no form of another site gets in
        async with session.post(page.url + "api/session", json={"token": TOKEN}) as answer:
            assert answer.status == 204
            cookie = answer.headers["set-cookie"]
        assert cookie.partition("; ")[2] == "Max-Age=43200; HttpOnly; SameSite=Strict"
        assert TOKEN not in cookie
        assert (await get(session, page.url + "api/rollouts"))[0] == 200


async def events(session: aiohttp.ClientSession, url: str, **headers: str) -> AsyncIterator[tuple[str, Any]]:
    """Messages of a stream: the id (or the event's name), and the data."""
    async with session.get(url, headers=headers) as answer:
        assert answer.status == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        fields: dict[str, str] = {}
        async for line in answer.content:
            name, _, value = line.decode().rstrip("\n").partition(": ")
            if name:
                fields[name] = value
            elif "data" in fields:
                yield fields.get("event") or fields["id"], json.loads(fields["data"])
                fields = {}


async def test_changes_come_by_themselves_and_only_these(session: aiohttp.ClientSession) -> None:
    """From the version of the snapshot, with the rollout that is looked at as a whole, and again after a break."""
    board = Board()
    scenes = [Scene(board, "shop", f"web-{n}", **ERRORS).begin().until_step(1) for n in range(3)]
    with served(board, access("127.0.0.1")) as page:
        _, snapshot, _ = await get(session, page.url + "api/rollouts")
        url = f"{page.url}api/changes?since={snapshot['version']}&rollout=shop/web-1"
        async with asyncio.timeout(20):
            changes = events(session, url)
            first, news = await anext(changes)
            assert (list(news), news["whole"]["row"]["key"]) == (["whole"], "shop/web-1")
            page.inside(lambda: scenes[2].until_step(2))
            last, news = await anext(changes)
            assert [row["key"] for row in news["rows"]] == ["shop/web-2"]
            page.inside(lambda: board.forget("shop/web-2"))
            assert (await anext(changes))[1] == {"gone": ["shop/web-2"]}
            await changes.aclose()

            again = events(session, url, **{"last-event-id": last})
            assert {k: v for k, v in (await anext(again))[1].items() if k != "whole"} == {"gone": ["shop/web-2"]}
            await again.aclose()
            stale = events(session, f"{page.url}api/changes?since=00000000-1")
            assert (await anext(stale))[0] == "stale"
            await stale.aclose()
        assert first.partition("-")[0] == board.life
        await _nobody_looks(board)


async def _nobody_looks(board: Board) -> None:
    """Who has gone is forgotten."""
    for _ in range(200):
        if not board.viewers:
            return
        await asyncio.sleep(0.02)
    raise AssertionError("somebody still looks")


@pytest.mark.full
async def test_a_viewer_who_does_not_read_is_let_go_and_keeps_nobody_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """A laptop that was shut must not fill the controller's memory."""
    monkeypatch.setattr(stream, "STUCK", 0.2)
    monkeypatch.setattr(stream, "GATHER", 0.0)
    board = Board()
    scene = Scene(board, "shop", "web", 400, **ERRORS).begin().until_step(1)
    with served(board, access("127.0.0.1")) as page:
        _, writer = await asyncio.open_connection("127.0.0.1", page.port, limit=1024)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        request = f"GET /api/changes?since={board.life}-0&rollout=shop/web HTTP/1.1\r\nhost: localhost\r\n\r\n"
        writer.write(request.encode())
        seen = 0
        for _ in range(300):
            page.inside(lambda: scene.tick(1.0))
            seen = max(seen, board.viewers)
            await asyncio.sleep(0.01)
            if seen and not board.viewers:
                break
        assert (seen, board.viewers) == (1, 0)
        writer.close()


async def test_too_many_viewers_are_refused(
    page: Served, session: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The controller has other things to do."""
    monkeypatch.setattr("controller.web.app.VIEWERS", 0)
    status, said, _ = await get(session, page.url + "api/changes?since=0")
    assert (status, said) == (503, {"problem": "viewers", "words": "0 look already"})
