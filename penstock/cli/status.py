"""`penstock status`: one rollout on one screen, or all active ones in a table; once, or followed live."""

from typing import TYPE_CHECKING

import click

from penstock.cli.completion import deployments
from penstock.cli.formats import formatted, rendered, structured
from penstock.cli.options import common
from penstock.cli.session import run

if TYPE_CHECKING:
    from penstock.cli.overview import Overview
    from penstock.cli.progress_view import View
    from penstock.cli.reading import Sight
    from penstock.kube import Client


@click.command()
@click.argument("deployment", required=False, shell_complete=deployments)
@click.option("-A", "--all-namespaces", is_flag=True, help="Rollouts in all namespaces.")
@click.option("-w", "--watch", is_flag=True, help="Follow until Ctrl-C.")
@formatted
@common
def status(deployment: str | None, all_namespaces: bool, watch: bool, output: str) -> None:
    """Show active rollouts: step, pods, reason, and what happens next.

    With DEPLOYMENT one screen about it, also when it has no rollout; without, a table of all active ones.
    """
    if deployment and all_namespaces:
        raise click.UsageError("DEPLOYMENT stands in one namespace: name that by -n, or leave DEPLOYMENT out")
    if watch:
        from penstock.cli.watch import follow

        follow(deployment, all_namespaces, output)
        return

    async def once(client: "Client", namespace: str) -> "View":
        if deployment:
            from penstock.cli.reading import workload

            return view(await workload(client, namespace, named(deployment)))
        return await active(client, "" if all_namespaces else namespace)

    show(run(once), output)


def named(deployment: str) -> str:
    """People write `deployment/web` and `deploy/web` out of kubectl's habit."""
    kind, slash, name = deployment.rpartition("/")
    if slash and kind.lower() not in ("deployment", "deployments", "deploy", "deployment.apps", "deployments.apps"):
        raise click.UsageError(f"only Deployments are stepped, not {kind}")
    if not name:
        raise click.UsageError("the name of the Deployment is missing")
    return name


def view(sight: "Sight") -> "View":
    """What is shown of one Deployment."""
    from penstock.cli.idle import idle
    from penstock.cli.progress import progress

    return progress(sight) or idle(sight)


async def active(client: "Client", namespace: str) -> "Overview":
    """All active rollouts of a namespace, or (empty) of all."""
    from penstock import clock
    from penstock.cli.overview import overview
    from penstock.cli.reading import home_of, must_exist, silence
    from penstock.core import keys
    from penstock.kube import objects

    listed = await client.get(objects.deployments(namespace or None), labelSelector=keys.ROLLOUT)
    places = {objects.namespace_of(item) for item in listed["items"]}
    homes = {place: await home_of(client, place) for place in sorted(places)}
    if namespace and not listed["items"]:
        await must_exist(client, namespace)
    warning = await silence(client, namespace) if listed["items"] else ""
    return overview(namespace, listed["items"], homes, clock.now(), warning)


def show(view: "View", output: str) -> None:
    if structured(output):
        click.echo(rendered(view.json(), output))
        return
    from penstock.cli.console import emit
    from penstock.cli.progress_view import screen

    emit(screen(view, wide=output == "wide"))
