"""Every rule of counting, by hand: what counts, what is only a base line, and what must never count twice."""

import itertools
import json
import math
from dataclasses import asdict, replace

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.core.counters import Count, Increments, Life, Memory, count, pack, unpack
from penstock.core.reading import Counters, Reading, Series

BEGAN, WARMUP = 1000.0, 60.0
OLD = Life(new=False, started=10.0, ready_since=20.0)
NEW = Life(new=True, started=1005.0, ready_since=1010.0)
"""Warm from 1070 on."""

Point = tuple[float, Series, Series]


def ok(n: float, bad: float | None = None) -> tuple[Series, Series]:
    """A pod with one series of each: the errors' one is born with the first error."""
    return {"code=200": n}, {} if bad is None else {"code=500": bad}


def counted(life: Life | list[Life], *points: Point, warmup: float = WARMUP) -> list[Count | None]:
    """What each sample of one pod adds; None where it is only a base line. It was looked at before the rollout."""
    memory, found = Memory(since=BEGAN - 10), list[Count | None]()
    lives = life if isinstance(life, list) else [life] * len(points)
    for (time, total, bad), pod in zip(points, lives, strict=True):
        reading = Reading(time, {"pod": Counters(total, bad, time)})
        memory, seen = count(memory, reading, {"pod": pod}, began=BEGAN, warmup=warmup)
        found.append((seen.new if pod.new else seen.old).get("pod"))
    return found


def test_the_first_sample_of_an_old_pod_is_its_base_line() -> None:
    """It holds days of another time; afterwards differences count, also those of nothing."""
    points = [(1010.0, *ok(9000, 90)), (1020.0, *ok(9100, 91)), (1030.0, *ok(9100, 91))]
    assert counted(OLD, *points) == [None, Count(100, 1), Count(0, 0)]


def test_a_series_born_on_a_scraped_pod_counts_from_zero() -> None:
    """The first errors of a release make the series: a rate would miss them."""
    points = [(1010.0, *ok(9000)), (1020.0, *ok(9100, 3)), (1030.0, {"code=200": 9100, "code=404": 7}, {"code=500": 3})]
    assert counted(OLD, *points) == [None, Count(100, 3), Count(7, 0)]


def test_a_pod_that_answered_without_series_counts_from_its_first_request() -> None:
    """Clients with labels show nothing before the first request."""
    assert counted(OLD, (1010.0, {}, {}), (1020.0, *ok(4, 1))) == [None, Count(4, 1)]


def test_a_value_below_the_last_counts_in_full() -> None:
    """The process began anew within its container: series by series, the others go on."""
    points = [(1010.0, {"a": 500, "b": 70}, {"a": 9}), (1020.0, {"a": 20, "b": 75}, {"a": 2})]
    assert counted(OLD, *points) == [None, Count(25, 2)]


def test_a_restarted_container_counts_in_full_even_where_it_has_overtaken() -> None:
    """20 before the crash, 25 after it: 25 requests, not 5."""
    restarted = Life(new=False, started=1015.0, ready_since=1016.0)
    points = [(1010.0, *ok(20, 3)), (1020.0, *ok(25, 4)), (1030.0, *ok(30, 4))]
    assert counted([OLD, restarted, restarted], *points) == [None, Count(25, 4), Count(5, 0)]


def test_a_sample_from_before_the_restart_is_no_restart() -> None:
    """The API server knows of it at once, Prometheus answers with the scrape before: counted once, when it is seen."""
    restarted = Life(new=False, started=1025.0, ready_since=1026.0)
    points = [(1010.0, *ok(20)), (1020.0, *ok(30)), (1030.0, *ok(4)), (1040.0, *ok(5))]
    assert counted([OLD, restarted, restarted, restarted], *points) == [None, Count(10), Count(4), Count(1)]


def test_the_same_scrape_again_counts_nothing() -> None:
    """Asked more often than the source scrapes; an older one neither."""
    assert counted(OLD, *[(t, *ok(n)) for t, n in ((1010, 20), (1020, 30), (1020, 30), (1015, 25), (1030, 31))]) == [
        None,
        Count(10),
        None,
        None,
        Count(1),
    ]


def test_a_series_missing_from_one_answer_does_not_count_again() -> None:
    """Its whole past would come back as requests of now."""
    points = [(1010.0, {"a": 500, "b": 70}, {}), (1020.0, {"a": 510}, {}), (1030.0, {"a": 520, "b": 72}, {})]
    assert counted(OLD, *points) == [None, Count(10), Count(12)]


