"""What the judge does when its sources fail: nothing that was, or could be, counted is lost by one failed query."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

import pytest

from controller import judge as judging
from controller.judge import Judge
from controller.observe import Sight, Watcher
from controller.remember import PACE
from controller.sources.choice import Sources
from controller.sources.pods import Pods
from controller.stored import store
from controller.telemetry import Telemetry
from controller.trouble import OURS
from penstock.core import keys
from penstock.core.counters import Life
from penstock.core.decide import situation
from penstock.core.histogram import Spread
from penstock.core.judgement import NOT_YET, Bearings, Judgement, Memories, digest_of, look
from penstock.core.plan import plan
from penstock.core.queries import Limit, Slow
from penstock.core.reading import Counters, Reading, Scalar
from penstock.core.record import Record
from penstock.core.rollout import Phase
from penstock.core.verdict import State
from penstock.kube import ApiError, Client
from penstock.metrics.prometheus import Prometheus
from penstock.metrics.source import Check, Target
from tests.core import seen
from tests.core.shop import NOW, Object, noted, record, rolling

ERRORS = {"errors": 'a{code="500"} / a', "warmup": "1s"}
FAILED = Reading(NOW, trouble="Prometheus: no answer within 5 s")


class Paper:
    """A source of which each kind of question can be made to fail; a pod has a request for each second."""

    def __init__(self) -> None:
        self.failing: set[str] = set()
        self.asked: list[str] = []
        self.mute = False
        self.scalars = self.most = 0
        self.bug = False

    async def read(self, checks: Sequence[Check], pods: Sequence[Target]) -> tuple[Reading, ...]:
        self.asked.append("read")
        if self.bug:
            raise RuntimeError
        return tuple(FAILED if "read" in self.failing else self._at(time.time(), pods) for _ in checks)

    async def history(self, check: Check, pods: Sequence[Target], since: float, step: float) -> tuple[Reading, ...]:
        kind = "hour" if step == 300 else "history"
        self.asked.append(kind)
        if kind in self.failing:
            return (FAILED,)
        times = [since + step * n for n in range(int((time.time() - since) / step) + 1)]
        return tuple(self._at(t, pods) for t in times)

    async def scalar(self, check: Limit, values: Mapping[str, str]) -> Scalar:
        self.scalars += 1
        self.most = max(self.most, self.scalars)
        await asyncio.sleep(0.001)
        self.scalars -= 1
        return Scalar(time.time(), 1.0)

    async def spreads(self, check: Slow, pods: Sequence[Target]) -> tuple[Spread, ...]:
        self.asked.append("spreads")
        return (Spread(1000.0, {0.1: 50.0}),)

    def _at(self, now: float, pods: Sequence[Target]) -> Reading:
        old = {} if self.mute else {p.name: Counters({"": now - NOW + 9000}, {"": 0.0}, now) for p in pods}
        return Reading(now, old)


class Kept:
    """A client that notes, or refuses, what is to be kept."""

    def __init__(self, refuses: bool = False) -> None:
        self.refuses = refuses

    async def merge(self, *_: Any, **__: Any) -> None:
        if self.refuses:
            raise ApiError(403, "Forbidden", "no")


class Watched:
    """What the judge takes from a Watcher."""

    def __init__(self, evidence: str | None = None) -> None:
        self.judgement: Judgement = NOT_YET
        self.evidence = evidence
        names = [f"web-v1-{n}" for n in range(10)] + ["web-v2-0"]
        self.pods = [{"metadata": {"namespace": "shop", "name": n, "annotations": {}}} for n in names]

    def replicaset(self, _name: str) -> Object:
        return {"metadata": {"annotations": {keys.EVIDENCE: self.evidence}}}


class Case:
    """A judge of `shop/web`, with a Prometheus and pods of paper."""

    def __init__(self, known: Record, notes: dict[str, str], *, evidence: str | None = None, refuses: bool = False):
        self.prometheus, self.scraped, self.watched = Paper(), Paper(), Watched(evidence)
        sources = Sources(cast(Pods, self.scraped), cast(Prometheus, self.prometheus))
        self.telemetry, self.seen, self.changes = Telemetry(), 0, 0
        client, watcher = cast(Client, Kept(refuses)), cast(Watcher, self.watched)
        self.judge = Judge(client, sources, self.telemetry, watcher, self._changed)
        self.deployment = noted(rolling(known), **notes)
        self.sight = Sight(seen.observation(known, notes=notes), self.deployment, {})

    def _changed(self) -> None:
        self.changes += 1

    async def see(self) -> Sight:
        self.seen += 1
        return self.sight

    async def look(self) -> Judgement:
        await self.judge._once(self.sight)
        return self.watched.judgement


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in the observations of other tests."""
    began = time.monotonic()
    monkeypatch.setattr(time, "time", lambda: NOW + time.monotonic() - began)


