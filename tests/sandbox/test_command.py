"""The command line where no cluster is started."""

import os
import subprocess
import sys
from pathlib import Path

from tests.sandbox.conftest import command


def test_real_pods_without_root_are_refused_with_the_way_out(tmp_path: Path) -> None:
    """A traceback about a control group would tell nobody that simulated pods would do."""
    if os.geteuid() != 0:
        refused = command(tmp_path / "sandbox", "up", "--pods", "real")
    else:
        called = [sys.executable, "-m", "sandbox", "up", "--directory", "/nowhere", "--pods", "real"]
        guarded = f"import os, runpy, sys; os.geteuid = lambda: 1000; sys.argv = {called[2:]!r}; " + (
            "runpy.run_module('sandbox', run_name='__main__')"
        )
        refused = subprocess.run([sys.executable, "-c", guarded], capture_output=True, text=True, check=False)

    assert refused.returncode == 1
    assert refused.stderr == "sandbox: real pods need root; `--pods simulated` does without\n"


def test_status_and_restart_without_a_sandbox_say_how_to_have_one(tmp_path: Path) -> None:
    """The usual reason is another working directory."""
    for arguments in (("status",), ("restart", "webhook"), ("exec", "--", "true")):
        refused = command(tmp_path, *arguments)
        assert (refused.returncode, refused.stderr) == (
            1,
            f"sandbox: no sandbox in {tmp_path}; `python -m sandbox up` makes one\n",
        )


def test_down_without_a_sandbox_is_harmless(tmp_path: Path) -> None:
    """Clean-up scripts call it without knowing, and it makes no directory on the way."""
    absent = tmp_path / "absent"

    assert command(absent, "down").returncode == 0
    assert not absent.exists()


def test_a_cluster_without_nodes_is_refused(tmp_path: Path) -> None:
    """Nothing would ever be scheduled."""
    refused = command(tmp_path, "up", "--real-nodes", "0", "--simulated-nodes", "0")

    assert refused.returncode == 2
    assert "a cluster needs a node" in refused.stderr
