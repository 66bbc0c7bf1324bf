"""What the stepping protocol relies on, as scenarios for the real native controller and for its model.

Nothing of Penstock takes part: the acts are the bare writes that a rollout consists of. A scenario is one thing to know
about the native controller; its name says which.
"""

from dataclasses import dataclass
from typing import Any

Act = dict[str, Any]
Amount = int | str


@dataclass(frozen=True)
class Scenario:
    """A Deployment at rest on v1, and what is done to it, each act after the one before has come to rest."""

    name: str
    replicas: int
    surge: Amount
    unavailable: Amount
    acts: tuple[Act, ...]
    history: int = 10
    min_ready: int = 0
    type: str = "RollingUpdate"


def write(**fields: Any) -> Act:
    """One patch. `brake` stands for minReadySeconds and progressDeadlineSeconds together."""
    return {"write": fields}


def scale(replicas: int) -> Act:
    """By the subresource, as an autoscaler does."""
    return {"scale": replicas}


def ready(version: str = "", *, together: bool = False) -> Act:
    """Its pods, or all, become Ready one after the other, with all they cause; `together`: those there are, at once."""
    return {"ready": version or "all"} | ({"together": True} if together else {})


def fall(version: str, pods: int) -> Act:
    """Ready pods stop being so."""
    return {"fall": version, "pods": pods}


def kill(version: str, pods: int) -> Act:
    """Pods are deleted."""
    return {"kill": version, "pods": pods}


def empty(version: str) -> Act:
    """Its ReplicaSet is scaled to 0 by hand."""
    return {"empty": version}


def align(version: str, replicas: int) -> Act:
    """The annotation desired-replicas of its ReplicaSet is written by hand."""
    return {"align": version, "replicas": replicas}


def delete(version: str) -> Act:
    """Its ReplicaSet is deleted."""
    return {"delete": version}


def wait(seconds: int) -> Act:
    return {"wait": seconds}


GATE = write(template="v2", paused=True)


def opened(surge: Amount, unavailable: Amount, **more: Any) -> Act:
    """A window under the brake."""
    return write(paused=False, maxSurge=surge, maxUnavailable=unavailable, brake=True, **more)


def closed(unavailable: Amount, **more: Any) -> Act:
    """The pause after a window: the surge stays."""
    return write(paused=True, maxUnavailable=unavailable, brake=False, **more)


BRAKE = write(brake=True)
READY = ready()


def held(surge: Amount, unavailable: Amount, users: Amount = "25%") -> tuple[Act, ...]:
    """From rest to a hold at surge + unavailable pods of v2, all Ready."""
    return GATE, opened(surge, unavailable), closed(users), READY


def again(surge: Amount, unavailable: Amount, users: Amount = "25%") -> tuple[Act, ...]:
    """A later window."""
    return BRAKE, opened(surge, unavailable), closed(users), READY


def finished(surge: Amount, unavailable: Amount) -> tuple[Act, ...]:
    """The native controller completes."""
    return write(paused=False, maxSurge=surge, maxUnavailable=unavailable, brake=False), READY


WINDOWS = (
    Scenario("a change while paused moves nothing", 4, "25%", "25%", (GATE, write(paused=False), READY)),
    Scenario(
        "windows in numbers",
        10,
        "25%",
        "25%",
        (*held(2, 0), *again(3, 1), *again(3, 3), *again(3, 5), *finished("25%", "25%")),
    ),
    Scenario(
        "windows in percent", 10, "25%", "25%", (*held("20%", "0%"), *again("30%", "20%"), *finished("25%", "25%"))
    ),
    Scenario("windows of one pod", 4, 1, 0, (*held(1, 0, 0), *again(1, 1, 0), *again(1, 2, 0), *finished(1, 0))),
    Scenario("windows without surge", 5, 0, 1, (*held(0, 1, 1), *again(0, 2, 1), *again(0, 4, 1), *finished(0, 1))),
    Scenario("a whole second set", 5, "100%", 0, (*held("60%", 0, 0), *again("100%", 0, 0), *finished("100%", 0))),
    Scenario("twenty pods", 20, "25%", "25%", (*held(1, 0), *again(5, 5), *again(5, 14), *finished("25%", "25%"))),
    Scenario("both fenceposts at zero are one", 5, "0%", "10%", (GATE, opened("0%", "10%"), closed("10%"), READY)),
    Scenario("a window is clamped by the replicas", 3, 3, 3, (GATE, opened(3, 3), READY)),
    Scenario(
        "a window raised while open",
        10,
        1,
        0,
        (GATE, opened(1, 0), write(maxUnavailable=1), READY, write(maxUnavailable=3)),
    ),
    Scenario(
        "a window under a percentage follows the replicas",
        10,
        "25%",
        "25%",
        (GATE, opened("20%", "20%"), scale(20), scale(5)),
    ),
    Scenario(
        "a window under numbers follows the replicas in proportion",
        10,
        "25%",
        "25%",
        (GATE, opened(2, 2), scale(20), scale(5)),
    ),
)

