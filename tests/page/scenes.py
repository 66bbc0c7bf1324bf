"""Rollouts for the page, played by the real decisions and the real judge on the model cluster, with drawn traffic.

The tests of the page need states that a real cluster reaches after minutes, and hundreds of rollouts at once; the
pictures in the docs have to be the same each time. So time, traffic and pods are played here, and nothing else is.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from random import Random

from controller.web.board import Board
from penstock.core import keys
from penstock.core.decide import decide, situation
from penstock.core.decision import Decision
from penstock.core.guard import record_in
from penstock.core.judgement import NOT_YET, Answer, Judgement, Memories, look
from penstock.core.observation import Observation
from penstock.core.queries import Limit
from penstock.core.reading import Counters, Reading, Scalar
from penstock.core.reasons import ENDS
from penstock.core.rollout import Phase
from tests.cli.play import Play

TICK = 5.0
ERRORS = {"errors": 'http_requests_total{code=~"5.."} / http_requests_total', "warmup": "10s"}
SLOW = {"slow": "http_request_duration_seconds > 250ms"}
QUEUE = {"limit.queue": "max(worker_queue_length) < 500"}


@dataclass
class Traffic:
    """Requests to each pod in a second, and the share of bad ones: (old, new) of each check."""

    rate: float = 8.0
    bad: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    queue: Callable[[float, Random], float] = lambda t, random: 300 + 60 * random.random()


class Scene:
    """One Deployment of its own name, on its own cluster, seen by one board."""

    def __init__(
        self,
        board: Board,
        namespace: str,
        name: str,
        replicas: int = 10,
        traffic: Traffic | None = None,
        **notes: str,
    ) -> None:
        self.board, self.namespace, self.name = board, namespace, name
        self.play = Play(replicas, **notes)
        self.traffic = traffic or Traffic()
        self.random = Random(f"{namespace}/{name}")
        self.judgement: Judgement = NOT_YET
        self.memories: Memories = {}
        self.counted: dict[str, dict[str, tuple[float, float]]] = {}
        self.over = False
        self.ready = True

    @property
    def now(self) -> float:
        return self.play.cluster.now

    def seen(self) -> Observation:
        """What the controller sees now."""
        epoch = self.play.record.epoch if self.play.record else 0
        seen = self.play.cluster.observation(epoch)
        deployment = replace(seen.deployment, namespace=self.namespace, name=self.name)
        return replace(seen, deployment=deployment, judgement=self.judgement)

    def begin(self, version: str = "v2") -> "Scene":
        """Declare another version."""
        self.play.release(version)
        self.over = False
        return self

    def ask(self, do: str) -> None:
        """A person's request."""
        record = self.play.record
        assert record
        text = f'{{"do":"{do}","rollout":"{record.id}","step":{record.step}}}'
        self.play.cluster.server.user(lambda obj: obj["metadata"]["annotations"].update({"penstock.dev/request": text}))

    def tick(self, seconds: float = TICK) -> Decision:
        """So much later: traffic, the judge's look, and the controller's until it has nothing to write."""
        self.play.cluster.now += seconds
        if self.ready:
            self.play.cluster.ready()
        self._judge(seconds)
        for _ in range(12):
            decision = self._look()
            if decision.write is None or decision.over or self.over:
                break
        return decision

    def run(self, until: Callable[[Decision], bool], most: int = 2000) -> "Scene":
        """Go on until a decision is such."""
        for _ in range(most):
            if until(self.tick()):
                return self
        raise AssertionError(f"{self.name} never came to it: {self.play.record}")

    def until_step(self, step: int, then: int = 0) -> "Scene":
        """Until the step is held, and some ticks more."""
        self.run(lambda d: d.phase == Phase.HOLDING and d.step == step)
        for _ in range(then):
            self.tick()
        return self

    def _look(self) -> Decision:
        seen = self.seen()
        decision = decide(seen)
        self.board.looked(seen, decision)
        cluster = self.play.cluster
        cluster.carry_out(decision, cluster.server.obj, cluster.versions())
        cluster.settle()
        if self.ready:
            cluster.ready()
        if decision.over or decision.reason in ENDS:
            self.over = True
            self.board.forget(f"{self.namespace}/{self.name}")
        return decision

    def _judge(self, seconds: float) -> None:
        seen = self.seen()
        record = record_in(seen.deployment.annotations.get(keys.RECORD), seen.deployment.uid)
        if record is None or record.phase not in (Phase.PENDING, Phase.BRAKING, Phase.OPENING, Phase.HOLDING):
            return
        s = situation(seen, record)
        if not s.plan.checks:
            return
        at = s.bearings
        answers: dict[str, Answer] = {}
        for check in s.plan.checks:
            if isinstance(check.query, Limit):
                answers[check.name] = Scalar(self.now, round(self.traffic.queue(self.now, self.random), 1))
                continue
            old, new = self.traffic.bad.get(check.name, (0.002, 0.002))
            counted = self.counted.setdefault(check.name, {})
            pods = {}
            for name, life in at.pods.items():
                if not life.ready_since:
                    continue
                requests = self._drawn(self.traffic.rate * seconds)
                bad = sum(self.random.random() < (new if life.new else old) for _ in range(requests))
                before = counted.get(name, (0.0, 0.0) if life.new else (4000.0, 4000 * old))
                counted[name] = before[0] + requests, before[1] + bad
                pods[name] = Counters({"": counted[name][0]}, {"": counted[name][1]}, self.now)
            answers[check.name] = Reading(self.now, pods)
        self.judgement, self.memories = look(
            self.judgement, self.memories, answers, at, time=self.now, source="prometheus"
        )

    def _drawn(self, mean: float) -> int:
        return max(0, round(self.random.gauss(mean, mean**0.5)))


