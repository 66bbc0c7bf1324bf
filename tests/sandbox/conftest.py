"""Sandboxes for the tests of the sandbox: one per module and kind, because each takes seconds to start."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox import packages
from sandbox.api import Api
from sandbox.cluster import Sandbox
from sandbox.spec import Spec, load


@pytest.fixture(scope="session")
def real_pods() -> None:
    """Skips where there can be no real pods."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("real pods need root on Linux")
    if absent := packages.missing():
        pytest.skip(f"real pods need the Debian packages {', '.join(absent)}")


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A cluster of two simulated nodes, without Penstock."""
    yield from running(Sandbox(tmp_path_factory.mktemp("simulated") / "sandbox"), Spec(0, 2, penstock=False))


@pytest.fixture(scope="module")
def real(real_pods: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A cluster of one real node, without Penstock."""
    yield from running(Sandbox(tmp_path_factory.mktemp("real") / "sandbox"), Spec(1, 0, penstock=False))


def running(sandbox: Sandbox, spec: Spec) -> Iterator[Sandbox]:
    """SANDBOX while it runs."""
    sandbox.up(spec)
    try:
        yield sandbox
    finally:
        sandbox.down()


def administrator(sandbox: Sandbox) -> Api:
    """Requests to its API server."""
    state = load(sandbox.files)
    assert state
    return Api(sandbox.files, state.ports.api)


def command(directory: Path, *arguments: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
    """`python -m sandbox`, as a person would call it."""
    name, *rest = arguments
    called = [sys.executable, "-m", "sandbox", name, "--directory", str(directory), *rest]
    return subprocess.run(called, capture_output=True, text=True, timeout=timeout, check=False)
