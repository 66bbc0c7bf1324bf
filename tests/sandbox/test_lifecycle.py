"""Up, down, killed, interrupted, twice and side by side: a sandbox is either whole or not there."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sandbox import processes
from sandbox.cluster import Sandbox
from sandbox.directory import Directory
from sandbox.spec import Spec
from tests.sandbox.conftest import administrator, command

pytestmark = pytest.mark.cluster

SPEC = ("--simulated-nodes", "2", "--without-penstock")


def pids(sandbox: Sandbox) -> dict[str, int | None]:
    """Every component's process."""
    return {name: sandbox.pid(name) for name in sandbox.components()}


def test_up_twice_changes_nothing(simulated: Sandbox) -> None:
    """Scripts call it without knowing."""
    before = pids(simulated)

    again = command(simulated.directory, "up", *SPEC)

    assert (again.returncode, again.stdout) == (0, f"export KUBECONFIG={simulated.kubeconfig}\n")
    assert pids(simulated) == before


def test_up_with_another_kind_of_cluster_is_refused(simulated: Sandbox) -> None:
    """Neither silently keeping the old one nor silently destroying it would be what was asked for."""
    other = command(simulated.directory, "up", "--simulated-nodes", "3", "--without-penstock")

    running = f"{simulated.directory} has a running cluster of 2 simulated nodes without Penstock"
    assert (other.returncode, other.stderr) == (1, f"sandbox: {running}; take it down first\n")


def test_a_killed_component_stays_dead_until_it_is_restarted(simulated: Sandbox) -> None:
    """Tests kill components to see what happens without them; nothing may bring them back meanwhile."""
    pid = simulated.pid("kube-scheduler")
    assert pid
    os.kill(pid, signal.SIGKILL)
    time.sleep(1)
    dead = command(simulated.directory, "status")
    restarted = command(simulated.directory, "restart", "kube-scheduler")
    alive = command(simulated.directory, "status")

    assert (dead.returncode, restarted.returncode, alive.returncode) == (1, 0, 0)
    assert [line.split()[:2] for line in dead.stdout.splitlines() if "dead" in line] == [["kube-scheduler", "dead"]]
    assert simulated.pid("kube-scheduler") not in (None, pid)


def test_up_brings_back_only_what_has_died(simulated: Sandbox) -> None:
    """The state of a cluster is in etcd; bringing up must not begin anew because one process is missing."""
    before = pids(simulated)
    simulated.stop("kube-controller-manager")
    assert simulated.pid("kube-controller-manager") is None

    simulated.up(Spec(0, 2, penstock=False))

    after = pids(simulated)
    assert after.pop("kube-controller-manager") not in (None, before.pop("kube-controller-manager"))
    assert after == before


@pytest.mark.parametrize("name", ["etcd", "kube-apiserver", "kwok"])
def test_a_restarted_component_is_ready_when_the_command_returns(simulated: Sandbox, name: str) -> None:
    """Whoever waits for the command must not have to wait again."""
    before = simulated.pid(name)

    assert command(simulated.directory, "restart", name).returncode == 0

    assert simulated.pid(name) not in (None, before)
    assert administrator(simulated).get("/api/v1/nodes/simulated-2").ok


def test_a_name_that_does_not_exist_is_an_error_that_lists_those_that_do(simulated: Sandbox) -> None:
    """A typing error in a test script must not look like a successful restart."""
    wrong = command(simulated.directory, "restart", "scheduler")

    assert wrong.returncode == 1
    assert wrong.stderr == (
        "sandbox: there is no scheduler here; there are etcd, kube-apiserver, kube-controller-manager, "
        "kube-scheduler, kwok\n"
    )


def test_exec_becomes_the_command_so_that_signals_and_exit_codes_are_its_own(simulated: Sandbox) -> None:
    """A traffic generator started by exec must end when its pid is told to, and its parent must see how."""
    shell = 'trap "exit 7" TERM; echo $$ $KUBECONFIG; while :; do sleep 0.05; done'
    called = [sys.executable, "-m", "sandbox", "exec", "--directory", str(simulated.directory), "--", "sh", "-c", shell]
    with subprocess.Popen(called, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == f"{process.pid} {simulated.kubeconfig}\n"
        process.terminate()
        assert process.wait(10) == 7

    kubectl = command(simulated.directory, "exec", "--", "kubectl", "get", "nodes", "-o", "name")
    assert kubectl.stdout.split() == ["node/simulated-1", "node/simulated-2"]


def test_two_sandboxes_run_side_by_side_and_end_apart(simulated: Sandbox, tmp_path: Path) -> None:
    """Checkouts, tests and a demo share one machine."""
    other = Sandbox(tmp_path / "other")
    other.up(Spec(0, 1, penstock=False))
    try:
        assert administrator(other).get("/api/v1/nodes/simulated-2").status == 404
        assert administrator(simulated).get("/api/v1/nodes/simulated-2").ok
    finally:
        other.down()

    assert processes.members(other.files) == []
    assert None not in pids(simulated).values()


def test_a_crashed_sandbox_is_replaced_by_a_fresh_one_and_down_leaves_only_logs(tmp_path: Path) -> None:
    """After a power cut there are files of a cluster and no processes."""
    sandbox = Sandbox(tmp_path / "sandbox")
    sandbox.up(Spec(0, 1, penstock=False))
    try:
        administrator(sandbox).create("/api/v1/namespaces", {"metadata": {"name": "old"}})
        processes.end(processes.members(sandbox.files), patience=0)

        sandbox.up(Spec(0, 3, penstock=False))

        assert administrator(sandbox).get("/api/v1/nodes/simulated-3").ok
        assert administrator(sandbox).get("/api/v1/namespaces/old").status == 404
    finally:
        sandbox.down()
    assert processes.members(sandbox.files) == []
    assert {path.suffix or path.name for path in sandbox.directory.rglob("*")} == {".lock", "run", ".log"}


@pytest.mark.parametrize("numbers", [(signal.SIGINT,), (signal.SIGTERM,), (signal.SIGINT, signal.SIGINT)])
def test_an_interrupted_up_takes_back_what_it_has_started(tmp_path: Path, numbers: tuple[signal.Signals, ...]) -> None:
    """Ctrl-C at the wrong moment, or twice, is how stray control planes come about."""
    files = Directory(tmp_path / "sandbox")
    called = [sys.executable, "-m", "sandbox", "up", "--directory", str(files.root), *SPEC]
    with subprocess.Popen(called, stderr=subprocess.PIPE, text=True) as process:
        while not files.pid_file("kube-apiserver").exists():
            time.sleep(0.01)
            assert process.poll() is None
        for number in numbers:
            process.send_signal(number)
            time.sleep(0.03)
        code = process.wait(15)

    assert code == 130
    assert processes.members(files) == []
    assert not files.kubeconfig.exists()
    assert not files.state.exists()
