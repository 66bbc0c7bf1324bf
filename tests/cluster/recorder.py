"""Hears every change of a test's Deployment, its ReplicaSets and its pods, from before the first of them exists.

A proof that polls sees what it happens to look at; a window is open for some hundred milliseconds. So the recorder
watches, keeps all events, and judges them in the order in which the store made them. A watch that had to be listed
again would leave a gap, and a history with a gap proves nothing: that is an error, never ignored.
"""

import asyncio
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from penstock.kube import ApiError, Client, Gone, objects
from tests.cluster.judge import Excuses, Extremes, Judge, Violation
from tests.cluster.reading import Deployment, Pod, ReplicaSet
from tests.cluster.state import Event, State
from tests.cluster.workload import NAME

Fact = Deployment | ReplicaSet | Pod
Kind = type[Deployment] | type[ReplicaSet] | type[Pod]

KINDS: tuple[tuple[Callable[[str], str], Kind], ...] = (
    (objects.deployments, Deployment),
    (objects.replicasets, ReplicaSet),
    (objects.pods, Pod),
)

BEFORE, AFTER = 14, 4
"""Lines of history shown around a violation."""


class Gap(AssertionError):
    """The history is not whole."""


@dataclass
class Recorder:
    """The history of what is labelled as the test's own in one namespace, and what its test has told about it."""

    client: Client
    namespace: str
    events: list[Event] = field(default_factory=list)
    excused: set[str] = field(default_factory=set)
    """Pods that the test makes fail or deletes; told before it does so."""
    failing: set[str] = field(default_factory=set)
    free: set[str] = field(default_factory=set)
    ended: float = math.inf
    objects: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    """The newest object by kind and name."""
    bridged: bool = False
    """The test takes the API server away. A new one knows no event from before its start, so what happened between the
    last event and the next watch is taken from a list: some states may have passed unseen there, and only there."""
    live: State = field(default_factory=State)
    """What is there now, as far as heard."""
    _waiting: list[tuple[Callable[[], bool], asyncio.Future[None]]] = field(default_factory=list)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    async def start(self) -> None:
        """Returns when every watch has its starting point."""
        for path, kind in KINDS:
            listed = await self.client.get(path(self.namespace))
            if listed["items"]:
                raise Gap(f"{path(self.namespace)} is not empty at the start")
            version = objects.version(listed)
            self._tasks.append(asyncio.create_task(self._follow(path(self.namespace), kind, version)))

    async def stop(self) -> None:
        """End the watches; what ended one of them earlier is raised here."""
        for task in self._tasks:
            task.cancel()
        for outcome in await asyncio.gather(*self._tasks, return_exceptions=True):
            if isinstance(outcome, Exception):
                raise outcome

    async def _follow(self, path: str, kind: Kind, version: str) -> None:
        while True:
            try:
                since = {"labelSelector": f"app={NAME}", "resourceVersion": version, "timeoutSeconds": 290}
                async for event in self.client.watch(path, allowWatchBookmarks=True, **since):
                    version = objects.version(event["object"])
                    if event["type"] != "BOOKMARK":
                        self._take(event["type"], event["object"], kind.of(event["object"]))
            except ApiError as error:
                if isinstance(error, Gone) and not self.bridged:
                    raise Gap(f"{path}: {error}") from error
                if isinstance(error, Gone):
                    version = await self._bridge(path, kind)
                await asyncio.sleep(0.2)  # the API server is being restarted; the store goes on from the same version

    async def _bridge(self, path: str, kind: Kind) -> str:
        """Differences in the order of their versions; the version from which to watch on."""
        listed = await self.client.get(path, labelSelector=f"app={NAME}")
        head = {"apiVersion": listed["apiVersion"], "kind": listed["kind"].removesuffix("List")}
        version, present = objects.version(listed), {objects.name(item): head | item for item in listed["items"]}
        for (name, known), obj in list(self.objects.items()):
            if name == kind.__name__ and known not in present:
                gone = obj | {"metadata": obj["metadata"] | {"resourceVersion": version}}
                self._take("DELETED", gone, kind.of(gone))
        for obj in sorted(present.values(), key=lambda obj: int(objects.version(obj))):
            before = self.objects.get((kind.__name__, objects.name(obj)))
            if before is None or objects.version(before) != objects.version(obj):
                self._take("MODIFIED", obj, kind.of(obj))
        return version

    def _take(self, change: str, obj: dict[str, Any], fact: Fact) -> None:
        key = (type(fact).__name__, objects.name(obj))
        self.objects[key] = obj
        if change == "DELETED":
            del self.objects[key]
        self.events.append(Event(int(objects.version(obj)), time.time(), change, fact))
        self.live.take(self.events[-1])
        for check, future in self._waiting:
            _answer(check, future)
        self._waiting = [each for each in self._waiting if not each[1].done()]

    async def until(self, check: Callable[[], bool]) -> None:
        """Returns once `check` has held. It is asked at every event: two that come at once could hide a phase."""
        future = asyncio.get_running_loop().create_future()
        _answer(check, future)
        self._waiting.append((check, future))
        await future

    def judged(self) -> Judge:
        """Play the history as far as it is known."""
        excuses = Excuses(frozenset(self.excused), frozenset(self.failing), frozenset(self.free), self.ended)
        return Judge(excuses).play(sorted(self.events, key=lambda event: event.version))

    def report(self) -> "Report":
        """The judgement, for assertions and for people."""
        judge = self.judged()
        ordered = sorted(self.events, key=lambda event: event.version)
        return Report(self.namespace, tuple(judge.violations), judge.extremes, tuple(_lines(ordered, judge.lines)))


def _answer(check: Callable[[], bool], future: asyncio.Future[None]) -> None:
    if future.done():
        return
    try:
        if check():
            future.set_result(None)
    except Exception as error:  # a test's own mistake belongs to who waits, not to the watch
        future.set_exception(error)


@dataclass(frozen=True)
class Report:
    """Violations with the events around them."""

    namespace: str
    violations: tuple[Violation, ...]
    extremes: Extremes
    lines: tuple[str, ...]

    def __str__(self) -> str:
        if not self.violations:
            return f"{self.namespace}: no invariant broken in {self.extremes.events} events"
        shown: list[str] = []
        for violation in self.violations[:3]:
            begin, end = max(0, violation.index - BEFORE), violation.index + AFTER + 1
            shown.append(f"{self.namespace}: {violation.invariant} broken: {violation.message}")
            for index in range(begin, min(end, len(self.lines))):
                shown.append(("  > " if index == violation.index else "    ") + self.lines[index])
        rest = len(self.violations) - 3
        return "\n".join(shown + ([f"and {rest} more"] if rest > 0 else []))

    def tail(self, count: int = 25) -> str:
        """The end of the history, for a test that failed otherwise."""
        return "\n".join("    " + line for line in self.lines[-count:])


def _lines(events: list[Event], states: list[str]) -> list[str]:
    start = events[0].at if events else 0.0
    return [
        f"{event.at - start:+8.3f}s {event.version:>7} {type(event.object).__name__:<10} {event.type:<8} {state}"
        for event, state in zip(events, states, strict=True)
    ]
