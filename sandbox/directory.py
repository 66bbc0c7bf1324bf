"""Where a sandbox keeps its files, and what may be removed of them.

`--directory` may name a directory that holds other things too, so nothing here ever deletes the directory's
content as a whole: only the entries that the sandbox itself makes.
"""

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

LOGS = "run"
PODS = "pods"
"""Logs of processes and of containers: kept by `down`, so that a failure can still be read afterwards."""

MADE = ("etcd", "prometheus", "pki", "configuration", "kubeconfig", "state.json")


@dataclass(frozen=True)
class Directory:
    """The files of one sandbox; `root` is absolute."""

    root: Path

    @property
    def kubeconfig(self) -> Path:
        """The administrator's, for people and tests."""
        return self.root / "kubeconfig"

    @property
    def pki(self) -> Path:
        """Keys and certificates."""
        return self.root / "pki"

    @property
    def configuration(self) -> Path:
        """What the components read: their kubeconfigs and configuration files."""
        return self.root / "configuration"

    @property
    def prometheus(self) -> Path:
        """What Prometheus has gathered."""
        return self.root / "prometheus"

    @property
    def pods(self) -> Path:
        """Logs of containers on real nodes."""
        return self.root / PODS

    @property
    def state(self) -> Path:
        """What was asked for and which ports were chosen; there from the first moment of `up` to the last of `down`."""
        return self.root / "state.json"

    def log(self, name: str) -> Path:
        """Everything the process NAME has written."""
        return self.root / LOGS / f"{name}.log"

    def pid_file(self, name: str) -> Path:
        """Holds the number of the process NAME."""
        return self.root / LOGS / f"{name}.pid"

    def make(self) -> None:
        """All directories, closed to other users: they hold keys."""
        for path in (self.root, self.root / LOGS, self.pki, self.configuration):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)

    def clear(self, *, logs: bool) -> None:
        """Remove what an earlier sandbox made here; its logs only if asked to."""
        for name in (*MADE, *([PODS] if logs else [])):
            path = self.root / name
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        for pattern in ("*.pid", "*.url", *(["*.log"] if logs else [])):
            for file in (self.root / LOGS).glob(pattern):
                file.unlink()

    def tail(self, name: str, lines: int = 15) -> str:
        """The end of a log, for error messages."""
        try:
            text = self.log(name).read_text(errors="replace")
        except FileNotFoundError:
            return ""
        return "\n".join(text.splitlines()[-lines:])

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One command at a time changes a sandbox; the second waits."""
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open(self.root / ".lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
