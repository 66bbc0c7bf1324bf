"""The judge's error rates and times on simulated traffic: the tables of the docs, from the code that decides.

    python -m bench.judging [--runs 10000] [--rollouts 2000] [--seed 20240229] [--only PART]

A bound proven on paper says nothing of a misplaced sign. Here each number comes from `penstock.core`, by the standard
library's random numbers, the same for the same seed. An hour for all of it at 10,000 runs on one core.
"""

import argparse
import time
from collections.abc import Callable, Iterable
from random import Random

import msgspec

from penstock.core import incident
from penstock.core.counters import Life, Memory, count, pack
from penstock.core.evidence import Evidence, Terms, total, weigh
from penstock.core.judge import judge
from penstock.core.reading import Counters, Reading
from tests.statistics import traffic
from tests.statistics.traffic import Rates, World, looks, slower, steady
from tests.statistics.trials import ERRORS, KNOWN, SLOW, Times, false_incidents, rollbacks, rollouts, shared_fault

WORLDS: dict[str, Rates] = {
    "iid": steady(),
    "burst": traffic.burst,
    "pods that differ": traffic.different,
    "fault of all pods": traffic.incident,
    "1.5x, the edge": steady(new=0.015),
}


def table(title: str, head: str, rows: Iterable[tuple[object, ...]]) -> None:
    """As Markdown, row by row as they are found."""
    columns = head.split(", ")
    print(f"\n## {title}\n| {' | '.join(columns)} |\n|{'---|' * len(columns)}")
    for row in rows:
        print("| " + " | ".join(str(cell) for cell in row) + " |", flush=True)


def caught(times: Times) -> tuple[str, str, str]:
    """Percent, median, 90 %."""
    return f"{times.percent:.1f} %", f"{times.quantile(0.5):.0f} s", f"{times.quantile(0.9):.0f} s"


def false(a: argparse.Namespace) -> None:
    """A good release, looked at every ten seconds for half an hour."""

    def both(rates: Rates, pods: int = 10, terms: Terms = ERRORS, skip: int = 0) -> tuple[str, ...]:
        found = [rollbacks(World(rate, rates, pods), a.runs, a.seed, terms, skip) for rate in (50, 500)]
        return tuple(f"{times.percent:.2f}" for times in found)

    of, head = f"% of {a.runs} runs", "50 req/s, 500 req/s"
    rows: Iterable[tuple[object, ...]] = ((name, *both(rates)) for name, rates in WORLDS.items())
    table(f"Good releases taken back within 30 minutes, {of}", f"world, {head}", rows)
    rows = ((old, *both(traffic.different, old + 1)) for old in (1, 2, 3))
    table(f"The same with few old pods that differ for good, {of}", f"old pods, {head}", rows)
    rows = ((f"{apart:.0%}", *both(slower(1.0, apart), terms=SLOW)) for apart in (0.0, 0.05))
    table(f"As fast as before, share above 250 ms, {of}", f"medians apart by, {head}", rows)
    rows = ((name, *both(traffic.cold, skip=skip)) for name, skip in (("counted", 0), ("skipped", 6)))
    table(f"5 % errors in the new pod's first minute, {of}", f"first minute, {head}", rows)


