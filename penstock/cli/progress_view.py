"""A rollout for eyes: one screen, or one line where there is no terminal to redraw.

Pods are dots, so that a step is seen before it is read; shape and place tell the versions apart, colour only helps.
Every line is made from a value, so a test needs no cluster and no terminal.
"""

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from penstock.cli.console import plain
from penstock.cli.gauges import Gauge, bar
from penstock.cli.idle import Idle
from penstock.cli.overview import Overview, Row
from penstock.cli.progress import Pods, Progress
from penstock.cli.reading import Told
from penstock.cli.text import ago, counted
from penstock.core.reasons import WARNINGS, Reason
from penstock.core.rollout import Phase
from penstock.core.units import clock

View = Progress | Idle | Overview

DOTS = 30
"""Where a version has more pods, a dot stands for several; in all rows for as many, so that they can be compared."""

NEW, OLD, UNREADY = "●", "○", "✕"
COLOURS = {Phase.REJECTED: "red", Phase.RETREATING: "red", Phase.FINISHING: "green"}


def screen(view: View, *, wide: bool = False) -> RenderableType:
    """The whole screen; `wide`: with nothing cut off, and in tables the sentences too."""
    match view:
        case Progress():
            return _progress(view, wide)
        case Idle():
            return _idle(view, wide)
        case Overview():
            return _overview(view, wide)


def lines(view: View) -> Iterator[str]:
    """The same in plain lines, one for each rollout, without what changes by itself (time left)."""
    match view:
        case Progress():
            pods = f"new {_counts(view.new)}, old {_counts(view.old)} of {view.replicas}"
            said = "; ".join((view.message, *(f"{gauge.check}: {gauge.text}" for gauge in view.checks)))
            yield f"{view.namespace}/{view.name} {view.where}, {pods}; {view.reason}: {said}"
        case Idle():
            yield f"{view.namespace}/{view.name} {view.state}"
        case Overview():
            for row in view.rows:
                yield f"{row.namespace}/{row.name} {row.where}, new {row.new} of {row.replicas}; {_said(row)}"


def stamped(line: str, now: float) -> str:
    """A line with the time of day, which is UTC as in all our sentences."""
    return f"{clock(now)} {line}"


def _counts(pods: Pods) -> str:
    return f"{pods.total} ({pods.unready} not Ready)" if pods.unready else str(pods.total)


