"""`penstock doctor`: is Penstock set up so that the next release will be stepped?

A gate that is not asked lets everything pass and says nothing (failurePolicy Ignore), so silence proves nothing. Each
part is asked in the way in which it is used, as far as the caller's rights go; what they do not allow is called unknown
and is no fault.
"""

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from penstock.cli.formats import formatted, rendered, structured
from penstock.cli.options import common, settings
from penstock.cli.session import run

if TYPE_CHECKING:
    from penstock.cli.finding import Check, Finding, Patient
    from penstock.kube import Client

MARKS = {"ok": ("ok", "green"), "note": ("note", "cyan"), "unknown": ("?", "yellow"), "wrong": ("WRONG", "red")}


@click.command()
@formatted
@common
def doctor(output: str) -> None:
    """Check that Penstock is set up right, end to end.

    Looks at all namespaces that are opted in, or with -n at one. Exit code 1 if something is wrong. Nothing is changed;
    some questions are writes in a dry run. Some need the rights of an administrator.
    """
    asked = settings().namespace or ""

    async def work(client: "Client", _namespace: str) -> "list[Finding]":
        return await examined(client, asked)

    findings = run(work)
    bad = [finding for finding in findings if finding.level == "wrong"]
    if structured(output):
        click.echo(rendered({"healthy": not bad, "findings": [asdict(finding) for finding in findings]}, output))
    else:
        show(findings)
    raise click.exceptions.Exit(1 if bad else 0)


async def examined(client: "Client", namespace: str) -> "list[Finding]":
    """All findings, in the order in which a person would mend them."""
    import asyncio

    from penstock.cli.doctor_install import controllers, installation, rights
    from penstock.cli.doctor_scope import admit, metrics, plans, rollouts, scope
    from penstock.cli.doctor_webhook import certificates, webhook
    from penstock.cli.errors import Refusal
    from penstock.kube import NotFound

    try:
        patient = await admit(client, namespace)
    except NotFound:
        raise Refusal(f"there is no namespace {namespace}", "they are listed by: kubectl get namespaces") from None
    checks = {
        "installation": installation,
        "controller": controllers,
        "rights": rights,
        "webhook": webhook,
        "certificates": certificates,
        "scope": scope,
        "plans": plans,
        "metrics": metrics,
        "rollouts": rollouts,
    }
    asked = (asked_of(patient, subject, check) for subject, check in checks.items())
    return [finding for found in await asyncio.gather(*asked) for finding in found]


async def asked_of(patient: "Patient", subject: str, check: "Check") -> "list[Finding]":
    """What one check finds; unknown where the cluster does not let the caller look."""
    from penstock.cli.finding import unknown
    from penstock.kube import ApiError

    try:
        return await check(patient)
    except ApiError as error:
        return [unknown(subject, f"it cannot be looked at: {error.message}")]


def show(findings: "Sequence[Finding]") -> None:
    """A line for each, and its command below."""
    from rich.table import Table

    from penstock.cli.console import emit, plain

    grid = Table.grid(padding=(0, 2, 0, 0), pad_edge=False)
    grid.add_column(no_wrap=True)
    grid.add_column(no_wrap=True, style="dim")
    grid.add_column(overflow="fold")
    for finding in findings:
        mark, colour = MARKS[finding.level]
        text = plain(finding.sentence)
        if finding.command:
            text.append(f"\n> {plain(finding.command).plain}", style="bold")
        grid.add_row(plain(mark, colour), finding.subject, text)
    emit(grid)
