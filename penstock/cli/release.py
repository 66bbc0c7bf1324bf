"""`penstock release`: break-glass. Every field is its owner's again, and Kubernetes itself rolls the version out.

Not a request to the controller, as `approve` is: it has to work when that is dead, or is what is broken.
"""

from typing import TYPE_CHECKING

import click

from penstock.cli.completion import active
from penstock.cli.errors import Refusal
from penstock.cli.formats import answer, formatted
from penstock.cli.options import common
from penstock.cli.session import run

if TYPE_CHECKING:
    from penstock.cli.reading import Sight
    from penstock.core.record import Record
    from penstock.kube import Client


@click.command()
@click.argument("deployment", shell_complete=active)
@click.option("-y", "--yes", is_flag=True, help="Do not ask; needed where there is no terminal.")
@formatted
@common
def release(deployment: str, yes: bool, output: str) -> None:
    """Let a release go to all pods at once, not judged (break-glass).

    Works without controller and webhook. Every field is as its owner had it, and the next release is stepped again; to
    opt out for good: kubectl label deployment NAME penstock.dev/enabled=false.
    """
    finish(deployment, back=False, yes=yes, output=output)


def finish(deployment: str, *, back: bool, yes: bool, output: str) -> None:
    """The conversation that `release` and `undo` have in common."""
    from penstock.cli.reading import workload
    from penstock.cli.requests import confirm
    from penstock.cli.status import named

    name = named(deployment)

    async def look(client: "Client", namespace: str) -> "Sight":
        return await workload(client, namespace, name)

    sight = run(look)
    namespace = sight.seen.deployment.namespace
    record = begun(sight, back=back)
    if not yes:
        confirm(question(sight, record, back=back))

    async def act(client: "Client", _namespace: str) -> bool:
        from penstock.cli.ending import end

        return await end(client, namespace, name, back=back)

    did = run(act)
    did_what = ("the former version is declared again" if back else "released") if did else "the rollout had ended"
    then = follows(sight, record, back=back) if did else f"see: penstock status {name} -n {namespace}"
    said = {"namespace": namespace, "name": name, "rollout": record.id, "did": did, "message": did_what, "next": then}
    answer(said, output, f"{namespace}/{name}: {did_what}; {then}")


def begun(sight: "Sight", *, back: bool) -> "Record":
    """The record, or a refusal that says what to do instead."""
    from penstock.cli.ending import recorded

    d, record = sight.seen.deployment, recorded(sight.obj)
    if record is not None:
        return record
    undo = f"kubectl rollout undo deployment {d.place}"
    other = f"to go back to the version before: {undo}" if back else "nothing holds it"
    raise Refusal(f"Deployment {d.namespace}/{d.name} has no active rollout", other)


def question(sight: "Sight", record: "Record", *, back: bool) -> str:
    """What a person says yes to."""
    from penstock.cli.text import counted
    from penstock.core.decide import situation
    from penstock.core.outlook import where

    s, d = situation(sight.seen, record), sight.seen.deployment
    place = f"{d.namespace}/{d.name}, {where(record.phase, record.step, len(s.exposures))}"
    if back:
        return f"Put back the former version of {place}? {counted(s.n, 'pod')} of the new version will go at once."
    failed = f" It failed: {record.failed}." if record.failed else ""
    return f"Release {place}?{failed} All {counted(s.replicas, 'pod')} get the new version at once, not judged."


def follows(sight: "Sight", record: "Record", *, back: bool) -> str:
    """What happens now, and what the person has still to do."""
    d = sight.seen.deployment
    target = d.place
    if record.saved.paused:
        return f"it is paused, as its owner had it; it goes on after: kubectl rollout resume deployment {target}"
    if back:
        return "pods of the new version go at once; a tool that applies from Git brings it back: revert it there too"
    return f"follow it: kubectl rollout status deployment {target}"
