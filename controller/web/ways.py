"""What a person can do about a rollout, as commands to copy: the page itself changes nothing.

A request is offered only where the controller would not ignore it now: that is asked of the controller's own rules, so
the page cannot promise what these refuse.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from penstock.core import keys, wording
from penstock.core.decide import decide
from penstock.core.reasons import Reason
from penstock.core.rollout import Phase
from penstock.core.situation import Situation

ASKING = frozenset({Reason.AWAITING_APPROVAL, Reason.INCONCLUSIVE, Reason.HELD_FAILED})
OVER = frozenset({Phase.LEAVING})
"""Nothing is asked of these any more."""


@dataclass(frozen=True)
class Way:
    """One thing to do."""

    do: str
    title: str
    effect: str
    """What follows, in a sentence without a full stop."""
    penstock: str
    kubectl: str
    """The same without `penstock`; empty where kubectl alone cannot."""
    asked: bool = False
    """A person is asked just this now."""


def ways(s: Situation) -> tuple[Way, ...]:
    """All that make sense now, what is asked for first."""
    if s.record.phase in OVER:
        return ()
    return tuple(sorted(_ways(s), key=lambda way: not way.asked))


def asks(s: Situation, reason: str) -> bool:
    """Whether a yes or a no is what is waited for. `awaiting` alone means that a yes would be taken: it may be given
    while the step is still being judged."""
    return reason in ASKING or (s.record.awaiting and s.record.phase is Phase.PENDING)


def _ways(s: Situation) -> Iterator[Way]:
    place, asked = s.deployment.place, asks(s, decide(s.seen).reason)
    if s.record.saved.paused:
        yield Way(
            "resume", "Resume", "your own pause is lifted", "", f"kubectl rollout resume deployment {place}", True
        )
    if _taken(s, "approve"):
        resumes = s.record.awaiting and not s.record.saved.paused
        kubectl = f"kubectl rollout resume deployment {place}" if resumes else _annotate(s, "approve")
        yield Way("approve", "Approve", _further(s), f"penstock approve {place}", kubectl, asked)
    if _taken(s, "retry"):
        effect = "it starts anew with its first step"
        yield Way("retry", "Try again", effect, f"penstock retry {place}", _annotate(s, "retry"))
    later = [step for step in range(s.record.step + 1, len(s.exposures) + 1) if _taken(s, "skip-to", step)]
    if later:
        step, pods = later[-1], s.exposures[later[-1] - 1].pods
        effect = f"on to step {step} ({pods} of {wording.counted(s.replicas, 'pod')}), without those between"
        yield Way(
            "skip-to", "Skip", effect, f"penstock skip-to {step_named(place, step)}", _annotate(s, "skip-to", step)
        )
    if _taken(s, "abort"):
        effect = f"{wording.counted(s.n, 'pod')} of the new version will go, and it stays out"
        yield Way("abort", "Take back", effect, f"penstock abort {place}", _annotate(s, "abort"), asked)
    if s.stable:
        effect = "the former version is declared again at once; needs no controller"
        yield Way("undo", "Undo", effect, f"penstock undo {place}", "")
    effect = f"{wording.all_get(s.replicas)}, not judged; needs no controller"
    label = f"kubectl label deployment {place} --overwrite {keys.ENABLED}=false"
    yield Way("release", "Release", effect, f"penstock release {place}", label)


def step_named(place: str, step: int) -> str:
    """`web 3 -n shop`: the step stands before the options."""
    name, _, rest = place.partition(" ")
    return f"{name} {step} {rest}"


def _taken(s: Situation, do: str, step: int | None = None) -> bool:
    notes = {**s.deployment.annotations, keys.REQUEST: _request(s, do, step)}
    answer = decide(replace(s.seen, deployment=replace(s.deployment, annotations=notes)))
    return answer.reason in ANSWERED[do] or (do == "abort" and s.record.phase is Phase.OPENING)


ANSWERED = {
    "approve": (Reason.APPROVED,),
    "skip-to": (Reason.APPROVED,),
    "retry": (Reason.RETRIED,),
    "abort": (Reason.ABORTED,),
}


def _request(s: Situation, do: str, step: int | None = None) -> str:
    at = s.record.step if step is None else step
    return f'{{"do":"{do}","rollout":"{s.record.id}","step":{at}}}'


def _annotate(s: Situation, do: str, step: int | None = None) -> str:
    return f"kubectl annotate deployment {s.deployment.place} --overwrite {keys.REQUEST}='{_request(s, do, step)}'"


def _further(s: Situation) -> str:
    if s.record.phase is Phase.PENDING:
        return "it begins, with the checks of pods alone until data come"
    if s.following is None:
        return f"then {wording.all_get(s.replicas)}"
    return f"then {wording.get(s.exposures[s.following - 1].pods, s.replicas)}"
