"""Progress of the long builds: a bar on a terminal, a plain line now and then everywhere else.

A log file or a CI page shows a redrawn bar as thousands of lines, and silence for six minutes looks
like a hang; hence one line every fifteen seconds when standard error is no terminal.
"""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as RichProgress

Progress = Callable[[str, int, int], None]
"""Called with what is being done, the units done and the units in all (0: not known)."""

QUIET = 15.0
"""Seconds between two plain lines about the same thing."""


@contextmanager
def shown() -> Iterator[Progress]:
    """A progress that the person at the keyboard sees, on standard error."""
    if sys.stderr.isatty():
        with _bar() as progress:
            yield progress
    else:
        yield plain(lambda line: print(line, file=sys.stderr, flush=True), time.monotonic)


@contextmanager
def _bar() -> Iterator[Progress]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with RichProgress(*columns, console=Console(stderr=True)) as bars:
        tasks: dict[str, TaskID] = {}

        def progress(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what)
            bars.update(tasks[what], completed=done, total=total or None)

        yield progress


def plain(write: Callable[[str], None], clock: Callable[[], float]) -> Progress:
    """Lines for a reader without a terminal: of each thing the first, one per QUIET seconds, and the last."""
    began: dict[str, float] = {}
    spoken: dict[str, float] = {}

    def progress(what: str, done: int, total: int) -> None:
        now = clock()
        began.setdefault(what, now)
        finished = bool(total) and done >= total
        if what in spoken and now - spoken[what] < QUIET and not finished:
            return
        spoken[what] = now
        amount = f": {done} of {total} ({100 * done // total} %)" if total else f": {done}" if done else ""
        write(f"{what}{amount}, {now - began[what]:.0f} s")

    return progress
