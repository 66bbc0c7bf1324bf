"""Where a rollout stands, what happens next, and when: the question that a held release leaves open.

Read off the same situation that the controller decides on. One entry for each phase; what a person can do stands in
the sentence as a command.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from penstock.core.rollout import Phase
from penstock.core.situation import Situation
from penstock.core.units import print_duration
from penstock.core.wording import counted

WHERE: Mapping[Phase, str] = {
    Phase.PENDING: "before step {step} of {steps}",
    Phase.BRAKING: "opening step {step} of {steps}",
    Phase.OPENING: "opening step {step} of {steps}",
    Phase.HOLDING: "at step {step} of {steps}",
    Phase.RETREATING: "going back",
    Phase.REJECTED: "taken back",
    Phase.FINISHING: "finishing",
    Phase.LEAVING: "ending",
}
"""Where a rollout stands, in the fewest words."""


def where(phase: Phase, step: int, steps: int) -> str:
    """`at step 2 of 3`; without their number where there are none, as with no pods wanted."""
    known = min(max(1, step), steps or step or 1)  # scaled down, there are fewer steps than it has come
    return WHERE[phase].format(step=known, steps=steps).removesuffix(" of 0")


@dataclass(frozen=True)
class Outlook:
    """The sentence, and between which moments the step ends, where that is known by now."""

    sentence: str
    earliest: float | None = None
    latest: float | None = None


def outlook(s: Situation) -> Outlook:
    """What comes after the present state."""
    if s.replicas == 0 and s.record.phase not in (Phase.LEAVING, Phase.REJECTED):
        return Outlook("goes on when it is scaled up")
    if s.problem and s.record.phase in (Phase.PENDING, Phase.HOLDING):
        return Outlook("goes on when the annotation is corrected")
    if s.record.saved.paused and s.record.phase in (Phase.PENDING, Phase.HOLDING, Phase.FINISHING):
        return Outlook(f"goes on after: kubectl rollout resume deployment {s.deployment.place}")
    return PHASES[s.record.phase](s)


def _step(s: Situation, step: int) -> str:
    exposure = s.exposure(step)
    return f"step {step}: {exposure.pods} of {counted(s.replicas, 'pod')}" if exposure else _rest(s)


def _rest(s: Situation) -> str:
    return f"all {counted(s.replicas, 'pod')} get the new version"


def _following(s: Situation) -> str:
    return _rest(s) if s.following is None or s.n >= s.replicas else _step(s, s.following)


def _pending(s: Situation) -> Outlook:
    if s.others:
        return Outlook(f"pods of other versions go, then {_step(s, 1)}")
    return Outlook(_step(s, max(1, s.record.step)))


def _growing(s: Situation) -> Outlook:
    return Outlook(f"{_step(s, s.record.step)}, judged for at least {print_duration(s.plan.step_time.min)}")


def _holding(s: Situation) -> Outlook:
    if s.record.failed and s.record.step not in s.record.approved:
        return Outlook(
            f"a person decides: penstock approve {s.deployment.place}, or penstock abort {s.deployment.place}"
        )
    if s.n < s.k:
        return Outlook(f"{_step(s, s.record.step)}, when the {counted(s.n, 'new pod')} are available")
    if s.available < s.n:
        return Outlook(f"judged for at least {print_duration(s.plan.step_time.min)} when all are available")
    earliest = s.available_since + s.plan.step_time.min
    latest = s.available_since + s.plan.step_time.max
    after = f", after penstock approve {s.deployment.place}" if s.awaits_approval else ""
    return Outlook(_following(s) + after, earliest, latest)


def _retreating(s: Situation) -> Outlook:
    if s.record.failed:
        return Outlook(f"all {counted(s.replicas, 'pod')} run the old version, and the new one stays out")
    return Outlook(f"then it starts anew with {_step(s, 1)}")


def _rejected(s: Situation) -> Outlook:
    return Outlook("nothing by itself, a person decides")


def _finishing(s: Situation) -> Outlook:
    return Outlook("over when all new pods are available; nothing of Penstock stays in the object then")


def _leaving(s: Situation) -> Outlook:
    return Outlook("the record goes, then it is over")


PHASES: Mapping[Phase, Callable[[Situation], Outlook]] = {
    Phase.PENDING: _pending,
    Phase.BRAKING: _growing,
    Phase.OPENING: _growing,
    Phase.HOLDING: _holding,
    Phase.RETREATING: _retreating,
    Phase.REJECTED: _rejected,
    Phase.FINISHING: _finishing,
    Phase.LEAVING: _leaving,
}
