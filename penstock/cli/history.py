"""`penstock history DEPLOYMENT`: how its last rollouts ended, how long they took, and why.

The controller writes one entry at each end into the ConfigMap `penstock-history-NAME` beside the Deployment, which
keeps the last twenty. A Deployment without one has seen no end yet, or only those of a Penstock before 0.1.
"""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from penstock.cli.completion import deployments
from penstock.cli.formats import formatted, rendered, structured
from penstock.cli.options import common
from penstock.cli.session import run

if TYPE_CHECKING:
    from rich.console import RenderableType

    from penstock.core.history import Entry
    from penstock.kube import Client

COLOURS = {"promoted": "green", "rejected": "red"}


@click.command()
@click.argument("deployment", shell_complete=deployments)
@formatted
@common
def history(deployment: str, output: str) -> None:
    """Show how the last rollouts ended, and why.

    Kept by the controller in the ConfigMap penstock-history-NAME beside the Deployment: the last 20.
    """
    from penstock.cli.status import named

    name = named(deployment)

    async def work(client: "Client", namespace: str) -> tuple[str, "tuple[Entry, ...]"]:
        return namespace, await past(client, namespace, name)

    namespace, entries = run(work)
    if structured(output):
        value = {"namespace": namespace, "name": name, "rollouts": [plain_value(entry) for entry in entries]}
        click.echo(rendered(value, output))
        return
    if not entries:
        click.echo(f"No rollout of {namespace}/{name} has ended yet.")
        return
    from penstock.cli.console import emit

    emit(table(entries, wide=output == "wide"))


async def past(client: "Client", namespace: str, name: str) -> "tuple[Entry, ...]":
    """The entries, the newest first; Refusal where there is no such Deployment."""
    from penstock.cli.errors import Refusal
    from penstock.cli.reading import must_exist
    from penstock.core import history as core
    from penstock.kube import NotFound, objects

    try:
        return core.read(await client.get(objects.configmap(namespace, core.name(name))))
    except NotFound:
        pass
    try:
        await client.get(objects.deployment(namespace, name))
    except NotFound:
        await must_exist(client, namespace)
        raise Refusal(f"there is no Deployment {name} in namespace {namespace}", "name another one by -n") from None
    return ()


def plain_value(entry: "Entry") -> dict[str, Any]:
    """For scripts."""
    return asdict(entry) | {"seconds": entry.seconds}


def table(entries: "tuple[Entry, ...]", *, wide: bool = False) -> "RenderableType":
    """A row for each."""
    from rich.table import Table

    from penstock.cli.console import plain
    from penstock.cli.text import ago, date

    shown = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for column in ("ended", "result", "took", "reason", *(("rollout", "images") if wide else ())):
        shown.add_column(column, overflow="fold", no_wrap=column in ("result", "took"))
    for entry in entries:
        took = "-" if entry.seconds is None else ago(entry.seconds)
        more = (plain(entry.rollout), plain(", ".join(entry.images))) if wide else ()
        result = plain(entry.result, COLOURS.get(entry.result, ""))
        shown.add_row(date(entry.ended), result, took, plain(f"{entry.reason}: {entry.message}"), *more)
    return shown
