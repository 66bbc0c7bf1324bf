"""`penstock backtest DEPLOYMENT`: the configured checks against releases that changed nothing.

Asked before the first real use: would these checks have cried wolf in the last day, and how long would a good release
have taken? Needs the history that only a Prometheus has.
"""

import statistics
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from penstock.cli.completion import deployments
from penstock.cli.errors import Refusal
from penstock.cli.formats import answer, formatted
from penstock.cli.options import common

if TYPE_CHECKING:
    from penstock.core.backtest import History, Trial
    from penstock.core.queries import Errors, Slow
    from penstock.kube import Client
    from penstock.metrics.prometheus import Prometheus
    from penstock.metrics.source import Target

STEP = 10.0
"""Seconds between two looks of a trial."""
EVERY = 1800.0
"""Seconds between the begins of two trials of one pod."""
MOST_PODS = 10
CONFIGMAP = "/api/v1/namespaces/penstock-system/configmaps/penstock"


@click.command()
@click.argument("deployment", shell_complete=deployments)
@click.option("--hours", type=click.FloatRange(0.1, 168), default=24, show_default=True, help="How far back.")
@click.option("--prometheus", metavar="URL", help="Default: the one of the controller's configuration.")
@formatted
@common
def backtest(deployment: str, hours: float, prometheus: str | None, output: str) -> None:
    """Run the checks on the past: false alarms, time of a release.

    Each pod in turn is the pretend new version. None of these was a release, so each time one is taken back is a
    false alarm. Limits are not asked: a number of the whole workload tells no pod from another.
    """
    from penstock.cli.session import run
    from penstock.cli.status import named

    name = named(deployment)

    async def work(client: "Client", namespace: str) -> "list[Trial]":
        return await _trials(client, namespace, name, hours, prometheus)

    trials = run(work)
    from dataclasses import asdict

    value = {"summary": summary(trials), "trials": [asdict(trial) for trial in trials]}
    answer(value, output, *lines(trials, None if output == "wide" else 10))


async def _trials(client: "Client", namespace: str, name: str, hours: float, url: str | None) -> "list[Trial]":
    import time

    from penstock.cli.reading import workload
    from penstock.core import backtest as core
    from penstock.core.exposure import budget, exposures
    from penstock.core.plan import plan
    from penstock.core.queries import Limit
    from penstock.metrics.prometheus import Prometheus
    from penstock.metrics.source import Target

    seen = (await workload(client, namespace, name)).seen
    chosen = plan(seen.deployment.annotations, seen.namespace_annotations)
    checks = {c.name: c.query for c in chosen.checks if not isinstance(c.query, Limit)}
    if not checks:
        raise Refusal(f"{namespace}/{name} has no check that compares", "add penstock.dev/errors or penstock.dev/slow")
    pods = sorted(pod.name for pod in seen.pods if pod.ready)[:MOST_PODS]
    if len(pods) < 2:
        raise Refusal(f"{len(pods)} pods of {namespace}/{name} are Ready", "two at least are needed for a comparison")
    d = seen.deployment
    steps = exposures(chosen.steps, d.replicas, budget(d.fields.surge, d.fields.unavailable, d.replicas).surge)
    shares = [step.pods / d.replicas for step in steps[1:]] + [1.0]
    begin = time.time() - hours * 3600
    async with Prometheus(await _settings(client, url)) as source:
        targets = [Target(namespace, pod) for pod in pods]
        history = await _history(source, checks, targets, begin)
    return list(core.backtest(history, chosen, shares, pods, EVERY))


async def _history(
    source: "Prometheus", checks: "dict[str, Errors | Slow]", targets: "list[Target]", begin: float
) -> "History":
    from dataclasses import replace

    from penstock.core.histogram import choose_bound
    from penstock.core.queries import Slow

    history = {}
    for name, query in checks.items():
        asked = query
        if isinstance(query, Slow) and query.bound is None:
            bound = choose_bound(await source.spreads(query, targets))
            if bound is None:
                raise Refusal(
                    f"{name}: too few requests to choose a bound", "write one: penstock.dev/slow: '... > 250ms'"
                )
            asked = replace(query, bound=bound)
        readings = await source.history(asked, targets, begin, STEP)
        trouble = next((reading.trouble for reading in readings if reading.trouble), "")
        if trouble:
            raise Refusal(
                f"{name}: {trouble}", "fewer --hours make a smaller answer; --prometheus names another server"
            )
        if not any(counters.all for reading in readings for counters in reading.pods.values()):
            raise Refusal(f"{name}: this Prometheus has no such series of these pods", "is the metric's name right?")
        history[name] = readings
    # Asked one after the other, the last may have one look more; before the pods began there is nothing.
    length = min(map(len, history.values()))
    known = next(i for i in range(length) if any(readings[i].pods for readings in history.values()))
    return {name: readings[known:length] for name, readings in history.items()}


async def _settings(client: "Client", url: str | None) -> Any:
    from penstock.kube import ApiError
    from penstock.metrics.configuration import ConfigurationError, parse

    try:
        if url:
            return parse(f"version: 1\nprometheus: {{url: {url!r}}}".encode()).prometheus
        configmap = await client.get(CONFIGMAP)
        found = parse((configmap.get("data") or {}).get("penstock.yaml", "version: 1").encode()).prometheus
    except ConfigurationError as error:
        raise Refusal(str(error)) from None
    except ApiError as error:
        raise Refusal(
            f"the controller's configuration cannot be read: {error.message}", "name a server: --prometheus URL"
        ) from None
    if found is None:
        raise Refusal(
            "the controller's configuration has no Prometheus", "name one: --prometheus http://localhost:9090"
        )
    return found


def summary(trials: "Sequence[Trial]") -> dict[str, Any]:
    """Counts by outcome, the rate of false alarms, and how long a good release would have taken."""
    whole = [t for t in trials if t.outcome is not None]
    counts = Counter(str(t.outcome) for t in whole)
    seconds = sorted(t.seconds for t in whole if t.outcome == "Advance")
    return {
        "trials": len(whole),
        "promoted": counts["Advance"],
        "taken back": counts["Rollback"],
        "held": counts["Wait"],
        "held for an incident": counts["Incident"],
        "false rollback rate": counts["Rollback"] / len(whole) if whole else None,
        "median seconds": statistics.median(seconds) if seconds else None,
        "p90 seconds": seconds[int(0.9 * (len(seconds) - 1))] if seconds else None,
    }


def lines(trials: "Sequence[Trial]", most: int | None = 10) -> list[str]:
    """The summary for people, and the first false alarms (None: all) one by one."""
    from penstock.cli.text import ago
    from penstock.core.units import clock

    found = summary(trials)
    if not found["trials"]:
        return ["The history is too short for a whole release; more --hours, or wait."]
    out = [f"{found['trials']} releases that changed nothing, each with another pod as the new one:"]
    for kind in ("promoted", "taken back", "held", "held for an incident"):
        out.append(f"  {kind:<22}{found[kind]:>6}  {100 * found[kind] / found['trials']:5.1f} %")
    if found["median seconds"] is not None:
        took = f"{ago(found['median seconds'])} in the median, {ago(found['p90 seconds'])} at 90 %"
        out.append(f"A good release would have taken {took}.")
    for trial in [t for t in trials if t.outcome == "Rollback"][:most]:
        out.append(f"False alarm: {trial.pod} at {clock(trial.began)}: {trial.sentence}")
    return out
