"""The pods themselves as a source: their counters as they are now, exact, without any other system.

Thirty new pods are asked and ten old ones, the first by name. More would tell little more, and a workload of hundreds
would keep the others waiting; for the same reason no read takes more than a few places at once, or a tenant whose pods
answer late would have them all. A pod that cannot be read is left out for this time; only if none can be read is that
the answer. What they show is read in threads and within limits of time: the lease has to be renewed meanwhile.
"""

import asyncio
import ssl
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self

from yarl import URL

from controller.sources.exposition import PATIENCE, Sample, samples
from penstock import clock
from penstock.core.histogram import Spread
from penstock.core.judgement import Bearings
from penstock.core.matchers import parsed, select
from penstock.core.pattern import PatternError
from penstock.core.queries import Errors, Limit, Selector, Slow
from penstock.core.reading import Counters, Reading, Scalar
from penstock.core.situation import COMPARED
from penstock.metrics import counting, web
from penstock.metrics.counting import NoBucket, Unusable
from penstock.metrics.source import Check, Target

SECONDS = 3.0
CAP = 5 * 1024 * 1024
NEW_PODS = 30
AT_ONCE = 32
"""Pods that are asked at once, of all workloads."""
OF_ONE = 8
"""Of one workload."""

OPENMETRICS = "application/openmetrics-text"
HEADERS = {"Accept": f"{OPENMETRICS};version=1.0.0,text/plain;version=0.0.4;q=0.5", "User-Agent": "penstock"}
NOWHERE = "no pod says where its metrics are (annotation prometheus.io/scrape, or a port named metrics)"


@dataclass(frozen=True)
class Page:
    """What one pod showed, or why not."""

    time: float
    samples: Sequence[Sample] = ()
    trouble: str = ""


def chosen(pods: Sequence[Target]) -> list[Target]:
    """The pods to be asked: the first thirty new ones and the first ten old ones by name."""
    able = sorted((pod for pod in pods if pod.scrapeable), key=lambda pod: pod.name)
    return [p for p in able if p.new][:NEW_PODS] + [p for p in able if not p.new][:COMPARED]


def answerable(at: Bearings, pods: Sequence[Target]) -> Bearings:
    """Pods that could be asked and are not, there being so many, as if not Ready: none of them is silent."""
    spared = {pod.name for pod in pods if pod.scrapeable} - {pod.name for pod in chosen(pods)}
    lives = {name: replace(life, ready_since=0.0) if name in spared else life for name, life in at.pods.items()}
    return replace(at, pods=lives)


