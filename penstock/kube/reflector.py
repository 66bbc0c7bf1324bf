"""A local copy of some objects that follows the API server, whatever happens to the connection.

List, then watch from the list's version; after a break watch on from the last version seen; when the server has
forgotten that version, list again and tell the differences. The traps, all met in practice:

- A watch may end at once and without an error, again and again (a proxy, an API server that is starting). So there is a
  pause between *any* two connections, and it grows unless a connection has lasted a while.
- A link may die without a word. With bookmarks the server speaks every minute; silence is an error.
- After a restore of etcd our version lies in the future. The server then accepts the watch and sends nothing, not even
  bookmarks (measured on 1.37). So a connection that lasted and gave nothing leads to a list, not to another watch.
- Events may come twice. A stream only moves forward, so what is not newer than its position is a repetition.
- Events may not come at all, and the next bookmark makes the loss final. So lists are taken from time to time, and from
  whoever has made one for another reason (`told`); never one that is older than what the stream has said already.
"""

import asyncio
import logging
import math
import random
from collections.abc import Callable, Mapping
from contextlib import aclosing
from typing import Any, NoReturn

from penstock.kube import objects
from penstock.kube.backoff import LONGEST_WISH, Backoff
from penstock.kube.errors import ApiError, Gone
from penstock.kube.transport import IDLE, Client, Object

Changed = Callable[[str, Object | None, Object | None], None]

WATCH_SECONDS = 290
"""The server ends each watch after this time; below the 5 minutes after which many proxies cut a connection."""

LIST_DEADLINE = 30.0
CALM = 10.0
"""A connection that lasted so many seconds ends the growth of the pauses."""

log = logging.getLogger(__name__)


class Reflector:
    """`items` by `namespace/name`; `changed(key, old, new)` after each difference; `synced` once the list is known.

    `changed` is called between two events and must be quick. What it raises ends `run`: a cache whose reader has
    failed is not to be trusted. Lists carry no kind on their items; here each item has its own, as in a watch.
    """

    def __init__(
        self,
        client: Client,
        path: str,
        params: Mapping[str, Any] | None,
        changed: Changed,
        *,
        backoff: Backoff | None = None,
        relist: float = math.inf,
        listed: Callable[[str], None] = lambda _reason: None,
    ) -> None:
        """`relist`: seconds after which it lists although nothing seems missing."""
        self.items: dict[str, Object] = {}
        self.synced = asyncio.Event()
        self._client = client
        self._path = path
        self._params = dict(params or {})
        self._changed = changed
        self._backoff = backoff or Backoff()
        self._relist = relist
        self._position = ""
        self._heard = False
        self._listed, self._why = listed, "start"
        """Whom to tell of each list that was answered, and why the next one is made: start, gone, silent or again."""

    async def run(self) -> None:
        """Follow for ever; ends only by cancellation or by an error of `changed`."""
        if self._relist == math.inf:
            await self._stay()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._stay())
            group.create_task(self._look_again())

    def told(self, listed: Object) -> None:
        """Take a list of the same path and parameters, unless it is older than what is known."""
        if _earlier(objects.version(listed), self._position):
            return
        common = {"apiVersion": listed.get("apiVersion"), "kind": str(listed.get("kind", "")).removesuffix("List")}
        present = {objects.key(item): common | item for item in listed.get("items") or ()}
        self._position = objects.version(listed)
        for key in self.items.keys() - present.keys():
            self._drop(key)
        for key, item in present.items():
            self._put(key, item)
        self.synced.set()

    async def _stay(self) -> NoReturn:
        now = asyncio.get_running_loop().time
        while True:
            begun, wish = now(), 0.0
            try:
                await self._follow()
            except Gone as error:
                log.info("listing %s again: %s", self._path, error.message)
                self._position, self._why = "", "gone"
            except ApiError as error:
                log.warning("%s", error)
                wish = min(error.retry_after or 0.0, LONGEST_WISH)
            lasted = now() - begun
            if lasted >= IDLE and not self._heard:
                self._position, self._why = "", "silent"
            if lasted >= CALM:
                self._backoff.reset()
            await asyncio.sleep(max(self._backoff.pause(), wish))

    async def _follow(self) -> None:
        self._heard = False
        if not self._position:
            await self._list(self._why)
        events = self._client.watch(
            self._path,
            **self._params,
            resourceVersion=self._position,
            allowWatchBookmarks=True,
            timeoutSeconds=WATCH_SECONDS,
        )
        async with aclosing(events):
            async for event in events:
                self._heard = True
                self._take(event)

    async def _list(self, why: str) -> None:
        # Without a resourceVersion the answer is at least as new as anything written before; "0" may be any old state.
        self.told(await self._client.get(self._path, timeout=LIST_DEADLINE, **self._params))
        self._listed(why)

    async def _look_again(self) -> NoReturn:
        await self.synced.wait()
        while True:
            await asyncio.sleep(self._relist * random.uniform(0.9, 1.0))  # or all candidates' lists come in step
            try:
                await self._list("again")
            except ApiError as error:
                log.info("%s", error)

    def _take(self, event: Object) -> None:
        item: Object = event.get("object") or {}
        version = objects.version(item)
        if _earlier(version, self._position):
            return
        self._position = version or self._position
        match event.get("type"):
            case "ADDED" | "MODIFIED":
                self._put(objects.key(item), item)
            case "DELETED":
                self._drop(objects.key(item))

    def _put(self, key: str, new: Object) -> None:
        old = self.items.get(key)
        if old is not None and objects.version(old) == objects.version(new):
            return
        if old is not None and objects.uid(old) != objects.uid(new):
            # Deleted and created again while we did not look: another object that happens to have the same name.
            self._drop(key)
            old = None
        self.items[key] = new
        self._changed(key, old, new)

    def _drop(self, key: str) -> None:
        old = self.items.pop(key, None)
        if old is not None:
            self._changed(key, old, None)


def _earlier(version: str, position: str) -> bool:
    # Versions are comparable as numbers (KEP-5504); one that is no number is taken as it comes.
    return version.isdecimal() and position.isdecimal() and int(version) < int(position)
