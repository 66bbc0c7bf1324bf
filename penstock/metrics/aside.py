"""Work that may be much, away from the event loop: the lease has to be renewed meanwhile and others be looked at.

8.8 MiB of samples took 1.6 s to decode and file. What is small stays where it is: threads are few, and somebody's
hostile page may be read in one of them.
"""

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

LARGE = 5_000
"""Samples; about 10 ms of work."""
BYTES = 25
"""Of one sample in JSON."""

P = ParamSpec("P")
T = TypeVar("T")


async def aside(samples: int, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What WORK gives, from a thread where it has many samples to do with."""
    return await asyncio.to_thread(work, *args, **kwargs) if samples > LARGE else work(*args, **kwargs)
