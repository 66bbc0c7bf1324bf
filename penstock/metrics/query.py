"""Prometheus' query API: one question, one checked answer, or Trouble with the reason in our own words.

What a server says is repeated in one case only: the place of a syntax error in a query, which its author needs.
"""

import math
import re
import ssl
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import aiohttp
import msgspec
from yarl import URL

from penstock.metrics import web
from penstock.metrics.aside import BYTES, aside
from penstock.metrics.configuration import Prometheus
from penstock.metrics.web import Trouble

SECONDS = 5.0
CAP = 1024 * 1024
CAP_RAW = 10 * CAP
MOST = 20_000
"""Series of one answer: forty pods with 500 each."""

KINDS = ("timeout", "canceled", "execution", "bad_data", "internal", "unavailable", "not_found")
_SYNTAX = re.compile(r'(?:invalid parameter "query": )?(\d+:\d+: parse error: [ -~]{1,120})')

Point = tuple[float, str]

T = TypeVar("T")


class Histogram(msgspec.Struct, frozen=True):
    """A native histogram's sample; each bucket is rule, low, high, count."""

    count: str
    buckets: list[tuple[int, str, str, str]] = []


class Instant(msgspec.Struct, frozen=True):
    """A series with one value."""

    metric: dict[str, str]
    value: Point | None = None


class Raw(msgspec.Struct, frozen=True):
    """A series with its samples as they were scraped."""

    metric: dict[str, str]
    values: list[Point] = []
    histograms: list[tuple[float, Histogram]] = []


class _Data(msgspec.Struct, frozen=True):
    resultType: str
    result: msgspec.Raw


class _Envelope(msgspec.Struct, frozen=True):
    status: str
    data: _Data | None = None
    errorType: str = ""
    error: str = ""
    warnings: list[str] | None = None


_ENVELOPE = msgspec.json.Decoder(_Envelope)
_VECTOR = msgspec.json.Decoder(list[Instant])
_MATRIX = msgspec.json.Decoder(list[Raw])
_SCALAR = msgspec.json.Decoder(Point)


class Api:
    """One server, with what its administrator configured."""

    def __init__(self, settings: Prometheus) -> None:
        self.settings = settings
        self._url = URL(settings.url.rstrip("/") + "/api/v1/query")
        self._client = web.session(20, reuse=True)
        self._tls: tuple[tuple[int, int], ssl.SSLContext] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        await self._client.close()

    async def raw(self, query: str) -> list[Raw]:
        """The samples of a range selector. Raises Trouble."""
        kind, result = await self._ask(query, CAP_RAW)
        if kind != "matrix":
            raise Trouble("Prometheus answers with something else than samples")
        return await aside(len(result) // BYTES, _matrix, result)

    async def number(self, query: str) -> float | None:
        """The one number of a query; None where it finds no series. Raises Trouble."""
        kind, result = await self._ask(query, CAP)
        if kind == "scalar":
            return _finite(_decoded(_SCALAR, result)[1])
        if kind != "vector":
            raise Trouble(f"the query gives {_printable(kind)}, expected one number")
        found = _decoded(_VECTOR, result)
        if not found:
            return None
        if len(found) > 1:
            raise Trouble(f"the query gives {len(found)} series, expected one; put max(), min() or sum() around it")
        if found[0].value is None:
            raise Trouble("the query gives a histogram, expected one number")
        return _finite(found[0].value[1])

    async def _ask(self, query: str, cap: int) -> tuple[str, msgspec.Raw]:
        form = {"query": query, "timeout": f"{SECONDS - 1:g}s"}
        try:
            answer = await web.ask(
                self._client, self._url, seconds=SECONDS, cap=cap, headers=self._headers(), tls=self._trust(), form=form
            )
        except Trouble as trouble:
            raise Trouble(f"Prometheus: {trouble}") from None
        if answer.status in (401, 403):
            raise Trouble(f"Prometheus refuses our credentials (HTTP {answer.status})")
        try:
            said = _ENVELOPE.decode(answer.body)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            status = f"HTTP {answer.status}, " if answer.status != 200 else ""
            raise Trouble(f"Prometheus: {status}an answer that is not understood") from None
        if said.status != "success" or answer.status != 200 or said.data is None:
            raise Trouble(f"Prometheus: {_refusal(answer.status, said)}")
        if any(not warning.startswith("PromQL info") for warning in said.warnings or ()):
            raise Trouble("Prometheus warns that the answer is not complete")
        return said.data.resultType, said.data.result

    def _headers(self) -> Mapping[str, str]:
        """From their files, now."""
        own = self.settings
        headers = {name: _content(file) for name, file in own.header_files.items()}
        if own.bearer_token_file:
            headers["Authorization"] = f"Bearer {_content(own.bearer_token_file)}"
        if own.basic_auth:
            password = _content(own.basic_auth.password_file)
            headers["Authorization"] = aiohttp.encode_basic_auth(own.basic_auth.username, password, "utf-8")
        if own.tenant:
            headers["X-Scope-OrgID"] = own.tenant
        return {"Accept": "application/json", "User-Agent": "penstock", **headers}

    def _trust(self) -> ssl.SSLContext | None:
        """The configured authority, read again when its file has changed."""
        if not self.settings.ca_file:
            return None
        try:
            state = Path(self.settings.ca_file).stat()
            version = (state.st_mtime_ns, state.st_size)
            if self._tls is None or self._tls[0] != version:
                self._tls = version, ssl.create_default_context(cafile=self.settings.ca_file)
        except (OSError, ssl.SSLError):
            raise Trouble(f"{self.settings.ca_file} cannot be read as certificates") from None
        return self._tls[1]


def _content(file: str) -> str:
    try:
        with open(file, "rb") as stream:
            text = stream.read(16 * 1024).decode().strip()
    except (OSError, UnicodeDecodeError):
        raise Trouble(f"{file} cannot be read") from None
    if not text or not text.isprintable():
        raise Trouble(f"{file} holds nothing that can be sent in a header")
    return text


def _decoded(decoder: msgspec.json.Decoder[T], raw: msgspec.Raw) -> T:
    try:
        return decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise Trouble("Prometheus: an answer that is not understood") from None


def _matrix(result: msgspec.Raw) -> list[Raw]:
    found = _decoded(_MATRIX, result)
    if len(found) > MOST:
        raise Trouble(f"Prometheus answers with more than {MOST} series")
    for each in found:
        if not all(map(math.isfinite, (p[0] for p in (*each.values, *each.histograms)))):
            raise Trouble("Prometheus answers with a time that is none")
    return found


def _finite(text: str) -> float:
    value = number(text)
    if not math.isfinite(value):
        raise Trouble("the query gives no finite number")
    return value


def number(text: str) -> float:
    """A sample's value; what is no number is NaN, and so never used."""
    try:
        return math.nan if "_" in text else float(text)
    except ValueError:
        return math.nan


def _refusal(status: int, said: _Envelope) -> str:
    kind = f" ({said.errorType})" if said.errorType in KINDS else ""
    syntax = _SYNTAX.match(said.error) if said.errorType == "bad_data" else None
    return f"HTTP {status}{kind}" if syntax is None else f"the query is wrong: {syntax[1]}"


def _printable(kind: str) -> str:
    return kind if kind in ("matrix", "string") else "something unknown"
