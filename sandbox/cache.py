"""Where built things live: one directory per user, shared by every checkout, never half-filled.

The builds take minutes and hundreds of megabytes, so they are kept outside the work tree
(`$XDG_CACHE_HOME/penstock`). Two checkouts may want the same build at the same time: a lock makes the
second wait for the first instead of building again, and a directory appears under its final name only
by a rename when it is whole, so that a build killed half-way is never mistaken for a finished one.
"""

import fcntl
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


def directory() -> Path:
    """The user's cache; a relative XDG_CACHE_HOME is invalid by its specification and is ignored."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if Path(base).is_absolute() else Path.home() / ".cache") / "penstock"


def obtain(name: str, fill: Callable[[Path], None], waiting: Callable[[], None] = lambda: None) -> Path:
    """The directory NAME of the cache, made by FILL if it is not there yet.

    WAITING is called now and then while another process makes it: silence would look like a hang.
    """
    final = directory() / name
    if final.is_dir():
        return final
    with _locked(name, waiting):
        if not final.is_dir():  # else another process made it while this one waited
            _fill(final, fill)
    return final


def _fill(final: Path, fill: Callable[[Path], None]) -> None:
    # The lock says that whoever made these is gone; a compiler it left behind may still write into its own.
    for leftover in final.parent.glob(f".{final.name}.partial-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    partial = final.with_name(f".{final.name}.partial-{os.getpid()}")
    partial.mkdir()
    try:
        fill(partial)
        partial.rename(final)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


@contextmanager
def _locked(name: str, waiting: Callable[[], None]) -> Iterator[None]:
    directory().mkdir(parents=True, exist_ok=True)
    # The lock file stays: removing it would let two processes lock two different files of one name.
    with open(directory() / f".{name}.lock", "w") as lock:
        while not _taken(lock):
            waiting()
            time.sleep(0.5)
        yield


def _taken(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
