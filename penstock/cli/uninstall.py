"""`penstock uninstall`: takes Penstock out of a cluster, and every half-done rollout to an end.

The order is what this is about. Were the gate taken away first, held releases would lose their guard, and every apply
of an unchanged manifest would be refused by the step lock (measured); were the lock taken away first, a resume that the
webhook does not see would be a full release. So:

    1  the controller      rollouts stand still at or below their step; the webhook goes on guarding them
    2  the rollouts        each is released, put back, or left held
    3  the gate            from here on no release is held any more
    4  the rollouts again  those that were gated between 2 and 3, until none is found twice
    5  the locks           nothing is left that they could hold
    6  the rest            webhook, rights, namespace; left to Helm where that is what uninstalls

Each step finds what is there, so it can be run again after any failure, and where half of it has gone already.
"""

from typing import TYPE_CHECKING

import click

from penstock.cli.errors import Refusal
from penstock.cli.formats import answer, formatted
from penstock.cli.options import common
from penstock.cli.session import run

if TYPE_CHECKING:
    from penstock.cli.halves import Done, Trace
    from penstock.kube import Client

ROUNDS = 10
CALM = 1.0
"""Seconds between two looks for rollouts that were gated while the gate went: each API server keeps its own copy of the
webhook configurations, and hears of a change a little later."""


@click.command()
@click.option(
    "--on-uninstall",
    "how",
    type=click.Choice(["release", "undo", "hold"]),
    help="What becomes of half-done rollouts: all pods get the new version; the former one; they stay as they are. "
    "Default: release, but where a version has failed you have to say it.",
)
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@click.option("--for-helm", is_flag=True, help="Leave what Helm deletes next: webhook, rights, namespace.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask; needed where there is no terminal.")
@formatted
@common
def uninstall(how: str | None, dry_run: bool, for_helm: bool, yes: bool, output: str) -> None:
    """Take Penstock out of the cluster.

    Works with controller and webhook already gone, and can be run again. Every Deployment is as its owner had it
    afterwards. Labels and annotations that people have written stay: they do nothing without Penstock.
    """
    from penstock.cli import installed
    from penstock.cli.requests import confirm

    rest = () if for_helm else installed.REST
    parts, traces = run(lambda client, _namespace: _look(client, rest))
    halves = [trace for trace in traces if trace.half_done]
    way = chosen(how, halves)
    if not parts and not traces:
        _report({"removed": []}, ["nothing of Penstock is left in this cluster"], output)
        return
    if dry_run:
        would = plan(way, parts, traces)
        _report({"would": would}, ["this would be done, nothing was:", *would], output)
        return
    if not yes:
        confirm("\n".join([*plan(way, parts, traces), "Go on?"]))
    run(lambda client, _namespace: _work(client, way, rest, output))


async def _look(client: "Client", rest: tuple[str, ...]) -> tuple[tuple[str, ...], tuple["Trace", ...]]:
    from penstock.cli.halves import survey
    from penstock.cli.installed import CONTROLLER, GATE, LOCKS, present

    return await present(client, (CONTROLLER, GATE, *LOCKS, *rest)), await survey(client)


def chosen(how: str | None, halves: "list[Trace]") -> str:
    """What becomes of half-done rollouts; to send a version that has failed to all pods has to be asked for."""
    from penstock.cli.text import listed

    failed = [f"{trace.key} ({trace.failed})" for trace in halves if trace.failed]
    if how is None and failed:
        raise Refusal(
            f"releases have failed and are held: {listed(failed)}; nothing was done",
            "say what shall become of them and of the others: --on-uninstall undo, release or hold",
        )
    return how or "release"


def plan(way: str, parts: tuple[str, ...], traces: "tuple[Trace, ...]") -> list[str]:
    """What will be done, a line each."""
    from penstock.cli.installed import spoken
    from penstock.cli.text import counted

    words = {
        "release": "released: all pods get the new version at once",
        "undo": "ended: all pods run the former version",
        "hold": "left held as it is",
    }
    halves = [trace for trace in traces if trace.half_done]
    lines = [f"{trace.key}: {words[way]}" for trace in halves]
    if len(traces) > len(halves):
        lines.append(f"{counted(len(traces) - len(halves), 'Deployment')}: notes of former rollouts are removed")
    if way != "hold":
        lines.append("histories of past rollouts (ConfigMaps penstock-history-…): deleted")
    return [*lines, *(f"{spoken(path)}: deleted" for path in parts)]


async def _work(client: "Client", way: str, rest: tuple[str, ...], output: str) -> None:
    from penstock.cli import installed
    from penstock.cli.halves import forget, survey, tidy, wipe

    removed = list(await installed.stop_controller(client))
    if await installed.still_led(client):
        words = "a controller runs all the same, outside of this cluster or under another name; stop it"
        click.echo(f"Warning: {words}", err=True)
    done = await _until_none(client, way, 1)
    removed += await installed.remove(client, [installed.GATE])
    done |= await _until_none(client, way, ROUNDS, set(done) if way == "hold" else set())
    removed += await installed.remove(client, installed.LOCKS)
    left = [trace for trace in await survey(client) if not trace.half_done]
    done |= {one.key: one for one in await tidy(client, left) if one.key not in done or one.trouble}
    if way != "hold":
        await wipe(client)
        await forget(client)
    removed += await installed.remove(client, rest)
    if not rest:
        await installed.drop_leases(client)
    _check(done)
    names = [installed.spoken(path) for path in removed]
    lines = [*(f"{one.key}: {one.did}" for one in done.values()), *(f"{name}: deleted" for name in names)]
    _report({"deployments": {one.key: one.did for one in done.values()}, "removed": names}, lines, output)


async def _until_none(client: "Client", way: str, rounds: int, known: "set[str] | None" = None) -> "dict[str, Done]":
    """Settle half-done rollouts until a look finds no more. `known` are those that are left held."""
    import asyncio

    from penstock.cli.halves import settle, survey

    done: dict[str, Done] = {}
    skip = set(known or ())
    for number in range(rounds):
        if number:
            await asyncio.sleep(CALM)
        found = [trace for trace in await survey(client) if trace.half_done and trace.key not in skip]
        if not found and number:
            break
        for one in await settle(client, found, way):
            done[one.key] = one
        _check(done)
        skip |= set(done) if way == "hold" else set()
    return done


def _check(done: "dict[str, Done]") -> None:
    """What could not be done is told before anything that holds it is taken away."""
    from penstock.cli.text import counted

    troubles = [f"{one.key}: {one.trouble}" for one in done.values() if one.trouble]
    if troubles:
        for line in troubles:
            click.echo(line, err=True)
        raise Refusal(
            f"{counted(len(troubles), 'Deployment')} could not be brought to an end, so the rest stays installed",
            "docs/guide/recovery.md tells how to do it with kubectl; then run this again",
        )


def _report(value: dict[str, object], lines: list[str], output: str) -> None:
    answer(value, output, *lines)
