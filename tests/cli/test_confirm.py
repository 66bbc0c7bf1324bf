"""The question before a command acts: asked on a real terminal, and never where nobody could answer."""

import os
import pty
import subprocess
import sys

import pytest

ASK = "from penstock.cli.requests import confirm; confirm('Take it back?'); print('done')"


@pytest.mark.parametrize(("typed", "code", "last"), [("y\n", 0, "done"), ("n\n", 1, "nothing was changed")])
def test_a_person_is_asked_and_a_no_changes_nothing(typed: str, code: int, last: str) -> None:
    """The exit code says that it was not done."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen([sys.executable, "-c", wrapped(ASK)], stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    os.write(ours, typed.encode())
    shown = b""
    while True:
        try:
            part = os.read(ours, 1024)
        except OSError:  # Linux says so where the other side is closed
            break
        if not part:
            break
        shown += part
    os.close(ours)
    assert process.wait(20) == code
    assert "Take it back? [y/N]: " in shown.decode()
    assert shown.decode().endswith(f"{last}\r\n")


def wrapped(text: str) -> str:
    """As the group of commands runs it."""
    lines = text.replace("; ", "\n    ")
    return f"import click\n@click.command()\ndef main() -> None:\n    {lines}\nmain()"


def test_where_there_is_no_terminal_yes_has_to_be_said() -> None:
    """A pipeline that hangs on a question is found in the morning."""
    done = subprocess.run([sys.executable, "-c", wrapped(ASK)], input="y\n", capture_output=True, text=True, timeout=20)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "Error: nobody can be asked here, this is no terminal\nHint: add --yes\n"
