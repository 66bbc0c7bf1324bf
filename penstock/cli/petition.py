"""What a person asks of the controller, and what it will answer: pure, and asked of the controller's own code.

A request names rollout and step, so a yes to what was on the screen can never move something else. It is tried here
first: what the controller would ignore is refused at once, with the controller's sentence, and writes nothing.
"""

import json
from dataclasses import dataclass, replace
from typing import Any

from penstock.cli.errors import Refusal
from penstock.cli.reading import Sight
from penstock.cli.text import counted
from penstock.core import keys, patch
from penstock.core.decide import decide, situation
from penstock.core.guard import active
from penstock.core.outlook import outlook, where
from penstock.core.plan import request
from penstock.core.reasons import Reason
from penstock.core.record import Record
from penstock.core.rollout import Phase
from penstock.core.situation import Situation
from penstock.core.units import AnnotationError

ANNOTATIONS = ("metadata", "annotations")

IGNORED = "the request was ignored: "
"""With what the controller begins its sentence; here nothing was asked yet."""

BACK = frozenset({Phase.RETREATING, Phase.REJECTED})


@dataclass(frozen=True)
class Petition:
    """One request, bound to what was seen."""

    do: str
    step: int
    sight: Sight
    record: Record

    @property
    def text(self) -> str:
        """The annotation's value."""
        return json.dumps({"do": self.do, "rollout": self.record.id, "step": self.step})

    @property
    def operations(self) -> tuple[patch.Operation, ...]:
        """The write: refused where the record is no longer the one that was looked at."""
        seen = self.sight.seen.deployment.annotations[keys.RECORD]
        record, request = (patch.pointer((*ANNOTATIONS, key)) for key in (keys.RECORD, keys.REQUEST))
        return (
            {"op": "test", "path": record, "value": seen},
            {"op": "add", "path": request, "value": self.text},
        )

    @property
    def situation(self) -> Situation:
        return situation(self.sight.seen, self.record)


def petition(sight: Sight, do: str, target: str = "") -> Petition:
    """The request for what was seen; Refusal where it makes no sense now. `target` is the step of a skip."""
    d = sight.seen.deployment
    record = active(sight.obj)
    if record is None:
        raise Refusal(
            f"Deployment {d.namespace}/{d.name} has no active rollout",
            f"what a change of it would do: penstock status {d.place}",
        )
    asked = Petition(do, record.step, sight, record)
    if do == "skip-to":
        asked = replace(asked, step=_position(asked.situation, target))
    refused = objection(asked)
    if refused:
        raise Refusal(refused, f"where it stands: penstock status {d.place}")
    return asked


def _position(s: Situation, target: str) -> int:
    """A step by its position, or as it is written in the annotation where that is a percentage."""
    if target.isascii() and target.isdigit():
        return int(target)
    for position, exposure in enumerate(s.exposures, 1):
        if target in exposure.written and target.endswith("%"):
            return position
    known = ", ".join(f"{i} ({', '.join(e.written)})" for i, e in enumerate(s.exposures, 1))
    raise Refusal(f"{target} is no step of this rollout", f"the steps are {known}")


def objection(asked: Petition) -> str:
    """Why the controller would ignore the request now; empty where it would not."""
    d = asked.sight.seen.deployment
    notes = {**d.annotations, keys.REQUEST: asked.text}
    answer = decide(replace(asked.sight.seen, deployment=replace(d, annotations=notes)))
    return answer.message.removeprefix(IGNORED) if answer.reason is Reason.REQUEST_IGNORED else ""


def standing(asked: Petition) -> list[str]:
    """What is said where another request is still unanswered: there is room for one."""
    text = asked.sight.seen.deployment.annotations.get(keys.REQUEST, asked.text)
    if text == asked.text:
        return []
    try:
        before = request(text)
    except AnnotationError:
        return ["this replaces a request that nobody can read"]
    return [f"this replaces a request that nobody has taken up yet: {before.do}, step {before.step}"]


def question(asked: Petition) -> str:
    """What a person says yes to."""
    s, d = asked.situation, asked.sight.seen.deployment
    place = f"{d.namespace}/{d.name}, {where(s.record.phase, s.record.step, len(s.exposures))}"
    match asked.do:
        case "approve":
            return f"Approve {place}? Next: {outlook(granted(asked)).sentence}."
        case "abort":
            return f"Take back {place}? {counted(s.n, 'pod')} of the new version will go."
        case "retry":
            return f"Try again {place}? It starts anew with step 1 of {len(s.exposures)}."
        case _:
            exposure = s.exposure(asked.step)
            pods = f"{exposure.pods} of {counted(s.replicas, 'pod')}" if exposure else "all pods"
            return f"Go on from {place}, to step {asked.step} ({pods})?"


def granted(asked: Petition) -> Situation:
    """The situation after a yes."""
    record = replace(asked.record, approved=(*asked.record.approved, asked.step), awaiting=False)
    return situation(asked.sight.seen, record)


def taken_up(obj: dict[str, Any], asked: Petition) -> bool:
    """Whether the request is no longer there, or another one has taken its place."""
    return (obj["metadata"].get("annotations") or {}).get(keys.REQUEST) != asked.text


def done(asked: Petition, record: Record | None) -> bool:
    """Whether the record says that the request was carried out. None: the rollout is over meanwhile."""
    if record is None or record.id != asked.record.id:
        return asked.do in ("approve", "skip-to") and record is None
    match asked.do:
        case "approve":
            return asked.step in record.approved or record.step > asked.step or record.phase is Phase.FINISHING
        case "skip-to":
            return record.step >= asked.step or record.phase is Phase.FINISHING
        case "abort":
            return record.phase in BACK
        case _:
            return record.phase is not Phase.REJECTED
