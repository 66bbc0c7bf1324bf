"""What kstatus and Argo CD's Lua interpreter say of an object: two libraries in one small program, built for the tests.

Flux and Argo CD themselves are too much to run here; what judges in them is these libraries, so a guide that tells what
they say is tested with these and not with words about them.
"""

from pathlib import Path

from sandbox import build, cache, compile, progress, toolchain
from sandbox.compile import Program
from sandbox.progress import Progress

NAME = "waiters"
PROGRAM = Program("kstatus and Lua", build.SOURCES / NAME)


def waiters() -> Path:
    """The program; built first if it must be. Raises `Missing` with what to do."""
    name = f"{NAME}-{build.digest(PROGRAM)}"
    with progress.shown() as told:
        waiting = f"waiting for another build of {name}"
        place = cache.obtain(name, lambda into: _fill(into, told), lambda: told(waiting, 0, 0))
    return place / NAME


def _fill(into: Path, told: Progress) -> None:
    compile.build(toolchain.find(told), PROGRAM, into / NAME, told)
