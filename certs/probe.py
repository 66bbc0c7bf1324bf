"""Which certificate does every replica serve? A handshake with each of them tells, so they need no right to write.

Asked only when a former CA could leave the bundle, once in months. A replica that does not answer counts as one that
serves something unknown: the former CA then stays, which costs nothing.
"""

import asyncio
import hashlib
import ssl
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import urlsplit

from certs.inject import Configuration
from penstock.kube import ApiError, Client, objects

SLICES = "/apis/discovery.k8s.io/v1"
PATIENCE = 5.0
UNKNOWN = "unknown"

Address = tuple[str, int]


async def served(client: Client, configurations: Iterable[Configuration]) -> frozenset[str]:
    """Fingerprints of all certificates that are served where the configurations point to."""
    targets = [webhook.target for found in configurations for webhook in found.webhooks]
    urls = {of_url(target["url"]) for target in targets if target.get("url")}
    services = {_of_service(target["service"]) for target in targets if target.get("service")}
    try:
        pods = [await _pods(client, *service) for service in sorted(services)]
    except ApiError:
        return frozenset({UNKNOWN})
    addresses = urls.union(*pods)
    return frozenset(await asyncio.gather(*(fingerprint(*address) for address in sorted(addresses))))


async def fingerprint(host: str, port: int) -> str:
    """SHA-256 of the certificate that is served there. It is only looked at, so nothing is verified."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        async with asyncio.timeout(PATIENCE):
            _, writer = await asyncio.open_connection(host, port, ssl=context)
    except (OSError, TimeoutError):
        return UNKNOWN
    shown: bytes = writer.get_extra_info("ssl_object").getpeercert(binary_form=True) or b""
    writer.transport.abort()
    return hashlib.sha256(shown).hexdigest()


async def _pods(client: Client, namespace: str, name: str) -> set[Address]:
    path = f"{SLICES}/namespaces/{namespace}/endpointslices"
    found = await client.get(path, labelSelector=f"kubernetes.io/service-name={name}")
    return {address for item in found.get("items") or () for address in addresses(item)}


def addresses(item: dict[str, Any]) -> Iterator[Address]:
    """The addresses of an EndpointSlice that may get calls; one that is shutting down still may."""
    ports = [port["port"] for port in item.get("ports") or () if port.get("port")]
    for endpoint in item.get("endpoints") or ():
        if objects.at(endpoint, "conditions", "serving", default=True):
            yield from ((address, port) for address in endpoint.get("addresses") or () for port in ports)


def of_url(url: str) -> Address:
    """Host and port of a webhook that is configured by its URL."""
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or 443


def _of_service(service: dict[str, Any]) -> tuple[str, str]:
    return str(service.get("namespace")), str(service.get("name"))
