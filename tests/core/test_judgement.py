"""The fold over a source's answers: what is gathered when, and for which window it counts."""

import random
from collections.abc import Iterator
from dataclasses import replace

import msgspec
import pytest

from penstock.core import keys
from penstock.core.counters import Count, Life
from penstock.core.judgement import NOT_YET, Bearings, Judgement, Memories, look, verdicts
from penstock.core.plan import plan
from penstock.core.reading import Counters, Reading, Scalar
from penstock.core.verdict import State

BEGAN, TICK, REQUESTS = 100_000.0, 5.0, 20.0
PLAN = plan({keys.ERRORS: 'a{code="500"} / a', keys.WARMUP: "5s"})
LIMIT = plan({"penstock.dev/limit.queue": "max(queue) < 500 for 2"})
PODS = {"new": Life(True, 99_000.0, 99_010.0), **{f"o{n}": Life(False, 50.0, 60.0) for n in range(3)}}
AT = Bearings("r1", PLAN, BEGAN, 1, 0.5, PODS, since=BEGAN)


def scrapes(seed: int, every: float, olds: int, rates: tuple[float, float]) -> Iterator[Reading]:
    """Looks every five seconds for a quarter of an hour at pods that are scraped each at its own moments."""
    chance = random.Random(seed)
    names = ["new", *(f"o{n}" for n in range(olds))]
    phase = {name: chance.uniform(0, every) for name in names}
    last = {name: Counters({"a": 1000.0}, {"a": 0.0}, BEGAN - every + phase[name]) for name in names}
    for tick in range(180):
        now = BEGAN + TICK * tick
        for name in names:
            while last[name].time + every <= now:
                known, n = last[name], int(REQUESTS * every)
                bad = sum(chance.random() < rates[name != "new"] for _ in range(n))
                last[name] = Counters({"a": known.all["a"] + n}, {"a": known.bad["a"] + bad}, known.time + every)
        yield Reading(now, dict(last))


def states(readings: Iterator[Reading], olds: int) -> list[State]:
    """What the check says after each look."""
    pods = {"new": PODS["new"], **{f"o{n}": Life(False, 50.0, 60.0) for n in range(olds)}}
    at, known, found = replace(AT, pods=pods), NOT_YET, list[State]()
    memories: Memories = {}
    for reading in readings:
        known, memories = look(known, memories, {"errors": reading}, at, time=reading.time, source="prometheus")
        found.append(verdicts(known, at, reading.time)[0].state)
    return found


@pytest.mark.parametrize("olds", [1, 3, 9])
@pytest.mark.parametrize("every", [30.0, 60.0])
def test_pods_that_are_never_scraped_within_one_look_are_compared_all_the_same(every: float, olds: int) -> None:
    """Twenty times the errors were never seen: each look had fresh samples of one side only."""
    bad = [State.FAIL in states(scrapes(seed, every, olds, (0.2, 0.01)), olds) for seed in range(8)]
    same = [State.FAIL in states(scrapes(seed, every, olds, (0.01, 0.01)), olds) for seed in range(8)]
    assert (bad, same) == ([True] * 8, [False] * 8)


def reading(time: float, new: tuple[float, float], old: tuple[float, float], /, **times: float) -> Reading:
    """All pods, scraped now unless `times` says when."""
    return Reading(
        time,
        {
            name: Counters({"a": n}, {"a": bad}, times.get(name, time))
            for name in PODS
            for n, bad in (new if name == "new" else old,)
        },
    )


def folded(
    *readings: Reading, at: Bearings = AT, known: Judgement = NOT_YET, memories: Memories | None = None
) -> tuple[Judgement, Memories]:
    """After all of them."""
    memories = memories or {}
    for one in readings:
        known, memories = look(known, memories, {"errors": one}, at, time=one.time, source="pods")
    return known, memories


FIRST = reading(BEGAN, (100, 0), (100, 1))


def test_pods_that_are_scraped_at_each_look_are_weighed_at_each_look() -> None:
    """Pooling must not delay what needs none."""
    known, _ = folded(FIRST, reading(BEGAN + 5, (150, 3), (150, 2)))
    found = known.compared["errors"]
    assert (found.evidence.new, found.evidence.old) == (Count(50, 3), Count(150, 3))
    assert (found.pool.new, found.pool.old) == ({}, {})


