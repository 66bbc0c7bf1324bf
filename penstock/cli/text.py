"""Words and numbers as the command line writes them. Pure, and cheap to import."""

from collections.abc import Iterable
from datetime import UTC, datetime


def printable(text: str) -> str:
    """On one line and without control characters: names and messages come from the cluster, and an escape sequence
    in one of them must not reach the terminal."""
    return "".join(c if c.isprintable() else " " if c in "\r\n\t" else "?" for c in text)


def listed(items: Iterable[object], last: str = "and") -> str:
    """`1, 3 and 5`."""
    *head, tail = [str(item) for item in items] or [""]
    return f"{', '.join(head)} {last} {tail}" if head else tail


def counted(number: int, noun: str) -> str:
    """`1 pod`, `3 pods`. As in core.wording, which `--help` would have to import."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def ago(seconds: float) -> str:
    """A span as people say it, in one or two units: `45s`, `3m20s`, `2h5m`, `3d`."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60}s" if whole % 60 else f"{whole // 60}m"
    if whole < 48 * 3600:
        return f"{whole // 3600}h{whole // 60 % 60}m" if whole // 60 % 60 else f"{whole // 3600}h"
    return f"{whole // 86400}d"


def date(moment: float) -> str:
    """A moment of any day, in UTC."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M UTC")
