"""Controllers that want the same lease, each with a way of its own to the API server, and who held it when.

A write carries the version that it made; the lease's own versions are numbers of the same store. So who held the lease
when a write was accepted is a comparison of numbers, not of clocks.
"""

import asyncio
import os
import signal
from bisect import bisect
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from penstock.kube import ApiError, Client, objects
from tests.cluster import kubeconfig
from tests.cluster.ledger import Entry
from tests.cluster.nursery import alive
from tests.cluster.proxy import Proxy
from tests.cluster.world import World, controller_flags

Object = dict[str, Any]

SYSTEM = "penstock-system"
"""Where the leases are."""


@dataclass
class Rival:
    """One of several controllers of a namespace; started anew when it has lost the lease, as a kubelet does."""

    here: World
    identity: str
    proxy: Proxy
    ahead: float = 0.0
    """Seconds by which its wall clock is wrong."""
    pid: int = 0
    lives: int = 0
    _keeper: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to live."""
        await self._born()
        self._keeper = asyncio.create_task(self._keep())

    async def _born(self) -> None:
        file = self.here.logs / f"{self.here.namespace}-{self.identity}.kubeconfig"
        config = kubeconfig.through(self.proxy.access, self.proxy.url, file)
        log = self.here.logs / f"{self.here.namespace}-{self.identity}.log"
        flags = controller_flags(config, self.here.namespace, self.identity)
        self.pid = await self.here.nursery.bear(flags, log, self.ahead)
        self.lives += 1

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(0.5)
            if not alive(self.pid):
                await self._born()

    def signal(self, number: signal.Signals) -> None:
        """SIGSTOP, SIGCONT, SIGKILL."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)

    async def end(self) -> None:
        """For good."""
        if self._keeper:
            self._keeper.cancel()
            self.signal(signal.SIGKILL)
        await self.proxy.stop()


@dataclass(frozen=True)
class Term:
    """The lease from one version on; `at` by the clock of the event loop."""

    version: int
    at: float
    holder: str


@dataclass
class Holders:
    """The history of one lease."""

    client: Client
    name: str
    terms: list[Term] = field(default_factory=list)
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def path(self) -> str:
        """Of the lease."""
        return objects.lease(SYSTEM, self.name)

    @property
    def now(self) -> str:
        """Who holds it, as far as heard."""
        return self.terms[-1].holder if self.terms else ""

    async def follow(self) -> None:
        """From before it exists."""
        version = objects.version(await self.client.get(objects.leases(SYSTEM)))
        select = {"fieldSelector": f"metadata.name={self.name}"}
        while True:
            with suppress(ApiError):
                async for event in self.client.watch(objects.leases(SYSTEM), resourceVersion=version, **select):
                    await self._heard(event)
                    version = objects.version(event["object"])
            await asyncio.sleep(0.2)

    async def until(self, check: Callable[[], bool]) -> None:
        """Returns when it holds."""
        async with self._changed:
            await self._changed.wait_for(check)

    async def _heard(self, event: Object) -> None:
        lease = event["object"]
        holder = "" if event["type"] == "DELETED" else lease["spec"].get("holderIdentity") or ""
        if holder != self.now or not self.terms:
            self.terms.append(Term(int(objects.version(lease)), asyncio.get_running_loop().time(), holder))
            async with self._changed:
                self._changed.notify_all()

    def at(self, version: int) -> Term | None:
        """The term in which a version was made."""
        return next((term for term in reversed(self.terms) if term.version <= version), None)


def trespasses(holders: Holders, rivals: Sequence[Rival], grace: float) -> list[str]:
    """Writes that were accepted from one rival while another, or nobody, held the lease.

    A lease that a person edits or deletes takes its holder by surprise, who learns of it at its next renewal: that is
    refused, and the lease is read. Until a second after that, `grace` seconds at most, its writes are no trespass as
    long as the new holder has not written anything; an Event changes nothing and is not refused then either.
    """
    found = []
    for rival in rivals:
        others = sorted(v for other in rivals if other is not rival for v, _ in stored(other))
        for version, entry in stored(rival):
            term = holders.at(version)
            if term is None or term.holder == rival.identity:
                continue
            known = sorted(each.at for each in rival.proxy.ledger if each.resource == "leases" and each.at > term.at)
            end = min(term.at + grace, known[1] + 1.0) if len(known) > 1 else term.at + grace
            late, index = entry.at - term.at, bisect(others, term.version)
            begun = index < len(others) and others[index] < version and entry.resource != "events"
            if entry.at > end or begun:
                work = ", which had begun its work" if begun else ""
                who = f"{term.holder or 'nobody'}{work}"
                found.append(f"{rival.identity}: {entry} {late:.2f} s after the lease came to {who}")
    return found


def stored(rival: Rival) -> list[tuple[int, Entry]]:
    """Its writes that were accepted, and the versions that they made."""
    found = [(entry.answer.get("metadata", {}).get("resourceVersion"), entry) for entry in rival.proxy.ledger]
    return [(int(version), entry) for version, entry in found if entry.stored and version]


@asynccontextmanager
async def rivals(here: World, *identities: str, **ahead: float) -> AsyncIterator[tuple[Holders, list[Rival]]]:
    """None of them is started."""
    holders = Holders(here.client, f"penstock-controller-{here.namespace}")
    following = asyncio.create_task(holders.follow())
    found = []
    for identity in identities:
        proxy = Proxy(here.proxy.access, here.proxy.session)
        await proxy.start()
        found.append(Rival(here, identity, proxy, ahead.get(identity, 0.0)))
    try:
        yield holders, found
    finally:
        for rival in found:
            await rival.end()
        following.cancel()
