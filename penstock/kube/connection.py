"""One way to the API server: requests out, responses or `Unavailable` back, credentials renewed when refused.

`kubernetes` renews the token of a pod by itself, but reads a kubeconfig's token file, plugin or client certificate
only once; a long-running controller would be locked out when they expire. The API server says so with 401, before it
has done anything, so every verb may be sent again after the credentials were read anew. A renewal is one task that
all refused requests share, and it outlives their deadlines: a slow plugin is not started once per request.

Imported by `Client.connect` only: aiohttp takes 0.3 s to import, which `--help` must not pay.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Mapping
from typing import Any

import aiohttp

from penstock.clock import CLOCK
from penstock.kube.errors import NotConfigured, Unavailable

UNTRUSTED = "Untrusted"
"""Reason where somebody answers, but not with a certificate that the credentials trust."""

RENEWAL_INTERVAL = 10.0
"""Seconds between two attempts: an account that was deleted is refused for ever, and plugins are slow."""

Api = Any
"""kubernetes.aio.client.ApiClient; only transport.py knows it."""


class Answer:
    """A response that fails with our own errors."""

    def __init__(self, response: aiohttp.ClientResponse, request: str) -> None:
        self._response = response
        self._request = request
        self.status = response.status
        self.phrase = response.reason or ""
        self.headers: Mapping[str, str] = response.headers

    async def read(self) -> bytes:
        """The whole body."""
        with _translated(self._request):
            return await self._response.read()

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """The body as it comes."""
        with _translated(self._request):
            async for chunk in self._response.content.iter_any():
                yield chunk


class Connection:
    """Opens responses. `load` gives a fresh ApiClient with the credentials as they are now."""

    def __init__(self, api: Api, load: Callable[[], Awaitable[Api]]) -> None:
        self._api = api
        self._load = load
        self._retired: Api | None = None
        self._renewal: asyncio.Task[None] | None = None
        self._tried = -RENEWAL_INTERVAL

    async def close(self) -> None:
        """End the connections, also those of the credentials before."""
        if self._renewal is not None:
            self._renewal.cancel()
            await asyncio.wait((self._renewal,))
        for api in (self._api, self._retired):
            if api is not None:
                await api.close()

    @contextlib.asynccontextmanager
    async def answer(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any],
        headers: Mapping[str, str],
        body: Any = None,
        *,
        idle: float | None = None,
        request: str,
    ) -> AsyncIterator["Answer"]:
        """The answer, its body unread. Left early its connection is closed, read to the end it is used again.

        There is no deadline here: the caller has it. `idle` bounds the silence between two parts of the body.
        """
        asked = time.time()
        with _translated(request):
            response = await self._send(method, path, query, headers, body, idle)
        CLOCK.answered(response.headers.get("Date"), asked, time.time())
        try:
            yield Answer(response, request)
        finally:
            response.close()

    async def _send(self, *arguments: Any) -> aiohttp.ClientResponse:
        api = self._api
        try:
            answer = await _sent(api, *arguments)
        except aiohttp.ClientConnectorCertificateError:  # the cluster's CA may have been replaced
            if not await self._renewed(api):
                raise
            return await _sent(self._api, *arguments)
        if answer.status == 401 and await self._renewed(api):
            answer.close()
            return await _sent(self._api, *arguments)
        return answer

    async def _renewed(self, used: Api) -> bool:
        """Whether there are newer credentials than those `used`, so that another try makes sense."""
        if self._api is not used:
            return True
        if self._renewal is None:
            if time.monotonic() - self._tried < RENEWAL_INTERVAL:
                return False
            self._renewal = asyncio.create_task(self._renew())
        try:
            await asyncio.shield(self._renewal)
        except NotConfigured:
            return False
        return True

    async def _renew(self) -> None:
        try:
            fresh = await self._load()
            expired, self._retired, self._api = self._retired, self._api, fresh
            if expired is not None:  # kept one renewal long: watches opened with it go on
                await expired.close()
        finally:
            self._tried, self._renewal = time.monotonic(), None


async def _sent(
    api: Api,
    method: str,
    path: str,
    query: Mapping[str, Any],
    headers: Mapping[str, str],
    body: Any,
    idle: float | None,
) -> aiohttp.ClientResponse:
    verb, url, sent, _, _ = await api.param_serialize(
        method, path, query_params=dict(query), header_params=dict(headers), auth_settings=["BearerToken"]
    )
    timeout = aiohttp.ClientTimeout(total=None, sock_read=idle)
    answer = await api.call_api(verb, url, sent, body, _request_timeout=timeout)
    response: aiohttp.ClientResponse = answer.response
    return response


@contextlib.contextmanager
def _translated(request: str) -> Iterator[None]:
    """Every way in which a connection fails becomes `Unavailable`; nothing of aiohttp leaves this package."""
    try:
        yield
    except aiohttp.SocketTimeoutError as error:
        raise Unavailable(0, "Silent", "the API server has gone silent", request=request) from error
    except aiohttp.ClientSSLError as error:
        raise Unavailable(0, UNTRUSTED, str(error), request=request) from error
    except (aiohttp.ClientError, OSError) as error:
        raise Unavailable(0, "NoAnswer", str(error) or type(error).__name__, request=request) from error
