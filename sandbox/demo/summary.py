"""The tables at the end: what each release did beside what it was allowed to, and what it cost, in 80 columns."""

from collections.abc import Sequence

from rich import box
from rich.table import Table

from sandbox.demo.expectations import Outcome, words
from sandbox.demo.releases import CAP, FLOOR, STEPS, Fault
from sandbox.demo.timer import STAY, Spell, Timer, crashing, steady

NOT_MEASURED = "not measured"


def table(outcomes: Sequence[Outcome]) -> Table:
    """One row per release; plain enough for a log."""
    headings = (
        "release",
        "end",
        "steps\nreached",
        "most new pods\n/ allowed",
        f"fewest\nReady\n≥ {FLOOR}",
        f"most\npods\n≤ {CAP}",
        "time",
    )
    return _table("What each release did", headings, [row(seen) for seen in outcomes])


def costs(outcomes: Sequence[Outcome]) -> Table:
    """What was paid for finding out."""
    headings = (
        "release",
        "requests failed\n(bound)",
        "decided\nby",
        "after",
        "bad\nrequests",
        f"a {STAY / 60:.0f}-minute timer\n(computed)",
    )
    return _table("What it cost to find out", headings, [cost(seen) for seen in outcomes])


def _table(title: str, headings: Sequence[str], rows: Sequence[tuple[str, ...]]) -> Table:
    made = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", show_edge=False)
    made.pad_edge, made.padding = False, (0, 1, 0, 0)
    for heading in headings:
        made.add_column(heading, no_wrap=True)
    for cells in rows:
        made.add_row(*cells)
    return made


def row(seen: Outcome) -> tuple[str, ...]:
    """The cells of one release in the first table."""
    measured = seen.measured
    return (
        name(seen),
        "stuck" if seen.trouble else "taken back" if seen.release.fault else "all pods",
        words(measured.steps),
        " ".join(f"{most}/{allowed}" for allowed, most in measured.exposure),
        str(measured.fewest_ready),
        str(measured.most_pods),
        f"{seen.seconds:.0f} s",
    )


def cost(seen: Outcome) -> tuple[str, ...]:
    """The cells of one release in the second."""
    decided = "" if seen.decided is None else f"{seen.decided:.0f} s"
    by = seen.blame or ("?" if seen.release.fault else "all steps")
    if seen.requests is None:
        return name(seen), NOT_MEASURED, by, decided, "", ""
    failed = f"{seen.requests.failures} of {seen.requests.sent} ({seen.bound})"
    if seen.spell is None:
        return name(seen), failed, by, decided, "", ""
    computed = timer(seen, seen.spell)
    return (
        name(seen),
        failed,
        by,
        decided,
        bad(seen.spell.bad, seen.release.fault),
        f"{computed.seconds:.0f} s, {bad(computed.bad, seen.release.fault)}",
    )


def name(seen: Outcome) -> str:
    return f"{seen.release.version}, {seen.release.kind}"


def bad(count: int, fault: Fault | None) -> str:
    return f"{count} {'slow' if fault is Fault.SLOW else 'failed'}"


def timer(seen: Outcome, spell: Spell) -> Timer:
    """What it would have done with the same release."""
    if seen.release.fault is Fault.CRASH:
        return crashing(spell.bad, seen.measured.crashes, seen.release.crash_after)
    return steady(spell, STEPS)
