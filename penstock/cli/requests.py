"""`penstock approve`, `abort`, `retry`, `skip-to`: ask the controller, wait for it, and say what it did.

They write one annotation, which anyone may who may update the Deployment; the controller decides. So a command that
came back with nothing would leave the person guessing, and each waits until its request was taken up.
"""

import sys
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import click

from penstock.cli.completion import active, steps
from penstock.cli.errors import Refusal
from penstock.cli.formats import answer, formatted
from penstock.cli.options import common, confirmed
from penstock.cli.session import run

if TYPE_CHECKING:
    from penstock.cli.petition import Petition
    from penstock.cli.reading import Sight
    from penstock.kube import Client

PATIENCE = 10.0
"""Seconds until a request that nobody has taken up is called that."""

PAUSE = 0.4
TRIES = 3
"""The controller writes, too; a record that changed only so much that the request still fits is read again."""

MANAGER = "penstock-cli"
"""Not the controller's own name: fields under that one are given back to their former owners."""

RELEASE = "to all pods at once, not judged, without a controller: penstock release {}; "
WITHOUT = {
    "approve": RELEASE,
    "abort": "back without a controller: penstock undo {}, or apply the former version; ",
    "retry": RELEASE,
    "skip-to": RELEASE,
}
"""The way on where no controller answers."""

DONE = {
    "approve": "approved",
    "abort": "the release is being taken back",
    "retry": "another try begins",
    "skip-to": "going on",
}


@dataclass(frozen=True)
class Done:
    """What was done, and what follows."""

    message: str
    next: str
    taken: bool = True
    """The controller has taken it up."""


@click.command()
@click.argument("deployment", shell_complete=active)
@confirmed
@formatted
@common
def approve(deployment: str, yes: bool, no_wait: bool, output: str) -> None:
    """Let a rollout go on from the step it is held at.

    The yes is for this rollout and this step only.
    """
    ask(deployment, "approve", yes=yes, wait=not no_wait, output=output)


@click.command()
@click.argument("deployment", shell_complete=active)
@confirmed
@formatted
@common
def abort(deployment: str, yes: bool, no_wait: bool, output: str) -> None:
    """Take a release back.

    All pods run the former version again; the new one stays out until it is tried again, or another one comes.
    """
    ask(deployment, "abort", yes=yes, wait=not no_wait, output=output)


@click.command()
@click.argument("deployment", shell_complete=active)
@confirmed
@formatted
@common
def retry(deployment: str, yes: bool, no_wait: bool, output: str) -> None:
    """Try a rejected version again.

    The rollout starts anew with its first step.
    """
    ask(deployment, "retry", yes=yes, wait=not no_wait, output=output)


@click.command("skip-to")
@click.argument("deployment", shell_complete=active)
@click.argument("step", shell_complete=steps)
@confirmed
@formatted
@common
def skip_to(deployment: str, step: str, yes: bool, no_wait: bool, output: str) -> None:
    """Go on at a later step, without those between.

    STEP is its position, or its percentage as written: `3`, or `50%`.
    """
    ask(deployment, "skip-to", step, yes=yes, wait=not no_wait, output=output)


def ask(deployment: str, do: str, target: str = "", *, yes: bool, wait: bool, output: str = "text") -> None:
    """The whole conversation; between the look and the write stands the person."""
    from penstock.cli.petition import petition, question, standing
    from penstock.cli.reading import workload
    from penstock.cli.status import named

    name = named(deployment)

    async def look(client: "Client", namespace: str) -> "Petition":
        return petition(await workload(client, namespace, name), do, target)

    asked = run(look)
    for note in standing(asked):
        click.echo(f"Note: {note}", err=True)
    if not yes:
        confirm(question(asked))

    async def act(client: "Client", namespace: str) -> Done:
        written = await write(client, asked)
        if wait:
            return await taken_up(client, written)
        return Done("asked", written.sight.silent or "the controller takes it up", taken=False)

    done, namespace = run(act), asked.sight.seen.deployment.namespace
    said = {"namespace": namespace, "name": name, "rollout": asked.record.id, "step": asked.step, "do": do}
    answer(said | asdict(done), output, f"{namespace}/{name}: {done.message}; {'next: ' * done.taken}{done.next}")


def confirm(question: str) -> None:
    """On a terminal a person is asked; elsewhere nobody could answer."""
    if not sys.stdin.isatty():
        raise Refusal("nobody can be asked here, this is no terminal", "add --yes")
    if not click.confirm(question):
        click.echo("nothing was changed", err=True)
        raise click.exceptions.Exit(1)


async def write(client: "Client", asked: "Petition") -> "Petition":
    """Write the request; refused where it is no longer the rollout and the step that were looked at."""
    from penstock.cli.petition import petition
    from penstock.cli.reading import workload
    from penstock.kube import Conflict, objects

    d, do = asked.sight.seen.deployment, asked.do
    for _ in range(TRIES):
        try:
            await client.patch(objects.deployment(d.namespace, d.name), asked.operations, fieldManager=MANAGER)
            return asked
        except Conflict:
            again = petition(await workload(client, d.namespace, d.name), do, str(asked.step))
            if (again.record.id, again.record.step) != (asked.record.id, asked.record.step):
                raise Refusal(
                    f"the rollout has moved on meanwhile, nothing was done: it is step {again.record.step} "
                    f"of rollout {again.record.id} now",
                    f"where it stands: penstock status {d.place}",
                ) from None
            asked = again
    raise Refusal("the rollout changes all the time, nothing was done", "try again")


async def taken_up(client: "Client", asked: "Petition") -> Done:
    """Wait until the controller has taken the request up, then say what it did and what follows."""
    from penstock.cli.petition import done
    from penstock.cli.reading import told
    from penstock.core.decide import situation
    from penstock.core.guard import record_of
    from penstock.core.outlook import outlook
    from penstock.core.reasons import Reason
    from penstock.core.units import clock

    sight = await taken(client, asked)
    record, d = record_of(sight.obj), sight.seen.deployment
    if not done(asked, record):
        ignored = [e.message for e in await told(client, sight.obj) if e.reason == Reason.REQUEST_IGNORED]
        why = ignored[0] if ignored else "the rollout has moved on meanwhile"
        raise Refusal(why, f"where it stands: penstock status {d.place}")
    if record is None:
        return Done(DONE[asked.do], "the rollout is over")
    ahead = outlook(situation(sight.seen, record))
    early = asked.do == "approve" and ahead.earliest is not None and sight.seen.now < ahead.earliest
    still = f"; still judged until {clock(ahead.earliest)}" if early and ahead.earliest else ""
    return Done(DONE[asked.do] + still, ahead.sentence)


async def taken(client: "Client", asked: "Petition") -> "Sight":
    """What is seen once the request is no longer there; Refusal where nobody takes it up."""
    import asyncio

    from penstock.cli.petition import taken_up
    from penstock.cli.reading import workload

    d = asked.sight.seen.deployment
    loop = asyncio.get_running_loop()
    end = loop.time() + PATIENCE
    while loop.time() < end:
        sight = await workload(client, d.namespace, d.name)
        if taken_up(sight.obj, asked):
            return sight
        await asyncio.sleep(PAUSE)
    raise Refusal(
        f"asked, but nobody has taken it up within {PATIENCE:.0f} s{f': {sight.silent}' if sight.silent else ''}; "
        "the request stands and is answered when a controller runs",
        f"{WITHOUT[asked.do].format(d.place)}look at the controller: kubectl get deployments,pods -n penstock-system",
    )
