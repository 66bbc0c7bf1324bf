"""`go build` that tells how far it is and, when it fails, what was missing.

By itself `go build` is silent for minutes. What has to be compiled is known beforehand (`go list` marks
each package that Go's build cache lacks as stale) and `go build -v` names each package when it starts on
it, so the bar counts real work instead of guessing time.
"""

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sandbox.missing import Missing
from sandbox.progress import Progress
from sandbox.toolchain import Go

FLAGS = ("-trimpath", "-buildvcs=false", "-mod=readonly")
OFFLINE = (
    "dial tcp",
    "no such host",
    "timeout",
    "connection refused",
    "proxyconnect",
    "unreachable",
    "GOPROXY=off",
)
KEPT = 20
"""Lines of Go's own words in an error message."""


@dataclass(frozen=True)
class Program:
    """One Go program: what people call it, where its go.mod lies, what is built and how it is linked."""

    title: str
    module: Path
    package: str = "."
    definitions: tuple[tuple[str, str], ...] = ()

    @property
    def linker_flags(self) -> str:
        """Without symbol tables (a third of the size) and with the given string variables set."""
        return " ".join(["-s", "-w", *(f"-X {name}={value}" for name, value in self.definitions)])


def build(go: Go, program: Program, output: Path, progress: Progress) -> None:
    """Compile and link PROGRAM into the file OUTPUT."""
    stale = _stale_packages(go, program, progress)
    what = f"compiling {program.title}"
    begun = 0

    def count(line: str) -> None:
        nonlocal begun
        if not line.startswith(("#", "go: ")) and " " not in line:
            begun += 1
            progress(what, min(begun, stale) - 1, stale)  # named when begun, so the last one is under way

    progress(what, 0, stale)
    flags = ("-v", *FLAGS, "-ldflags", program.linker_flags, "-o", str(output))
    _run(go, ["build", *flags, program.package], program, count)
    progress(what, stale, stale)


def _stale_packages(go: Go, program: Program, progress: Progress) -> int:
    """How many packages are to be compiled, at least the linked one; downloads the modules on the way."""
    what = f"downloading modules of {program.title}"
    modules, stale = 0, 0

    def count(line: str) -> None:
        nonlocal modules, stale
        if line.startswith("go: downloading "):
            modules += 1
            progress(what, modules, 0)
        elif line:
            stale += 1

    template = "{{if .Stale}}{{.ImportPath}}{{end}}"
    _run(go, ["list", "-deps", *FLAGS, "-f", template, program.package], program, count)
    return max(stale, 1)


def _run(go: Go, arguments: list[str], program: Program, line: Callable[[str], None]) -> None:
    said: list[str] = []
    with subprocess.Popen(
        [go.program, *arguments],
        cwd=program.module,
        env=go.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            for text in process.stdout:
                line(text.rstrip())
                if " " in text.rstrip():  # a sentence, not the name of a package
                    said = [*said[1 - KEPT :], text.rstrip()]
        except BaseException:
            process.terminate()  # leaving the block waits for it
            raise
    if process.returncode:
        raise Missing(_explained(program, said))


def _explained(program: Program, said: list[str]) -> str:
    words = [line for line in said if not line.startswith("go: downloading ")]
    if any(sign in line for sign in OFFLINE for line in words):
        return (
            f"The Go modules of {program.title} could not be downloaded. They are needed once, from the Go "
            "module proxy (see `go env GOPROXY`); run `make setup` again where it can be reached. "
            f"Go said:\n{words[-1]}"  # the others say the same of other modules
        )
    return f"{program.title} could not be built. Go said:\n" + "\n".join(words)
