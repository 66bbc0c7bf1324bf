"""Durations, percentages and amounts as people write them in one annotation line.

Own and strict, because the known parsers accept `1mm`, `-5m`, Arabic digits or `NaN`, and because a bad
value has to be answered with its place and a correct example (AnnotationError does that, everywhere).
"""

import re
from dataclasses import dataclass

MAX_DURATION = 7 * 24 * 3600.0

_UNITS = {"h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1}
_DURATION = re.compile(r"(?:([0-9]{1,6})h)?(?:([0-9]{1,7})m(?!s))?(?:([0-9]{1,8})s)?(?:([0-9]{1,10})ms)?")
_PERCENT = re.compile(r"[0-9]{1,4}%")
_COUNT = re.compile(r"[0-9]{1,6}")

IntOrPercent = int | str
"""maxSurge and maxUnavailable as Kubernetes has them: a number of pods, or a string like `25%`."""


class AnnotationError(ValueError):
    """The user's value is wrong. Says where, what was found, what is allowed, and a correct example."""

    def __init__(self, problem: str, example: str, column: int = 1, key: str = "") -> None:
        super().__init__(problem)
        self.problem, self.example, self.column, self.key = problem, example, column, key

    def at(self, key: str) -> "AnnotationError":
        """The same error, for the annotation `key`."""
        return AnnotationError(self.problem, self.example, self.column, key)

    def shifted(self, columns: int) -> "AnnotationError":
        """The same error, found `columns` further to the right."""
        return AnnotationError(self.problem, self.example, self.column + columns, self.key)

    def __str__(self) -> str:
        place = f"{self.key}, " if self.key else ""
        return f"{place}column {self.column}: {self.problem}; example: {self.example}"


@dataclass(frozen=True)
class Item:
    """One item of a list, and the column (from 1) where it stands."""

    text: str
    column: int


def split(text: str, separator: str = ",") -> tuple[Item, ...]:
    """The items between separators, without the blanks around them."""
    items, start = [], 0
    for part in text.split(separator):
        lead = len(part) - len(part.lstrip())
        items.append(Item(part.strip(), start + lead + 1))
        start += len(part) + len(separator)
    return tuple(items)


def quoted(text: str) -> str:
    """`text` for a message: short, in quotes, without control characters."""
    shown = text if len(text) <= 40 else text[:37] + "..."
    return '"' + "".join(c if c.isprintable() else "?" for c in shown) + '"'


def duration(text: str, example: str = "1m30s") -> float:
    """Seconds. Units h, m, s, ms in that order, whole numbers, more than 0, at most 7 days.

    >>> duration("1m30s")
    90.0
    """
    match = _DURATION.fullmatch(text)
    if not text or match is None:
        raise AnnotationError(f"{quoted(text)} is not a duration; allowed: whole numbers with h, m, s, ms", example)
    parts = zip(match.groups(), _UNITS.values(), strict=True)
    seconds = sum(int(number) * unit for number, unit in parts if number) / 1000
    if not 0 < seconds <= MAX_DURATION:
        raise AnnotationError(f"{quoted(text)} is out of range; allowed: more than 0, at most 168h", example)
    return seconds


def print_duration(seconds: float) -> str:
    """The canonical spelling: `duration(print_duration(x)) == x`, to the millisecond.

    >>> print_duration(90)
    '1m30s'
    """
    rest, out = round(seconds * 1000), ""
    for unit, size in _UNITS.items():
        number, rest = divmod(rest, size)
        out += f"{number}{unit}" if number else ""
    return out or "0s"


def percentage(text: str, example: str = "5%") -> float:
    """A share between 0 and 1, written as a whole percentage: `5%` is 0.05."""
    if _PERCENT.fullmatch(text) is None or not 1 <= int(text[:-1]) <= 100:
        raise AnnotationError(f"{quoted(text)} is not a percentage; allowed: 1% to 100%", example)
    return int(text[:-1]) / 100


def count(text: str, example: str = "3") -> int:
    """A positive whole number."""
    if _COUNT.fullmatch(text) is None or int(text) == 0:
        raise AnnotationError(f"{quoted(text)} is not a whole number above 0", example)
    return int(text)


def is_percent(text: str) -> bool:
    """Whether `text` has the form of a whole percentage."""
    return _PERCENT.fullmatch(text) is not None


def pods(value: IntOrPercent, replicas: int, *, up: bool) -> int:
    """Pods that an int-or-percent value means at `replicas`; the API server has checked its form."""
    if isinstance(value, int):
        return value
    product = int(value.removesuffix("%")) * replicas
    return -(-product // 100) if up else product // 100


def clock(moment: float) -> str:
    """A time of day in UTC, for messages that must not change from look to look."""
    seconds = int(moment) % 86400
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02} UTC"
