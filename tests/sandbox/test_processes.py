"""Processes are found again by their mark, and nobody else's is ever touched."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox import processes
from sandbox.directory import Directory

SLEEP = ["sleep", "60"]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(15, signal.SIG_IGN); print('set', flush=True); time.sleep(60)",
]


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Directory]:
    """A sandbox's directory; nothing outlives the test."""
    made = Directory(tmp_path)
    made.make()
    yield made
    processes.end(processes.members(made), patience=0)


def test_a_started_process_is_detached_and_writes_only_to_its_log(directory: Directory) -> None:
    """`up` must be able to end, and its terminal to close, without taking the cluster along."""
    pid = processes.start(directory, "speaker", ["sh", "-c", "echo out; echo err >&2; exec sleep 60"])

    assert processes.running(directory, "speaker") == pid
    assert directory.pid_file("speaker").read_text() == f"{pid}\n"
    assert os.getsid(pid) == pid
    deadline = time.monotonic() + 5
    while directory.tail("speaker") != "out\nerr" and time.monotonic() < deadline:
        time.sleep(0.01)
    assert directory.tail("speaker") == "out\nerr"


def test_a_pid_file_that_names_a_stranger_kills_nobody(directory: Directory) -> None:
    """After a reboot the number of a component may be anybody's."""
    with subprocess.Popen(SLEEP) as stranger:
        directory.pid_file("etcd").write_text(f"{stranger.pid}\n")

        found = processes.running(directory, "etcd")
        processes.stop(directory, "etcd", patience=1)

        assert (found, stranger.poll()) == (None, None)
        stranger.kill()


def test_the_same_process_of_another_sandbox_is_a_stranger(directory: Directory, tmp_path: Path) -> None:
    """Two sandboxes have processes of the same names side by side."""
    other = Directory(tmp_path / "other")
    other.make()
    pid = processes.start(other, "etcd", SLEEP)
    directory.pid_file("etcd").write_text(f"{pid}\n")

    processes.stop(directory, "etcd", patience=1)

    assert processes.running(directory, "etcd") is None
    assert processes.members(directory) == []
    assert processes.running(other, "etcd") == pid
    processes.end([pid], patience=0)


def test_a_zombie_counts_as_dead(directory: Directory) -> None:
    """A test kills a process that it has started itself and does not collect; status must not call it alive."""
    pid = processes.start(directory, "victim", SLEEP)
    os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 5
    while Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
        assert time.monotonic() < deadline
        time.sleep(0.01)

    assert processes.running(directory, "victim") is None


def test_what_ignores_sigterm_is_killed_after_the_patience(directory: Directory) -> None:
    """`down` must end, whatever a component thinks about it."""
    pid = processes.start(directory, "stubborn", STUBBORN)
    while directory.tail("stubborn") != "set":
        time.sleep(0.01)

    began = time.monotonic()
    processes.stop(directory, "stubborn", patience=0.2)

    assert 0.2 <= time.monotonic() - began < 5
    assert not Path(f"/proc/{pid}").exists()  # collected, too
    assert not directory.pid_file("stubborn").exists()


def test_what_a_process_leaves_behind_is_found_by_the_mark_it_inherited(directory: Directory) -> None:
    """containerd's shims outlive containerd on purpose; without pid files they would outlive the sandbox."""
    processes.start(directory, "parent", ["sh", "-c", "sleep 60 & echo $!"])
    deadline = time.monotonic() + 5
    while not directory.tail("parent"):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    child = int(directory.tail("parent"))

    assert child in processes.members(directory)


def test_no_proxy_or_kubeconfig_of_the_caller_reaches_a_component(
    directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy for the outside world, asked for 127.0.0.1 inside a private network, fails in strange ways."""
    for name in ("HTTPS_PROXY", "no_proxy", "KUBECONFIG", "SOMETHING"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")

    assert set(processes.environment(directory, "etcd")) <= {
        *("HOME", "PATH", "TZ", "TMPDIR"),
        *(processes.DIRECTORY_MARK, processes.NAME_MARK),
    }