def test_a_bad_count_that_falls_alone_by_a_race_is_not_its_whole_past() -> None:
    """slow = count - bucket, and some clients read the two one after the other: 1000, 999, 1002 are 2 slow ones."""
    points = [(1010.0, {"": 20000}, {"": 1000}), (1020.0, {"": 20050}, {"": 999}), (1030.0, {"": 20100}, {"": 1002})]
    assert counted(OLD, *points) == [None, Count(50, 0), Count(50, 3)]


def test_never_more_bad_ones_than_requests() -> None:
    """BAD may be another metric; the proof needs it to be a part of all."""
    assert counted(OLD, (1010.0, *ok(10, 0)), (1020.0, *ok(12, 5))) == [None, Count(2, 2)]


def test_a_new_pod_counts_from_the_last_sample_of_its_warm_up() -> None:
    """Cold caches fail; 45 % false rollbacks if they count."""
    samples = [(1020, 10, 9), (1050, 40, 12), (1069, 60, 13), (1075, 70, 13), (1085, 90, 14)]
    points = [(float(time), *ok(n, bad)) for time, n, bad in samples]
    assert counted(NEW, *points) == [None, None, None, Count(10, 0), Count(20, 1)]


def test_a_new_pod_first_seen_after_its_warm_up_has_its_base_line_then() -> None:
    """Its total holds the warm-up, nobody knows how much of it."""
    assert counted(NEW, (1080.0, *ok(70, 13)), (1090.0, *ok(90, 14))) == [None, Count(20, 1)]


def test_without_warm_up_a_new_pod_counts_in_full_at_first_sight() -> None:
    """Nothing of it lies before; the same for an old pod whose container started after the rollout began."""
    assert counted(NEW, (1020.0, *ok(10, 9)), warmup=0) == [Count(10, 9)]
    assert counted(Life(new=False, started=1005.0), (1020.0, *ok(10, 9))) == [Count(10, 9)]


def test_a_new_pod_older_than_the_rollout_has_a_base_line() -> None:
    """A controller that takes over a rollout it did not see begin."""
    assert counted(Life(new=True, started=900.0, ready_since=910.0), (1020.0, *ok(10, 9)), warmup=0) == [None]


def test_after_its_warm_up_a_restarted_new_pod_counts_in_full() -> None:
    """Also its second start is the release's doing: errors of a crash loop would hide in a second warm-up."""
    restarted, unready = Life(new=True, started=1081.0, ready_since=1083.0), Life(new=True, started=1081.0)
    points = [(1060.0, *ok(50, 0)), (1080.0, *ok(70, 1)), (1082.0, *ok(2, 2)), (1090.0, *ok(10, 6))]
    assert counted([NEW, NEW, unready, restarted], *points) == [None, Count(20, 1), Count(2, 2), Count(8, 4)]


def test_a_pod_that_loses_readiness_before_the_end_warms_up_anew() -> None:
    """It got no requests meanwhile."""
    again = Life(new=True, started=1005.0, ready_since=1065.0)
    points = [(1060.0, *ok(50)), (1080.0, *ok(60)), (1126.0, *ok(100))]
    assert counted([NEW, again, again], *points) == [None, None, Count(40)]


BROKEN = [(where, value) for where in ("all", "bad", "time") for value in (math.nan, math.inf, -math.inf)]


@pytest.mark.parametrize(("where", "value"), [*BROKEN, ("all", -1.0), ("bad", -1.0), ("all", 1e300)])
def test_a_sample_with_a_broken_value_is_ignored(where: str, value: float) -> None:
    """As if the pod had not answered: the next sample counts from the one before."""
    good = {"all": 12.0, "bad": 1.0, "time": 1020.0} | {where: value}
    points = [
        (1010.0, *ok(10, 0)),
        (good["time"], *ok(good["all"], good["bad"])),
        (1030.0, *ok(15, 2)),
    ]
    assert counted(OLD, *points) == [None, None, Count(5, 2)]


def test_a_pod_that_is_gone_is_forgotten_and_what_it_counted_was_given_out() -> None:
    """Evidence keeps its counts; the memory need not grow with each pod that ever was."""
    reading = Reading(1010.0, {"a": Counters(*ok(10), 1010.0), "b": Counters(*ok(10), 1010.0)})
    memory, _ = count(Memory(), reading, {"a": OLD, "b": OLD}, began=BEGAN, warmup=WARMUP)
    memory, seen = count(memory, reading, {"a": OLD}, began=BEGAN, warmup=WARMUP)
    assert list(memory.pods) == ["a"]
    assert seen.old == {}


