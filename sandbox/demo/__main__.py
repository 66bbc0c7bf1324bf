"""`python -m sandbox.demo`, which is `make demo`."""

import asyncio
import signal
import sys
from pathlib import Path

import click
from rich.console import Console

from penstock.kube import ApiError, NotConfigured
from sandbox.component import Failed
from sandbox.demo.play import play
from sandbox.demo.recorder import TookTooLong
from sandbox.demo.shop import NotGated, NotOurs
from sandbox.missing import Missing

WIDTH = 80
"""Columns where there is no terminal that has a width."""


@click.command()
@click.option("--directory", default=".sandbox", show_default=True, help="The sandbox: used if it runs, else started.")
@click.option("--pods", type=click.Choice(["real", "simulated"]), help="Default: real for root on Linux.")
def main(directory: str, pods: str | None) -> None:
    """A good release, three bad ones, and one whose controller is killed half-way."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDTH)
    code = 1
    try:
        code = asyncio.run(interruptible(Path(directory), pods, console))
    except* (ApiError, Failed, Missing, NotConfigured, NotGated, NotOurs, TookTooLong) as group:
        for error in leaves(group):
            print(f"demo: {error}", file=sys.stderr)
    sys.exit(code)


async def interruptible(directory: Path, pods: str | None, console: Console) -> int:
    """The exit code. The first signal ends the story; what cleans up after it is not to be interrupted again."""
    story = asyncio.current_task()
    assert story is not None
    received: list[signal.Signals] = []

    def interrupt(number: signal.Signals) -> None:
        if not received:
            story.cancel()
        received.append(number)
        print("demo: interrupted, everything is taken down, please wait", file=sys.stderr)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, interrupt, number)
    try:
        return 0 if await play(directory, pods, console) else 1
    except asyncio.CancelledError:
        if not received:
            raise
        return 128 + received[0]


def leaves(group: BaseExceptionGroup[Exception]) -> list[Exception]:
    """The errors themselves, however deep."""
    found: list[Exception] = []
    for error in group.exceptions:
        found += leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return found


if __name__ == "__main__":
    main()
