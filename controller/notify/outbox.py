"""What waits to be sent: one queue and one task for each target, and nothing that a rollout waits for.

A target gets one message in `pause` seconds, with all that has come meanwhile: a bad base image that is rejected in a
hundred namespaces is one message. What fails is tried again, later each time; what cannot be sent, or does not fit, is
counted and logged.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NoReturn

import structlog
from prometheus_client import Counter

from controller.notify.channels import Apprise, Channel, Failed, Signed
from controller.notify.ledger import Ledger
from controller.notify.notice import Notice, Place
from penstock.signals.targets import Notifications, Target

MOST = 500
"""News that waits for one target; beyond, the oldest is dropped."""

GATHER = 2.0
"""Seconds for which the first of a row waits for company."""

PAUSES = (10.0, 30.0, 120.0, 300.0, 600.0)
"""Seconds before each further try."""

LAST = 3.0
"""Seconds for a last try when the process ends."""

log = structlog.get_logger()


@dataclass
class Waiting:
    """One target, and what waits for it, by key."""

    name: str
    target: Target
    channel: Channel
    notices: dict[str, Notice] = field(default_factory=dict)
    woken: asyncio.Event = field(default_factory=asyncio.Event)


class Outbox:
    """All targets."""

    def __init__(
        self,
        notifications: Notifications,
        ledger: Ledger,
        counted: Counter,
        channel: Callable[[Target], Channel] | None = None,
    ) -> None:
        self._cluster, self._ledger, self._counted = notifications.cluster, ledger, counted
        make = channel or _channel
        self._targets = [Waiting(name, t, make(t)) for name, t in notifications.targets.items()]
        self._passing: dict[Place, tuple[str, asyncio.TimerHandle]] = {}
        """By place: the key of what is told if it lasts, and when."""

    def told(self, place: Place, news: Notice | None) -> None:
        """A rollout says something else than before. Never waits, never raises."""
        key, timer = self._passing.get(place, ("", None))
        if news and key == news.key:
            return
        if timer:
            timer.cancel()
            del self._passing[place]
        if news is None:
            return
        if not news.patience:
            self._queue(news)
            return
        loop = asyncio.get_running_loop()
        self._passing[place] = news.key, loop.call_later(news.patience, self._queue, news)

    def _queue(self, news: Notice) -> None:
        for waiting in self._targets:
            if waiting.target.wants(news.kind, news.namespace):
                waiting.notices.setdefault(news.key, news)
                if len(waiting.notices) > MOST:
                    oldest = waiting.notices.pop(next(iter(waiting.notices)))
                    self._count(waiting, [oldest], "dropped")
                    log.warning("notification dropped", target=waiting.name, waiting=MOST)
                waiting.woken.set()

    async def run(self) -> None:
        """Send until cancelled; what waits then gets one last try."""
        if not self._targets:
            return
        await self._ledger.read()
        tasks = [asyncio.create_task(self._serve(waiting), name=f"notify {waiting.name}") for waiting in self._targets]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            with suppress(TimeoutError):
                async with asyncio.timeout(LAST):
                    await asyncio.gather(*map(self._last, self._targets))

    async def _last(self, waiting: Waiting) -> None:
        batch = self._batch(waiting)
        if not batch:
            return
        try:
            await self._send(waiting, batch)
        except Failed as failed:
            self._count(waiting, batch, "failed")
            log.warning("notification failed", target=waiting.name, why=str(failed), last=True, news=len(batch))

    async def _serve(self, waiting: Waiting) -> NoReturn:
        while True:
            await waiting.woken.wait()
            await asyncio.sleep(GATHER)
            waiting.woken.clear()
            batch = self._batch(waiting)
            if batch:
                try:
                    await self._deliver(waiting, batch)
                except asyncio.CancelledError:
                    waiting.notices = {n.key: n for n in batch} | waiting.notices
                    raise
                await asyncio.sleep(waiting.target.pause)

    def _batch(self, waiting: Waiting) -> list[Notice]:
        batch = [n for n in waiting.notices.values() if not self._ledger.knows(waiting.name, n.key)]
        waiting.notices.clear()
        return batch

    async def _deliver(self, waiting: Waiting, batch: list[Notice]) -> None:
        for pause in (*PAUSES, None):
            try:
                await self._send(waiting, batch)
                return
            except Failed as failed:
                last = pause is None or not failed.again
                log.warning("notification failed", target=waiting.name, why=str(failed), last=last, news=len(batch))
                if last:
                    self._count(waiting, batch, "failed")
                    return
                self._count(waiting, batch, "retried")
                await asyncio.sleep(max(pause or 0.0, failed.after))

    async def _send(self, waiting: Waiting, batch: list[Notice]) -> None:
        try:
            await waiting.channel.send(batch, self._cluster)
        except TimeoutError:
            raise Failed("no answer in time") from None
        except Failed:
            raise
        except Exception as error:  # a library's bug in one target must not end the controller; the text may hold a URL
            raise Failed(f"an error of the sender ({type(error).__name__})") from None
        self._count(waiting, batch, "sent")
        await self._ledger.add(waiting.name, (n.key for n in batch))

    def _count(self, waiting: Waiting, batch: list[Notice], result: str) -> None:
        for n in batch:
            self._counted.labels(waiting.name, n.kind.value, result).inc()


def _channel(target: Target) -> Channel:
    return Signed(target.webhook) if target.webhook else Apprise(target.apprise_file)
