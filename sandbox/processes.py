"""Processes that outlive the command that started them, and are found again without ever hitting a stranger.

A number in a pid file says little: the kernel gives it to somebody else later. So every process carries the
sandbox's directory and its own name in its environment, and only a process that shows both in /proc is
believed to be ours. The mark is inherited, so what a process leaves behind (a container's shim, say) is found too.
"""

import os
import select
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from sandbox.directory import Directory

DIRECTORY_MARK = "PENSTOCK_SANDBOX"
NAME_MARK = "PENSTOCK_SANDBOX_PROCESS"
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def environment(directory: Directory, name: str) -> dict[str, str]:
    """The whole environment of a process: a proxy or a KUBECONFIG of the caller's must not steer a component."""
    kept = {key: os.environ[key] for key in ("HOME", "TZ", "TMPDIR") if key in os.environ}
    return kept | {"PATH": SYSTEM_PATH, DIRECTORY_MARK: str(directory.root), NAME_MARK: name}


def start(
    directory: Directory,
    name: str,
    command: Sequence[str],
    *,
    fds: Sequence[int] = (),
    variables: Mapping[str, str] | None = None,
) -> int:
    """Start a detached process whose only output is its log, and note its number."""
    with open(directory.log(name), "ab") as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd="/",
            env=environment(directory, name) | dict(variables or {}),
            start_new_session=True,
            pass_fds=tuple(fds),
        )
    # Popen returns when the program is loaded, a moment before the kernel shows its environment.
    while _marks(process.pid) != (str(directory.root), name) and process.poll() is None:
        time.sleep(0.001)
    process.returncode = 0  # it is meant to outlive this object, which would complain about that
    directory.pid_file(name).write_text(f"{process.pid}\n")
    return process.pid


def running(directory: Directory, name: str) -> int | None:
    """The number of the process NAME, if it lives; a zombie does not."""
    try:
        pid = int(directory.pid_file(name).read_text())
    except (FileNotFoundError, ValueError):
        return None
    for _ in range(100):
        marks = _marks(pid)
        if marks != ("", ""):
            return pid if marks == (str(directory.root), name) else None
        if not _lives(pid):
            return None
        time.sleep(0.001)  # for a moment it shows none, whenever it becomes another program, as nsenter does
    return None


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def members(directory: Directory) -> list[int]:
    """Every process that carries the sandbox's mark, whatever started it."""
    numbers = (int(entry) for entry in os.listdir("/proc") if entry.isdigit())
    return [pid for pid in numbers if _marks(pid)[0] == str(directory.root) and pid != os.getpid()]


def _marks(pid: int) -> tuple[str, str]:
    """Directory and name in the environment a process was started with; a zombie has none any more."""
    try:
        variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:  # gone, or another user's
        return "", ""
    found = dict(entry.decode(errors="replace").partition("=")[::2] for entry in variables if b"=" in entry)
    return found.get(DIRECTORY_MARK, ""), found.get(NAME_MARK, "")


def stop(directory: Directory, name: str, patience: float) -> None:
    """End the process NAME, by force if it has not ended after PATIENCE seconds."""
    pid = running(directory, name)
    if pid is not None:
        end([pid], patience)
    directory.pid_file(name).unlink(missing_ok=True)


def end(pids: Iterable[int], patience: float) -> None:
    """SIGTERM, and SIGKILL for those that live on; a patience of 0 kills at once. Returns when all are dead."""
    handles = dict(_handles(pids))
    try:
        if patience:
            _signal(handles, signal.SIGTERM)
            _wait(handles, patience)
        _signal(handles, signal.SIGKILL)
        _wait(handles, 10.0)
    finally:
        for pid, handle in handles.items():
            os.close(handle)
            with suppress(ChildProcessError):  # reaped by init unless this very process started it
                os.waitpid(pid, os.WNOHANG)


def _handles(pids: Iterable[int]) -> Iterable[tuple[int, int]]:
    """A pidfd means the same process for ever, even if the number is given away between two signals."""
    for pid in pids:
        with suppress(ProcessLookupError):
            yield pid, os.pidfd_open(pid)


def _signal(handles: dict[int, int], number: signal.Signals) -> None:
    for handle in handles.values():
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(handle, number)


def _wait(handles: dict[int, int], patience: float) -> None:
    """A pidfd becomes readable when its process ends."""
    deadline = time.monotonic() + patience
    left = set(handles.values())
    while left and (remaining := deadline - time.monotonic()) > 0:
        poll = select.poll()
        for handle in left:
            poll.register(handle, select.POLLIN)
        left -= {handle for handle, _ in poll.poll(remaining * 1000)}