class Pods:
    """A source; see `source.Source`. Use it as a context."""

    def __init__(self) -> None:
        self._client = web.session(AT_ONCE, reuse=False)  # no connection to a pod outlives its answer
        self._places = asyncio.Semaphore(AT_ONCE)
        self._tls = ssl.create_default_context()
        # Pods' certificates name no address and are signed by nobody; the kubelet's own probes do not verify either.
        self._tls.check_hostname = False
        self._tls.verify_mode = ssl.CERT_NONE

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _e: BaseException | None, _t: TracebackType | None
    ) -> None:
        await self._client.close()

    async def read(self, checks: Sequence[Check], pods: Sequence[Target]) -> tuple[Reading, ...]:
        """Each pod is scraped once for all checks."""
        now = clock.now()
        pages = await self._pages({name for check in checks for name in _names(check)}, pods)
        return tuple([await asyncio.to_thread(_reading, check, pages, now) for check in checks])

    async def history(self, check: Check, pods: Sequence[Target], since: float, step: float) -> tuple[Reading, ...]:
        """Pods remember nothing."""
        return ()

    async def scalar(self, check: Limit, values: Mapping[str, str]) -> Scalar:
        """A query needs somebody to ask."""
        return Scalar(clock.now(), trouble="limits need a Prometheus; none is configured")

    async def spreads(self, check: Slow, pods: Sequence[Target]) -> tuple[Spread, ...]:
        """From the pods that can be read."""
        pages = await self._pages({f"{check.histogram.metric}_bucket"}, pods)
        out = []
        for page in pages.values():
            try:
                out.append(counting.spread(_matching(page, check.histogram, "_bucket")))
            except (Unusable, PatternError):
                continue
        return tuple(out)

    async def _pages(self, names: set[str], pods: Sequence[Target]) -> dict[str, Page]:
        asked, own = chosen(pods), asyncio.Semaphore(OF_ONE)
        pages = await asyncio.gather(*(self._page(pod, names, own) for pod in asked))
        return dict(zip((pod.name for pod in asked), pages, strict=True))

    async def _page(self, pod: Target, names: set[str], own: asyncio.Semaphore) -> Page:
        async with own, self._places:
            now = clock.now()
            try:
                answer = await web.ask(
                    self._client, _url(pod), seconds=SECONDS, cap=CAP, headers=HEADERS, tls=self._tls
                )
                if answer.status != 200:
                    raise web.Trouble(f"HTTP {answer.status}")
                if answer.kind not in (OPENMETRICS, "text/plain", "application/octet-stream"):
                    raise web.Trouble("an answer that is no metrics")
                openmetrics = answer.kind == OPENMETRICS
                return Page(now, await asyncio.to_thread(samples, answer.body, names, now, openmetrics=openmetrics))
            except (web.Trouble, Unusable) as trouble:
                return Page(now, trouble=str(trouble))


def _url(pod: Target) -> URL:
    host = f"[{pod.ip}]" if ":" in pod.ip else pod.ip
    url = URL(f"{pod.scheme}://{host}:{pod.port}{pod.path}", encoded=True)
    if (url.host, url.port) != (pod.ip, pod.port):
        raise web.Trouble("an address that is not the pod's own")
    return url


def _names(check: Check) -> tuple[str, ...]:
    if isinstance(check, Errors):
        return check.all.metric, check.bad.metric
    return f"{check.histogram.metric}_count", f"{check.histogram.metric}_bucket"


def _matching(page: Page, selector: Selector, suffix: str = "") -> list[tuple[counting.Labels, float]]:
    """A pod's samples that a selector selects. Raises PatternError, Unusable."""
    name, matchers = selector.metric + suffix, parsed(selector.matchers)
    deadline, out = time.thread_time() + PATIENCE, []
    for sample in page.samples:
        if sample.name == name and select(matchers, sample.labels):
            out.append((sample.labels, sample.value))
        if time.thread_time() > deadline:
            raise Unusable("series that take too long to compare")
    return out


def _reading(check: Check, pages: Mapping[str, Page], now: float) -> Reading:
    found: dict[str, Counters] = {}
    troubles = [page.trouble for page in pages.values() if page.trouble]
    if not pages:
        return Reading(now, trouble=NOWHERE)
    for name, page in pages.items():
        if page.trouble:
            continue
        try:
            found[name] = _counters(check, page)
        except Unusable as trouble:
            troubles.append(str(trouble))
        except PatternError as error:
            return Reading(now, trouble=f"a matcher that is not understood: {error}")
        except NoBucket as missing:
            assert isinstance(check, Slow)
            missing.pod = name
            return Reading(now, trouble=missing.words(check.histogram.metric, check.bound or 0.0))
    if not found:
        kinds = ", ".join(f"{kind} ({count})" for kind, count in Counter(troubles).most_common(3))
        return Reading(now, trouble=f"no pod could be read: {kinds}")
    return Reading(now, found)


def _counters(check: Check, page: Page) -> Counters:
    if isinstance(check, Errors):
        return counting.errors(_matching(page, check.all), _matching(page, check.bad), page.time)
    assert check.bound is not None, "chosen before"
    histogram = check.histogram
    return counting.slow(
        _matching(page, histogram, "_count"), _matching(page, histogram, "_bucket"), check.bound, page.time
    )
