"""Who may look. Everything the page shows could be read with `get` on Deployments and pods, and is no more public.

On loopback only those who may forward a port (or are in the pod) come this far, and nobody is asked again; but any web
site can make a browser there send requests to a loopback address under a name of its own (DNS rebinding), so the name
has to be one of ours. On any other address somebody has to be known: by the token of a Secret, or by the header of a
proxy that has asked who they are; that header counts only where it comes from that proxy's address.
"""

import hashlib
import hmac
import ipaddress
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
COOKIE = "penstock-page"
SESSION = 12 * 3600.0
"""Seconds for which a browser is not asked for the token again."""

SHORTEST = 16
"""Characters of a token: it is the only thing between the network and the page."""

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class AccessError(ValueError):
    """The settings would leave the page open, or shut, to everybody."""


@dataclass(frozen=True)
class Access:
    """The rules of one page."""

    names: frozenset[str] = frozenset()
    """Host names that are answered; empty: all, which is safe only where somebody has to be known."""
    token: Callable[[], str] | None = None
    """Reads it anew each time, so a Secret can be changed."""
    header: str = ""
    proxies: tuple[Network, ...] = ()

    @property
    def asks(self) -> str:
        """What is asked for: `token`, `proxy`, or nothing."""
        return "token" if self.token else "proxy" if self.header else ""

    def named(self, host: str) -> bool:
        """Whether a Host header is one of our names."""
        return not self.names or name_of(host) in self.names

    def known(self, headers: Mapping[str, str], cookies: Mapping[str, str], peer: str) -> bool:
        """Whether a request comes from somebody who may look."""
        if not self.asks:
            return True
        return self._vouched(headers, peer) or self._bears(headers) or self._remembered(cookies)

    def opens(self, offered: str) -> bool:
        """Whether it is the token."""
        token = self.token() if self.token else ""
        return bool(token) and hmac.compare_digest(offered.encode(), token.encode())

    def session(self, now: float | None = None) -> str:
        """What a browser is given instead of the token; it ends by itself, and with the token."""
        until = f"{(time.time() if now is None else now) + SESSION:.0f}"
        return f"{until}.{self._seal(until)}"

    def _vouched(self, headers: Mapping[str, str], peer: str) -> bool:
        if not self.header or not headers.get(self.header, "").strip():
            return False
        try:
            address = ipaddress.ip_address(peer)
        except ValueError:
            return False
        return any(address in network for network in self.proxies)

    def _bears(self, headers: Mapping[str, str]) -> bool:
        kind, _, offered = headers.get("authorization", "").partition(" ")
        return kind.lower() == "bearer" and self.opens(offered.strip())

    def _remembered(self, cookies: Mapping[str, str]) -> bool:
        until, _, seal = cookies.get(COOKIE, "").partition(".")
        if not self.token or not until.isdecimal() or len(until) > 12 or float(until) < time.time():
            return False
        return hmac.compare_digest(seal.encode(), self._seal(until).encode())

    def _seal(self, until: str) -> str:
        token = self.token() if self.token else ""
        if not token:
            raise AccessError("there is no token")
        return hmac.new(token.encode(), f"page {until}".encode(), hashlib.sha256).hexdigest()


def access(address: str, *, token_file: str = "", header: str = "", proxies: str = "", hosts: str = "") -> Access:
    """From the settings. Raises AccessError where they would let everybody in, or nobody."""
    try:
        loopback = ipaddress.ip_address(address).is_loopback
    except ValueError:
        raise AccessError(f"--page-address is {address!r}; it has to be an IP address, like 127.0.0.1") from None
    if not (loopback or token_file or header):
        raise AccessError(
            f"the page would be open to everybody at {address}: give --page-token-file, or --page-user-header with "
            "--page-proxies, or leave it at 127.0.0.1"
        )
    if bool(header) != bool(proxies):
        raise AccessError("--page-user-header and --page-proxies go together: anybody can send a header")
    token = _reader(Path(token_file)) if token_file else None
    if token and not token():
        raise AccessError(f"{token_file} has no token of at least {SHORTEST} characters")
    wanted = frozenset(name_of(name.strip()) for name in hosts.split(",") if name.strip())
    return Access(wanted | LOOPBACK if loopback or wanted else wanted, token, header.lower(), _networks(proxies))


def name_of(host: str) -> str:
    """A Host header without the port, lower case."""
    host = host.strip().lower()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.rpartition(":")[0] if host.count(":") == 1 else host


def _networks(text: str) -> tuple[Network, ...]:
    try:
        return tuple(ipaddress.ip_network(item.strip()) for item in text.split(",") if item.strip())
    except ValueError as error:
        raise AccessError(f"--page-proxies: {error}") from None


def _reader(file: Path) -> Callable[[], str]:
    """A token that cannot be read, or is too short to be one, opens nothing."""

    def read() -> str:
        try:
            token = file.read_text().strip()
        except (OSError, UnicodeDecodeError):
            return ""
        return token if len(token) >= SHORTEST else ""

    return read
