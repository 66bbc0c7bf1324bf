"""`python -m bench.picture LOG > docs/guide/evidence.svg`: evidence over time, drawn from a controller's log.

Every tick's sentence stands in the log, so the picture is of a run that was, and nothing has to be kept for it.
Two curves for each rollout: what speaks for the next step, and what speaks for taking it back; each reaches the line
at the top when it is enough.
"""

import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from penstock.cli.gauges import gauges

WIDTH, HEIGHT, LEFT, TOP, GAP = 640, 150, 60, 40, 70
CHECK = "errors"


@dataclass
class Run:
    """One rollout: seconds since its first window, and how far each curve has come, from 0 to 1."""

    proof: list[tuple[float, float]] = field(default_factory=list)
    against: list[tuple[float, float]] = field(default_factory=list)
    steps: list[tuple[float, str]] = field(default_factory=list)
    end: tuple[float, str] = (0.0, "")


def runs(lines: Iterable[str]) -> Iterator[Run]:
    """The rollouts in a controller's log."""
    run, began = Run(), 0.0
    for line in lines:
        try:
            said = json.loads(line[line.index("{") :])
            moment = datetime.fromisoformat(said["timestamp"].replace("Z", "+00:00")).timestamp()
        except (ValueError, KeyError):
            continue
        text, reason = said.get("event", ""), said.get("reason", "")
        if reason == "StepOpened":
            if text.startswith("step 1 "):
                run, began = Run(), moment
            run.steps.append((moment - began, text.split(":")[0].split(" of")[0]))
        for gauge in gauges(text, [CHECK, "slow"])[1]:
            if gauge.check == CHECK and gauge.proof is not None:
                run.proof.append((moment - began, gauge.proof))
            if gauge.check == CHECK and gauge.against is not None:
                run.against.append((moment - began, gauge.against))
        if reason in ("Finishing", "MoreErrors") and run.steps:
            if reason == "MoreErrors":
                run.against.append((moment - began, 1.0))
            run.end = (moment - began, "all pods" if reason == "Finishing" else "taken back")
            yield run
            run = Run()


def picture(found: list[tuple[str, Run]]) -> str:
    """The drawing, one panel below the other, all on one scale of time."""
    longest = max(run.end[0] for _, run in found) * 1.08
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LEFT + WIDTH + 80} {len(found) * (HEIGHT + GAP) + 40}" '
        'font-family="sans-serif" font-size="13">',
        '<rect width="100%" height="100%" fill="#ffffff"/>',
    ]
    for number, (title, run) in enumerate(found):
        out += _panel(title, run, TOP + number * (HEIGHT + GAP), longest)
    return "\n".join([*out, "</svg>", ""])


def _panel(title: str, run: Run, top: float, longest: float) -> Iterator[str]:
    def x(seconds: float) -> float:
        return LEFT + WIDTH * seconds / longest

    def curve(points: list[tuple[float, float]], colour: str) -> str:
        path = " ".join(f"{x(t):.1f},{top + HEIGHT * (1 - share):.1f}" for t, share in points)
        return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2.5"/>'

    yield f'<text x="{LEFT}" y="{top - 16}" font-weight="bold">{title}</text>'
    yield f'<line x1="{LEFT}" y1="{top}" x2="{LEFT + WIDTH}" y2="{top}" stroke="#888" stroke-dasharray="6 4"/>'
    yield f'<text x="{LEFT - 8}" y="{top + 4}" text-anchor="end" fill="#555">enough</text>'
    yield f'<text x="{LEFT - 8}" y="{top + HEIGHT + 4}" text-anchor="end" fill="#555">nothing</text>'
    yield f'<line x1="{LEFT}" y1="{top + HEIGHT}" x2="{LEFT + WIDTH}" y2="{top + HEIGHT}" stroke="#333"/>'
    for seconds, step in [*run.steps, run.end]:
        yield f'<line x1="{x(seconds):.1f}" y1="{top}" x2="{x(seconds):.1f}" y2="{top + HEIGHT}" stroke="#ccc"/>'
        yield f'<text x="{x(seconds) + 3:.1f}" y="{top + HEIGHT + 18}" fill="#555">{step}, {seconds:.0f} s</text>'
    yield curve(run.proof, "#2a7d2a")
    yield curve(run.against, "#c0392b")
    if run.proof:
        yield f'<text x="{LEFT + WIDTH - 4}" y="{top + 22}" text-anchor="end" fill="#2a7d2a">for the next step</text>'
    yield f'<text x="{LEFT + WIDTH - 4}" y="{top + 40}" text-anchor="end" fill="#c0392b">for taking it back</text>'


def main() -> None:
    """The first good and the first bad release of a log."""
    with open(sys.argv[1], encoding="utf-8") as stream:
        found = list(runs(stream))
    good = next(run for run in found if run.end[1] == "all pods")
    bad = next(run for run in found if run.end[1] == "taken back")
    sys.stdout.write(picture([("A good release", good), ("A release with more errors", bad)]))


if __name__ == "__main__":
    main()
