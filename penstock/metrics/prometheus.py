"""A Prometheus (2.40 or newer, or a server compatible with it) as a source."""

import math
from asyncio import gather, to_thread
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from penstock import clock
from penstock.core import promql
from penstock.core.histogram import Spread
from penstock.core.queries import Errors, Limit, Selector, Slow
from penstock.core.reading import Counters, Reading, Scalar
from penstock.metrics import counting, query
from penstock.metrics.aside import aside
from penstock.metrics.configuration import Prometheus as Settings
from penstock.metrics.counting import NoBucket, Unusable
from penstock.metrics.query import Api, Raw
from penstock.metrics.samples import above, floats, natives, spread
from penstock.metrics.source import Check, Target
from penstock.metrics.tracks import Scrapes, Series
from penstock.metrics.web import Trouble

HEAVY = 20
"""Plain samples that are as much work as one of a native histogram."""


@dataclass(frozen=True)
class Found:
    """The raw samples of one check. `second` is the bad ones, or the buckets, or what native histograms have above."""

    first: Scrapes
    second: Scrapes
    native: bool = False


class Prometheus:
    """A source; see `source.Source`. Use it as a context."""

    def __init__(self, settings: Settings) -> None:
        self._settings, self._api = settings, Api(settings)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._api.__aexit__(kind, error, trace)

    async def read(self, checks: Sequence[Check], pods: Sequence[Target]) -> tuple[Reading, ...]:
        """Two queries for each check, however many pods; a third where pods have no such series."""
        return tuple(await gather(*(self._read(check, pods) for check in checks)))

    async def history(self, check: Check, pods: Sequence[Target], since: float, step: float) -> tuple[Reading, ...]:
        """From raw ranges, which keep what pods said that have gone since."""
        now, lookback = clock.now(), self._settings.lookback
        try:
            asker = _Asker(self._api, self._settings, pods, now - since + lookback)
            found, up = await asker.check(check), await asker.scrapes(Selector("up"))
            times = [since + step * i for i in range(int((now - since) / step) + 1)]
            return await to_thread(_readings, check, found, up, times, lookback)
        except (Trouble, promql.Unsafe) as trouble:
            return (Reading(now, trouble=str(trouble)),)
        except NoBucket as missing:
            return (Reading(now, trouble=_no_bucket(check, missing)),)

    async def scalar(self, check: Limit, values: Mapping[str, str]) -> Scalar:
        """One instant query."""
        now = clock.now()
        try:
            return Scalar(now, await self._api.number(promql.render(check, values)))
        except (Trouble, promql.Unsafe) as trouble:
            return Scalar(now, trouble=str(trouble))

    async def spreads(self, check: Slow, pods: Sequence[Target]) -> tuple[Spread, ...]:
        """From classic buckets, else from native ones."""
        asker = _Asker(self._api, self._settings, pods, self._settings.lookback)
        try:
            buckets = await asker.scrapes(check.histogram, "_bucket")
            if not buckets.size:
                return tuple(
                    spread(each.histograms[-1][1]) for each in await asker.raw(check.histogram) if each.histograms
                )
            return await aside(buckets.size, _spreads, buckets)
        except (Trouble, Unusable, promql.Unsafe):
            return ()

    async def _read(self, check: Check, pods: Sequence[Target]) -> Reading:
        """Until when the server knows, not until now: its clock and ours may differ."""
        began = clock.now()
        asker = _Asker(self._api, self._settings, pods, self._settings.lookback)
        try:
            found = await asker.check(check)
            silent = {pod.name for pod in pods} - found.first.moments().keys()
            up = await asker.scrapes(Selector("up")) if silent else None
            return Reading(began, *await aside(found.first.size + found.second.size, _counters, check, found, up))
        except (Trouble, promql.Unsafe) as trouble:
            return Reading(began, trouble=str(trouble))
        except NoBucket as missing:
            await _name_bounds(asker, check, missing)
            return Reading(began, trouble=_no_bucket(check, missing))