PAUSES = (
    Scenario(
        "a pause at the fixed point moves nothing", 10, 3, 2, (*held(2, 1, 2), kill("v1", 1), fall("v2", 1), READY)
    ),
    Scenario(
        "a pause with all pods new adds even more", 10, 3, 0, (GATE, opened(3, 0), opened(3, 8), write(paused=True))
    ),
    Scenario(
        "a pause with all pods new and available empties the old",
        3,
        1,
        1,
        (GATE, opened(1, 2), READY, write(paused=True), write(brake=False)),
    ),
    Scenario(
        "more surge while paused resizes both",
        10,
        "25%",
        "25%",
        (*held(2, 2), write(maxSurge=5), READY, write(maxSurge="25%")),
    ),
    Scenario(
        "less surge while paused resizes both",
        10,
        "25%",
        "25%",
        (*held(3, 2), write(maxSurge=1), READY, write(maxSurge=0)),
    ),
    Scenario(
        "the same surge in another spelling moves nothing",
        10,
        3,
        "25%",
        (*held(3, 1), write(maxSurge="30%"), write(maxSurge="25%")),
    ),
    Scenario("the brake reaches the new version only", 6, 2, 1, (*held(2, 0, 1), BRAKE, write(brake=False), BRAKE)),
    Scenario("the brake at rest reaches the stable version", 3, 1, 1, (BRAKE, write(brake=False))),
    Scenario(
        "a young pod is not available",
        4,
        1,
        0,
        (GATE, write(paused=False), wait(22), ready("v2"), wait(22)),
        min_ready=20,
    ),
    Scenario(
        "pods available for the user and not under the brake",
        4,
        1,
        1,
        (*held(1, 0, 1), wait(22), BRAKE, opened(1, 1), closed(1), READY, wait(22)),
        min_ready=20,
    ),
)

SCALING = (
    Scenario("held, scaled up and down", 10, "25%", "25%", (*held(2, 2), scale(20), READY, scale(10), scale(5), READY)),
    Scenario("held, times three", 10, "25%", "25%", (*held(1, 0), scale(30), READY)),
    Scenario("held, a fifth", 30, "25%", "25%", (*held(3, 0), scale(6), READY)),
    Scenario(
        "held, to one and back: promoted by rounding", 10, "25%", "25%", (*held(2, 0), scale(1), scale(10), READY)
    ),
    Scenario("held, to zero and back: promoted", 4, "25%", "25%", (*held(1, 0), scale(0), scale(4), READY)),
    Scenario(
        "held, to zero, the new one deleted, and back: the stable one",
        4,
        "25%",
        "25%",
        (*held(1, 0), scale(0), delete("v2"), scale(4), READY),
    ),
    Scenario("held, from one up", 1, 1, 0, (*held(1, 0, 0)[:3], scale(10), READY)),
    Scenario("surge in numbers, scaled", 10, 3, 2, (*held(2, 0, 2), scale(4), READY, scale(12), READY)),
    Scenario("no surge, scaled", 6, 0, 1, (*held(0, 1, 1), *again(0, 2, 1), scale(9), READY, scale(3))),
    Scenario("open, scaled up", 10, "25%", "25%", (*held(2, 1), BRAKE, opened(2, 3), scale(20), READY)),
    Scenario("native, scaled midway", 6, 1, 0, (write(template="v2"), scale(9), ready("v2"), scale(4), READY)),
    Scenario(
        "one active ReplicaSet follows",
        4,
        "25%",
        "25%",
        (scale(7), READY, write(paused=True), scale(3), scale(0), scale(2), READY),
    ),
    Scenario(
        "scaled and un-paused in one write",
        10,
        "25%",
        "25%",
        (*held(2, 0), write(paused=False, replicas=12, maxSurge=3, maxUnavailable=3, brake=True), READY),
    ),
)

RETREATS = (
    Scenario(
        "the new one emptied by hand while paused", 10, "25%", "25%", (*held(2, 2), empty("v2"), READY, delete("v2"))
    ),
    Scenario("the old one emptied by hand while paused: promoted", 4, "25%", "25%", (*held(1, 0), empty("v1"), READY)),
    Scenario(
        "a desired size written by hand makes it a scaling",
        4,
        "25%",
        "25%",
        (*held(1, 0), align("v1", 9), write(paused=False), READY),
    ),
    Scenario(
        "a window on the stable template",
        10,
        "25%",
        "25%",
        (
            *held(3, 2),
            *again(3, 5),
            write(template="v1", paused=False, brake=False),
            write(template="v2", paused=True),
            READY,
        ),
    ),
    Scenario(
        "windows on the stable template, one by one",
        4,
        1,
        0,
        (
            *held(1, 1, 0),
            *(3 * (write(template="v1", paused=False, brake=False), write(template="v2", paused=True), READY)),
        ),
    ),
    Scenario(
        "windows on the stable template without surge",
        4,
        0,
        1,
        (*held(0, 2, 1), *(2 * (write(template="v1", paused=False), write(template="v2", paused=True), READY))),
    ),
    Scenario(
        "the stable template while paused", 6, 1, 1, (*held(1, 1, 1), write(template="v1"), write(paused=False), READY)
    ),
    Scenario("turned back for good", 6, 1, 1, (*held(1, 2, 1), write(template="v1", paused=False), READY)),
)

