"""How many pods of the new version a step means, and the window that brings exactly so many.

Under the brake no new pod counts as available, so the native controller stops by itself at a fixed point that
depends on the clamps alone (facts measured on kube-controller-manager 1.37.2 and by simulation):

    old* = min(old, max(0, R - U' - a))        new* = max(n, min(R, R + S' - old*))

with a = 0 new pods counted available. With S' + U' = k and old >= R - U' this is new* = k, old* = R + S' - k. Where
fewer old pods are left than that (the user has raised maxSurge meanwhile), S' makes up for what is missing already:
with the full surge the new version would fill their places too.
"""

from dataclasses import dataclass

from penstock.core.plan import Step
from penstock.core.units import IntOrPercent, pods


@dataclass(frozen=True)
class Budget:
    """The user's own maxSurge and maxUnavailable in pods at the present number of replicas."""

    surge: int
    unavailable: int


@dataclass(frozen=True)
class Window:
    """One opening: up to `target` new pods, by `surge` more in all and `unavailable` old ones less."""

    target: int
    surge: int
    unavailable: int


@dataclass(frozen=True)
class Exposure:
    """A resolved step: pods of the new version, and the spellings in the annotation that mean it at this R."""

    pods: int
    written: tuple[str, ...]


def budget(surge: IntOrPercent | None, unavailable: IntOrPercent | None, replicas: int) -> Budget:
    """Surge rounds up, unavailable down; both 0 means one unavailable, as in the native controller."""
    more = pods("25%" if surge is None else surge, replicas, up=True)
    less = pods("25%" if unavailable is None else unavailable, replicas, up=False)
    if more == 0 and less == 0:
        less = 1
    return Budget(more, min(less, replicas))


def exposures(steps: tuple[Step, ...], replicas: int, surge: int) -> tuple[Exposure, ...]:
    """The steps at `replicas`: percentages round up, equal ones collapse, those that mean all pods are dropped.

    An explicit `100%` stays, as a hold with all old pods beside all new ones, where maxSurge allows that. With one
    replica the only step is that one pod beside the old one, if it may be surged.
    """
    found: dict[int, tuple[str, ...]] = {}
    for step in steps:
        k = pods(str(step), replicas, up=True) if step.percent else step.amount
        beside = surge >= replicas and (replicas == 1 or step == Step(100, True))
        if replicas > 0 and (k < replicas or (beside and min(k, replicas) == replicas)):
            k = min(k, replicas)
            found[k] = (*found.get(k, ()), str(step))
    return tuple(Exposure(k, written) for k, written in sorted(found.items()))


def window(k: int, limits: Budget, available: int, missing: int = 0) -> Window:
    """The next window towards `k` new pods, when `available` of those that run are so by the user's own rule and
    `missing` old pods are gone already (of as many as there are replicas).

    Old pods may go only as far as the user's own maxUnavailable and the available new pods make up for them (I1);
    where k needs more, the window falls short and another one follows.
    """
    target = min(k, min(limits.surge, k) + limits.unavailable + available)
    surge = max(0, min(limits.surge, target - missing))
    return Window(target, surge, target - surge)


def clamp(value: int, replicas: int, own: IntOrPercent | None, *, up: bool) -> IntOrPercent:
    """A clamp as it is written: in the user's own percentage where that means the same now, else in another whole one
    (it follows when the replicas change while a window is open and we are dead), else as a number."""
    if isinstance(own, str) and pods(own, replicas, up=up) == value:
        return own
    share = 100 * value // replicas if replicas else 0
    for percent in (share, share + 1):
        text = f"{percent}%"
        if (up or percent <= 100) and pods(text, replicas, up=up) == value:
            return text
    return value


def settled(replicas: int, surge: int, unavailable: int, new: int, old: int) -> bool:
    """Whether the native controller has come to its fixed point under the clamps in force: no old pod may go any more,
    and no new one may come."""
    return old <= max(0, replicas - unavailable) and (new + old >= replicas + surge or new >= replicas)
