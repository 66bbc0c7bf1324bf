"""The built-in checks of pods, which need no metrics: a tuple of questions, each with one finding or none.

Only the new pods' faults count against the release, and a fault that is not the release's (eviction, no room on the
nodes) never does. Restarts and readiness are compared with the old pods over the same time: if these suffer as much,
it is an incident, not the release. One blip extends the step; a second one settles it.
"""

import enum
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from penstock.core.observation import Pod
from penstock.core.reasons import Reason
from penstock.core.situation import Situation


class Severity(enum.IntEnum):
    """What a finding does to the step."""

    WAIT = 1  # nothing advances while it lasts
    EXTEND = 2  # the step lasts to its longest stay
    FAIL = 3


@dataclass(frozen=True)
class Finding:
    """One thing that speaks against going on."""

    severity: Severity
    reason: Reason
    message: str


Check = Callable[[Situation], Finding | None]

NOT_ITS_FAULT = "that is not the release's fault"

RESTART_RATIO = 2.0
"""New pods must restart more often than this many times the old ones, per pod and second, to be blamed for it."""


def crash_loop(s: Situation) -> Finding | None:
    """The kubelet itself has given up restarting it at once."""
    pods = _waiting(_to_blame(s), {"CrashLoopBackOff"})
    return _fail(Reason.CRASH_LOOP, pods, "crash-loops") if pods else None


def cannot_start(s: Situation) -> Finding | None:
    """A configuration that no retry mends."""
    faults = {"CreateContainerConfigError", "CreateContainerError", "RunContainerError", "InvalidImageName"}
    pods = _waiting(_to_blame(s), faults)
    return _fail(Reason.CANNOT_START, pods, f"cannot start ({_reasons(pods, faults)})") if pods else None


def image_pull(s: Situation) -> Finding | None:
    """A registry blips once; ImagePullBackOff means that the second try failed too, and what must not be pulled is
    not tried again at all. Where another new pod runs it, the image is there, and a node or its registry at fault."""
    waiting = _without_image(s)
    if waiting and _elsewhere(s):
        what = f"cannot pull its image{_image(waiting)}, which other pods of the new version run"
        return Finding(Severity.WAIT, Reason.NOT_THE_RELEASE, f"{_named(waiting)} {what}; {NOT_ITS_FAULT}")
    pods = _waiting(_to_blame(s), {"ErrImageNeverPull"})
    if pods:
        why = "is not on its node, and imagePullPolicy is Never"
        return _fail(Reason.IMAGE_PULL, pods, f"cannot start: its image{_image(pods)} {why}")
    pods = _waiting(_to_blame(s), {"ImagePullBackOff"})
    if pods:
        return _fail(Reason.IMAGE_PULL, pods, f"cannot pull its image{_image(pods)}")
    pods = _waiting(_to_blame(s), {"ErrImagePull"})
    what = f"could not pull its image{_image(pods)} at the first try"
    return _extend(Reason.IMAGE_PULL, pods, what) if pods else None


def out_of_memory(s: Situation) -> Finding | None:
    """A kill for memory repeats."""
    pods = [p for p in _to_blame(s) if p.out_of_memory]
    return _fail(Reason.OUT_OF_MEMORY, pods, "was killed for using more memory than its limit") if pods else None


def crashed(s: Situation) -> Finding | None:
    """Restarts after an exit code other than 0."""
    pods = [p for p in _to_blame(s) if p.restarts and p.exit_code]
    if not pods:
        return None
    times = max(p.restarts for p in pods)
    what = f"crashed {times} times" if times > 1 else "crashed once"
    text = f"{what} (exit code {pods[0].exit_code})"
    if _old_pods_crash_as_well(s, sum(p.restarts for p in pods)):
        message = f"{_named(pods)} {text}, and pods of the old version crash as often: an incident, not the release"
        return Finding(Severity.WAIT, Reason.CRASHED, message)
    if times >= 2 or len(pods) >= 2:
        return _fail(Reason.CRASHED, pods, text)
    return _extend(Reason.CRASHED, pods, text)


def _old_pods_crash_as_well(s: Situation, new_restarts: int) -> bool:
    recent = [p for p in s.stable_pods if p.restarts and p.crashed >= s.record.started > 0]
    if not recent:
        return False
    new_time = sum(s.now - p.created for p in s.new_pods)
    old_time = sum(s.now - max(p.created, s.record.started) for p in s.stable_pods)
    return new_restarts * old_time <= RESTART_RATIO * len(recent) * new_time


