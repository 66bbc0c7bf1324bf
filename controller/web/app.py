"""The page's routes: its files, a snapshot, one rollout, and the changes. All of them read.

The bodies are encoded by msgspec and not by FastAPI, whose models would be built anew for each of 500 rollouts; the
types stand in the routes for the OpenAPI document, which is at api/openapi.json.
"""

import asyncio
import hashlib
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import msgspec
from fastapi import FastAPI, Header, Query
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from controller.web.access import COOKIE, SESSION, Access
from controller.web.board import Board
from controller.web.door import Door, base_of
from controller.web.leadership import Leadership
from controller.web.stream import VIEWERS, Stream
from controller.web.view import Result, Row, Whole
from penstock import __version__

STATIC = Path(__file__).parent / "static"
KINDS = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
WRONG = 1.0
"""Seconds until the answer to a wrong token, one after the other."""

LONGEST_TOKEN = 4096
_VERSION = re.compile(r"([0-9a-f]{8})-(\d{1,15})")


@dataclass(frozen=True)
class Snapshot:
    """All active rollouts and the last results."""

    version: str
    """To be given to api/changes as `since`."""
    identity: str
    """The controller that answers."""
    time: float
    rollouts: list[Row]
    results: list[Result]


@dataclass(frozen=True)
class Problem:
    """Why there is no answer."""

    problem: str
    words: str


@dataclass(frozen=True)
class Token:
    """What is typed into the page's only field."""

    token: str


REFUSALS: dict[int | str, dict[str, Any]] = {
    401: {"model": Problem, "description": "The token, or the proxy's header, is missing."},
    503: {"model": Problem, "description": "Another controller leads, or this one has just begun."},
}


def page(board: Board, leadership: Leadership, access: Access, prefix: str = "") -> ASGIApp:
    """The application, with the door in front of it."""
    app = FastAPI(
        title="Penstock's page",
        version=__version__,
        description="What the controller knows of active rollouts. Read only.",
        openapi_url="/api/openapi.json",
        docs_url=None,  # both load scripts from elsewhere
        redoc_url=None,
    )
    _add_files(app, prefix)
    _add_rollouts(app, board, leadership)
    _add_session(app, access)
    return Door(app, access, prefix)


def _add_rollouts(app: FastAPI, board: Board, leadership: Leadership) -> None:
    @app.get("/api/rollouts", response_model=Snapshot, responses=REFUSALS)
    async def rollouts() -> Response:
        """All active rollouts, and the last results."""
        if not leadership.leads():
            return _elsewhere(leadership)
        version = f"{board.life}-{board.version}"
        rows = await board.rows()
        return _json(Snapshot(version, leadership.identity, board.clock(), rows, list(board.results)))

    @app.get("/api/rollouts/{namespace}/{name}", response_model=Whole, responses={404: {"model": Problem}, **REFUSALS})
    async def rollout(namespace: str, name: str) -> Response:
        """One rollout: pods, steps, evidence over time, decisions, and commands to act."""
        if not leadership.leads():
            return _elsewhere(leadership)
        found = board.whole(f"{namespace}/{name}")
        if found is None:
            return _json(Problem("none", f"{namespace}/{name} has no active rollout"), 404)
        return _json(found)

    @app.get("/api/changes", response_class=Response, responses={200: {"content": {"text/event-stream": {}}}})
    async def changes(
        since: Annotated[str, Query(description="The version of a snapshot.")],
        rollout: Annotated[str, Query(description="NAMESPACE/NAME of one that is followed as a whole.")] = "",
        last_event_id: Annotated[str, Header()] = "",
    ) -> Any:
        """Server-sent events: `{"rows": [...], "gone": [...], "results": [...], "whole": {...}}`, only what changed.
        The event `stale` says that a new snapshot has to be read."""
        if not leadership.leads():
            return _elsewhere(leadership)
        if board.viewers >= VIEWERS:
            return _json(Problem("viewers", f"{VIEWERS} look already"), 503)
        match = _VERSION.fullmatch(last_event_id) or _VERSION.fullmatch(since)
        life, version = (match[1], int(match[2])) if match else ("", 0)
        return _Streamed(Stream(board, life, version, rollout, leadership.leads))


class _Streamed(Response):
    """FastAPI wants a Response; this one is the stream itself."""

    def __init__(self, stream: Stream) -> None:
        super().__init__()
        self.stream = stream

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.stream(scope, receive, send)


def _add_session(app: FastAPI, access: Access) -> None:
    turn = asyncio.Lock()

    @app.get("/api/session")
    async def asked(request: Request) -> Response:
        """What is asked of a viewer."""
        return _json({"asks": access.asks})

    @app.post("/api/session", status_code=204, response_class=Response, responses={401: {"model": Problem}})
    async def begin(request: Request, given: Token) -> Response:
        """Exchange the token for a cookie. Its path is that of the API, under whatever prefix."""
        if not access.opens(given.token[:LONGEST_TOKEN]):
            async with turn:
                await asyncio.sleep(WRONG)
            return _json(Problem("token", "this is not the token"), 401)
        secure = request.headers.get("x-forwarded-proto", request.url.scheme) == "https"
        answer = Response(status_code=204)
        flags = f"Max-Age={SESSION:.0f}; HttpOnly; SameSite=Strict{'; Secure' if secure else ''}"
        answer.headers["set-cookie"] = f"{COOKIE}={access.session()}; {flags}"  # no Path: the directory of this one
        return answer

    @app.delete("/api/session", status_code=204, response_class=Response)
    async def end() -> Response:
        """Forget the cookie."""
        answer = Response(status_code=204)
        answer.headers["set-cookie"] = f"{COOKIE}=; Max-Age=0; HttpOnly; SameSite=Strict"
        return answer


def _add_files(app: FastAPI, prefix: str) -> None:
    async def index(request: Request) -> Response:
        base = base_of(request.headers, prefix)
        text = _files()["index.html"][0].decode()
        return Response(
            text.replace("<!--base-->", f'<base href="{base}/">' if base else ""), media_type=KINDS[".html"]
        )

    async def file(request: Request) -> Response:
        found = _files().get(request.path_params["name"])
        if found is None:
            return _json(Problem("none", "there is no such file"), 404)
        body, mark = found
        headers = {"etag": mark, "cache-control": "no-cache"}
        if request.headers.get("if-none-match") == mark:
            return Response(status_code=304, headers=headers)
        return Response(body, headers=headers, media_type=KINDS[Path(request.path_params["name"]).suffix])

    app.add_route("/", index)
    app.add_route("/{name}", file)


@cache
def _files() -> dict[str, tuple[bytes, str]]:
    """The page's files and what tells their versions apart, read once."""
    bodies = {path.name: path.read_bytes() for path in STATIC.iterdir() if path.suffix in KINDS}
    return {name: (body, f'"{hashlib.sha256(body).hexdigest()[:16]}"') for name, body in bodies.items()}


def _elsewhere(leadership: Leadership) -> Response:
    return _json(Problem("leader", leadership.elsewhere), 503)


def _json(body: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(body), status, media_type="application/json")
