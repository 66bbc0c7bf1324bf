"""Writes down every event of the demo's Deployment, its ReplicaSets and its pods, and lets the story wait for one.

Waiting is by event, not by asking now and then: the window in which the controller is to be killed is open for some
hundred milliseconds.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Any

from penstock.kube import Client, Reflector, objects
from sandbox.demo.history import Cluster, Deployment, Event, Fact, Pod, ReplicaSet

KINDS: dict[type[Fact], Callable[[str], str]] = {
    Deployment: objects.deployments,
    ReplicaSet: objects.replicasets,
    Pod: objects.pods,
}


class TookTooLong(Exception):
    """What was waited for did not happen in time."""


class Recorder:
    """`events` as they came; `now` is the cluster as far as has been heard."""

    def __init__(self, client: Client, namespace: str, selector: str) -> None:
        self.events: list[Event] = []
        self.now = Cluster()
        self.newest = 0
        """The highest revision that was heard of."""
        self._waiting: list[tuple[Callable[[Cluster], bool], asyncio.Future[Cluster]]] = []
        self._reflectors = [
            Reflector(client, path(namespace), {"labelSelector": selector}, self._listener(kind))
            for kind, path in KINDS.items()
        ]

    async def run(self) -> None:
        """Follow until cancelled."""
        async with asyncio.TaskGroup() as group:
            for reflector in self._reflectors:
                group.create_task(reflector.run())

    async def until(self, holds: Callable[[Cluster], bool], patience: float, what: str) -> Cluster:
        """The cluster at the first event, from now on, at which it HOLDS; TookTooLong names WHAT was waited for."""
        if holds(self.now):
            return self.now
        future: asyncio.Future[Cluster] = asyncio.get_running_loop().create_future()
        self._waiting.append((holds, future))
        try:
            async with asyncio.timeout(patience):
                return await future
        except TimeoutError:
            raise TookTooLong(f"{what}: not within {patience:.0f} s") from None
        finally:
            self._waiting.remove((holds, future))

    def _listener(self, kind: type[Fact]) -> Callable[[str, Any, Any], None]:
        def changed(key: str, old: Any, new: Any) -> None:
            # A deletion does not tell its revision; it came after everything that this watch has told.
            revision = int(objects.version(new or old))
            self.newest = max(self.newest, revision)
            fact = kind.of(new) if new else None
            self._take(Event(revision if new else self.newest, time.time(), kind, key, fact))

        return changed

    def _take(self, event: Event) -> None:
        self.events.append(event)
        self.now = self.now.after(event)
        for holds, future in self._waiting:
            if not future.done() and holds(self.now):
                future.set_result(self.now)