def unready(s: Situation) -> Finding | None:
    """Readiness that comes and goes, more than with the old pods."""
    worst = max(_to_blame(s), key=lambda p: p.flaps, default=None)
    if worst is None or worst.flaps == 0:
        return None
    text = f"lost readiness {worst.flaps} times" if worst.flaps > 1 else "lost readiness once"
    if worst.flaps > 1 and worst.flaps > max((p.flaps for p in s.stable_pods), default=0):
        return _fail(Reason.UNREADY, [worst], text)
    return _extend(Reason.UNREADY, [worst], text)


def never_ready(s: Situation) -> Finding | None:
    """The progress deadline is not counted by the native controller while paused, so we count it, per pod."""
    excused = _without_image(s) if _elsewhere(s) else []
    pods = [p for p in _to_blame(s) if not p.ready and p.scheduled and p not in excused]
    late = [p for p in pods if s.now - p.starting_since > s.deadline]
    return _fail(Reason.NEVER_READY, late, f"was not Ready within {s.deadline:.0f} s") if late else None


def refused(s: Situation) -> Finding | None:
    """Pods that cannot even be created. An exhausted quota is not the release's doing; another admission may have
    its reason in the new template, so that it has as long as a pod has to become Ready."""
    if s.new is None or not s.new.refused or len(s.new_pods) >= s.n:
        return None
    what = f"pods of the new version cannot be created: {s.new.refused}"
    if "exceeded quota" in s.new.refused:
        return Finding(Severity.WAIT, Reason.NOT_THE_RELEASE, f"{what}; {NOT_ITS_FAULT}")
    late = s.now - s.record.since > s.deadline
    return Finding(Severity.FAIL if late else Severity.WAIT, Reason.CANNOT_START, what)


def not_the_release(s: Situation) -> Finding | None:
    """Evicted, preempted, lost with its node, no room: wait, never blame."""
    pods = [p for p in s.new_pods if p.outside or not p.scheduled]
    if s.available < s.n:  # else others have taken their places
        pods += s.ended_pods
    if not pods:
        return None
    first = min(pods, key=lambda p: p.name)
    what = first.outside or ("it has ended" if first.finished else "no node has room for it")
    return Finding(Severity.WAIT, Reason.NOT_THE_RELEASE, f"{_named(pods)}: {what}; {NOT_ITS_FAULT}")


CHECKS: tuple[Check, ...] = (
    crash_loop,
    cannot_start,
    image_pull,
    out_of_memory,
    crashed,
    unready,
    never_ready,
    refused,
    not_the_release,
)


def findings(s: Situation) -> tuple[Finding, ...]:
    """All findings, the gravest first."""
    found = [f for check in CHECKS if (f := check(s))]
    return tuple(sorted(found, key=lambda f: -f.severity))


def _to_blame(s: Situation) -> list[Pod]:
    """New pods, without those that something else ended: an evicted one shows exit code 137 like one that crashed."""
    return [p for p in s.new_pods if not p.outside]


def _waiting(pods: Iterable[Pod], reasons: set[str]) -> list[Pod]:
    return [p for p in pods if reasons & set(p.waiting)]


def _without_image(s: Situation) -> list[Pod]:
    return _waiting(_to_blame(s), {"ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull"})


def _elsewhere(s: Situation) -> bool:
    """Whether a new pod runs all of its containers, so has all of its images."""
    return any(p.started and not p.waiting for p in s.new_pods)


def _reasons(pods: Iterable[Pod], reasons: set[str]) -> str:
    return ", ".join(sorted({r for p in pods for r in p.waiting if r in reasons}))


def _image(pods: list[Pod]) -> str:
    """Of the pod that is named."""
    image = min(pods, key=lambda p: p.name).image if pods else ""
    return f" {image}" if image else ""


def _named(pods: list[Pod]) -> str:
    names = sorted(p.name for p in pods)
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f"pod {names[0]}{more}"


def _fail(reason: Reason, pods: list[Pod], what: str) -> Finding:
    return Finding(Severity.FAIL, reason, f"{_named(pods)} of the new version {what}")


def _extend(reason: Reason, pods: list[Pod], what: str) -> Finding:
    return Finding(Severity.EXTEND, reason, f"{_named(pods)} of the new version {what}")
