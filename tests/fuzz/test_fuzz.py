"""Whatever bytes come in: an answer, or the error that is declared. Guided by coverage, for a fixed number of inputs.

Every input that was ever found to break something stands in corpus/, and is tried in each run, without the fuzzer.
"""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.targets import TARGETS

ROOT = Path(__file__).parents[2]
CORPUS = Path(__file__).parent / "corpus"
SHORT, LONG = 2_000, 300_000

needs_atheris = pytest.mark.skipif(
    importlib.util.find_spec("atheris") is None, reason="atheris has no package for this Python or system"
)


@pytest.mark.parametrize("target", TARGETS)
def test_what_is_known_is_answered(target: str) -> None:
    """Seeds, and what a fuzzer has found once."""
    known = sorted((CORPUS / target).iterdir())
    assert known
    for file in known:
        TARGETS[target](file.read_bytes())


def fuzzed(target: str, runs: int, tmp_path: Path) -> None:
    """Raises with the fuzzer's words where it finds anything."""
    command = [sys.executable, "-m", "tests.fuzz", target, str(runs), str(tmp_path), str(CORPUS / target)]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=1500, env={"PATH": "/usr/bin:/bin"}
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert f"stat::number_of_executed_units: {runs}" in done.stderr


@needs_atheris
@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS)
def test_any_bytes_are_answered_or_refused(target: str, tmp_path: Path) -> None:
    """A few seconds for each."""
    fuzzed(target, SHORT, tmp_path)


@needs_atheris
@pytest.mark.full
@pytest.mark.parametrize("target", TARGETS)
def test_hundreds_of_thousands_of_inputs_are_answered_or_refused(target: str, tmp_path: Path) -> None:
    """Minutes for each."""
    fuzzed(target, LONG, tmp_path)
