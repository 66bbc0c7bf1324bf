"""Builds are shared by checkouts and killed half-way; neither may ever show a directory that is not whole."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from sandbox import cache

BUILDER = """
import sys, time
from pathlib import Path
from sandbox import cache

waits = []

def fill(into):
    with open(sys.argv[1], "a") as log:
        print("built", file=log)
    (into / "first").write_text("1")
    time.sleep(float(sys.argv[2]))
    (into / "second").write_text("2")

made = cache.obtain("thing", fill, waiting=lambda: waits.append(1))
print("waited" if waits else "began", sorted(path.name for path in made.iterdir()))
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of this test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "penstock"


def builder(log: Path, seconds: float) -> "subprocess.Popen[str]":
    """Another checkout that wants the same thing."""
    command = [sys.executable, "-c", BUILDER, str(log), str(seconds)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_two_checkouts_build_once_and_both_get_the_whole(home: Path, tmp_path: Path) -> None:
    """Twice six minutes on two cores, or half a binary under its final name, are what the lock prevents."""
    log = tmp_path / "log"
    one, other = builder(log, 0.5), builder(log, 0.5)

    said = sorted([one.communicate(timeout=30)[0], other.communicate(timeout=30)[0]])

    assert said == ["began ['first', 'second']\n", "waited ['first', 'second']\n"]
    assert log.read_text() == "built\n"


def test_a_killed_build_is_built_again(home: Path, tmp_path: Path) -> None:
    """What a killed process left is under another name, and is cleared away by the next build."""
    log = tmp_path / "log"
    victim = builder(log, 60)
    deadline = time.monotonic() + 30
    while not list(home.glob(".thing.partial-*/first")) and time.monotonic() < deadline:
        time.sleep(0.02)
    victim.kill()
    victim.wait()
    assert not (home / "thing").exists()

    said, _ = builder(log, 0).communicate(timeout=30)

    assert said == "began ['first', 'second']\n"
    assert log.read_text() == "built\nbuilt\n"
    assert sorted(path.name for path in home.iterdir()) == [".thing.lock", "thing"]


def test_a_failed_build_leaves_nothing(home: Path) -> None:
    """The next try starts from nothing, and the error is the builder's own."""

    def fill(into: Path) -> None:
        (into / "first").write_text("1")
        raise RuntimeError("no network")

    with pytest.raises(RuntimeError, match="no network"):
        cache.obtain("thing", fill)

    assert [path.name for path in home.iterdir()] == [".thing.lock"]


@pytest.mark.parametrize("variable", ["/somewhere", "relative", "", None])
def test_make_and_python_mean_the_same_cache(variable: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """`make distclean` removes that directory with rm -rf: it must be this one and no other."""
    monkeypatch.setenv("HOME", "/home/someone")
    if variable is None:
        monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    else:
        monkeypatch.setenv("XDG_CACHE_HOME", variable)

    root = Path(cache.__file__).parents[1]
    command = ["make", "--no-print-directory", "--eval", "where: ; @echo $(CACHE)", "where"]
    made = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)

    expected = "/somewhere/penstock" if variable == "/somewhere" else "/home/someone/.cache/penstock"
    assert (str(cache.directory()), made.stdout.strip()) == (expected, expected)