NUMBERS = (
    Scenario("one pod under the brake", 1, 1, 0, (GATE, opened(1, 0), READY, write(paused=True), *finished(1, 0))),
    Scenario(
        "one pod without surge", 1, 0, 1, (GATE, opened(0, 1), READY, write(paused=True), write(brake=False), READY)
    ),
    Scenario(
        "one pod in percent",
        1,
        "25%",
        "25%",
        (GATE, opened("25%", "25%"), READY, write(paused=True), write(brake=False)),
    ),
    Scenario("two pods", 2, "25%", "25%", (*held(1, 0), BRAKE, opened(1, 1), READY)),
    Scenario("native with 1 and 0", 3, 1, 0, (write(template="v2"), READY)),
    Scenario("native with 0 and 1", 3, 0, 1, (write(template="v2"), READY)),
    Scenario("native with 100% and 0", 3, "100%", 0, (write(template="v2"), READY)),
    Scenario("native with 25% and 25%", 10, "25%", "25%", (write(template="v2"), READY)),
    Scenario(
        "native, pods Ready at once",
        10,
        "25%",
        "25%",
        (
            write(template="v2"),
            ready("v2", together=True),
            ready("v2", together=True),
            ready("v2", together=True),
            READY,
        ),
    ),
    Scenario(
        "native with Recreate",
        3,
        0,
        1,
        (write(template="v2"), READY, write(paused=True), scale(5), READY),
        type="Recreate",
    ),
    Scenario("no pods at all", 0, "25%", "25%", (GATE, write(paused=False), scale(3), READY)),
)

FAILURES = (
    Scenario("old pods that fall go first", 6, 1, 2, (fall("v1", 1), GATE, opened(1, 2), READY)),
    Scenario("too many fallen: nothing but the surge", 4, 1, 1, (fall("v1", 2), GATE, opened(1, 1), READY)),
    Scenario("new pods fall in a window", 6, 2, 1, (*held(2, 0, 1), fall("v2", 1), BRAKE, opened(2, 1), READY)),
    Scenario("new pods die in a hold", 6, 2, 1, (*held(2, 1, 1), kill("v2", 2), READY)),
    Scenario("new pods never Ready, natively", 10, "25%", "25%", (write(template="v2"), fall("v1", 1), READY)),
    Scenario(
        "a pod that falls natively slows it down", 4, 1, 0, (write(template="v2"), ready("v2"), fall("v2", 1), READY)
    ),
)

VERSIONS = (
    Scenario("three versions natively", 6, 1, 1, (write(template="v2"), write(template="v3"), READY)),
    Scenario(
        "three versions while paused", 10, "25%", "25%", (*held(2, 2), write(template="v3"), kill("v1", 1), READY)
    ),
    Scenario(
        "three versions in a window",
        10,
        "25%",
        "25%",
        (*held(2, 2), write(template="v3", brake=True), opened(3, 1), READY),
    ),
    Scenario(
        "three versions, the second un-available goes first",
        6,
        2,
        2,
        (GATE, opened(2, 0), write(template="v3", maxSurge=2, maxUnavailable=2), READY),
    ),
    Scenario(
        "the newest empty ReplicaSet is revived from zero",
        3,
        1,
        0,
        (*held(1, 0, 0), empty("v2"), READY, write(template="v3"), scale(0), scale(3), READY),
    ),
    Scenario(
        "back to a former version",
        3,
        1,
        1,
        (write(template="v2"), READY, write(template="v1"), READY, write(template="v3"), READY),
    ),
    Scenario(
        "history is forgotten while paused",
        2,
        1,
        1,
        (
            write(template="v2"),
            READY,
            write(template="v3", paused=True),
            write(paused=False),
            READY,
            write(paused=True),
        ),
        history=0,
    ),
    Scenario(
        "history of one",
        2,
        1,
        1,
        (write(template="v2"), READY, write(template="v3"), READY, write(template="v1"), READY),
        history=1,
    ),
)

SCENARIOS = (*WINDOWS, *PAUSES, *SCALING, *RETREATS, *NUMBERS, *FAILURES, *VERSIONS)
