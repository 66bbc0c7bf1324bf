"""The two HTTP faces of the webhook: reviews over TLS for the API server, health and metrics over plain HTTP.

The admission paths are plain routes of the FastAPI application. Its typed routes validate with pydantic and would take
2.8 times the CPU (measured), for two bodies that `review` decodes anyway. There is no documentation page: the port is
open to every pod of the cluster, and what it offers is written down elsewhere.
"""

import time
from collections.abc import Awaitable, Callable

import msgspec
from fastapi import FastAPI
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response

from penstock.core.admission import Request as Asked
from penstock.signals import instruments
from webhook.decisions import Decide, decisions, failed
from webhook.review import Answer, Malformed, decode, encode
from webhook.telemetry import Telemetry

BODY_LIMIT = 7 * 1024 * 1024
"""Bytes. An UPDATE carries two objects, and the API server takes up to 3 MiB for each."""

JSON = "application/json"

Handler = Callable[[Request], Awaitable[Response]]


class TooLarge(Exception):
    """A body over the limit; nothing of it is kept."""


def admission_app(telemetry: Telemetry, ready: Callable[[], bool], *, strict: bool) -> FastAPI:
    """What is served over TLS."""
    app = FastAPI(openapi_url=None)
    for path, decide in decisions(strict=strict).items():
        app.add_route(path, _admission(path, decide, telemetry), methods=["POST"])
    _add_health(app, ready)
    return app


def telemetry_app(telemetry: Telemetry, ready: Callable[[], bool]) -> FastAPI:
    """What is served on the second port."""
    app = FastAPI(openapi_url=None)

    async def metrics(_: Request) -> Response:
        return Response(instruments.exposition(telemetry.registry), media_type=instruments.CONTENT_TYPE)

    app.add_route("/metrics", metrics)
    _add_health(app, ready)
    return app


def _add_health(app: FastAPI, ready: Callable[[], bool]) -> None:
    async def healthy(_: Request) -> Response:
        return PlainTextResponse("ok")

    async def readiness(_: Request) -> Response:
        return PlainTextResponse("ok") if ready() else PlainTextResponse("not ready", 503)

    app.add_route("/healthz", healthy)
    app.add_route("/readyz", readiness)


def _admission(path: str, decide: Decide, telemetry: Telemetry) -> Handler:
    async def handle(request: Request) -> Response:
        try:
            body = await _body(request)
        except TooLarge:
            telemetry.malformed(path, "TooLarge")
            return _refused(413, f"a review of more than {BODY_LIMIT} bytes is not read")
        except ClientDisconnect:
            return _refused(400, "the body ended early")
        begun = time.perf_counter()
        try:
            asked = decode(body)
        except Malformed as problem:
            telemetry.malformed(path, "Malformed")
            if not problem.uid:
                return _refused(400, str(problem))
            return Response(encode(problem.uid, failed(path, str(problem))), media_type=JSON)
        answer, text = _answered(path, decide, asked, telemetry)
        caller = request.headers.get("traceparent", "")
        telemetry.answered(path, asked, answer, time.perf_counter() - begun, caller)
        return Response(text, media_type=JSON)

    return handle


def _answered(path: str, decide: Decide, asked: Asked, telemetry: Telemetry) -> tuple[Answer, bytes]:
    try:
        answer = decide(asked)
        return answer, encode(asked.uid, answer)
    except Exception as error:  # the outermost: whatever it is, it must not stop a deployment
        telemetry.broken(path, asked, error)
        answer = failed(path, "an internal error, which is in the webhook's log")
        return answer, encode(asked.uid, answer)


async def _body(request: Request) -> bytes:
    """The body, or TooLarge as soon as that is known: before the first byte where the length is announced."""
    announced = request.headers.get("content-length", "0")
    if announced.isdecimal() and int(announced) > BODY_LIMIT:
        raise TooLarge
    chunks, length = [], 0
    async for chunk in request.stream():
        chunks.append(chunk)
        length += len(chunk)
        if length > BODY_LIMIT:
            raise TooLarge
    return b"".join(chunks)


def _refused(code: int, message: str) -> Response:
    """An answer that is no review, in the form that every Kubernetes client can show; the connection ends with it."""
    status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "message": message}
    return Response(msgspec.json.encode(status), code, {"connection": "close"}, JSON)
