"""`python -m webhook`: answers the API server's admission reviews."""

import asyncio
import sys

import click

from penstock import __version__
from penstock.kube import NotConfigured
from webhook.listener import Loop
from webhook.serve import Webhook
from webhook.settings import options, parsed
from webhook.telemetry import configure_logs


@click.command(context_settings={"auto_envvar_prefix": "PENSTOCK", "show_default": True})
@options
@click.version_option(__version__)
def main(**flags: object) -> None:
    """Gate template changes of opted-in Deployments, guard running rollouts, check annotations."""
    settings = parsed(flags)
    configure_logs()
    try:
        with asyncio.Runner(loop_factory=Loop) as runner:
            runner.run(Webhook(settings).run())
    except (NotConfigured, OSError) as error:
        sys.exit(f"penstock webhook: {error}")


if __name__ == "__main__":
    main()
