"""One rollout as the page shows it: a value made from what the controller has just decided on.

The words are those of the condition, the Events and the command line; nothing is judged here. Moments are seconds since
1970 and nothing says how long ago something was, so a view changes only when the rollout does and need not be sent
again by the clock.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from controller.web.tracks import Point, Track
from controller.web.ways import Way, asks, ways
from penstock.core.counters import Count
from penstock.core.decision import Decision
from penstock.core.observation import Pod
from penstock.core.outlook import outlook, where
from penstock.core.reasons import WARNINGS, Reason
from penstock.core.rollout import Phase
from penstock.core.situation import Situation
from penstock.core.versions import changes

TO_MEND = frozenset({Reason.BAD_ANNOTATION, Reason.BAD_RECORD, Reason.PAUSED_BY_USER})
"""Reasons that stand until a person does something else than to answer."""

HIGHEST = 1e6
"""Of a factor; evidence knows no end, and nobody needs to know by how much it is certain."""

BACK = frozenset({Phase.RETREATING, Phase.REJECTED})


@dataclass(frozen=True)
class Pods:
    """How many pods of one version there are."""

    ready: int
    unready: int


@dataclass(frozen=True)
class Gauge:
    """How far a check has come, from 0 to 1: against the release, and for the next step."""

    check: str
    state: str
    against: float
    proof: float


@dataclass(frozen=True)
class Row:
    """A rollout in the overview."""

    key: str
    """NAMESPACE/NAME."""
    namespace: str
    name: str
    rollout: str
    """Tells it from other rollouts of the same Deployment."""
    mood: str
    """waiting (for a person), held (by something else), moving, back (taken back), finishing."""
    phase: str
    where: str
    step: int
    exposures: tuple[int, ...]
    """Pods of the new version after each step."""
    replicas: int
    allowed: int
    new: Pods
    old: Pods
    other: Pods
    """Of versions that are neither the declared nor the stable one."""
    reason: str
    message: str
    warning: bool
    started: float
    """When the first pod of it was allowed; 0 before."""
    checks: tuple[Gauge, ...]


@dataclass(frozen=True)
class Step:
    """A step on the line."""

    number: int
    pods: int
    written: str
    state: str
    """done, now, failed or ahead."""
    approval: str
    """needed, given, or empty."""


@dataclass(frozen=True)
class Unit:
    """One pod."""

    name: str
    version: str
    """new, old or other."""
    ready: bool
    why: str
    """What is the matter with it; empty where it is nothing."""


@dataclass(frozen=True)
class Chart:
    """A check: its sentence, the numbers that decide, and how they came."""

    check: str
    state: str
    sentence: str
    comparative: bool
    evidence: float
    """The factor against the release; of a limit, breaches in a row."""
    needed: float
    """The factor at which the release is taken back; of a limit, how many breaches in a row."""
    proof: float
    """The factor for the next step."""
    proof_needed: float
    """The factor at which the next step is safe."""
    new: Count
    old: Count
    comparison: str
    """Of a limit: <, <=, > or >=."""
    points: tuple[Point, ...]


@dataclass(frozen=True)
class Said:
    """A decision, in its sentence."""

    time: float
    reason: str
    message: str
    warning: bool
    step: int


@dataclass(frozen=True)
class Whole:
    """One rollout with everything."""

    row: Row
    changes: tuple[str, ...]
    """What differs between the two versions."""
    revisions: tuple[str, str]
    steps: tuple[Step, ...]
    pods: tuple[Unit, ...]
    charts: tuple[Chart, ...]
    source: str
    """Where the numbers come from: prometheus or pods."""
    said: tuple[Said, ...]
    """The newest last."""
    next: str
    earliest: float
    """When this step may end; 0 where that is not known."""
    latest: float
    ways: tuple[Way, ...]
    since: float
    """Since when this controller has looked: what was before is not drawn."""


@dataclass(frozen=True)
class Result:
    """A rollout that is over, or was taken back."""

    key: str
    namespace: str
    name: str
    rollout: str
    reason: str
    message: str
    warning: bool
    changes: tuple[str, ...]
    began: float
    ended: float


def row(s: Situation, said: Said, tracks: Mapping[str, Track], allowed: int) -> Row:
    """The overview's part."""
    d, known = s.deployment, s.record
    return Row(
        key=f"{d.namespace}/{d.name}",
        namespace=d.namespace,
        name=d.name,
        rollout=known.id,
        mood=_mood(s, said),
        phase=known.phase,
        where=where(known.phase, known.step, len(s.exposures)),
        step=known.step,
        exposures=tuple(exposure.pods for exposure in s.exposures),
        replicas=s.replicas,
        allowed=allowed,
        new=_pods(s.new_pods),
        old=_pods(s.stable_pods),
        other=_pods(_others(s)),
        reason=said.reason,
        message=said.message,
        warning=said.warning,
        started=known.started,
        checks=tuple(_gauge(track) for track in tracks.values()),
    )


