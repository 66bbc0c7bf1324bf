"""Options that every command takes, before or after its name, and where their values are found.

kubectl users write `-n` at either place (`kubectl penstock status -n shop`); click binds an option to one command
only. So each is declared on the group and on every command, and its value goes into the context's shared notes; the
one written last wins.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])

NOTES = "penstock."


@dataclass(frozen=True)
class Settings:
    """How to reach the cluster, and the namespace that was asked for."""

    kubeconfig: str | None = None
    context: str | None = None
    namespace: str | None = None
    debug: bool = False


def settings() -> Settings:
    """The values of the command that runs."""
    notes = click.get_current_context().meta
    return Settings(**{name: notes[NOTES + name] for name in Settings.__annotations__ if NOTES + name in notes})


def _note(context: click.Context, parameter: click.Parameter, value: Any) -> None:
    if value:
        context.meta[NOTES + str(parameter.name)] = value


def _kept(*names: str, **attributes: Any) -> Callable[[Command], Command]:
    return click.option(*names, expose_value=False, callback=_note, **attributes)


def files(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> Any:
    from click.shell_completion import CompletionItem

    return [CompletionItem(incomplete, type="file")]


def _contexts(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    from penstock.cli.completion import contexts

    return contexts(context, parameter, incomplete)


def _namespaces(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    from penstock.cli.completion import namespaces

    return namespaces(context, parameter, incomplete)


def common(command: Command) -> Command:
    """Adds the common options to a command or a group."""
    declared = (
        _kept("--kubeconfig", metavar="PATH", shell_complete=files, help="Default: $KUBECONFIG, then ~/.kube/config."),
        _kept("--context", metavar="NAME", shell_complete=_contexts, help="Default: the kubeconfig's current context."),
        _kept(
            "-n", "--namespace", metavar="NAME", shell_complete=_namespaces, help="Default: the context's namespace."
        ),
        _kept("--debug", is_flag=True, help="Show the traceback of an error."),
    )
    for option in reversed(declared):
        command = option(command)
    return command


def confirmed(command: Command) -> Command:
    """Adds `--yes` and `--no-wait` to a command that asks something of the controller."""
    command = click.option("--no-wait", is_flag=True, help="Do not wait until the controller has taken it up.")(command)
    return click.option("-y", "--yes", is_flag=True, help="Do not ask; needed where there is no terminal.")(command)
