"""Counting: what happened between two readings of raw counters, per pod.

Differences are taken here and not by the source, since a rate extrapolates, misses the birth of a series and counts a
restart as nothing (facts: 3 errors read as 0). The traps: a first sample holds the pod's whole past, so it counts
only where none of that past lies before what is to be counted; a total counted twice looks like thousands of
requests at another time's error rate, so in doubt nothing is counted.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from penstock.core.reading import Counters, Reading, Series

TOTAL = "*"
"""Stands for all series of a pod in a packed memory; no text of labels reads so."""


HIGHEST = 2.0**53
"""Of a counter; from here on a float does not count in ones, and sums of hostile numbers would be infinite."""


class Count(NamedTuple):
    """Requests and the bad ones among them; fractions come from native histograms."""

    requests: float = 0.0
    bad: float = 0.0

    def plus(self, requests: float, bad: float) -> "Count":
        """With so many more."""
        return Count(self.requests + requests, self.bad + bad)

    @property
    def rate(self) -> float:
        """The share of bad ones; 0 where nothing was counted."""
        return self.bad / self.requests if self.requests > 0 else 0.0


NONE = Count()


@dataclass(frozen=True)
class Life:
    """What the API server tells of a pod, as far as counting needs it."""

    new: bool
    started: float = 0.0
    """When the container that serves the metrics last started. Where it is not known which one does, the earliest
    start of all: a restart is then seen by falling values, while a sidecar's would count the pod's past again."""
    ready_since: float = 0.0
    """0 where it is not Ready."""


@dataclass(frozen=True)
class Sample:
    """The last counted values of one pod. A series that is missing from a later answer keeps its value here."""

    time: float
    all: Series
    bad: Series
    warm: bool = True
    """Its warm-up is over; once over it is over, also after a restart of the container."""


@dataclass(frozen=True)
class Memory:
    """What the next reading is compared with. A pod that is gone is forgotten; its counts were given out."""

    pods: Mapping[str, Sample] = field(default_factory=dict)
    since: float = 0.0
    """The first reading. Where a memory was lost and evidence goes on, a pod that started before may have been counted:
    it gets a base line."""
    time: float = 0.0
    """The last reading."""
    awaited: tuple[str, ...] = ()
    """Pods that were asked at every reading since they started and have not answered yet."""


@dataclass(frozen=True)
class Increments:
    """What was counted since the reading before, and what could not be."""

    time: float
    new: Mapping[str, Count] = field(default_factory=dict)
    """Of every new pod that could be compared with its own past; also where nothing happened."""
    old: Mapping[str, Count] = field(default_factory=dict)
    trouble: str = ""
    new_pods: int = 0
    """New pods that exist."""
    new_seen: int = 0
    """New pods that answered, whether with such series or without."""
    new_series: int = 0
    """New pods that have such series."""
    warming: int = 0
    """New pods that are not Ready or still within their warm-up."""
    silent: int = 0
    """New pods that ought to be counted and did not answer."""
    old_pods: int = 0
    old_seen: int = 0
    old_series: int = 0
    """Old pods that have such series."""
    sampled: float = 0.0
    """The latest sample of a new pod; 0 where none answered."""
    late: tuple[str, ...] = ()
    """Pods whose answer was the scrape of the reading before: their part of this time is still to come."""
    old_ready: int = 0
    """Old pods that are Ready."""


def count(
    memory: Memory, reading: Reading, pods: Mapping[str, Life], *, began: float, warmup: float
) -> tuple[Memory, Increments]:
    """What was counted since `memory`; `began` is when the rollout's first window opened."""
    since = memory.since or reading.time
    samples = {name: sample for name, sample in memory.pods.items() if name in pods}
    counted: dict[bool, dict[str, Count]] = {True: {}, False: {}}
    late: list[str] = []
    answers = {name: c for name, c in reading.pods.items() if name in pods and _sound(c)}
    for name, counters in answers.items():
        life, last = pods[name], samples.get(name)
        if last is not None and counters.time <= last.time:
            late += [name] * last.warm  # the same scrape again
            continue
        warm = not life.new or (last is not None and last.warm) or _warm(life, counters.time, warmup)
        start = max(began, since) if name in memory.awaited else max(began, since, memory.time)
        increment = _increment(last, counters, life, start, warmup) if warm else None
        if increment is not None:
            counted[life.new][name] = increment
        samples[name] = _remembered(last, counters, life, warm)
    awaited = _awaited(memory, pods, samples)
    seen = _increments(reading, pods, answers, samples, counted, warmup)
    return Memory(samples, since, max(memory.time, reading.time), awaited), replace(seen, late=tuple(sorted(late)))


