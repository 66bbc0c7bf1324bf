"""The sources there are, and which of them a workload's annotation allows."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from controller.sources.pods import Pods
from penstock.metrics.configuration import Configuration
from penstock.metrics.prometheus import Prometheus
from penstock.metrics.source import Source


@dataclass(frozen=True)
class Sources:
    """The sources there are."""

    pods: Pods
    prometheus: Prometheus | None = None

    def options(self, wanted: str, scrapeable: bool) -> list[tuple[str, Source]]:
        """Those that a workload's `source` allows, the better one first."""
        options: list[tuple[str, Source]] = []
        if wanted in ("auto", "prometheus") and self.prometheus:
            options.append(("prometheus", self.prometheus))
        if wanted == "pods" or (wanted == "auto" and (scrapeable or not options)):
            options.append(("pods", self.pods))
        return options


@contextlib.asynccontextmanager
async def sources(configuration: Configuration) -> AsyncIterator[Sources]:
    """The sources that a configuration names."""
    async with contextlib.AsyncExitStack() as stack:
        pods = await stack.enter_async_context(Pods())
        server = configuration.prometheus
        yield Sources(pods, await stack.enter_async_context(Prometheus(server)) if server else None)
