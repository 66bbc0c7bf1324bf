"""What time it is by the API server's clock, which all controllers of a cluster share.

A record says since when a step is held; the next leader reads that on another machine. With a clock ten minutes ahead
it left steps at once, and took a release back whose pods had ten minutes to become Ready (both seen). So time is taken
from the `Date` of the API server's answers where our own clock does not agree with it.

One for the process, which speaks to one API server: the sources of metrics need the same time as the steps, a lease is
renewed by it, and the command line on a laptop reads the age of that lease by it.
"""

import time
from email.utils import parsedate_to_datetime

RESOLUTION = 1.0
"""Seconds: `Date` leaves out fractions."""


class Clock:
    """Our clock, put right by answers. While it may be right it stays as it is, or it would jump with each answer."""

    def __init__(self) -> None:
        self.ahead = 0.0
        """Seconds by which the API server's clock is ahead of ours."""

    def answered(self, date: str | None, asked: float, now: float) -> None:
        """An answer came at `now` to what was `asked` then, both by our own clock, and said that it was `date`."""
        try:
            theirs = parsedate_to_datetime(date or "").timestamp()
        except ValueError:
            return
        self.ahead = max(min(self.ahead, theirs + RESOLUTION - asked), theirs - now)

    def now(self) -> float:
        """Seconds since 1970."""
        return time.time() + self.ahead


CLOCK = Clock()


def now() -> float:
    """Seconds since 1970, by the API server's clock as far as it is known."""
    return CLOCK.now()