def _awaited(memory: Memory, pods: Mapping[str, Life], samples: Mapping[str, Sample]) -> tuple[str, ...]:
    """A pod that comes back among the compared ones was counted before, and one that comes to them late has a past of
    another time: neither is in here."""
    return tuple(
        sorted(
            name
            for name, life in pods.items()
            if name not in samples and (name in memory.awaited or not life.started or life.started >= memory.time)
        )
    )


def _increment(last: Sample | None, now: Counters, life: Life, began: float, warmup: float) -> Count | None:
    """None where the sample is only a base line."""
    if last is None:
        unwarmed = life.new and warmup > 0
        in_full = began <= life.started <= now.time and not unwarmed
        return _plausible(sum(now.all.values()), sum(now.bad.values())) if in_full else None
    if last.time < life.started <= now.time:
        return _plausible(sum(now.all.values()), sum(now.bad.values()))
    if TOTAL in last.all:
        requests, bad = sum(now.all.values()) - last.all[TOTAL], sum(now.bad.values()) - last.bad[TOTAL]
        return _plausible(requests, bad) if requests >= 0 and bad >= 0 else None
    if last.all and now.all and last.all.keys().isdisjoint(now.all):
        return None  # a label was renamed: the values are those of before under other names
    requests = sum(_rise(value, last.all.get(series, 0.0)) for series, value in now.all.items())
    return _plausible(requests, sum(_bad_rise(v, last.bad.get(s, 0.0), requests) for s, v in now.bad.items()))


def _rise(value: float, before: float) -> float:
    return value - before if value >= before else value


def _bad_rise(value: float, before: float, requests: float) -> float:
    """A process that began anew counts in full. But clients exist that read a histogram's count and its buckets one
    after the other, so the difference of both falls by one now and then: that would count its whole past as errors.
    More bad ones than requests give it away."""
    rise = _rise(value, before)
    return rise if value >= before or value <= requests else 0.0


def _plausible(requests: float, bad: float) -> Count:
    """Bad ones are among the requests, or the tests of the judge mean nothing."""
    return Count(requests, min(bad, requests))


def _remembered(last: Sample | None, now: Counters, life: Life, warm: bool) -> Sample:
    if last is None or TOTAL in last.all or last.time < life.started <= now.time:
        return Sample(now.time, now.all, now.bad, warm)
    return Sample(now.time, {**last.all, **now.all}, {**last.bad, **now.bad}, warm)


def _warm(life: Life, time: float, warmup: float) -> bool:
    return life.ready_since > 0 and time > life.ready_since + warmup


def _sound(counters: Counters) -> bool:
    """NaN is in no interval."""
    return math.isfinite(counters.time) and all(
        0 <= value <= HIGHEST for series in (counters.all, counters.bad) for value in series.values()
    )


def _increments(
    reading: Reading,
    pods: Mapping[str, Life],
    answers: Mapping[str, Counters],
    samples: Mapping[str, Sample],
    counted: Mapping[bool, Mapping[str, Count]],
    warmup: float,
) -> Increments:
    new = [name for name, life in pods.items() if life.new]
    old = [name for name, life in pods.items() if not life.new]
    silent = [name for name in new if name not in answers and _warm(pods[name], reading.time, warmup)]
    warm = [name for name in new if name in samples and samples[name].warm]
    return Increments(
        time=reading.time,
        new=counted[True],
        old=counted[False],
        trouble=reading.trouble,
        new_pods=len(new),
        new_seen=sum(name in answers for name in new),
        new_series=sum(bool(answers[name].all) for name in new if name in answers),
        warming=len(set(new) - set(silent) - set(warm)),
        silent=len(silent),
        old_pods=len(old),
        old_seen=sum(name in answers for name in old),
        old_series=sum(bool(answers[name].all) for name in old if name in answers),
        sampled=max((answers[name].time for name in new if name in answers), default=0.0),
        old_ready=sum(pods[name].ready_since > 0 for name in old),
    )


Packed = dict[str, tuple[float, float, float, bool]]
"""By pod: time, requests, bad ones, warm."""


def pack(memory: Memory) -> Packed:
    """Sums per pod, for an annotation that outlives the controller: 1.2 KB for 10 old and 10 new pods.

    Lost is only what needs single series, once, between the last packing and the next reading: a series that began
    anew while the others outgrew it is counted too low, and where a sum fell, that interval is not counted at all.
    """
    return {
        name: (sample.time, sum(sample.all.values()), sum(sample.bad.values()), sample.warm)
        for name, sample in memory.pods.items()
    }


def unpack(packed: Packed) -> Memory:
    """A memory that goes on from sums."""
    pods = {name: Sample(time, {TOTAL: n}, {TOTAL: x}, warm) for name, (time, n, x, warm) in packed.items()}
    latest = max((sample.time for sample in pods.values()), default=0.0)
    return Memory(pods, latest, latest)
