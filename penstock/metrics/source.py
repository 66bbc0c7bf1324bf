"""What the judge asks of a source of metrics, and of which pods.

Several checks are asked at once, so that a pod is scraped once for all of them.
"""

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from penstock.core.histogram import Spread
from penstock.core.patch import value_at
from penstock.core.queries import Errors, Limit, Slow
from penstock.core.reading import Reading, Scalar

Check = Errors | Slow

SCRAPE = "prometheus.io/scrape"
PORT, PATH, SCHEME = "prometheus.io/port", "prometheus.io/path", "prometheus.io/scheme"


@dataclass(frozen=True)
class Target:
    """A pod and, where it says so, the place at which it shows its metrics. A pod that has gone is only its name."""

    namespace: str
    name: str
    new: bool = False
    ip: str = ""
    port: int | None = None
    path: str = "/metrics"
    scheme: str = "http"

    @property
    def scrapeable(self) -> bool:
        """Whether it can be asked directly."""
        return self.port is not None and bool(self.ip)

    @classmethod
    def of(cls, pod: Mapping[str, Any], new: bool) -> "Target":
        """From the API object: its annotations, else a container's port named `metrics`."""
        meta = pod["metadata"]
        notes = meta.get("annotations") or {}
        namespace, name, ip = meta["namespace"], meta["name"], _address(value_at(pod, ("status", "podIP")))
        wanted = notes.get(SCRAPE, "").lower()
        port = (_port(notes.get(PORT)) if wanted == "true" else None) or _named(pod)
        path, scheme = notes.get(PATH) or "/metrics", (notes.get(SCHEME) or "http").lower()
        if wanted == "false" or not _is_path(path) or scheme not in ("http", "https"):
            return cls(namespace, name, new, ip)
        return cls(namespace, name, new, ip, port, path, scheme)


def _address(text: Any) -> str:
    """A pod's own address, if it can be one: status is written by kubelets, and forged ones lead to loopback or to
    a cloud's metadata, also in an IPv6 address that is a tunnel to an IPv4 one."""
    try:
        ip = ipaddress.ip_address(text or "")
    except ValueError:
        return ""
    forged = ip.is_loopback or ip.is_link_local or ip.is_multicast or ip.is_unspecified or ip.is_reserved
    hidden = any(getattr(ip, way, None) for way in ("ipv4_mapped", "sixtofour", "teredo", "scope_id"))
    return "" if forged or hidden else str(ip)


def _port(text: str | None) -> int | None:
    plausible = text is not None and text.isascii() and text.isdigit() and len(text) <= 5
    return int(text or 0) if plausible and 0 < int(text or 0) < 65536 else None


def _named(pod: Mapping[str, Any]) -> int | None:
    ports = [port for c in value_at(pod, ("spec", "containers")) or [] for port in c.get("ports") or []]
    return next((port["containerPort"] for port in ports if port.get("name") == "metrics"), None)


def _is_path(text: str) -> bool:
    """Nothing that ends the path's part of an address or the request's line."""
    return text.startswith("/") and len(text) <= 512 and all("!" <= c <= "~" and c not in '#\\"' for c in text)


class Source(Protocol):
    """Never raises for what the other side does: trouble is part of the answer."""

    async def read(self, checks: Sequence[Check], pods: Sequence[Target]) -> tuple[Reading, ...]:
        """Raw counters now, one reading for each check. A Slow check has its bound."""

    async def history(self, check: Check, pods: Sequence[Target], since: float, step: float) -> tuple[Reading, ...]:
        """What `read` would have said every STEP seconds from SINCE until now, the oldest first; empty where a
        source remembers nothing. One reading with trouble where it could not be had."""

    async def scalar(self, check: Limit, values: Mapping[str, str]) -> Scalar:
        """A limit's number now; VALUES as `promql.values` makes them."""

    async def spreads(self, check: Slow, pods: Sequence[Target]) -> tuple[Spread, ...]:
        """How long requests took so far, by pod: for `histogram.choose_bound`. Empty where nothing is known."""
