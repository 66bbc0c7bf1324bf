"""The seat that only one may have: winning it, keeping it, leaving it.

Whether the seat is free is judged by how long *we* have seen its term unchanged, on our own clock. How long it is ours
counts from when the last renewal was *sent*: the server, and whoever waits, saw it later, so we always give up first.
"""

import asyncio
import logging
import random
import time
from collections.abc import Callable
from dataclasses import replace
from typing import NoReturn

from penstock.kube import claim, objects
from penstock.kube.claim import Claim
from penstock.kube.errors import ApiError, Conflict, NotFound
from penstock.kube.transport import Client

DURATION = 15.0
DEADLINE = 10.0
RETRY = 2.0
ATTEMPT = (DEADLINE - RETRY) / 2
"""Seconds for one request, so that two can hang and be tried anew before the deadline."""

log = logging.getLogger(__name__)


def boottime() -> float:
    """Seconds that go on while the machine sleeps, where the system has such a clock (Linux)."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class LeaseLost(Exception):
    """The lease is, or may be, another's. The work has been cancelled; the process should end."""


class Lease:
    """What the work gets to know about the lease it runs under."""

    def __init__(self, identity: str, clock: Callable[[], float] = boottime) -> None:
        self.identity = identity
        self.transitions = 0
        self._clock = clock
        self._renewed = float("-inf")

    def fresh(self) -> bool:
        """Whether the last renewal is young enough to write; to be asked right before each write."""
        return self.age() < DEADLINE

    def vouch(self) -> None:
        """Raises LeaseLost unless it is fresh."""
        if not self.fresh():
            raise LeaseLost(f"not renewed for {self.age():.0f} s")

    def age(self) -> float:
        """Seconds since the last successful renewal was sent."""
        return self._clock() - self._renewed

    def taken(self, transitions: int, sent: float) -> None:
        self.transitions = transitions
        self._renewed = sent

    def renewed(self, sent: float) -> None:
        self._renewed = sent


class Seat:
    """The Lease object, and what we know of it."""

    def __init__(
        self,
        client: Client,
        namespace: str,
        name: str,
        lease: Lease,
        clock: Callable[[], float],
        wall: Callable[[], float],
    ) -> None:
        self.lease = lease
        self.path = objects.lease(namespace, name)
        self._client = client
        self._namespace = namespace
        self._name = name
        self._clock = clock
        self._wall = wall
        self._claim: Claim | None = None
        self._unchanged_since = 0.0
        self._highest = 0

    async def win(self) -> None:
        """Come back when the lease is ours."""
        while True:
            if await self._tried():
                break
            await asyncio.sleep(RETRY * random.uniform(1.0, 1.2))  # or all candidates ask in step
        log.info("holding %s as %s, transition %d", self.path, self.lease.identity, self.lease.transitions)

    async def _tried(self) -> bool:
        try:
            await self._look()
            if not self._free():
                return False
            await self._take()
        except Conflict:
            return False  # another candidate was faster
        except ApiError as error:
            log.warning("cannot get the lease: %s", error)
            return False
        return True

    async def _look(self) -> None:
        before = self._claim
        try:
            self._claim = claim.read(await self._client.get(self.path, timeout=ATTEMPT), DURATION)
        except NotFound:
            # Deleted under a holder that may still work: its term runs on as if the lease were there.
            self._claim = replace(before, version="") if before is not None else None
            return
        self._highest = max(self._highest, self._claim.transitions)
        if before is None or before.term != self._claim.term:
            self._unchanged_since = self._clock()
            log.debug("%s is held by %r", self.path, self._claim.holder)

    def _free(self) -> bool:
        seen = self._claim
        if seen is None or seen.holder in ("", self.lease.identity):
            return True
        return self._clock() - self._unchanged_since >= seen.duration

    async def _take(self) -> None:
        sent = self._clock()
        if self._claim is None or not self._claim.version:
            self._claim = await self._create(claim.first_transition(self._highest, self._wall()), ATTEMPT)
        else:
            operations = claim.taken(self._claim, self.lease.identity, DURATION, self._wall())
            self._claim = claim.read(await self._client.patch(self.path, operations, timeout=ATTEMPT), DURATION)
        self.lease.taken(self._claim.transitions, sent)

    async def _create(self, transitions: int, limit: float) -> Claim:
        body = claim.created(self._namespace, self._name, self.lease.identity, transitions, DURATION, self._wall())
        collection = objects.leases(self._namespace)
        return claim.read(await self._client.post(collection, body, timeout=limit), DURATION)

    async def keep(self) -> NoReturn:
        """Renew until that has not been possible for too long, or another has the lease: LeaseLost."""
        pause = RETRY
        while True:
            left = max(self._left(), 0.0)
            await asyncio.sleep(min(pause, max(left / 2, 0.25), left))  # more often towards the end
            if self._left() <= 0:
                raise LeaseLost(f"{self.path} was not renewed for {DEADLINE:g} s")
            begun = self._clock()
            try:
                await self._renew()
            except (Conflict, NotFound):
                pause = RETRY / 10  # somebody wrote to it, perhaps only a label: read it at once
            except ApiError as error:
                log.warning("cannot renew the lease: %s", error)
                pause = max(RETRY - (self._clock() - begun), 0.0)
            else:
                pause = RETRY

    async def _renew(self) -> None:
        known = self._claim or await self._own()
        self._claim = None  # until the answer is here, nobody knows the version
        sent = self._clock()
        operations = claim.renewed(known, self._wall())
        self._claim = claim.read(await self._client.patch(self.path, operations, timeout=self._bound()), DURATION)
        self.lease.renewed(sent)

    async def _own(self) -> Claim:
        """The lease as it is now, put back if somebody deleted it, if it is still ours."""
        try:
            seen = claim.read(await self._client.get(self.path, timeout=self._bound()), DURATION)
        except NotFound:
            return await self._create(self.lease.transitions, self._bound())
        if (seen.holder, seen.transitions) != (self.lease.identity, self.lease.transitions):
            raise LeaseLost(f"{self.path} is held by {seen.holder or 'nobody'}, transition {seen.transitions}")
        return seen

    async def leave(self) -> None:
        """Let the next candidate in at once; if that fails, it waits until the lease has expired."""
        try:
            async with asyncio.timeout(ATTEMPT):
                await self._release()
        except (ApiError, LeaseLost, TimeoutError) as error:
            log.info("%s was not released: %s", self.path, error)

    async def _release(self) -> None:
        seen = self._claim or await self._own()
        try:
            await self._client.patch(self.path, claim.released(seen, self._wall()))
        except Conflict:  # a renewal that was cancelled half-way has been written after all
            await self._client.patch(self.path, claim.released(await self._own(), self._wall()))

    def _left(self) -> float:
        return DEADLINE - self.lease.age()

    def _bound(self) -> float:
        return max(min(ATTEMPT, self._left()), 0.0)
