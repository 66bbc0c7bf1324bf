"""Backtest: what the configured checks would have said of releases that changed nothing.

Each pod in turn is taken as the pretend new one beside all the others, at many moments of the past (an A/A test). It
was no release, so every time it is "taken back" is a false alarm, and the time to the end is what a good release
takes. The judging is the one that runs in the controller; only the pods' roles are made up.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from penstock.core.counters import Count, Life
from penstock.core.judgement import HOUR, NOT_YET, Bearings, Memories, counted_before, look, verdicts
from penstock.core.plan import Plan
from penstock.core.reading import Reading
from penstock.core.verdict import State, Together, step_verdict

History = Mapping[str, Sequence[Reading]]
"""Readings of each comparative check, in the order of time, at the same moments for all."""


@dataclass(frozen=True)
class Trial:
    """One pretend release."""

    pod: str
    began: float
    outcome: Together | None
    """ROLLBACK, ADVANCE (all steps passed), INCIDENT, WAIT (held at the longest stay); None: history ended first."""
    seconds: float
    step: int
    sentence: str = ""
    """What decided it, where it was taken back or held."""


def backtest(
    history: History, plan: Plan, shares: Sequence[float], pods: Sequence[str], every: float
) -> Iterator[Trial]:
    """Trials with each pod, one beginning every so many seconds. `shares`: of the pods, that the step after each step
    means. The first hour is the base line of the first trial."""
    times = [reading.time for reading in next(iter(history.values()), ())]
    if not times:
        return
    start = times[0] + min(HOUR, (times[-1] - times[0]) / 4)
    while start < times[-1]:
        for pod in pods:
            yield _trial(history, plan, shares, pods, pod, start)
        start += every


def _trial(history: History, plan: Plan, shares: Sequence[float], pods: Sequence[str], pod: str, start: float) -> Trial:
    lives = {name: Life(name == pod, 0.0, start - plan.warmup - 1) for name in pods}
    before = {check: _before(readings, lives, start) for check, readings in history.items()}
    known, step, since, now = NOT_YET, 1, start, start
    memories: Memories = {}
    for row in zip(*history.values(), strict=True):
        if row[0].time < start:
            continue
        now = row[0].time
        at = Bearings("backtest", plan, start, step, shares[step - 1], lives)
        answers = dict(zip(history, row, strict=True))
        known, memories = look(known, memories, answers, at, time=now, source="prometheus", before=before)
        before = {}
        found = step_verdict([v for v in verdicts(known, at, now) if v.check in history])
        because = found.because[0].sentence if found.because else ""
        if found.together is Together.ROLLBACK:
            return Trial(pod, start, Together.ROLLBACK, now - start, step, because)
        if found.together is Together.ADVANCE and now - since >= plan.step_time.min:
            if step == len(shares):
                return Trial(pod, start, Together.ADVANCE, now - start, step)
            step, since = step + 1, now
        elif now - since >= plan.step_time.max:
            incident = any(v.state is State.INCIDENT for v in found.because)
            return Trial(pod, start, Together.INCIDENT if incident else Together.WAIT, now - start, step, because)
    return Trial(pod, start, None, now - start, step)


def _before(readings: Sequence[Reading], lives: Mapping[str, Life], start: float) -> Count:
    """What the old pods had in the hour before."""
    old = {name: life for name, life in lives.items() if not life.new}
    return counted_before([r for r in readings if start - HOUR <= r.time < start], old, start)
