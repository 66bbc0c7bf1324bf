"""`python -m certs`: looks after the certificates alone, where no controller does."""

import asyncio
import os
import signal
import socket
import sys

import click
import structlog

from certs.custody import keep
from certs.protocol import TRUST_WAIT
from penstock import __version__
from penstock.kube import Client, LeaseLost, NotConfigured


@click.command(context_settings={"auto_envvar_prefix": "PENSTOCK", "show_default": True})
@click.option("--kubeconfig", default="", help="Path; else $KUBECONFIG, else the pod's ServiceAccount.")
@click.option("--namespace", default="penstock-system", help="Namespace of the lease and of the Secret.")
@click.option("--webhook-names", default="webhook.penstock-system.svc", help="Names and addresses, comma separated.")
@click.option("--identity", default=f"{socket.gethostname()}-{os.getpid()}", help="Name in the lease.")
@click.option("--trust-wait", default=TRUST_WAIT, help="Seconds between trust in a new CA and its first certificate.")
@click.version_option(__version__)
def main(kubeconfig: str, namespace: str, webhook_names: str, identity: str, trust_wait: float) -> None:
    """Make, publish and replace the webhook's certificates."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ]
    )
    names = [name.strip() for name in webhook_names.split(",") if name.strip()]
    try:
        asyncio.run(_run(kubeconfig, namespace, names, identity, trust_wait))
    except (NotConfigured, LeaseLost) as error:
        sys.exit(f"penstock certs: {error}")


async def _run(kubeconfig: str, namespace: str, names: list[str], identity: str, trust_wait: float) -> None:
    this = asyncio.current_task()
    assert this is not None
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, this.cancel)
    try:
        async with Client.connect(kubeconfig or None, user_agent=f"penstock-certs/{__version__}") as client:
            await keep(client, namespace, names, identity, trust_wait=trust_wait)
    except asyncio.CancelledError:
        return


if __name__ == "__main__":
    main()
