"""Looks after the certificates while it holds the lease `penstock-certs`: look, plan, do one thing, look again.

Three watches, each on one object by its name, only wake it up; what it decides on is read anew each time, because a
cache that lags behind our own write would make us write twice. At rest the API server is asked nothing. Every write
tests the version that was read or is safe to repeat, so a second process in the same position does no harm.
"""

import asyncio
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import chain

import structlog

from certs import inject, probe, protocol, store
from certs.authority import Lifetimes
from certs.inject import Configuration
from certs.metrics import Metrics
from certs.protocol import TRUST_WAIT, Action, State, Step
from certs.selfprobe import probing
from certs.store import Stored
from penstock.kube import ApiError, Client, Conflict, Lease, Reflector, hold, objects
from penstock.kube.backoff import Backoff

log = structlog.get_logger("certs")

LEASE = "penstock-certs"

LONGEST_SLEEP = 60.0
"""Seconds; a machine that slept, or a clock that was set, must not make us late by days."""

BURST, BURST_SECONDS = 12, 60.0
"""Writes in a minute. Whoever else insists on another caBundle gets a slow argument, not a storm."""


@dataclass(frozen=True)
class Duty:
    """What is to be kept, and where."""

    namespace: str
    names: tuple[str, ...]
    secret: str = store.SECRET
    configuration: str = inject.CONFIGURATION
    trust_wait: float = TRUST_WAIT
    lifetimes: Lifetimes = field(default_factory=Lifetimes)


class Custody:
    """One term of duty; forgets everything when the lease is lost."""

    def __init__(self, client: Client, duty: Duty, lease: Lease, metrics: Metrics) -> None:
        self._client = client
        self._duty = duty
        self._lease = lease
        self._metrics = metrics
        self._woken = asyncio.Event()
        self._seen: State | None = None
        self._trusted_since: float | None = None
        self._writes: deque[float] = deque(maxlen=BURST)

    async def run(self) -> None:
        """Until cancelled."""
        following = [self._follow(path, name) for path, name in self._watched()]
        try:
            async with asyncio.TaskGroup() as group:
                for reflector in following:
                    group.create_task(reflector.run())
                group.create_task(self._rounds())
                group.create_task(probing(lambda: _configurations(following), self._metrics))
        finally:
            self._metrics.self_probe.set(float("nan"))

    async def _rounds(self) -> None:
        backoff = Backoff()
        while True:
            self._woken.clear()
            try:
                step = await self.round()
            except Conflict as error:
                log.info("another writer was faster", error=str(error))
                await asyncio.sleep(backoff.pause())
            except ApiError as error:
                log.warning("the certificates could not be looked after", error=str(error))
                await asyncio.sleep(backoff.pause())
            else:
                backoff.reset()
                if step.action is Action.REST:
                    await self._rest(step)

    async def round(self) -> Step:
        """Look, and do the first thing that is to be done."""
        stored, found = await self._look()
        assert self._seen is not None
        step = self._plan(self._seen)
        if step.action is Action.ASK:
            step = self._plan(replace(self._seen, served=await probe.served(self._client, found)))
        if step.action is not Action.REST:
            await self._write(step, stored, found)
        return step

    async def _look(self) -> tuple[Stored, tuple[Configuration, ...]]:
        duty = self._duty
        stored, found = await asyncio.gather(
            store.read(self._client, duty.namespace, duty.secret), inject.read(self._client, duty.configuration)
        )
        trusted = tuple(webhook.trusted for each in found for webhook in each.webhooks)
        if self._seen is None or (self._seen.held.bundle, self._seen.trusted) != (stored.held.bundle, trusted):
            self._trusted_since = time.monotonic()
        self._seen = State(stored.held, trusted, duty.names)
        self._metrics.show(stored.held)
        return stored, found

    def _plan(self, state: State) -> Step:
        trusted_for = time.monotonic() - self._trusted_since if self._trusted_since is not None else 0.0
        state = replace(state, trusted_for=trusted_for)
        return protocol.plan(state, datetime.now(UTC), self._duty.trust_wait)

    async def _write(self, step: Step, stored: Stored, found: tuple[Configuration, ...]) -> None:
        await self._pace()
        if not self._lease.fresh():
            raise Conflict(0, "NotFresh", "the lease may be another's by now")
        assert self._seen is not None
        log.info("certificates", action=step.action, reason=step.reason)
        if step.action in (Action.TRUST, Action.DROP):
            for each in found:
                await inject.inject(self._client, self._duty.configuration, each, step.bundle)
        held = protocol.performed(step, self._seen, datetime.now(UTC), self._duty.lifetimes)
        if held != stored.held:
            await store.write(self._client, self._duty.namespace, stored, held, self._duty.secret)
        self._metrics.steps.labels(step.action).inc()

    async def _pace(self) -> None:
        now = time.monotonic()
        if len(self._writes) == BURST and now - self._writes[0] < BURST_SECONDS:
            await asyncio.sleep(BURST_SECONDS - (now - self._writes[0]))
        self._writes.append(now)

    async def _rest(self, step: Step) -> None:
        """Sleep until a watch wakes us or the plan would be another one; that is asked without any request."""
        until = time.monotonic() + step.wait
        while not self._woken.is_set():
            left = until - time.monotonic()
            if left <= 0:
                return
            try:
                async with asyncio.timeout(min(left, LONGEST_SLEEP)):
                    await self._woken.wait()
            except TimeoutError:
                if self._seen is not None and self._plan(self._seen).action not in (Action.REST, Action.ASK):
                    return

    def _watched(self) -> list[tuple[str, str]]:
        paths = [objects.secret(self._duty.namespace, self._duty.secret)]
        paths += inject.paths(self._duty.configuration).values()
        return [(path.rpartition("/")[0], path.rpartition("/")[2]) for path in paths]

    def _follow(self, collection: str, name: str) -> Reflector:
        return Reflector(
            self._client, collection, {"fieldSelector": f"metadata.name={name}"}, lambda *_: self._woken.set()
        )


def _configurations(following: Iterable[Reflector]) -> Iterator[Configuration]:
    """The webhook configurations, as our watches know them."""
    for item in chain.from_iterable(reflector.items.values() for reflector in following):
        if item.get("webhooks"):
            yield inject.configuration("", item["kind"], item)


async def keep(
    client: Client,
    namespace: str,
    names: Sequence[str],
    identity: str,
    *,
    trust_wait: float = TRUST_WAIT,
    metrics: Metrics | None = None,
) -> None:
    """Hold the lease `penstock-certs` and look after the certificates for `names`, until cancelled.

    Raises LeaseLost when another process may have taken over; the process should end then.
    """
    duty = Duty(namespace, tuple(names), trust_wait=trust_wait)

    async def work(lease: Lease) -> None:
        await Custody(client, duty, lease, metrics or Metrics()).run()

    await hold(client, namespace, LEASE, identity, work)