class _Asker:
    """Raw samples of these pods over this time."""

    def __init__(self, api: Api, settings: Settings, pods: Sequence[Target], seconds: float) -> None:
        self._api, self._settings, self._pods, self._seconds = api, settings, pods, seconds

    async def raw(self, selector: Selector, suffix: str = "", matchers: Sequence[str] = ()) -> list[Raw]:
        """Raises Trouble, Unsafe."""
        labels = self._settings.namespace_label, self._settings.pod_label
        namespace = self._pods[0].namespace if self._pods else "none"
        own = promql.restriction(namespace, (pod.name for pod in self._pods), *labels)
        return await self._api.raw(promql.raw(selector, suffix, own, self._seconds, matchers))

    async def scrapes(self, selector: Selector, suffix: str = "", matchers: Sequence[str] = ()) -> Scrapes:
        """Of plain numbers. Raises Trouble, Unsafe."""
        return await self._filed(await self.raw(selector, suffix, matchers), floats)

    async def check(self, check: Check) -> Found:
        """First what all is measured against, then the second: it has then at least the scrapes of the first."""
        if isinstance(check, Errors):
            return Found(await self.scrapes(check.all), await self.scrapes(check.bad))
        assert check.bound is not None, "chosen before"
        counts = await self.raw(check.histogram, "_count")
        if counts:
            buckets = await self.scrapes(check.histogram, "_bucket", [promql.bucket(check.bound)])
            return Found(await self._filed(counts, floats), buckets)
        native, bound = await self.raw(check.histogram), check.bound
        total = await self._filed(native, lambda each: natives(each, lambda h: query.number(h.count)))
        slow = await self._filed(native, lambda each: natives(each, lambda h: above(h, bound)))
        return Found(total, slow, native=True)

    async def _filed(self, found: Sequence[Raw], plain: Callable[[Raw], Series]) -> Scrapes:
        many = sum(len(each.values) + HEAVY * len(each.histograms) for each in found)
        return await aside(many, self._file, found, plain)

    def _file(self, found: Sequence[Raw], plain: Callable[[Raw], Series]) -> Scrapes:
        asked, label = {pod.name for pod in self._pods}, self._settings.pod_label
        own = (plain(each) for each in found if each.metric.get(label) in asked)
        return Scrapes(own, label, self._settings.namespace_label)


def _spreads(buckets: Scrapes) -> tuple[Spread, ...]:
    """Of each pod. Raises Unusable."""
    return tuple(counting.spread(buckets.samples(pod, moments)) for pod, moments in buckets.moments().items())


def _readings(check: Check, found: Found, up: Scrapes, times: Sequence[float], lookback: float) -> tuple[Reading, ...]:
    """At each of these times. In a thread: an hour of twenty pods is half a second's work. Raises NoBucket."""
    return tuple(Reading(t, *_counters(check, found, up, t, t - lookback)) for t in times)


def _counters(
    check: Check, found: Found, up: Scrapes | None, until: float = math.inf, since: float = -math.inf
) -> tuple[dict[str, Counters], str]:
    """By pod, and the trouble if all that was found is unusable. Raises NoBucket."""
    out: dict[str, Counters] = {}
    second = found.second.moments(until, since)
    trouble = ""
    known = found.first.moments(until, since)
    for pod, moments in known.items():
        total, when = found.first.samples(pod, moments), max(moment.time for moment in moments.values())
        other = found.second.samples(pod, {**second.get(pod, {}), **moments})
        try:
            if isinstance(check, Errors) or found.native:
                out[pod] = counting.errors(total, other, when)
            else:
                out[pod] = counting.slow(total, other, check.bound or 0.0, when)
        except NoBucket as missing:
            missing.pod = pod
            raise
        except Unusable as unusable:
            trouble = f"no pod's values can be used: {unusable}"
    for pod, time_ in (up.answering(until, since) if up else {}).items():
        if pod not in known:
            out[pod] = Counters({}, {}, time_)
    return out, "" if any(counters.all for counters in out.values()) else trouble


async def _name_bounds(asker: _Asker, check: Check, missing: NoBucket) -> None:
    """The bounds that the pod's histogram has; only asked when the wanted one is not among them."""
    assert isinstance(check, Slow)
    try:
        found = await asker.scrapes(check.histogram, "_bucket")
    except Trouble:
        return
    buckets = found.samples(missing.pod, found.moments().get(missing.pod, {}))
    bounds = {query.number(labels.get("le", "")) for labels, _ in buckets}
    missing.bounds = sorted(bound for bound in bounds if 0 <= bound < math.inf)


def _no_bucket(check: Check, missing: NoBucket) -> str:
    assert isinstance(check, Slow)
    return missing.words(check.histogram.metric, check.bound or 0.0)
