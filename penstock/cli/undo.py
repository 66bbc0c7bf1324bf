"""`penstock undo`: the way back while a rollout is paused.

`kubectl rollout undo` refuses a paused Deployment and tells people to resume it first, which is the one thing that must
not be done to a bad release. `penstock abort` asks the controller, which goes back within the user's limits and keeps
the version out; this declares the former version again by itself, and so works with the controller dead.
"""

import click

from penstock.cli.completion import active
from penstock.cli.formats import formatted
from penstock.cli.options import common
from penstock.cli.release import finish


@click.command()
@click.argument("deployment", shell_complete=active)
@click.option("-y", "--yes", is_flag=True, help="Do not ask; needed where there is no terminal.")
@formatted
@common
def undo(deployment: str, yes: bool, output: str) -> None:
    """Declare the former version again, and end the rollout.

    Works without controller and webhook, and on a paused Deployment, which kubectl rollout undo refuses.
    """
    finish(deployment, back=True, yes=yes, output=output)
