"""Does the webhook answer where the API server calls it, with what the API server trusts? Asked once a minute.

A failed rotation, a wrong Service or a NetworkPolicy silently ends all gating, for admission fails open. So the whole
way is tried, from outside: name, port, a handshake that trusts only the caBundle in the configuration, one answer.
"""

import asyncio
import ssl
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

import structlog

from certs.inject import Configuration
from certs.metrics import Metrics
from certs.probe import of_url

EVERY, SOONER = 60.0, 10.0
PATIENCE = 5.0
"""Seconds."""
REQUEST = "GET /readyz HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"

log = structlog.get_logger("certs")

Way = tuple[str, int, bytes]
"""Host, port and trusted CAs."""


async def probe(configurations: Iterable[Configuration]) -> str:
    """What is wrong with the way to the webhook; empty where it is whole."""
    ways = sorted(set(_ways(configurations)))
    if not ways:
        return "no webhook is configured"
    problems = await asyncio.gather(*(_problem(*way) for way in ways))
    return "; ".join(filter(None, problems))


async def probing(configurations: Callable[[], Iterable[Configuration]], metrics: Metrics) -> NoReturn:
    """Ask for ever. What is not whole is asked again sooner, so that it is not called broken for longer than it is."""
    known: str | None = None
    while True:
        problem = await probe(configurations())
        metrics.self_probe.set(not problem)
        if problem != known:
            log.warning("self-probe failed", problem=problem) if problem else log.info("self-probe succeeded")
        known = problem
        await asyncio.sleep(SOONER if problem else EVERY)


def _ways(configurations: Iterable[Configuration]) -> Iterable[Way]:
    for configuration in configurations:
        for webhook in configuration.webhooks:
            yield (*_place(webhook.target), webhook.trusted)


def _place(target: dict[str, Any]) -> tuple[str, int]:
    service = target.get("service")
    if service:
        return f"{service.get('name')}.{service.get('namespace')}.svc", service.get("port") or 443
    return of_url(target.get("url") or "")


async def _problem(host: str, port: int, trusted: bytes) -> str:
    where = f"{host}:{port}"
    if not trusted:
        return f"{where}: nothing is trusted yet"
    try:
        context = ssl.create_default_context(cadata=trusted.decode("ascii"))
        async with asyncio.timeout(PATIENCE):
            reader, writer = await asyncio.open_connection(host, port, ssl=context)
            try:
                writer.write(REQUEST.format(host=host).encode("ascii"))
                line = await reader.readline()
            finally:
                writer.transport.abort()
    except (OSError, TimeoutError, ValueError) as error:  # ssl.SSLError is an OSError
        return f"{where}: {error or type(error).__name__}"
    return "" if line.split(b" ")[1:2] == [b"200"] else f"{where}: not ready"
