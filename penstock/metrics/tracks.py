"""Raw samples as Prometheus stores them, put back together into the scrapes they came from.

An instant query says when it was evaluated, not when a value was scraped, and it shows two metrics of one scrape in
different states when a scrape happens between two queries. Raw samples carry the time of their scrape: so values
are taken as of one scrape, the newest that the *first* metric knows; the second is asked after it, and has it too.

One pod may be scraped twice (by two jobs, by two replicas of Prometheus). Both copies counted, every request would
count double and evidence would come twice as fast; so of copies one is taken, the same as long as it is fresh.
"""

import math
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from statistics import median

from penstock.metrics.counting import Labels

COPIED = ("job", "prometheus", "prometheus_replica")
"""Labels that say who scraped. Not `service`, `endpoint`, `replica`: applications use those for themselves."""

MISSED = 3
"""Scrapes in a row that a place may miss, by its own rhythm, before its last values are old."""

Series = tuple[Labels, list[float], list[float]]
"""Labels, times in ascending order, values."""


@dataclass(frozen=True)
class Moment:
    """One scrape of one place; a sample with a time of its own may be a little earlier."""

    copy: str
    time: float
    slack: float


@dataclass
class _Copy:
    """What one scraper has of one place."""

    series: list[Series] = field(default_factory=list)
    seen: set[float] = field(default_factory=set)
    times: list[float] = field(default_factory=list)

    def last(self, now: float) -> tuple[float, float] | None:
        """The newest time until NOW and how long before it the one before was (0: there is none)."""
        if len(self.times) != len(self.seen):
            self.times = sorted(self.seen)
        index = bisect_right(self.times, now) - 1
        if index < 0:
            return None
        return self.times[index], self.times[index] - self.times[index - 1] if index else 0.0


class Scrapes:
    """The samples of one metric, by pod, place (`instance`) and copy."""

    def __init__(self, found: Iterable[Series], pod_label: str, namespace_label: str) -> None:
        self._pods: dict[str, dict[str, dict[str, _Copy]]] = defaultdict(
            lambda: defaultdict(lambda: defaultdict(_Copy))
        )
        left_out = {pod_label, namespace_label, "__name__", *COPIED}
        self.size = 0
        for labels, times, values in found:
            pod, place = labels.get(pod_label, ""), labels.get("instance", "")
            copy = self._pods[pod][place]["\0".join(labels.get(name, "") for name in COPIED)]
            copy.series.append(({n: v for n, v in labels.items() if n not in left_out}, times, values))
            copy.seen.update(times)
            self.size += len(times)

    def moments(self, until: float = math.inf, since: float = -math.inf) -> dict[str, dict[str, Moment]]:
        """The newest scrape in this time, by pod and place; pods that are not scraped any more are missing."""
        last = {
            (pod, place, text): found
            for pod, places in self._pods.items()
            for place, copies in places.items()
            for text, copy in copies.items()
            if (found := copy.last(until)) and found[0] > since
        }
        newest = max((time for time, _ in last.values()), default=0.0)
        usual = median([spacing for _, spacing in last.values() if spacing] or [math.inf])
        out: dict[str, dict[str, Moment]] = defaultdict(dict)
        for (pod, place, text), (time, spacing) in sorted(last.items()):
            if place not in out[pod] and time >= newest - MISSED * (spacing or usual):
                out[pod][place] = Moment(text, time, spacing / 2)
        return {pod: places for pod, places in out.items() if places}

    def answering(self, until: float = math.inf, since: float = -math.inf) -> dict[str, float]:
        """Where the samples are `up`: pods of which a place answered its last scrape, and when."""
        out: dict[str, float] = {}
        for pod, places in self.moments(until, since).items():
            for place, moment in places.items():
                if any(value == 1 for _, value in self.samples(pod, {place: moment})):
                    out[pod] = max(moment.time, out.get(pod, 0.0))
        return out

    def samples(self, pod: str, moments: Mapping[str, Moment]) -> list[tuple[Labels, float]]:
        """A pod's values at these moments."""
        out = []
        places = self._pods.get(pod, {})
        for place, moment in moments.items():
            copy = places[place].get(moment.copy) if place in places else None
            for labels, times, values in copy.series if copy else ():
                index = bisect_right(times, moment.time) - 1
                if index >= 0 and (times[index] == moment.time or times[index] > moment.time - moment.slack):
                    out.append((labels, values[index]))
        return out