BEFORE = record(Phase.BRAKING, started=0, step=0, target=0)


async def test_the_hour_before_is_asked_for_until_it_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """One failed query at the very first look cost the rollout its base line, and said so nowhere."""
    case = Case(BEFORE, ERRORS)
    case.prometheus.failing = {"hour"}
    first = await case.look()
    paused = await case.look()
    asked = case.prometheus.asked.count("hour")
    case.prometheus.failing = set()
    monkeypatch.setattr(judging, "PAUSE", 0.0)
    case.judge._again = 0.0
    second = await case.look()
    await case.look()

    assert [j.compared["errors"].incident.before.requests for j in (first, paused)] == [0, 0]
    assert second.compared["errors"].incident.before.requests > 1000
    assert (asked, case.prometheus.asked.count("hour")) == (1, 2)


@pytest.mark.parametrize("failing", ["hour", "history", "read"])
async def test_a_restart_while_the_source_fails_loses_nothing(failing: str) -> None:
    """Until the past is there again nothing is counted on top of it, and people read why."""
    straight = Case(record(), ERRORS)
    whole = (await straight.look()).compared["errors"]

    case = Case(record(), ERRORS)
    case.prometheus.failing = {failing, "history"}
    troubled = await case.look()
    case.prometheus.failing = set()
    again = (await case.look()).compared["errors"]

    assert troubled.compared["errors"].seen.trouble == f"what was counted before is not known: {FAILED.trouble}"
    assert troubled.compared["errors"].evidence.old.requests == 0
    assert again.evidence.old.requests == pytest.approx(whole.evidence.old.requests, rel=0.01)
    assert again.evidence.old.requests > 500


async def test_limits_are_asked_while_the_past_is_not_known() -> None:
    """They need none, and may have to take the release back."""
    case = Case(record(), ERRORS | {"limit.queue": "max(queue) < 0.5"})
    case.prometheus.failing = {"history"}
    await case.look()
    case.prometheus.failing = set()
    judgement = await case.look()

    assert judgement.limits["limit.queue"].breaches.row == 2
    assert judgement.compared["errors"].evidence.old.requests > 500


async def test_one_check_without_a_past_does_not_silence_the_others_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bucket that new pods do not have is missing for ever; errors must be able to take the release back."""
    case = Case(record(), ERRORS | {"slow": "b > 250ms"})
    history = case.prometheus.history

    async def partly(check: Check, *args: Any) -> tuple[Reading, ...]:
        return (FAILED,) if isinstance(check, Slow) else await history(check, *args)

    monkeypatch.setattr(case.prometheus, "history", partly)
    first = await case.look()
    monkeypatch.setattr(judging, "PATIENCE", 0.0)
    later = await case.look()

    assert first.compared["errors"].evidence.old.requests == 0
    assert later.compared["errors"].evidence.old.requests > 500
    assert later.compared["slow"].evidence.old.requests == 0


async def test_the_past_is_counted_with_pauses_and_shown_only_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hours of readings are counted at once, while other workloads are to be looked at."""
    case = Case(record(started=NOW - 30 * PACE), ERRORS)
    pauses: list[Judgement] = []
    sleep = asyncio.sleep

    async def noted_sleep(seconds: float) -> None:
        pauses.append(case.watched.judgement)
        await sleep(seconds)

    monkeypatch.setattr(asyncio, "sleep", noted_sleep)
    await case.look()

    assert pauses == [NOT_YET] * 3


