"""Limits: one number against a threshold, N breaches in a row.

For what cannot be compared, like a queue's length. No number is no verdict: an empty answer, NaN (nothing divided by
nothing) and infinity (something divided by nothing) neither pass nor breach, and leave a row of breaches as it is.
"""

import math
import operator
from collections.abc import Callable
from dataclasses import dataclass

from penstock.core.queries import Limit
from penstock.core.reading import Scalar

_HOLDS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass(frozen=True)
class Breaches:
    """What is remembered of one limit."""

    row: int = 0
    time: float = 0.0
    """Of the last answer with a number."""
    value: float | None = None
    trouble: str = ""
    """Why the last answer had no number."""
    empty: bool = False
    """The last query was answered, with no number."""


def breach(breaches: Breaches, scalar: Scalar, limit: Limit, *, calm: bool = True) -> Breaches:
    """After one more answer. During an incident nothing is held against the release, nor carried out of it."""
    row = breaches.row if calm else 0
    if scalar.trouble:
        return Breaches(row, breaches.time, breaches.value, scalar.trouble)
    if scalar.value is None or not math.isfinite(scalar.value):
        return Breaches(row, breaches.time, breaches.value, empty=True)
    if scalar.time <= breaches.time:
        return Breaches(row, breaches.time, breaches.value)  # the same evaluation again
    healthy = _HOLDS[limit.comparison](scalar.value, limit.number)
    return Breaches(0 if healthy or not calm else row + 1, scalar.time, scalar.value)


def healthy(breaches: Breaches, limit: Limit) -> bool:
    """The last number keeps the limit; without one it is not known to."""
    return breaches.value is not None and _HOLDS[limit.comparison](breaches.value, limit.number)
