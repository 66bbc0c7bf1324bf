"""`python -m controller`: leads its shard, steps every active rollout, keeps the webhook's certificates."""

import signal
import sys

# The first process of a container ignores SIGTERM until something handles it, and the imports below take a second.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))

import asyncio

import click

from controller.loop import lead
from controller.notify.channels import unsendable
from controller.notify.ledger import Ledger
from controller.notify.outbox import Outbox
from controller.settings import Settings
from controller.sources.choice import sources
from controller.telemetry import Telemetry, configure_logs, serve_metrics
from controller.web.access import AccessError
from controller.web.board import Board
from controller.web.leadership import Leadership
from controller.web.serve import access_of, bound, serve_page
from penstock import __version__
from penstock.kube import Client, Lease, hold
from penstock.metrics.configuration import Configuration, ConfigurationError, load
from penstock.signals.targets import Notifications
from penstock.signals.tracing import Tracing


def _listed(_context: click.Context, _parameter: click.Parameter, value: str) -> tuple[str, ...]:
    return tuple(item.strip() for item in value.split(",") if item.strip())


@click.command(context_settings={"auto_envvar_prefix": "PENSTOCK", "show_default": True})
@click.option("--kubeconfig", default="", help="Path; else $KUBECONFIG, else the pod's ServiceAccount.")
@click.option("--namespace", default="penstock-system", help="Namespace of the leases and the certificate Secret.")
@click.option("--namespaces", default="", callback=_listed, help="Limit to these, comma separated.")
@click.option("--identity", default=Settings().identity, help="Name in the lease.")
@click.option("--metrics-port", default=9090, type=click.IntRange(0, 65535), help="0: none.")
@click.option("--webhook-names", default="webhook.penstock-system.svc", callback=_listed, help="Certificate names.")
@click.option("--without-certs", is_flag=True, help="Do not run the certificate authority.")
@click.option("--configuration", default="", help="Path of penstock.yaml; without it: the defaults.")
@click.option("--page-port", default=0, type=click.IntRange(0, 65535), help="The web page; 0: none.")
@click.option(
    "--page-address", default="127.0.0.1", help="Where the page listens; elsewhere than here it asks who looks."
)
@click.option("--page-token-file", default="", help="File with the token that opens the page.")
@click.option("--page-user-header", default="", help="Header in which an authenticating proxy names the user.")
@click.option("--page-proxies", default="", help="Addresses of such proxies, like 10.0.0.0/8, comma separated.")
@click.option("--page-hosts", default="", help="Host names that the page answers to besides localhost.")
@click.option("--page-prefix", default="", help="Path under which a proxy shows the page.")
@click.option("--record", default="", help="Directory for what decisions are made from, see `penstock replay`.")
@click.version_option(__version__)
def main(**flags: object) -> None:
    """Open releases one step at a time and judge each step."""
    configure_logs()
    try:
        asyncio.run(run(Settings(**flags)))  # type: ignore[arg-type]  # click has converted them
    except asyncio.CancelledError:
        pass
    except (AccessError, ConfigurationError) as error:
        raise click.ClickException(str(error)) from None


async def run(settings: Settings) -> None:
    """Work until SIGTERM or the loss of the lease, then release it and end."""
    this = asyncio.current_task()
    assert this is not None
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, this.cancel)
    configuration, tracing = load(settings.configuration), Tracing.from_environment("penstock-controller")
    telemetry = Telemetry(tracing=tracing)
    for problem in unsendable(configuration.notifications or Notifications()):
        raise ConfigurationError(problem)
    try:
        await _work(settings, configuration, telemetry)
    finally:
        await asyncio.to_thread(tracing.close)


async def _work(settings: Settings, configuration: Configuration, telemetry: Telemetry) -> None:
    board, allowed = Board(kept=bool(settings.page_port)), access_of(settings)
    listening = bound(settings.page_address, settings.page_port) if settings.page_port else None
    async with Client.connect(settings.kubeconfig or None, user_agent=f"penstock-controller/{__version__}") as client:
        client.on_write = telemetry.wrote
        async with asyncio.TaskGroup() as group:
            if settings.metrics_port:
                group.create_task(serve_metrics(settings.metrics_port, telemetry))
            if listening:
                leadership = Leadership(lambda: telemetry.ready, settings.identity, settings.lease, settings.namespace)
                group.create_task(serve_page(listening, board, leadership, allowed, settings.page_prefix))

            async def work(lease: Lease) -> None:
                ledger = Ledger(client, settings.namespace, settings.lease)
                outbox = Outbox(configuration.notifications or Notifications(), ledger, telemetry.notifications)
                async with sources(configuration) as found:
                    await lead(client.guarded(lease.vouch), settings, lease, telemetry, found, board, outbox)

            group.create_task(hold(client, settings.namespace, settings.lease, settings.identity, work))
            if not settings.without_certs:
                group.create_task(_certificates(client, settings, telemetry))


async def _certificates(client: Client, settings: Settings, telemetry: Telemetry) -> None:
    from certs import keep  # cryptography is not needed where another replica keeps them
    from certs.metrics import Metrics

    metrics = Metrics(telemetry.registry)
    await keep(client, settings.namespace, settings.webhook_names, settings.identity, metrics=metrics)


if __name__ == "__main__":
    main()
