"""The compiler is run for minutes on other people's machines: it has to say how far it is and what it lacks."""

import shutil
import subprocess
import uuid
from pathlib import Path

import pytest

from sandbox import cache, toolchain
from sandbox.build import KWOK_PROGRAM
from sandbox.compile import Program, build
from sandbox.missing import Missing
from sandbox.progress import plain
from sandbox.toolchain import Go

Seen = list[tuple[str, int, int]]


@pytest.fixture
def go() -> Go:
    """A compiler that is here already; these tests fetch none."""
    if not shutil.which("go") and not list(cache.directory().glob("go-*")):
        pytest.skip("no Go on this machine")
    return toolchain.find(lambda what, done, total: None)


def module(directory: Path, main: str) -> Program:
    """A Go program of two packages of its own, new to Go's cache."""
    (directory / "go.mod").write_text(f"module example.test/{directory.name}\n\ngo 1.26.0\n")
    (directory / "part").mkdir()
    (directory / "part" / "part.go").write_text(f'package part\n\nvar Version = "{uuid.uuid4()}"\n')
    (directory / "main.go").write_text(main)
    return Program("the example", directory, definitions=((f"example.test/{directory.name}/part.Version", "v1"),))


def main(directory: Path, body: str) -> str:
    """The text of main.go."""
    return f'package main\n\nimport "example.test/{directory.name}/part"\n\nfunc main() {{ {body} }}\n'


def test_the_bar_counts_what_is_compiled_and_ends_full(go: Go, tmp_path: Path) -> None:
    """The total is known before; the last unit is done only when the program is linked."""
    seen: Seen = []
    program = module(tmp_path, main(tmp_path, "print(part.Version)"))

    build(go, program, tmp_path / "program", lambda *at: seen.append(at))

    counts = [(done, total) for what, done, total in seen if what == "compiling the example"]
    total = counts[0][1]
    assert total >= 2  # the two packages, and those of Go that its cache lacks
    assert counts == [(0, total), *((done, total) for done in range(total)), (total, total)]
    assert subprocess.run([tmp_path / "program"], capture_output=True, text=True).stderr == "v1"


def test_what_does_not_compile_is_told_in_the_words_of_go(go: Go, tmp_path: Path) -> None:
    """Somebody who changes main.go needs the line and the column, not a Python traceback."""
    program = module(tmp_path, main(tmp_path, "part.Version = 1"))

    with pytest.raises(Missing) as failed:
        build(go, program, tmp_path / "program", lambda *at: None)

    assert str(failed.value).splitlines() == [
        "the example could not be built. Go said:",
        f"# example.test/{tmp_path.name}",
        "./main.go:5:30: cannot use 1 (untyped int constant) as string value in assignment",
    ]


def test_without_a_network_the_message_says_what_is_needed(go: Go, tmp_path: Path) -> None:
    """The first run of someone on a train: one message, and it names the Go module proxy."""
    without = {"GOPROXY": "http://127.0.0.1:9", "GOMODCACHE": str(tmp_path / "none")}
    nowhere = Go(go.program, go.environment | without)

    with pytest.raises(Missing) as failed:
        build(nowhere, KWOK_PROGRAM, tmp_path / "program", lambda *at: None)

    assert str(failed.value).startswith(
        "The Go modules of kwok 0.8.0 could not be downloaded. They are needed once, from the Go module proxy"
    )
    assert "connection refused" in str(failed.value)
    assert not (tmp_path / "program").exists()


def test_a_reader_without_a_terminal_gets_a_line_now_and_then() -> None:
    """Four thousand lines of a redrawn bar in a CI log, or six minutes of silence: neither."""
    lines: list[str] = []
    now = [0.0]
    progress = plain(lines.append, lambda: now[0])

    for second in range(41):
        now[0] = float(second)
        progress("compiling it", second, 40)
    progress("fetching", 3, 0)
    progress("waiting", 0, 0)

    assert lines == [
        "compiling it: 0 of 40 (0 %), 0 s",
        "compiling it: 15 of 40 (37 %), 15 s",
        "compiling it: 30 of 40 (75 %), 30 s",
        "compiling it: 40 of 40 (100 %), 40 s",
        "fetching: 3, 0 s",
        "waiting, 0 s",
    ]
