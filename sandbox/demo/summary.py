"""The table at the end: what each release did, beside what it was allowed to."""

from collections.abc import Sequence

from rich import box
from rich.table import Table

from sandbox.demo.account import NOTICED, PROBED, PROPAGATED
from sandbox.demo.expectations import HELD, RATE, Outcome, words
from sandbox.demo.releases import CAP, FLOOR, REPLICAS


def table(outcomes: Sequence[Outcome]) -> Table:
    """One row per release; plain enough for a log."""
    rows = Table(box=box.SIMPLE_HEAD, title="What each release did", title_justify="left", show_edge=False)
    for heading in (
        "release",
        "end",
        "steps reached",
        "most new pods\n/ allowed",
        f"fewest Ready\n(floor {FLOOR})",
        f"most pods\n(cap {CAP})",
        "failed requests\n(bound)",
        "time",
    ):
        rows.add_column(heading)
    for seen in outcomes:
        rows.add_row(*row(seen))
    return rows


def row(seen: Outcome) -> tuple[str, ...]:
    """The cells of one release."""
    measured = seen.measured
    return (
        f"{seen.release.version}, {kind(seen)}",
        "stuck" if seen.trouble else "taken back" if seen.release.crash_after else "on all pods",
        words(measured.steps),
        "  ".join(f"{most}/{allowed}" for allowed, most in measured.exposure),
        str(measured.fewest_ready),
        str(measured.most_pods),
        requests(seen),
        f"{seen.seconds:.0f} s",
    )


def kind(seen: Outcome) -> str:
    if seen.release.interrupted:
        return "interrupted"
    return "bad" if seen.release.crash_after else "good"


def requests(seen: Outcome) -> str:
    if seen.requests is None:
        return "not measured"
    return f"{seen.requests.failures} of {seen.requests.sent} ({seen.bound})"


def notes(outcomes: Sequence[Outcome]) -> list[str]:
    """Where the bound comes from, and what happened while the controller was dead."""
    lines = []
    for seen in outcomes:
        if seen.release.crash_after and seen.requests is not None:
            down = NOTICED + PROBED + PROPAGATED
            lines.append(
                f"Bound of {seen.release.version}: {seen.measured.crashes} crashes, each at most {down:g} s in the "
                f"Service without answering (kubelet {NOTICED:g} s, probe {PROBED:g} s, kube-proxy {PROPAGATED:g} s), "
                f"one pod of {REPLICAS + 1}, {RATE:g} requests/s, and three standard deviations: {seen.bound}."
            )
        death = seen.interruption
        if death is not None:
            lines.append(
                f"In {seen.release.version} the controller was dead for {death.seconds:.0f} s (at least {HELD:g}) with "
                f"the window for {death.step} new pods open; new pods meanwhile: {words(death.sizes)}."
            )
    return lines
