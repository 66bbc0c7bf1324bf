"""docs/guide/first-release.md and trying.md, command by command, on real pods: what a newcomer does first."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.cluster import Sandbox
from sandbox.spec import Spec
from tests.docs.blocks import ROOT, runnable
from tests.sandbox.conftest import real_pods, running

__all__ = ["real_pods"]

pytestmark = [pytest.mark.real, pytest.mark.full]

BEGIN = "set -euo pipefail; trap 'kill $(jobs -p) 2>/dev/null || true' EXIT"
"""The visitors go when the shell ends; at a terminal they would stay until their ten minutes are over."""


@pytest.fixture(scope="module")
def sandbox(real_pods: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """What `make sandbox` starts."""
    directory = tmp_path_factory.mktemp("first") / "sandbox"
    yield from running(Sandbox(directory), Spec(1, 0, penstock=True))


def pasted(sandbox: Sandbox, *pages: str) -> str:
    """All blocks of these pages, one after the other in one shell of the sandbox; what they printed."""
    script = "\n".join([BEGIN, *(block.text for page in pages for block in runnable(page))])
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    command = [sys.executable, "-m", "sandbox", "exec", "--directory", str(sandbox.directory), "bash", "-c", script]
    home = {"PATH": path, "HOME": str(sandbox.directory)}
    answer = subprocess.run(command, cwd=ROOT, env=home, capture_output=True, text=True, timeout=550)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return answer.stdout


def test_a_newcomer_sees_a_good_release_promoted_and_a_bad_one_taken_back(sandbox: Sandbox) -> None:
    """From the clone to a judged rollout in eight commands, and each does what the page says of it."""
    story = pasted(sandbox, "docs/guide/first-release.md")
    assert "hello/hello: promoted: all 6 pods run the new version\n" in story
    assert "hello/hello: rejected: taken back, all pods run the former version: step 1 of 3: errors: new " in story
    assert "\nexit code 1\n" in story
    assert "hello/hello: the former version is declared again" in story


def test_the_deployment_to_play_with_can_be_played_with(sandbox: Sandbox) -> None:
    """A good release, a bad one while it runs, and the way back."""
    story = pasted(sandbox, "docs/guide/trying.md")
    assert 'deployment "web" successfully rolled out' in story
    assert "shop/web: the former version is declared again" in story
