"""The commands `penstock` and `kubectl-penstock`.

A command's module is imported when it is run, for `--help` and completion must answer at once; its line of help
stands here so that even that needs no import.
"""

import importlib
import io
import os
import sys
from typing import Any

import click

from penstock import __version__
from penstock.cli.options import NOTES, common

COMMANDS = {
    "plan": ("penstock.cli.plan:plan", "Show what a change of a Deployment would do, before it is made."),
    "status": ("penstock.cli.status:status", "Show active rollouts: step, pods, reason, and what happens next."),
    "history": ("penstock.cli.history:history", "Show how the last rollouts ended, and why."),
    "wait": ("penstock.cli.wait:wait", "Wait until a release has ended; its result is the exit code."),
    "approve": ("penstock.cli.requests:approve", "Let a rollout go on from the step it is held at."),
    "skip-to": ("penstock.cli.requests:skip_to", "Go on at a later step, without those between."),
    "abort": ("penstock.cli.requests:abort", "Take a release back."),
    "undo": ("penstock.cli.undo:undo", "Declare the former version again, and end the rollout."),
    "release": ("penstock.cli.release:release", "Let a release go to all pods at once, not judged (break-glass)."),
    "retry": ("penstock.cli.requests:retry", "Try a rejected version again."),
    "backtest": ("penstock.cli.backtest:backtest", "Run the checks on the past: false alarms, time of a release."),
    "doctor": ("penstock.cli.doctor:doctor", "Check that Penstock is set up right, end to end."),
    "completion": ("penstock.cli.completion:completion", "Print the script that completes in your shell."),
    "replay": ("penstock.cli.replay:replay", "Make the decision of a recorded observation again."),
    "uninstall": ("penstock.cli.uninstall:uninstall", "Take Penstock out of the cluster."),
}
"""Name → where the command is, and its line of help."""


class Commands(click.Group):
    """A group whose commands are imported when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """What no command has foreseen is told in one line, too."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.Abort, click.exceptions.Exit, BrokenPipeError):
            raise  # click's own, and a reader that has seen enough (`penstock plan | head`)
        except Exception as error:
            if ctx.meta.get(NOTES + "debug"):
                raise
            from penstock.cli.errors import refusal

            raise refusal(error) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, words) for name, (_, words) in COMMANDS.items()])


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="%(prog)s %(version)s")
@common
def cli() -> None:
    """Safe, stepwise releases of plain Kubernetes Deployments."""


def program(path: str) -> str:
    """What the user typed: kubectl runs `kubectl-penstock` for `kubectl penstock`."""
    name = os.path.basename(path).removesuffix(".exe")
    if name.startswith("kubectl-"):
        return name.replace("-", " ", 1)
    return "penstock" if name in ("", "main.py", "__main__.py", "-c") else name


def main() -> None:
    """The entry point of both commands."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal of another alphabet shows ?, and no traceback
    cli.main(prog_name=program(sys.argv[0]))