def story(board: Board) -> list[Scene]:
    """One of each kind, for looking at."""
    good = {"errors": (0.004, 0.004), "slow": (0.03, 0.03)}
    bad = {"errors": (0.002, 0.045), "slow": (0.03, 0.035)}
    scenes = [
        Scene(board, "shop", "checkout", 20, Traffic(12, good), steps="1, 25%, 50%", **ERRORS, **SLOW)
        .begin()
        .until_step(2, 9),
        Scene(board, "shop", "cart", 10, Traffic(9, bad), steps="10%, 25%, 50%", **ERRORS, **SLOW)
        .begin()
        .run(lambda d: d.reason == "Rejected"),
        Scene(board, "shop", "payments", 12, Traffic(20, good), steps="2, 50%", approve="each", **ERRORS)
        .begin()
        .run(lambda d: d.reason == "AwaitingApproval"),
        Scene(board, "search", "indexer", 6, Traffic(), step_time="2m..30m", **QUEUE).begin().until_step(1, 14),
        Scene(board, "search", "frontend", 48, Traffic(0.0), steps="10%, 50%", step_time="1m..5m", **ERRORS)
        .begin()
        .run(lambda d: (d.reason == "NoTraffic" and d.phase == Phase.HOLDING) or d.reason == "Inconclusive"),
        Scene(board, "media", "thumbnails", 30, step_time="30s").begin().run(lambda d: d.step == 3),
    ]
    done = Scene(board, "media", "encoder", 8, Traffic(20, good), step_time="30s", **ERRORS).begin()
    done.run(lambda d: done.over)
    scenes[-1].play.cluster.pods.all.update()
    return [*scenes, done]


def many(board: Board, number: int) -> list[Scene]:
    """So many active rollouts, in different states."""
    return list(_many(board, number))


def _many(board: Board, number: int) -> Iterator[Scene]:
    for n in range(number):
        scene = Scene(board, f"team-{n % 25:02}", f"service-{n:03}", 10, Traffic(10), step_time="60s..10m", **ERRORS)
        scene.begin()
        for _ in range(4 + n % 20):
            scene.tick()
        yield scene


async def go_on(scenes: list[Scene], pause: float) -> None:
    """For ever: a tick for each, and a pause."""
    while True:
        for scene in scenes:
            if not scene.over:
                scene.tick()
                await asyncio.sleep(0)
        await asyncio.sleep(pause)