def test_what_an_answer_says_about_pods_that_cannot_be_counted() -> None:
    """Each of the four kinds of missing data is told from these numbers."""
    pods = {"o1": OLD, "o2": OLD, "warm": NEW, "silent": NEW, "cold": Life(new=True, started=1060, ready_since=1065)}
    pods |= {"unready": Life(new=True, started=1060), "mute": NEW}
    answered = {"o1": ok(10), "o2": ({}, {}), "warm": ok(5), "cold": ok(7), "mute": ({}, {})}
    reading = Reading(1080.0, {name: Counters(*values, 1078.0) for name, values in answered.items()}, "partly")
    _, seen = count(Memory(), reading, pods, began=BEGAN, warmup=WARMUP)
    assert seen == Increments(
        1080.0,
        trouble="partly",
        new_pods=5,
        new_seen=3,
        new_series=2,
        warming=2,
        silent=1,
        old_pods=2,
        old_seen=2,
        old_series=1,
        sampled=1078.0,
        old_ready=2,
    )


def test_no_answer_changes_nothing() -> None:
    """The next one counts from the last that came."""
    memory, _ = count(Memory(), Reading(1010.0, {"a": Counters(*ok(10), 1010.0)}), {"a": OLD}, began=BEGAN, warmup=0)
    after, seen = count(memory, Reading(1020.0, trouble="time-out"), {"a": OLD}, began=BEGAN, warmup=0)
    assert (after, seen.old, seen.trouble) == (replace(memory, time=1020.0), {}, "time-out")


def test_a_lost_memory_counts_no_pod_twice() -> None:
    """Evidence goes on, and may hold all that the pods of now have done; a pod that starts later is new to it."""
    early, late = Life(new=False, started=1005.0), Life(new=False, started=1025.0)
    memory, seen = count(
        Memory(), Reading(1020.0, {"e": Counters(*ok(9), 1020.0)}), {"e": early}, began=BEGAN, warmup=0
    )
    assert (seen.old, memory.since) == ({}, 1020.0)
    reading = Reading(1030.0, {"e": Counters(*ok(12), 1030.0), "l": Counters(*ok(5), 1030.0)})
    assert count(memory, reading, {"e": early, "l": late}, began=BEGAN, warmup=0)[1].old == {
        "e": Count(3),
        "l": Count(5),
    }


def course(life: Life, *readings: tuple[float, bool, float | None]) -> list[Count | None]:
    """What each reading adds: its time, whether the pod is among the compared ones, its requests if it answers."""
    memory, found = Memory(since=BEGAN), list[Count | None]()
    for time, compared, requests in readings:
        answers = {} if requests is None else {"pod": Counters({"a": requests}, {}, time)}
        memory, seen = count(memory, Reading(time, answers), {"pod": life} if compared else {}, began=BEGAN, warmup=0)
        found.append(seen.old.get("pod"))
    return found


def test_a_pod_that_comes_back_among_the_compared_ones_is_not_counted_again() -> None:
    """Compared are the first ten by name: a pod leaves them for others and comes back with its whole past."""
    points = ((1010.0, True, 50.0), (1020.0, False, 60.0), (1030.0, True, 70.0), (1040.0, True, 75.0))
    assert course(Life(new=False, started=1005.0), *points) == [Count(50), None, None, Count(5)]


def test_a_pod_that_comes_to_the_compared_ones_late_has_a_past_of_another_time() -> None:
    """What it counted hours ago is no neighbour of what new pods do now."""
    points = ((1010.0, False, None), (1020.0, True, 60.0), (1030.0, True, 70.0))
    assert course(Life(new=False, started=1005.0), *points) == [None, None, Count(10)]


def test_a_pod_that_is_scraped_long_after_its_start_counts_in_full() -> None:
    """A Prometheus first knows it half a minute later; it was asked for all the time."""
    points = ((1010.0, True, None), (1020.0, True, None), (1030.0, True, 70.0))
    assert course(Life(new=False, started=1005.0), *points) == [None, None, Count(70)]
    assert course(Life(new=False, started=1015.0), *points) == [None, None, Count(70)]


def test_an_answer_with_other_series_only_is_a_base_line() -> None:
    """A label that is renamed in mid-rollout gives all series other names; in full they would be the whole past."""
    points = [
        (1010.0, {"a": 500.0}, {"a": 5.0}),
        (1020.0, {"b": 510.0}, {"b": 6.0}),
        (1030.0, {"b": 512.0}, {"b": 7.0}),
    ]
    assert counted(OLD, *points) == [None, None, Count(2, 1)]


def test_pods_whose_scrape_is_still_that_of_before_are_named() -> None:
    """Their part of this time is still to come; one in its warm-up has none."""
    pods = {"b": OLD, "a": OLD, "fresh": OLD, "cold": Life(new=True, started=1005.0), "gone": OLD}
    first = {name: Counters(*ok(5), 1010.0) for name in pods}
    memory, seen = count(Memory(), Reading(1012.0, first), pods, began=BEGAN, warmup=0)
    assert seen.late == ()
    second = {**first, "fresh": Counters(*ok(6), 1015.0)}
    del second["gone"]
    assert count(memory, Reading(1017.0, second), pods, began=BEGAN, warmup=0)[1].late == ("a", "b")


