"""`-o`: one spelling for every command.

    text    for people; `wide` is the same without anything cut or left out
    json    one value, for scripts; moments are seconds since 1970
    yaml    the same value

What a command says besides its answer goes to stderr, so that stdout is always one value that can be piped on.
"""

import json
from collections.abc import Callable
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])

FORMATS = ("text", "wide", "json", "yaml")


def formatted(command: Command) -> Command:
    """Adds `-o` to a command, which gets it as `output`."""
    return click.option(
        "-o", "--output", type=click.Choice(FORMATS), default="text", show_default=True, help="How to answer."
    )(command)


def structured(output: str) -> bool:
    """Whether the answer is for a program."""
    return output in ("json", "yaml")


def answer(value: Any, output: str, *lines: str) -> None:
    """Say it: the value for programs, the lines for people."""
    click.echo(rendered(value, output) if structured(output) else "\n".join(lines))


def rendered(value: Any, output: str) -> str:
    """A value as text, without the last line end."""
    if output == "json":
        return json.dumps(value, indent=2, ensure_ascii=False)
    import yaml

    plain = json.loads(json.dumps(value))  # what is a name of ours, or stands in two places, is plain text to YAML
    return str(yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=1_000_000)).rstrip("\n")
