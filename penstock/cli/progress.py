"""Where a rollout stands, as a value: what the screen, the plain lines and `-o json` all show.

The sentence is the controller's own, from the condition; where it has not spoken yet, the same decision is made here.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import takewhile
from typing import Any

from penstock.cli.gauges import Gauge, gauges
from penstock.cli.reading import Sight, Told
from penstock.core import keys
from penstock.core.decide import decide, situation
from penstock.core.decision import Decision
from penstock.core.guard import record_of
from penstock.core.judging import MISSING
from penstock.core.observation import Pod
from penstock.core.outlook import outlook, where
from penstock.core.reasons import ENDS, Reason
from penstock.core.record import Record
from penstock.core.rollout import Phase
from penstock.core.situation import Situation
from penstock.core.versions import changes

Object = dict[str, Any]


@dataclass(frozen=True)
class Pods:
    """The pods of one version."""

    ready: int
    unready: int

    @property
    def total(self) -> int:
        return self.ready + self.unready


@dataclass(frozen=True)
class Progress:
    """One active rollout."""

    namespace: str
    name: str
    rollout: str
    state: str
    """The value of our label: stepping, holding, rejected, finishing."""
    phase: Phase
    step: int
    steps: int
    written: tuple[str, ...]
    replicas: int
    allowed: int
    new: Pods
    old: Pods
    other: Pods
    """Of versions that are neither the declared nor the stable one."""
    changes: tuple[str, ...]
    """What differs between the two versions."""
    revisions: tuple[str, str]
    started: float
    earliest: float | None
    latest: float | None
    reason: str
    message: str
    next: str
    now: float
    checks: tuple[Gauge, ...] = ()
    """What the metric checks say; none where none is configured, or nothing was said."""
    events: tuple[Told, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def where(self) -> str:
        return where(self.phase, self.step, self.steps)

    def json(self) -> dict[str, Any]:
        """For scripts: moments in seconds since 1970."""
        return {name: value for name, value in asdict(self).items() if name != "now"}


def progress(sight: Sight) -> Progress | None:
    """The rollout of a Deployment; None where none is active."""
    record = record_of(sight.obj)
    if record is None:
        return None
    seen, decision = sight.seen, decide(sight.seen)
    s = situation(seen, record)
    ahead, exposure = outlook(s), s.exposure(record.step) if record.step else None
    reason, text = _said(sight, record, decision)
    timed = sight.namespace is not None and not sight.silent  # where nobody is at work, nothing ends by itself
    message, checks = gauges(text, [check.name for check in s.plan.checks])
    return Progress(
        namespace=seen.deployment.namespace,
        name=seen.deployment.name,
        rollout=record.id,
        state=seen.deployment.labels.get(keys.ROLLOUT, ""),
        phase=record.phase,
        step=record.step,
        steps=len(s.exposures),
        written=exposure.written if exposure else (),
        replicas=s.replicas,
        allowed=decision.allowed,
        new=_pods(s.new_pods),
        old=_pods(s.stable_pods),
        other=_pods(_of_others(s)),
        changes=changes(s.stable.spec, declared(s)) if s.stable else (),
        revisions=(s.stable.revision if s.stable else record.revision, s.new.revision if s.new else ""),
        started=record.started,
        earliest=ahead.earliest if timed else None,
        latest=ahead.latest if timed else None,
        reason=reason,
        message=message,
        checks=checks,
        next=ahead.sentence,
        now=seen.now,
        events=tuple(takewhile(lambda event: event.reason not in ENDS, sight.events)),
        warnings=tuple(_warnings(sight)),
    )


def _said(sight: Sight, record: Record, decision: Decision) -> tuple[str, str]:
    """What stands, not what would be done next: that is `next`, and where nobody is at work it is not done."""
    said = sight.condition
    begun = record.step > 0 or record.failed or (said and said.reason in MISSING.values())
    if said and begun:
        return said.reason, said.message
    if decision.write is None and decision.shown:
        return decision.reason, decision.text
    # of a rollout that has just begun nothing was said yet, the condition is the former one's
    if record.phase is Phase.RETREATING and not record.failed:
        return Reason.SUPERSEDED, "a newer version was declared; pods of the superseded one go first"
    if record.phase is Phase.PENDING:
        return Reason.GATED, "the new version is admitted and held, nothing of it runs yet"
    return decision.reason, decision.text


def _warnings(sight: Sight) -> Iterator[str]:
    if sight.silent:
        yield sight.silent
    if sight.namespace is None:
        yield "its Namespace may not be read: what it gives as defaults is not known, steps may differ from these"


def _pods(pods: Iterable[Pod]) -> Pods:
    ready = [pod.ready for pod in pods]
    return Pods(sum(ready), len(ready) - sum(ready))


def _of_others(s: Situation) -> list[Pod]:
    owners = {rs.uid for rs in s.superseded}
    return [pod for pod in s.seen.pods if pod.owner in owners and not pod.deleting]


def declared(s: Situation) -> Object:
    """The declared template; a retreat puts it aside for the milliseconds in which it shows the stable one."""
    if s.new:
        return s.new.spec
    aside = s.deployment.annotations.get(keys.DECLARED)
    return dict(json.loads(aside)) if aside else s.deployment.spec
