"""Help, completion and the offline plan answer at once: nothing that a cluster needs is imported for them."""

import subprocess
import sys

import pytest
from click.testing import CliRunner

from penstock.cli.main import COMMANDS, Commands, cli, program

HEAVY = ("kubernetes", "aiohttp", "asyncio", "rich", "yaml", "msgspec", "jsonpatch", "penstock.kube", "penstock.core")
NETWORK = ("kubernetes", "aiohttp", "asyncio", "msgspec", "penstock.kube")

SCRIPT = """
import sys
from penstock.cli.main import cli
for line in sys.argv[1:]:
    try:
        cli.main(line.split(), prog_name="penstock")
    except SystemExit as end:
        assert not end.code, line
print("MODULES", *sys.modules)
"""


def imported(*lines: str, stdin: str = "") -> set[str]:
    """Modules that are loaded after these commands."""
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT, *lines], input=stdin, capture_output=True, text=True, check=True
    )
    return set(run.stdout.rpartition("MODULES ")[2].split())


def test_help_imports_nothing_heavy() -> None:
    """`kubernetes` alone takes more than a second; a time would depend on the machine, so imports are counted."""
    assert imported("--help", "--version", *(f"{name} --help" for name in COMMANDS)) & set(HEAVY) == set()


def test_plan_imports_no_network() -> None:
    """It works on files, in a pipeline's first second, where there may be no cluster at all."""
    assert imported("plan -f -", stdin="apiVersion: v1\nkind: Service\n") & set(NETWORK) == set()


def test_each_line_of_help_in_the_table_is_the_commands_own() -> None:
    """It is written twice so that the list of commands needs no import; twice the same, or it lies."""
    group = Commands()
    for name, (_, words) in COMMANDS.items():
        command = group.get_command(None, name)  # type: ignore[arg-type]  # the context is not used
        assert command is not None
        assert (command.name, (command.help or "").partition("\n")[0]) == (name, words)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/usr/bin/penstock", "penstock"),
        ("/usr/bin/kubectl-penstock", "kubectl penstock"),
        ("kubectl-penstock.exe", "kubectl penstock"),
        ("/src/penstock/cli/__main__.py", "penstock"),
    ],
)
def test_usage_shows_what_was_typed(path: str, name: str) -> None:
    """kubectl runs `kubectl-penstock` for `kubectl penstock`; people copy from usage lines."""
    assert program(path) == name


def test_an_unknown_command_is_an_error_of_usage() -> None:
    """Exit code 2 tells a pipeline that it was written wrongly."""
    result = CliRunner().invoke(cli, ["promote"])
    assert (result.exit_code, result.output.splitlines()[-1]) == (2, "Error: No such command 'promote'.")
