"""Which news has reached whom: one ConfigMap, so that a controller that is restarted tells nothing twice.

Events cannot serve as that memory, since the API server forgets them after an hour, and a release may stay rejected for
weeks. Written after a message was sent, so a crash between the two repeats it: once too often is better than never.
"""

import asyncio
from collections.abc import Callable, Iterable

import msgspec
import structlog

from penstock.clock import CLOCK
from penstock.kube import ApiError, Client, NotFound, objects

NAME = "penstock-notified"
MOST = 2000
"""Entries, the youngest; together some 80 KB."""

TRIES, PAUSE = 5, 5.0
log = structlog.get_logger()


class Ledger:
    """What was told, of one shard; its key in the ConfigMap is the name of the shard's lease."""

    def __init__(
        self, client: Client | None, namespace: str, shard: str, clock: Callable[[], float] = CLOCK.now
    ) -> None:
        self._client, self._path, self._shard, self._clock = client, objects.configmap(namespace, NAME), shard, clock
        self._told: dict[str, int] = {}

    async def read(self) -> None:
        """What former processes have told. Unreadable, it is begun anew: news may come twice, but comes."""
        for _ in range(TRIES if self._client else 0):
            assert self._client is not None
            try:
                data = (await self._client.get(self._path)).get("data") or {}
                self._told |= msgspec.json.decode(data.get(self._shard) or "{}", type=dict[str, int])
                return
            except msgspec.DecodeError:
                break
            except NotFound:
                log.warning("there is no ConfigMap for what was notified; a restart may repeat it", name=NAME)
                break
            except ApiError as error:
                log.warning("what was notified is not known", error=str(error))
                await asyncio.sleep(PAUSE)

    def knows(self, target: str, key: str) -> bool:
        """Whether the target was told."""
        return f"{target}/{key}" in self._told

    async def add(self, target: str, keys: Iterable[str]) -> None:
        """The target was told just now."""
        now = int(self._clock())
        self._told |= {f"{target}/{key}": now for key in keys}
        youngest = sorted(self._told.items(), key=lambda item: item[1])[-MOST:]
        self._told = dict(youngest)
        if self._client is None:
            return
        body = {"data": {self._shard: msgspec.json.encode(self._told).decode()}}
        try:
            await self._client.merge(self._path, body)
        except ApiError as error:
            log.warning("what was notified was not written; a restart may repeat it", error=str(error))