async def test_what_was_kept_of_scraping_is_restored_although_no_pod_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a Prometheus configured the other source was taken then, and all began anew."""
    notes = ERRORS | {"slow": "b"}
    checks = plan({keys.PREFIX + name: text for name, text in notes.items()})
    lives = {f"web-v1-{n}": Life(False, 50.0, 60.0) for n in range(10)}
    at, known = Bearings("3f2a9c1e", checks, NOW - 120, 1, 0.25, lives), NOT_YET
    memories: Memories = {}
    for ago in (60, 30):
        pods = {name: Counters({"": 9000.0 - ago}, {"": 0.0}, NOW - ago) for name in lives}
        answers = dict.fromkeys(("errors", "slow"), Reading(NOW - ago, pods))
        known, memories = look(known, memories, answers, at, time=NOW - ago, source="pods")
    slow = next(check for check in checks.checks if check.name == "slow")
    case = Case(record(), notes, evidence=store(known, memories, {digest_of(slow): 0.1}))
    case.scraped.mute = True

    judgement = await case.look()

    assert (judgement.source, judgement.compared["errors"].evidence.old.requests) == ("pods", 300.0)
    assert (case.prometheus.asked, case.scraped.asked) == ([], ["read"])


async def test_another_query_of_the_same_name_gets_a_bound_of_its_own() -> None:
    """Bounds were kept by the check's name."""
    case = Case(BEFORE, ERRORS | {"slow": "b"})
    await case.look()
    other = Case(BEFORE, ERRORS | {"slow": "c"})
    await case.judge._once(other.sight)
    await case.look()

    assert case.prometheus.asked.count("spreads") == 2


async def test_an_error_of_ours_is_shown() -> None:
    """The rollout stood at "not asked yet", or at the last look's words, for ever."""
    case = Case(record(), ERRORS | {"limit.queue": "max(queue) < 5"})
    case.prometheus.bug = True
    with pytest.raises(RuntimeError):
        await case.look()

    s = replace(case.sight.seen, judgement=case.watched.judgement)
    verdicts = situation(s, record()).verdicts
    assert [(v.state, v.sentence.partition(": ")[2]) for v in verdicts] == [(State.UNREACHABLE, OURS)] * 2
    assert case.changes == 1


async def test_a_failed_keeping_is_no_failed_look() -> None:
    """Telemetry was skipped then, and the log said that metrics were not asked."""
    case = Case(record(), ERRORS | {"source": "pods"}, refuses=True)
    await case.look()

    assert (
        case.telemetry.registry.get_sample_value(
            "penstock_check_requests", {"namespace": "shop", "name": "web", "check": "errors", "version": "old"}
        )
        is not None
    )
    assert case.changes == 1


@pytest.mark.parametrize(
    ("known", "notes", "observed"),
    [
        (record(), ERRORS, 3),
        (record(), {}, 1),
        (record(Phase.REJECTED), ERRORS, 0),
        (record(Phase.FINISHING), ERRORS, 0),
    ],
)
async def test_nothing_is_observed_where_nothing_is_asked(
    known: Record, notes: dict[str, str], observed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All pods were read into an observation every five seconds, of rejected rollouts for days."""
    monkeypatch.setattr(judging, "TICK", 0.0)
    case, ticks = Case(known, notes), 0

    def latest() -> Object:
        nonlocal ticks
        ticks += 1
        if ticks > 3:
            raise asyncio.CancelledError
        return case.deployment

    with pytest.raises(asyncio.CancelledError):
        await case.judge.run(latest, case.see)

    assert case.seen == observed


async def test_limits_alone_read_no_pod_and_come_four_at_a_time() -> None:
    """Every pod was scraped for no check, and every limit asked at once."""
    case = Case(record(), {f"limit.l{n}": "max(queue) < 5" for n in range(9)})
    judgement = await case.look()

    assert (case.prometheus.asked, case.scraped.asked, len(judgement.limits)) == ([], [], 9)
    assert (case.prometheus.most, judgement.source) == (4, "prometheus")
