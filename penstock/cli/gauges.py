"""What the metric checks say, read back from the controller's sentence, as bars that grow.

The sentence is the only thing that is published, so that a person, `kubectl describe` and a screen never disagree;
its two pairs of numbers are read here. A bar is on a logarithmic scale: evidence multiplies.
"""

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

_EVIDENCE = re.compile(r"evidence >?([\d.]+)x of ([\d.]+)x needed")
_PROOF = re.compile(r"for the next step \(?>?([\d.]+)x of ([\d.]+)x")
_NUMBERS = re.compile(r"(, evidence |, safe for |; for the next step ).*")

WIDTH = 12
FULL, EMPTY = "█", "░"


@dataclass(frozen=True)
class Gauge:
    """One check: its sentence without the name, and how far each bar has come, from 0 to 1; None where it has none."""

    check: str
    text: str
    against: float | None = None
    proof: float | None = None

    @property
    def counts(self) -> str:
        """The sentence without what the bars show."""
        return _NUMBERS.sub("", self.text)


def gauges(message: str, checks: Iterable[str]) -> tuple[str, tuple[Gauge, ...]]:
    """The message without the checks' sentences, and these, for the names of the checks in their order."""
    head, found = message, list[Gauge]()
    for check in reversed(tuple(checks)):
        before, sign, text = head.rpartition(f"; {check}: ")
        if sign:
            head = before
            found.append(Gauge(check, text, _share(_EVIDENCE.search(text)), _share(_PROOF.search(text))))
    return head, tuple(reversed(found))


def bar(share: float) -> str:
    """A bar of twelve signs; only a whole one is full."""
    full = WIDTH if share >= 1 else min(WIDTH - 1, int(share * WIDTH))
    return FULL * full + EMPTY * (WIDTH - full)


def _share(match: re.Match[str] | None) -> float | None:
    if match is None:
        return None
    is_now, needed = float(match[1]), float(match[2])
    return min(1.0, max(0.0, math.log(is_now) / math.log(needed))) if is_now > 0 and needed > 1 else 0.0
