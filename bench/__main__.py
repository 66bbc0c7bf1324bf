"""`python -m bench`: measures on a sandbox with simulated pods, and prints a table."""

import asyncio
import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import click
from rich import box
from rich.console import Console
from rich.table import Table

from bench.figures import Cost, rest, rollout
from tests.cluster import cluster as sandbox
from tests.cluster.cluster import Cluster
from tests.cluster.stage import Stage
from tests.cluster.workload import Workload
from tests.cluster.world import world

ROLLOUTS = {
    "10 pods, 25%/25%, 3 steps": Workload(10, "25%", "25%", "10%, 25%, 50%", "5s..60s"),
    "10 pods, 1/0, 1 step in 3 windows": Workload(10, 1, 0, "3", "5s..60s"),
    "100 pods, 25%/25%, 3 steps": Workload(100, "25%", "25%", "10%, 25%, 50%", "5s..60s"),
}
"""Stays of five seconds: while a step is held the controller only listens, so longer ones cost renewals alone."""

READS = ("get", "list", "watch")


@contextmanager
def running(directory: Path | None, logs: Path) -> Iterator[Cluster]:
    """The sandbox to measure on: one that runs, or a new one."""
    if directory:
        yield Cluster(directory.absolute())
        return
    started = sandbox.up(logs / "sandbox")
    try:
        yield started
    finally:
        sandbox.down(started)


async def measured(cluster: Cluster, logs: Path, idle: int, seconds: float) -> list[Cost]:
    """Every figure, one after another."""
    stage, costs = await Stage.open(cluster, logs), []
    try:
        for number, (name, workload) in enumerate(ROLLOUTS.items()):
            async with world(cluster, stage.client, stage.nursery, stage.session, f"bench-{number}", logs) as here:
                costs.append(await rollout(here, name, workload))
        async with world(cluster, stage.client, stage.nursery, stage.session, "bench-rest", logs) as here:
            for count in (0, idle):
                costs += await rest(here, count, seconds)
    finally:
        await stage.close()
    return costs


def table(costs: list[Cost], title: str, minutes: bool) -> Table:
    """One row for each; per minute or as they are."""
    shown = Table(box=box.SIMPLE_HEAD)
    shown.add_column(title, width=34, no_wrap=True)
    for name in ("reads", "writes", "refused", "renewals", "KiB in", "KiB out", "controller", "webhook"):
        shown.add_column(name, justify="right", no_wrap=True)
    for cost in costs:
        share = 60 / cost.seconds if minutes else 1.0
        leases = sum(n for key, n in cost.requests.items() if key.endswith(" leases"))
        reads = sum(n for key, n in cost.requests.items() if key.split()[0] in READS and not key.endswith(" leases"))
        writes = sum(cost.requests.values()) - leases - reads - cost.refused
        counts = (reads, writes, cost.refused, leases, cost.received / 1024, cost.sent / 1024)
        cells = [f"{value * share:.1f}" if minutes else f"{value:.0f}" for value in counts]
        shown.add_row(cost.name, *cells, *(f"{value * share:.2f}" for value in (cost.controller, cost.webhook)))
    return shown


def verbs(cost: Cost) -> str:
    """Requests of a rollout, one by one."""
    return f"{cost.name}: " + ", ".join(f"{count} {request}" for request, count in cost.requests.items())


def ratio(few: Cost, many: Cost) -> str:
    """Whether rest grows with what rests."""
    per = [(cost.received + cost.sent) / cost.seconds for cost in (few, many)]
    work = [cost.controller / cost.seconds for cost in (few, many)]
    cpu = f"{work[1] / work[0]:.2f}" if work[0] else "not measurable"
    return f"{many.name} against {few.name.split(' ')[2]}: bytes × {per[1] / per[0]:.2f}, controller CPU × {cpu}"


@click.command()
@click.option("--json", "file", type=click.Path(dir_okay=False, path_type=Path), help="Write the figures here too.")
@click.option("--sandbox", "directory", type=click.Path(file_okay=False, path_type=Path), help="A running sandbox.")
@click.option("--idle", default=300, show_default=True, help="Idle Deployments for the second measurement at rest.")
@click.option("--seconds", default=60.0, show_default=True, help="How long each rest is watched.")
def main(file: Path | None, directory: Path | None, idle: int, seconds: float) -> None:
    """Requests, bytes and CPU seconds for a rollout, and for a minute of rest."""
    with tempfile.TemporaryDirectory(prefix="penstock-bench-") as made, running(directory, Path(made)) as cluster:
        costs = asyncio.run(measured(cluster, Path(made), idle, seconds))
    console = Console(width=120, highlight=False)
    releases, starts, rests = costs[: len(ROLLOUTS)], costs[len(ROLLOUTS) :: 2], costs[len(ROLLOUTS) + 1 :: 2]
    for title, rows in (("One rollout", releases), ("One start", starts), ("One minute of rest", rests)):
        console.print(table(rows, title, minutes=rows is rests))
    console.print(
        "CPU in seconds; bytes are those of bodies on the wire, where large answers are compressed.",
        *map(verbs, releases),
        sep="\n",
    )
    console.print(ratio(*rests))
    if file:
        file.write_text(json.dumps([asdict(cost) for cost in costs], indent=2) + "\n")


if __name__ == "__main__":
    main()