def bad(a: argparse.Namespace) -> None:
    """Releases that are worse."""
    runs = max(a.runs // 5, 1)
    table(
        f"1 % errors become more on one of ten pods: caught, median, 90 % of {runs} runs",
        "req/s, new rate, caught, median, 90 %",
        (
            (rate, f"{new:.0%}", *caught(rollbacks(World(rate, steady(new=new)), runs, a.seed)))
            for rate in (0.5, 1, 5, 50, 500)
            for new in (0.03, 0.1, 0.2, 0.5, 1.0)
        ),
    )
    table(
        f"A slower new pod: caught, median, 90 % of {runs} runs",
        "req/s, slower, caught, median, 90 %",
        (
            (rate, factor, *caught(rollbacks(World(rate, slower(factor)), runs, a.seed, SLOW)))
            for rate in (50, 500)
            for factor in (1.25, 1.5)
        ),
    )


def whole(a: argparse.Namespace) -> None:
    """1, 2, 5, 10 of 10 pods."""

    def row(rate: float, impact: float, new: float) -> tuple[object, ...]:
        found = rollouts(rate, new, impact, a.rollouts, a.seed)
        shares = "/".join(f"{found.percent(state):.1f}" for state in ("done", "back", "held"))
        return rate, f"{impact:.0%}", f"{new:.0%}", shares, f"{found.median:.0f} s", f"{found.extra:.0f}"

    table(
        f"Whole rollouts 1, 2, 5, 10 of 10 pods, {a.rollouts} runs, old version 1 %",
        "req/s, max-impact, new rate, done/back/held %, median, failed in addition",
        (
            row(rate, impact, new)
            for rate, impact in ((1, 0.05), (5, 0.05), (5, 0.01), (50, 0.05), (50, 0.01), (500, 0.01))
            for new in (0.01, 0.03, 0.1, 0.5)
        ),
    )


def faults(a: argparse.Namespace) -> None:
    """What all pods suffer."""
    runs = max(a.runs // 10, 1)

    def row(rate: float) -> tuple[object, ...]:
        rng = Random(a.seed)
        found = [shared_fault(rate, rng) for _ in range(runs)]
        noticed = sorted(run.noticed or float("inf") for run in found)
        over = sorted(run.over or float("inf") for run in found)
        share = [100 * sum(x) / runs for x in ([run.back for run in found], [run.breached for run in found])]
        false = 100 * false_incidents(World(rate, traffic.burst), runs, a.seed) / runs
        times = (noticed[runs // 2], noticed[-1], over[runs // 2], over[-1])
        return rate, *(f"{t:.0f} s" for t in times), *(f"{s:.1f}" for s in share), f"{false:.2f}"

    table(
        f"Ten times the errors on all pods for three minutes, a limit of 5 % on the new pods' last minute, {runs} runs",
        "req/s, noticed: median, at worst, over after its end: median, at worst, "
        "taken back %, by the limit alone %, false incidents in 30 min of bursts %",
        (row(rate) for rate in (5, 20, 50, 500)),
    )


def cost(a: argparse.Namespace) -> None:
    """CPU time of one look with nine old pods, and the size of what is kept."""
    course = list(looks(World(50, steady()), Random(a.seed)))

    def once() -> tuple[Evidence, incident.Incident]:
        evidence, known = Evidence(), incident.begin(KNOWN)
        for look in course:
            known = incident.watch(known, look.time, total(look, new=False))
            evidence = weigh(evidence, look, ERRORS, before=KNOWN, calm=not known.since)
            judge("errors", evidence, look, ERRORS, known)
        return evidence, known

    def fastest(work: Callable[[], object]) -> float:
        best = float("inf")
        for _ in range(20):
            began = time.process_time()
            work()
            best = min(best, time.process_time() - began)
        return best

    name = "checkout-frontend-5d4f8c7b9-{:05d}"
    pods = {name.format(i): Counters({"": 123456.0 + i}, {"": 1234.0}, 1732550000.0) for i in range(20)}
    lives = {pod: Life(i < 10, 1732540000.0, 1732540010.0) for i, pod in enumerate(pods)}
    memory, _ = count(Memory(), Reading(0.0, pods), lives, began=0.0, warmup=60.0)
    evidence, known = once()
    table(
        "Cost",
        "what, how much",
        (
            ("one look: weigh, watch, judge, sentence", f"{fastest(once) / len(course) * 1e6:.0f} µs"),
            (
                "counting 10 old and 10 new pods of one series",
                f"{fastest(lambda: count(memory, Reading(0.0, pods), lives, began=0.0, warmup=60.0)) * 1e6:.0f} µs",
            ),
            ("evidence after half an hour, JSON", f"{len(msgspec.json.encode(evidence))} bytes"),
            ("incident, JSON", f"{len(msgspec.json.encode(known))} bytes"),
            ("packed memory of 20 pods, JSON", f"{len(msgspec.json.encode(pack(memory)))} bytes"),
        ),
    )


PARTS = {"false": false, "bad": bad, "whole": whole, "faults": faults, "cost": cost}


def main() -> None:
    """Print what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--rollouts", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=20240229)
    parser.add_argument("--only", choices=PARTS)
    a = parser.parse_args()
    for name, part in PARTS.items():
        if a.only in (None, name):
            part(a)


if __name__ == "__main__":
    main()