def _progress(p: Progress, wide: bool) -> RenderableType:
    title = plain(f"{p.namespace}/{p.name}: {p.where}", "bold " + COLOURS.get(p.phase, ""))
    grid = _grid()
    grid.add_row("version", plain(_versions(p)))
    if wide:
        grid.add_row("rollout", plain(f"{p.rollout}, {p.state}{_since(p)}"))
    share = max(1, *(-(-pods.total // DOTS) for pods in (p.new, p.old, p.other)))
    scale = f" (a dot is {share} pods)" if share > 1 else ""
    grid.add_row("new", _pods(p.new, share, NEW, "green", f"{_of(p.new, p.replicas)}, {p.allowed} allowed"))
    grid.add_row("old", _pods(p.old, share, OLD, "blue", _of(p.old, p.replicas) + scale))
    if p.other.total:
        grid.add_row("other", _pods(p.other, share, OLD, "magenta", f"{_counts(p.other)} of versions between"))
    left = _left(p)
    if left:
        grid.add_row("time", plain(left))
    style = "yellow" if p.reason in WARNINGS else ""
    grid.add_row("reason", plain(f"{p.reason}: {p.message}", style))
    for gauge in p.checks:
        grid.add_row(gauge.check, _gauge(gauge))
    grid.add_row("next", plain(p.next))
    _add_warnings(grid, p.warnings)
    _add_events(grid, p.events, p.now, wide)
    return Group(title, grid)


def _since(p: Progress) -> str:
    return f", first window opened {ago(p.now - p.started)} ago" if p.started else ""


def _gauge(gauge: Gauge) -> RenderableType:
    """What was counted, then a bar towards the next step and one towards the way back."""
    if gauge.against is None and gauge.proof is None:
        return plain(gauge.text)
    against = gauge.against or 0.0
    bars = Text.assemble(
        (bar(gauge.proof or 0.0), "green"), " next step  ", (bar(against), "red" if against > 0.3 else ""), " back"
    )
    return Group(plain(gauge.counts), bars)


def _of(pods: Pods, replicas: int) -> str:
    unready = f", {pods.unready} not Ready" if pods.unready else ""
    return f"{pods.total} of {counted(replicas, 'pod')}{unready}"


def _versions(p: Progress) -> str:
    old, new = p.revisions
    absent = "not running yet" if p.phase is Phase.PENDING else "not running"
    absent = absent if p.replicas else "no pods are wanted now"
    revisions = f"revision {old or '?'} → {new or absent}"
    return f"{revisions}; {', '.join(p.changes) or 'same pod template'}"


def _pods(pods: Pods, share: int, dot: str, colour: str, words: str) -> Text:
    ready, unready = -(-pods.ready // share), -(-pods.unready // share)
    text = Text(dot * ready, style=colour).append(UNREADY * unready, style="red")
    return text.append(f"{'  ' if pods.total else ''}{words}", style="default")


def _left(p: Progress) -> str:
    if p.earliest is None or p.latest is None or p.reason == Reason.AWAITING_APPROVAL:
        return ""
    if p.now < p.earliest:
        return f"at least {ago(p.earliest - p.now)}, at most {ago(p.latest - p.now)} more at this step"
    return f"at most {ago(p.latest - p.now)} more at this step" if p.now < p.latest else ""


def _add_warnings(grid: Table, warnings: tuple[str, ...]) -> None:
    for number, warning in enumerate(warnings):
        grid.add_row("warning" if number == 0 else "", plain(warning, "yellow"))


def _add_events(grid: Table, events: tuple[Told, ...], now: float, wide: bool) -> None:
    for number, event in enumerate(events):
        text = plain(f"{ago(now - event.moment)} ago ", "dim")
        text.append(plain(f"{event.reason}: {event.message}", "yellow" if event.warning else ""))
        if not wide:
            text.no_wrap, text.overflow = True, "ellipsis"
        grid.add_row("events" if number == 0 else "", text)


def _grid() -> Table:
    grid = Table.grid(padding=(0, 2, 0, 0), pad_edge=False)
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    return grid


def _idle(view: Idle, wide: bool) -> RenderableType:
    grid = _grid()
    opted = {True: "opted in", False: "not opted in", None: "not known whether it is opted in"}[view.opted_in]
    grid.add_row("scope", plain(opted))
    if view.summary:
        grid.add_row("change", plain(view.summary))
    if view.way_back > view.now:
        grid.add_row("back", plain(f"to the former version at once until {clock(view.way_back)} (fast-rollback)"))
    _add_warnings(grid, view.warnings)
    _add_events(grid, view.events, view.now, wide)
    return Group(plain(f"{view.namespace}/{view.name}: {view.state}", "bold"), grid)


def _overview(view: Overview, wide: bool) -> RenderableType:
    if not view.rows:
        return plain(f"No active rollouts in {'namespace ' + view.namespace if view.namespace else 'any namespace'}.")
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for column in ("name", "where", "new", "since", "reason", *(("rollout", "message") if wide else ())):
        table.add_column(column, overflow="fold")
    for row in view.rows:
        name = row.name if view.namespace else f"{row.namespace}/{row.name}"
        since = ago(view.now - row.started) if row.started else "-"
        colour = COLOURS.get(row.phase, "") if row.phase else ""
        new = f"{row.new} of {row.replicas}"
        more = (row.rollout or "-", plain(row.message)) if wide else ()
        table.add_row(plain(name), plain(row.where, colour), new, since, plain(row.reason or "-"), *more)
    return Group(table, plain(f"Warning: {view.warning}", "yellow")) if view.warning else table


def _said(row: Row) -> str:
    return f"{row.reason}: {row.message}" if row.reason else "the controller has not spoken yet"