def test_what_is_pooled_comes_back_from_json_and_is_weighed_when_the_last_pod_was_scraped() -> None:
    """Tolerance and spread see all old pods, though no look had more than one."""
    times = {"new": BEGAN + 5, "o0": BEGAN, "o1": BEGAN, "o2": BEGAN}
    known, memories = folded(FIRST, reading(BEGAN + 5, (150, 3), (150, 2), **times))
    times["o0"] = BEGAN + 10
    known, memories = folded(reading(BEGAN + 10, (150, 3), (150, 2), **times), known=known, memories=memories)
    found = known.compared["errors"]
    assert (found.evidence.new, found.pool.new, found.pool.old) == (
        Count(),
        {"new": Count(50, 3)},
        {"o0": Count(50, 1)},
    )
    known = msgspec.json.decode(msgspec.json.encode(known), type=Judgement)
    known, _ = folded(reading(BEGAN + 15, (160, 4), (150, 2)), known=known, memories=memories)
    at_once, _ = folded(FIRST, reading(BEGAN + 15, (160, 4), (150, 2)))
    assert known.compared["errors"].evidence == at_once.compared["errors"].evidence


def test_a_pod_whose_scrape_hangs_is_not_waited_for_without_end() -> None:
    """A Prometheus shows the last scrape for five minutes more."""
    hangs = [reading(BEGAN + 5 * n, (100 + 5 * n, 0), (100 + 5 * n, 1), o2=BEGAN) for n in range(1, 19)]
    known, memories = folded(FIRST, *hangs[:-1])
    assert known.compared["errors"].evidence.new == Count()
    known, _ = folded(hangs[-1], known=known, memories=memories)
    assert known.compared["errors"].evidence.new == Count(90, 0)


def test_a_retry_begins_with_nothing_but_what_was_before_the_rollout() -> None:
    """The first try's evidence took the second back at its first look."""
    known, memories = look(
        NOT_YET,
        {},
        {"errors": FIRST},
        replace(AT, began=0.0),
        time=BEGAN,
        source="pods",
        before={"errors": Count(5000, 50)},
    )
    base = known.compared["errors"].incident
    known, memories = folded(reading(BEGAN + 5, (1100, 900), (1100, 11)), known=known, memories=memories)
    assert verdicts(known, AT, BEGAN + 5)[0].state is State.FAIL
    retried = replace(AT, began=BEGAN + 50)
    assert verdicts(known, retried, BEGAN + 50)[0].state is State.WAITING
    for between in (replace(AT, began=0.0), retried):  # whether we look before the second window opens or after it
        again, _ = folded(reading(BEGAN + 60, (1200, 900), (1200, 12)), at=between, known=known, memories=memories)
        found = again.compared["errors"]
        assert (found.evidence.peak, found.pool.new, found.incident) == (0.0, {}, base)
        assert verdicts(again, retried, BEGAN + 60)[0].state is not State.FAIL


def test_requests_from_before_a_step_are_none_of_it() -> None:
    """After a restart of the controller the whole rollout is read again."""
    at = replace(AT, step=2, since=BEGAN + 7)
    known, memories = folded(FIRST, reading(BEGAN + 5, (200, 2), (200, 2)), at=at)
    assert known.compared["errors"].evidence.step_requests == 0
    known, _ = folded(reading(BEGAN + 10, (230, 2), (230, 2)), at=at, known=known, memories=memories)
    found = known.compared["errors"].evidence
    assert (found.new, found.step_requests) == (Count(130, 2), 30)


def test_no_control_is_no_word_of_a_step_before_nor_of_a_minute_ago() -> None:
    """It lets a step grow, so it must be as fresh as a pass."""
    at = replace(AT, pods={"new": PODS["new"]})
    known, _ = folded(FIRST, reading(BEGAN + 5, (150, 0), (100, 1)), at=at)
    now = BEGAN + 5
    found = [verdicts(known, a, n)[0].state for a, n in ((at, now), (replace(at, step=2), now), (at, now + 61))]
    assert found == [State.NO_CONTROL, State.TOO_LITTLE, State.UNREACHABLE]


def test_a_limit_that_was_kept_at_the_step_before_has_to_be_asked_at_this_one() -> None:
    """More new pods may fill the queue."""
    at = replace(AT, plan=LIMIT)
    later, known = replace(at, step=2), NOT_YET
    found = []
    for time, value, asked in ((BEGAN, 9.0, at), (BEGAN + 1, None, later), (BEGAN + 5, 9.0, later)):
        answers = {"limit.queue": Scalar(time, value)} if value else {}
        known, _ = look(known, {}, answers, asked, time=time, source="pods")
        found.append([verdicts(known, a, time)[0].state for a in (at, later)])
    assert found == [
        [State.PASS, State.WAITING],
        [State.UNREACHABLE, State.UNREACHABLE],
        [State.WAITING, State.PASS],
    ]
