"""One process at a time does the work, and it stops before another may begin.

The holder renews a Lease every 2 s. Unrenewed for 10 s it stops its work; another candidate takes over when it has seen
no renewal for 15 s. Rules that the official Python elector breaks, each of them measured (docs/decisions/0003):

- Whether a lease has expired is judged by how long *we* have seen it unchanged, on our own clock, never by comparing
  its time with ours: wall clocks disagree. The clock goes on while the machine sleeps (CLOCK_BOOTTIME).
- Age counts from when the renewal was *sent*; every request is bounded by the time left, so a hanging API server
  cannot make a holder overstay.
- If the work crashes, the lease is released and the error comes out: a holder that does nothing blocks everyone. If
  the lease is lost, `LeaseLost` comes out, and the process should end; the work was cancelled first.

A lease is a courtesy, not a lock: a process that is stopped in the middle of a write finishes it when it wakes up. So
before each write ask `fresh()` (`Client.guarded` does), and let each write fail by itself if another holder came: test
what was read, and mark what is worked on with `transitions`, which grows with every change of hands.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import NoReturn

from penstock.clock import CLOCK
from penstock.kube.seat import DURATION, Lease, LeaseLost, Seat, boottime
from penstock.kube.transport import Client

__all__ = ["Lease", "LeaseLost", "hold"]

log = logging.getLogger(__name__)


async def hold(
    client: Client,
    namespace: str,
    name: str,
    identity: str,
    work: Callable[[Lease], Awaitable[None]],
    *,
    clock: Callable[[], float] = boottime,
    wall: Callable[[], float] = CLOCK.now,
) -> None:
    """Wait for the lease, run `work` while holding it, release it.

    Returns when the work does; raises what the work raises, or LeaseLost. `identity` must be unique among living
    processes: one that finds its own name in the lease takes it for a dead predecessor of its own.
    """
    seat = Seat(client, namespace, name, Lease(identity, clock), clock, wall)
    await seat.win()
    await _work(seat, work)


async def _work(seat: Seat, work: Callable[[Lease], Awaitable[None]]) -> None:
    async def run() -> None:
        await work(seat.lease)

    working = asyncio.create_task(run(), name=f"work under {seat.path}")
    keeping = asyncio.create_task(seat.keep(), name=f"renewal of {seat.path}")
    try:
        await asyncio.wait((working, keeping), return_when=asyncio.FIRST_COMPLETED)
    finally:
        await _wind_down(seat, working, keeping)
    if working.done() and not working.cancelled():
        working.result()
    if not keeping.cancelled():
        keeping.result()


async def _wind_down(seat: Seat, working: asyncio.Task[None], keeping: asyncio.Task[NoReturn]) -> None:
    """End the work, then the renewing: while the work finishes a write, the lease is still ours."""
    working.cancel()
    try:
        await asyncio.wait((working, keeping), return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            await asyncio.wait((working,), timeout=max(DURATION - seat.lease.age(), 0.0))
    finally:
        keeping.cancel()
    await asyncio.wait((keeping,))
    if not working.done():
        log.critical("the work under %s does not end although the lease is lost", seat.path)
    elif keeping.cancelled():
        await seat.leave()
