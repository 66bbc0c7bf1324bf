"""The webhook's life: follow the Secret, serve once it holds a good certificate, say goodbye on SIGTERM.

The only thing that is ever asked of the API server is that one Secret, in the background: no review waits for a request
of ours, so the webhook cannot make an overloaded API server wait for itself.
"""

import asyncio
import signal
import socket
from typing import Any

import structlog

from certs import Serving
from certs.reload import NotYet, Unfit
from certs.store import SECRET
from penstock import __version__
from penstock.kube import Client, Reflector, objects
from penstock.signals.tracing import Tracing
from webhook.app import admission_app, telemetry_app
from webhook.listener import Listener, bound
from webhook.settings import Settings
from webhook.telemetry import Telemetry

log = structlog.get_logger("webhook")


class Webhook:
    """One replica."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.telemetry = Telemetry(Tracing.from_environment("penstock-webhook"))
        self.serving = Serving(settings.names)
        self.listener = Listener(
            admission_app(self.telemetry, self.ready, strict=settings.strict), tls=self.serving.context()
        )
        self._leaving = asyncio.Event()

    def ready(self) -> bool:
        """Whether calls should come here."""
        return self.serving.current is not None and self.listener.started and not self._leaving.is_set()

    async def run(self) -> None:
        """Until SIGTERM or SIGINT, and through the goodbye; a second signal cuts that short."""
        self._listen_to_signals()
        settings = self.settings
        with (
            bound(settings.bind_address, settings.port) as port,
            bound(settings.bind_address, settings.metrics_port) as metrics_port,
        ):
            async with (
                Client.connect(settings.kubeconfig or None, user_agent=f"penstock-webhook/{__version__}") as client,
                asyncio.TaskGroup() as group,
            ):
                following = group.create_task(self._follow(client).run())
                measured = Listener(telemetry_app(self.telemetry, self.ready))
                if settings.metrics_port:
                    group.create_task(measured.serve([metrics_port]))
                if await self._certified():
                    await self._serve(port)
                measured.should_exit = True
                following.cancel()
                await asyncio.to_thread(self.telemetry.tracing.close)

    def take(self, _key: str, _old: dict[str, Any] | None, secret: dict[str, Any] | None) -> None:
        """A version of the Secret. Deleted or unfit, it changes nothing here."""
        try:
            if secret is not None and self.serving.take(secret) and self.serving.current is not None:
                self.telemetry.reloaded(self.serving.current.not_after)
        except NotYet as problem:
            log.info("waiting", problem=str(problem))
        except Unfit as problem:
            self.telemetry.refused(str(problem))

    async def _certified(self) -> bool:
        """Wait for the first certificate; False if we are to leave before."""
        waits = [asyncio.create_task(event.wait()) for event in (self.serving.ready, self._leaving)]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        return not self._leaving.is_set()

    async def _serve(self, port: socket.socket) -> None:
        address, number = port.getsockname()[:2]
        log.info("serving", address=address, port=number)
        leaving = asyncio.create_task(self._leave())
        await self.listener.serve([port])
        leaving.cancel()

    async def _leave(self) -> None:
        await self._leaving.wait()
        log.info("leaving", seconds=self.settings.drain_seconds)
        await self.listener.leave(self.settings.drain_seconds)

    def _listen_to_signals(self) -> None:
        def leave() -> None:
            if self._leaving.is_set():
                self.listener.should_exit = True
            self._leaving.set()

        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, leave)

    def _follow(self, client: Client) -> Reflector:
        path = objects.secrets(self.settings.namespace)
        return Reflector(client, path, {"fieldSelector": f"metadata.name={SECRET}"}, self.take)
