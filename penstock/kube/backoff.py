"""How long to wait before trying again: doubling, bounded, and never the same for two processes.

Without the random part all controllers of a cluster would come back to a restarted API server in the same instant.
"""

import random
from collections.abc import Callable

FIRST = 0.5
LONGEST = 30.0

LONGEST_WISH = 120.0
"""Seconds that a server's Retry-After may keep us away; one that errs by a factor must not silence us for a day."""


class Backoff:
    """Pauses of 0.25–0.5, 0.5–1, 1–2, … up to 15–30 seconds, until all is well again."""

    def __init__(
        self, first: float = FIRST, longest: float = LONGEST, chance: Callable[[], float] = random.random
    ) -> None:
        self._first = first
        self._longest = longest
        self._chance = chance
        self._next = first

    def pause(self) -> float:
        """Seconds to wait this time; the next time it will be more."""
        full, self._next = self._next, min(2 * self._next, self._longest)
        return full * (1 + self._chance()) / 2

    def reset(self) -> None:
        """All is well: the next trouble starts with a short pause."""
        self._next = self._first
