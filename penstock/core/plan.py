"""What the user asked for: the annotations of a Deployment, with its Namespace's as defaults, as one Plan.

Each annotation has one parser in the table PARSERS; admission runs it on a changed key, the controller on all.
A parser raises AnnotationError; nothing is ever guessed or silently replaced by a default.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from penstock.core import keys, queries
from penstock.core.jsontext import parsed
from penstock.core.units import AnnotationError, count, duration, is_percent, percentage, quoted, split

STEPS_EXAMPLE = '"1, 25%, 50%"'
LONGEST_ID = 40
DO = ("approve", "abort", "retry", "skip-to")
_LIMIT_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,40}[a-z0-9])?")


@dataclass(frozen=True)
class Step:
    """An exposure as written: a number of pods, or a percentage of the replicas."""

    amount: int
    percent: bool

    def __str__(self) -> str:
        return f"{self.amount}%" if self.percent else str(self.amount)


@dataclass(frozen=True)
class StepTime:
    """Shortest and longest stay at a step, in seconds."""

    min: float
    max: float


@dataclass(frozen=True)
class Request:
    """What a person asks of the controller, bound to one rollout and one step."""

    do: str
    rollout: str
    step: int


@dataclass(frozen=True)
class Check:
    """A metric check: `errors`, `slow` or `limit.NAME`, and what it asks for."""

    name: str
    query: queries.Query


@dataclass(frozen=True)
class Plan:
    """All that the annotations say. Defaults are those of the documentation."""

    steps: tuple[Step, ...] = (Step(10, True), Step(25, True), Step(50, True))
    step_time: StepTime = StepTime(60, 600)
    approve: tuple[str, ...] = ("never",)
    on_failure: str = "rollback"
    on_inconclusive: str = "hold"
    fast_rollback: float = 3600
    warmup: float = 60
    max_impact: float = 0.05
    source: str = "auto"
    checks: tuple[Check, ...] = ()
    """The metric checks that are configured; none where the source is `none`."""


def steps(text: str) -> tuple[Step, ...]:
    """`1, 25%, 50%`: pods or percentages, increasing within one unit."""
    out: list[Step] = []
    for item in split(text):
        step = _step(item.text, item.column)
        before = [s.amount for s in out if s.percent == step.percent]
        if before and before[-1] >= step.amount:
            unit = "percentages" if step.percent else "numbers of pods"
            raise AnnotationError(
                f"{quoted(item.text)} does not increase; {unit} must grow", STEPS_EXAMPLE, item.column
            )
        out.append(step)
    if len(out) > 20:
        raise AnnotationError(f"{len(out)} steps; allowed: at most 20", STEPS_EXAMPLE)
    return tuple(out)


def _step(text: str, column: int) -> Step:
    try:
        if is_percent(text):
            return Step(round(percentage(text) * 100), True)
        return Step(count(text), False)
    except AnnotationError:
        problem = f"{quoted(text)} is neither a number of pods nor a percentage from 1% to 100%"
        raise AnnotationError(problem, STEPS_EXAMPLE, column) from None


def step_time(text: str) -> StepTime:
    """`MIN..MAX`, or `MIN` alone: then MAX is 10 minutes, or MIN where that is longer."""
    low, dots, high = text.partition("..")
    shortest = duration(low.strip(), '"1m..10m"')
    if not dots:
        return StepTime(shortest, max(600.0, shortest))
    column = len(text) - len(high.lstrip()) + 1
    try:
        longest = duration(high.strip(), '"1m..10m"')
    except AnnotationError as error:
        raise error.shifted(column - 1) from None
    if longest < shortest:
        problem = f"the longest stay {quoted(high.strip())} is shorter than the shortest {quoted(low.strip())}"
        raise AnnotationError(problem, '"1m..10m"', column)
    return StepTime(shortest, longest)


def approve(text: str) -> tuple[str, ...]:
    """`never`, `each`, `last`, or the steps that wait for a person, as written in `steps`."""
    if text in ("never", "each", "last"):
        return (text,)
    out = []
    for item in split(text):
        try:
            out.append(str(_step(item.text, item.column)))
        except AnnotationError:
            problem = f"{quoted(item.text)} is not a step; allowed: never, each, last, or steps as in {keys.STEPS}"
            raise AnnotationError(problem, '"25%, 50%"', item.column) from None
    return tuple(out)


def fast_rollback(text: str) -> float:
    """A duration; `0s` switches it off."""
    return 0.0 if text == "0s" else duration(text, '"1h", or "0s" for never')


def unknown_approvals(chosen: tuple[Step, ...], wanted: tuple[str, ...]) -> list[str]:
    """Steps that wait for a person and are none."""
    known = {"never", "each", "last", *map(str, chosen)}
    return [name for name in wanted if name not in known]


def request(text: str) -> Request:
    """`{"do": "approve", "rollout": "3f2a9c1e", "step": 1}`."""
    example = '{"do": "approve", "rollout": "3f2a9c1e", "step": 1}'
    try:
        value: Any = parsed(text)
    except (ValueError, RecursionError) as error:
        column = getattr(error, "colno", 1)
        raise AnnotationError("this is not JSON", example, column) from None
    if not isinstance(value, dict) or set(value) != {"do", "rollout", "step"}:
        raise AnnotationError("expected an object with exactly do, rollout and step", example)
    if value["do"] not in DO:
        found = value["do"] if isinstance(value["do"], str) else "no text"
        raise AnnotationError(f"do is {quoted(found)}; allowed: {', '.join(DO)}", example)
    step = value["step"]
    rollout = value["rollout"]
    if not isinstance(rollout, str) or len(rollout) > LONGEST_ID or type(step) is not int or not 0 <= step <= 20:
        raise AnnotationError("rollout must be a string, step a number from 0 to 20", example)
    return Request(value["do"], rollout, step)


def _one_of(*allowed: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in allowed:
            raise AnnotationError(f"{quoted(text)} is not known; allowed: {', '.join(allowed)}", f'"{allowed[0]}"')
        return text

    return parse


PARSERS: dict[str, tuple[str, Callable[[str], Any]]] = {
    keys.STEPS: ("steps", steps),
    keys.STEP_TIME: ("step_time", step_time),
    keys.WARMUP: ("warmup", lambda text: duration(text, '"60s"')),
    keys.MAX_IMPACT: ("max_impact", lambda text: percentage(text, '"5%"')),
    keys.APPROVE: ("approve", approve),
    keys.ON_FAILURE: ("on_failure", _one_of("rollback", "pause")),
    keys.ON_INCONCLUSIVE: ("on_inconclusive", _one_of("hold", "advance", "rollback")),
    keys.SOURCE: ("source", _one_of("auto", "prometheus", "pods", "none")),
    keys.FAST_ROLLBACK: ("fast_rollback", fast_rollback),
    keys.ERRORS: ("errors", queries.errors),
    keys.SLOW: ("slow", queries.slow),
    keys.REQUEST: ("request", request),
}


MAX_LENGTH = 2048

MOST_CHECKS = 10
"""Of one workload: each is a query at every look, and all workloads share the source."""


def check(key: str, value: str) -> None:
    """Raise AnnotationError, naming the key, where a value of ours is wrong or the key is unknown."""
    try:
        if len(value) > MAX_LENGTH:
            raise AnnotationError(f"{len(value)} characters; allowed: at most {MAX_LENGTH}", f'"{value[:20]}..."')
        parser(key)(value.strip())
    except AnnotationError as error:
        raise error.shifted(len(value) - len(value.lstrip())).at(key) from None


def parser(key: str) -> Callable[[str], Any]:
    """The parser of one annotation; an unknown key under our prefix is an error, a misspelt one never passes."""
    if key in PARSERS:
        return PARSERS[key][1]
    if key.startswith(keys.LIMIT):
        name = key.removeprefix(keys.LIMIT)
        if _LIMIT_NAME.fullmatch(name) is None:
            raise AnnotationError(f"{quoted(name)} is not a name for a limit; allowed: a-z, 0-9, -", "limit.queue")
        return queries.limit
    known = ", ".join(k.removeprefix(keys.PREFIX) for k in keys.USER_ANNOTATIONS)
    raise AnnotationError(f"there is no such annotation; known: {known}, limit.NAME", f"{keys.STEPS}: {STEPS_EXAMPLE}")


def plan(*sources: Mapping[str, str]) -> Plan:
    """The Plan of a workload; `sources` are annotation maps, the most specific first (workload, namespace)."""
    merged: dict[str, str] = {}
    for source in reversed(sources):
        merged.update({k: v for k, v in source.items() if k.startswith(keys.PREFIX) and k not in keys.OUR_ANNOTATIONS})
    values: dict[str, Any] = {}
    checks: list[Check] = []
    for key in sorted(merged):
        check(key, merged[key])
        field = PARSERS[key][0] if key in PARSERS else ""
        if field in ("", "errors", "slow"):
            checks.append(Check(key.removeprefix(keys.PREFIX), parser(key)(merged[key].strip())))
        else:
            values[field] = parser(key)(merged[key].strip())
    if len(checks) > MOST_CHECKS:
        problem = f"{len(checks)} metric checks; allowed: at most {MOST_CHECKS}"
        raise AnnotationError(problem, "errors, slow and a few limits", key=keys.LIMIT + "NAME")
    made = Plan(**values, checks=() if values.get("source") == "none" else tuple(checks))
    unknown = unknown_approvals(made.steps, made.approve)
    if unknown:  # nobody would be asked there, who was to be asked
        known = ", ".join(map(str, made.steps))
        column = merged[keys.APPROVE].find(unknown[0]) + 1
        raise AnnotationError(
            f"{unknown[0]} is not one of the steps {known}", f'"{made.steps[-1]}"', column, keys.APPROVE
        )
    return made
