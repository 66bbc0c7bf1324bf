"""What every request passes before the page's routes: its name, its prefix, who it is from; and what every answer says.

Plain ASGI and not a middleware class of Starlette: those hold a stream of changes back until it ends, or copy it.
"""

import re
from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from controller.web.access import Access, AccessError

PREFIX = re.compile(r"(?:/[A-Za-z0-9._~-]+)*")
"""What a path prefix may be: it becomes a part of the document, and `//host` would be another one."""

OPEN = frozenset({"/api/session", "/api/openapi.json"})
"""Under /api/, where nobody has to be known. Outside of it there are only files that stand in the repository."""

HEADERS = {
    "content-security-policy": "default-src 'self'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}


class Door:
    """Around the application."""

    def __init__(self, app: ASGIApp, access: Access, prefix: str = "") -> None:
        self.app, self.access, self.prefix = app, access, prefix.rstrip("/")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        headers = Headers(scope=scope)
        refused = self._refused(scope, headers)
        if refused is not None:
            await refused(scope, receive, _marked(send))
            return
        path = self._within(scope["path"])
        await self.app({**scope, "path": path, "raw_path": path.encode()}, receive, _marked(send))

    def _within(self, path: str) -> str:
        """Where the proxy in front leaves its prefix on."""
        if self.prefix and (path == self.prefix or path.startswith(f"{self.prefix}/")):
            return path[len(self.prefix) :] or "/"
        return str(path)

    def _refused(self, scope: Scope, headers: Headers) -> JSONResponse | None:
        host = headers.get("host", "")
        if not self.access.named(host):
            words = f"this page is not called {host[:100]!r}; names that it answers to: --page-hosts"
            return JSONResponse({"problem": "host", "words": words}, 421)
        path = self._within(scope["path"])
        if not path.startswith("/api/") or path in OPEN:
            return None
        peer = (scope.get("client") or ("", 0))[0]
        try:
            known = self.access.known(headers, _cookies(headers), peer)
        except AccessError:
            known = False
        if known:
            return None
        words = "the token is asked for" if self.access.asks == "token" else "only the proxy's users may look"
        return JSONResponse({"problem": self.access.asks, "words": words}, 401)


def _marked(send: Send) -> Send:
    async def marked(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
            headers.setdefault("cache-control", "no-store")
        await send(message)

    return marked


def _cookies(headers: Headers) -> Mapping[str, str]:
    try:
        return {name: morsel.value for name, morsel in SimpleCookie(headers.get("cookie", "")).items()}
    except CookieError:
        return {}


def base_of(headers: Headers, prefix: str) -> str:
    """The prefix under which a browser sees us: as configured, else as the proxy in front says; empty without one."""
    told = (prefix or headers.get("x-forwarded-prefix", "")).rstrip("/")
    return told if PREFIX.fullmatch(told) else ""