def whole(
    s: Situation, row: Row, said: Iterable[Said], tracks: Mapping[str, Track], since: float, reached: int
) -> Whole:
    """All of it. `reached`: the step that was reached before it was taken back, which the record forgets."""
    ahead = outlook(s)
    return Whole(
        row=row,
        changes=difference(s),
        revisions=(s.stable.revision if s.stable else s.record.revision, s.new.revision if s.new else ""),
        steps=tuple(_steps(s, reached)),
        pods=tuple(_units(s)),
        charts=tuple(_chart(track) for track in tracks.values()),
        source=s.seen.judgement.source,
        said=tuple(said),
        next=ahead.sentence,
        earliest=ahead.earliest or 0.0,
        latest=ahead.latest or 0.0,
        ways=ways(s),
        since=since,
    )


def told(decision: Decision, now: float) -> Said:
    """A decision as it is kept: without the checks' numbers, which change at every look."""
    return Said(now, decision.reason, decision.message, decision.reason in WARNINGS, decision.step)


def difference(s: Situation) -> tuple[str, ...]:
    """What the new version changes."""
    new = s.new.spec if s.new else {} if s.in_stable_window else s.deployment.spec
    return changes(s.stable.spec, new) if s.stable and new else ()


def _mood(s: Situation, said: Said) -> str:
    if s.record.phase in BACK and (s.record.failed or s.record.phase is Phase.REJECTED):
        return "back"
    if asks(s, said.reason) or said.reason in TO_MEND:
        return "waiting"
    if said.warning:
        return "held"
    return "finishing" if s.record.phase in (Phase.FINISHING, Phase.LEAVING) else "moving"


def _others(s: Situation) -> list[Pod]:
    owners = {rs.uid for rs in s.superseded}
    return [pod for pod in s.seen.pods if pod.owner in owners and not pod.deleting]


def _pods(pods: Iterable[Pod]) -> Pods:
    ready = [pod.ready for pod in pods]
    return Pods(sum(ready), len(ready) - sum(ready))


def _gauge(track: Track) -> Gauge:
    numbers, last = track.verdict.numbers, list(track)[-1:]
    if track.bound is not None:
        return Gauge(track.verdict.check, track.verdict.state, min(1.0, numbers.evidence / numbers.needed), 0.0)
    against, proof = (last[0][1], last[0][2]) if last else (0.0, 0.0)
    return Gauge(track.verdict.check, track.verdict.state, against, proof)


def _steps(s: Situation, reached: int) -> Iterable[Step]:
    known = s.record
    for number, exposure in enumerate(s.exposures, 1):
        back = known.phase in BACK
        passed = number < known.step or known.phase in (Phase.FINISHING, Phase.LEAVING)
        here = ("failed" if known.failed else "ahead") if back else "now"
        at = (known.step or reached) if back else known.step
        state = here if number == at else "done" if passed and not back else "ahead"
        given = number in known.approved
        approval = ("given" if given else "needed") if given or s.needs_approval(number) else ""
        yield Step(number, exposure.pods, ", ".join(exposure.written), state, approval)


def _units(s: Situation) -> Iterable[Unit]:
    for version, pods in (("new", s.new_pods), ("other", _others(s)), ("old", s.stable_pods)):
        for pod in sorted(pods, key=lambda pod: (pod.created, pod.name)):
            yield Unit(pod.name, version, pod.ready, _why(pod))


def _why(pod: Pod) -> str:
    parts = [pod.outside, *pod.waiting]
    if pod.out_of_memory:
        parts.append("out of memory")
    elif pod.crashed:
        parts.append(f"ended with exit code {pod.exit_code}")
    if pod.restarts:
        parts.append(f"restarted {pod.restarts}x")
    if not pod.scheduled:
        parts.append("not scheduled")
    found = ", ".join(filter(None, parts))
    return found if pod.ready or found else "not Ready yet"


def _chart(track: Track) -> Chart:
    verdict, bound = track.verdict, track.bound
    return Chart(
        check=verdict.check,
        state=verdict.state,
        sentence=verdict.sentence.removeprefix(f"{verdict.check}: "),
        comparative=bound is None,
        evidence=min(verdict.numbers.evidence, HIGHEST),
        needed=verdict.numbers.needed,
        proof=min(verdict.numbers.proof, HIGHEST),
        proof_needed=verdict.numbers.proof_needed,
        new=verdict.numbers.new,
        old=verdict.numbers.old,
        comparison=bound.comparison if bound else "",
        points=tuple((round(t, 1), round(a, 4), round(b, 4)) for t, a, b in track),
    )
