"""docs/reference/cli.md, from click: what `--help` says, as it says it at 80 columns."""

from copy import copy

import click

from penstock.cli.formats import FORMATS
from penstock.cli.main import COMMANDS, Commands, cli
from penstock.cli.options import common

WIDTH = 80


def commands() -> str:
    """The whole page."""
    from tools.reference.pages import page, table

    context = click.Context(cli, info_name="penstock", terminal_width=WIDTH, **cli.context_settings)
    rows = [(f"[`{name}`](#{name})", words) for name, (_, words) in COMMANDS.items()]
    options = [(f"`{'`, `'.join((*option.opts, *option.secondary_opts))}`", option.help) for option in _common()]
    options.append(("`-o`, `--output`", f"{', '.join(f'`{each}`' for each in FORMATS)}; default `text`"))
    return page(
        "Commands",
        "`penstock NAME` or `kubectl penstock NAME`. `penstock NAME --help` says the same.",
        table(("command", "does"), rows),
        "Every command takes these, all but `-o` before or after its name:",
        table(("option", "meaning"), options),
        "[The guide](../guide/commands.md) says what the formats are. Errors are one line and a hint; exit code 1, or "
        "2 where the call itself is wrong. `wait` has codes of its own.",
        *(_one(context, name) for name in COMMANDS),
    )


def _common() -> list[click.Option]:
    @click.command()
    @common
    def none() -> None:
        pass

    return [option for option in none.params if isinstance(option, click.Option)]


def _one(parent: click.Context, name: str) -> str:
    """Its help, without the options that every command has."""
    command = copy(Commands().get_command(parent, name))
    assert command is not None
    known = {option.name for option in _common()} | {"output"}
    command.params = [each for each in command.params if each.name not in known]
    context = click.Context(command, info_name=name, parent=parent, terminal_width=WIDTH)
    return f"## {name}\n\n```text\n{command.get_help(context).rstrip()}\n```"