# -- what outlives the controller


def packed(*points: Point, then: Point) -> Count | None:
    """What is counted across a restart of the controller after `points`."""
    memory = Memory()
    for time, total, bad in points:
        memory, _ = count(memory, Reading(time, {"pod": Counters(total, bad, time)}), {"pod": OLD}, began=1, warmup=0)
    memory = unpack(pack(memory))
    time, total, bad = then
    reading = Reading(time, {"pod": Counters(total, bad, time)})
    return count(memory, reading, {"pod": OLD}, began=BEGAN, warmup=0)[1].old.get("pod")


def test_sums_go_on_after_a_restart_of_the_controller() -> None:
    """Births are differences of sums too."""
    before = (1010.0, {"a": 500.0, "b": 70.0}, {})
    assert packed(before, then=(1020.0, {"a": 510.0, "b": 70.0, "c": 2.0}, {"x": 3.0})) == Count(12, 3)


def test_a_sum_that_fell_counts_nothing() -> None:
    """A series may be missing from the answer: in full it would be the pod's whole past."""
    before = (1010.0, {"a": 500.0, "b": 70.0}, {})
    assert packed(before, then=(1020.0, {"a": 510.0}, {})) is None


def test_a_packed_memory_is_small() -> None:
    """It lies in an annotation: for 10 old and 10 new pods under 1.3 KB."""
    name = "checkout-frontend-5d4f8c7b9-{:05d}"
    pods = {name.format(i): Counters({"": 123456.0 + i}, {"": 1234.0}, 1732550000.123) for i in range(20)}
    memory, _ = count(Memory(), Reading(0, pods), dict.fromkeys(pods, OLD), began=0, warmup=0)
    assert len(msgspec.json.encode(pack(memory))) < 1500


# -- for every input

VALUES = st.integers(0, 10**6).map(float)
SAMPLES = st.dictionaries(st.sampled_from("abc"), VALUES, max_size=3)
READINGS = st.lists(
    st.dictionaries(st.sampled_from(("p", "q", "r")), st.tuples(SAMPLES, SAMPLES), max_size=3), min_size=1, max_size=4
)
LIVES = {"p": OLD, "q": NEW, "r": Life(new=True, started=1015.0, ready_since=1016.0)}


def fold(readings: list[dict[str, tuple[Series, Series]]], lives: dict[str, Life]) -> tuple[Memory, list[Increments]]:
    """All readings, ten seconds apart."""
    memory, seen = Memory(), []
    for time, pods in zip(itertools.count(1010.0, 10.0), readings, strict=False):
        reading = Reading(time, {name: Counters(*values, time) for name, values in pods.items()})
        memory, found = count(memory, reading, lives, began=BEGAN, warmup=20)
        seen.append(found)
    return memory, seen


SOME = settings(max_examples=50)


@SOME
@given(READINGS)
def test_the_order_of_pods_is_irrelevant(readings: list[dict[str, tuple[Series, Series]]]) -> None:
    """A dictionary's order is an accident of the source."""
    turned = [dict(reversed(pods.items())) for pods in readings]
    assert fold(readings, LIVES) == fold(turned, dict(reversed(LIVES.items())))


@given(READINGS)
def test_no_count_is_negative_or_has_more_bad_ones_than_requests(
    readings: list[dict[str, tuple[Series, Series]]],
) -> None:
    """Whatever a source says."""
    for seen in fold(readings, LIVES)[1]:
        for requests, bad in (*seen.new.values(), *seen.old.values()):
            assert 0 <= bad <= requests


@SOME
@given(READINGS)
def test_memory_and_increments_come_back_from_json(readings: list[dict[str, tuple[Series, Series]]]) -> None:
    """A recorded look is replayed."""
    memory, seen = fold(readings, LIVES)
    assert msgspec.json.decode(msgspec.json.encode(memory), type=Memory) == memory
    assert msgspec.json.decode(msgspec.json.encode(seen), type=list[Increments]) == seen
    assert unpack(json.loads(json.dumps(pack(memory)))) == unpack(pack(memory))
    assert asdict(memory)["pods"].keys() == memory.pods.keys()


@given(st.lists(st.integers(0, 50), min_size=2, max_size=6))
def test_a_counter_that_only_grows_is_counted_exactly(steps: list[int]) -> None:
    """However it is cut into readings: all but the base line."""
    totals = list(itertools.accumulate(steps))
    found = counted(OLD, *[(1010.0 + i, *ok(n)) for i, n in enumerate(totals)])
    assert sum(c.requests for c in found if c) == totals[-1] - totals[0]
