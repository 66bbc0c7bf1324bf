"""Asks the source of metrics for one rollout, again and again, and keeps what the checks have gathered.

A task of its own beside the stepping: a source that takes five seconds to fail must not keep a crash loop from being
seen. It writes nothing that a decision rests on. What scraping pods has gathered is kept in an annotation of the new
ReplicaSet, for pods remember nothing; a Prometheus is asked again for the whole time since the first window.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Any

import structlog

from controller.observe import Sight, Watcher
from controller.sources.pods import Pods
from controller.stored import restore, store
from controller.telemetry import Telemetry
from penstock.core import keys, promql
from penstock.core.counters import NONE, Count, Memory, count
from penstock.core.decide import situation
from penstock.core.guard import record_of
from penstock.core.histogram import choose_bound
from penstock.core.judgement import NOT_YET, Answer, Bearings, Memories, base_line, look
from penstock.core.queries import Errors, Limit, Slow
from penstock.core.reading import Counters, Reading, Scalar
from penstock.core.rollout import Phase
from penstock.core.situation import Situation
from penstock.kube import ApiError, Client, NotFound, objects
from penstock.metrics.configuration import Configuration
from penstock.metrics.prometheus import Prometheus
from penstock.metrics.source import Source, Target

Object = dict[str, Any]
Compared = Mapping[str, Errors | Slow]
log = structlog.get_logger()

TICK = 5.0
"""Seconds between two looks. The tests may be looked at as often as one likes; more often costs scrapes only."""

SAVE = 30.0
"""Seconds between two writes of what scraping has gathered; counters cover what came between."""

HOUR = 3600.0
ASKED = frozenset({Phase.PENDING, Phase.BRAKING, Phase.OPENING, Phase.HOLDING})


@dataclass(frozen=True)
class Sources:
    """The sources there are."""

    pods: Pods
    prometheus: Prometheus | None = None

    def options(self, wanted: str, scrapeable: bool) -> list[tuple[str, Source]]:
        """Those that a workload's `source` allows, the better one first."""
        options: list[tuple[str, Source]] = []
        if wanted in ("auto", "prometheus") and self.prometheus:
            options.append(("prometheus", self.prometheus))
        if wanted == "pods" or (wanted == "auto" and (scrapeable or not options)):
            options.append(("pods", self.pods))
        return options


@contextlib.asynccontextmanager
async def sources(configuration: Configuration) -> AsyncIterator[Sources]:
    """The sources that a configuration names."""
    async with contextlib.AsyncExitStack() as stack:
        pods = await stack.enter_async_context(Pods())
        server = configuration.prometheus
        yield Sources(pods, await stack.enter_async_context(Prometheus(server)) if server else None)


class Judge:
    """The metric checks of one rollout."""

    def __init__(
        self, client: Client, sources: Sources, telemetry: Telemetry, watcher: Watcher, changed: Callable[[], None]
    ) -> None:
        self.client, self.sources, self.telemetry = client, sources, telemetry
        self._watcher, self._changed = watcher, changed
        self._memories: Memories = {}
        self._bounds: dict[str, float] = {}
        self._source: tuple[str, Source] | None = None
        self._saved = 0.0

    async def run(self, see: Callable[[], Awaitable[Sight]]) -> None:
        """Ask for ever; `see` gives the rollout as it is now."""
        while True:
            try:
                await self._once(await see())
            except ApiError as error:
                log.warning("metrics were not asked", error=str(error))
            except Exception:  # a bug here must not end the stepping, which then says that nothing was asked
                self.telemetry.errors.labels("bug").inc()
                log.exception("asking for metrics failed by an error of ours")
            await asyncio.sleep(TICK)

    async def _once(self, sight: Sight) -> None:
        record = record_of(sight.deployment)
        if record is None or record.phase not in ASKED:
            return
        s = situation(sight.seen, record)
        if s.plan.checks and s.replicas:
            await self._look(s)
            self.telemetry.judged(s.deployment.namespace, s.deployment.name, self._verdicts(s))
            self._changed()

    def _verdicts(self, s: Situation) -> Any:
        return replace(s, seen=replace(s.seen, now=time.time(), judgement=self._watcher.judgement)).verdicts

    async def _look(self, s: Situation) -> None:
        at, targets = s.bearings, self._targets(s)
        if self._watcher.judgement.rollout != at.rollout:
            self._source, self._bounds, self._memories, self._watcher.judgement = None, {}, {}, NOT_YET
        compared = {c.name: c.query for c in s.plan.checks if not isinstance(c.query, Limit)}
        name, source, answers = await self._ask(s, compared, targets)
        if at.began and self._watcher.judgement.rollout != at.rollout:
            await self._remember(s, at, name, source, compared, targets)
        before = await self._before(at, name, source, compared, answers, targets)
        self._add({**answers, **await self._scalars(s, source)}, at, name, before)
        await self._keep(s, name)

    def _add(self, answers: Mapping[str, Answer], at: Bearings, source: str, before: Mapping[str, Count]) -> None:
        known, now = self._watcher.judgement, time.time()
        self._watcher.judgement, self._memories = look(
            known, self._memories, answers, at, time=now, source=source, before=before
        )

    def _targets(self, s: Situation) -> list[Target]:
        new, old = {p.name for p in s.new_pods}, {p.name for p in s.compared_pods}
        found = [(objects.name(obj), obj) for obj in self._watcher.pods]
        return [Target.of(obj, name in new) for name, obj in found if name in new or name in old]

    async def _ask(
        self, s: Situation, compared: Compared, targets: Sequence[Target]
    ) -> tuple[str, Source, dict[str, Answer]]:
        """The answers of the source; the first that knows the old pods' metrics is kept to the end."""
        options = self.sources.options(s.plan.source, any(t.scrapeable for t in targets))
        if self._source in options and self._source:
            options = [self._source]
        if not options:
            trouble = f"no Prometheus is configured ({keys.SOURCE}: {s.plan.source})"
            return "none", self.sources.pods, dict.fromkeys(compared, Reading(time.time(), trouble=trouble))
        first: tuple[str, Source, dict[str, Answer]] | None = None
        for name, source in options:
            answers = await self._read(source, compared, targets)
            found = (name, source, answers)
            if any(c.all for r in answers.values() if isinstance(r, Reading) for c in r.pods.values()):
                self._source = (name, source)
                return found
            first = first or found
        assert first is not None
        return first

    async def _read(self, source: Source, compared: Compared, targets: Sequence[Target]) -> dict[str, Answer]:
        bounded = {name: await self._bounded(name, query, source, targets) for name, query in compared.items()}
        asked = {name: query for name, query in bounded.items() if query}
        readings = await source.read(list(asked.values()), targets)
        answers: dict[str, Answer] = dict(zip(asked, readings, strict=True))
        now = time.time()
        few = {t.name: Counters({}, {}, now) for t in targets if not t.new}
        return answers | {name: Reading(now, few) for name in bounded.keys() - asked.keys()}

    async def _bounded(
        self, name: str, query: Errors | Slow, source: Source, targets: Sequence[Target]
    ) -> Errors | Slow | None:
        """The query with its bound. Where none is written it is chosen once, from the old pods; None as long as
        these have too few requests."""
        if not isinstance(query, Slow) or query.bound is not None:
            return query
        if name not in self._bounds:
            bound = choose_bound(await source.spreads(query, [t for t in targets if not t.new]))
            if bound is None:
                return None
            self._bounds[name] = bound
        return replace(query, bound=self._bounds[name])

    async def _scalars(self, s: Situation, source: Source) -> dict[str, Answer]:
        limits = {c.name: c.query for c in s.plan.checks if isinstance(c.query, Limit)}
        asked = self.sources.prometheus or source
        window = min(HOUR, max(60.0, s.now - s.record.since))
        new, old = [p.name for p in s.new_pods], [p.name for p in s.stable_pods]
        values = promql.values(s.deployment.namespace, s.deployment.name, new, old, window)
        numbers: Sequence[Scalar] = await asyncio.gather(*(asked.scalar(q, values) for q in limits.values()))
        return dict(zip(limits, numbers, strict=True))

    async def _before(
        self,
        at: Bearings,
        name: str,
        source: Source,
        compared: Compared,
        answers: Mapping[str, Answer],
        targets: Sequence[Target],
    ) -> dict[str, Count]:
        """What the old pods had before the first window: by a Prometheus in the hour before, else since they run."""
        if at.began:
            return {}
        old = [t for t in targets if not t.new]
        found: dict[str, Count] = {}
        for check, answer in answers.items():
            if not isinstance(answer, Reading) or not any(c.all for c in answer.pods.values()):
                continue
            if name == "pods":
                found[check] = base_line(answer, [t.name for t in old])
            elif self._watcher.judgement.rollout != at.rollout:
                found[check] = await self._hour(source, compared[check], old, time.time(), at)
        return found

    async def _hour(
        self, source: Source, query: Errors | Slow, old: Sequence[Target], end: float, at: Bearings
    ) -> Count:
        memory, total = Memory(), NONE
        names = {t.name for t in old}
        lives = {name: life for name, life in at.pods.items() if name in names}
        for reading in await source.history(query, old, end - HOUR, 300.0):
            if reading.time > end or reading.trouble:
                continue
            memory, seen = count(memory, reading, lives, began=end, warmup=0.0)
            for one in seen.old.values():
                total = total.plus(*one)
        return total

    async def _remember(
        self, s: Situation, at: Bearings, name: str, source: Source, compared: Compared, targets: Sequence[Target]
    ) -> None:
        """After a restart of the controller."""
        if name == "pods":
            replicaset = self._watcher.replicaset(s.new.name) if s.new else None
            known = restore(replicaset, at.rollout)
            if known:
                self._watcher.judgement, self._memories, bounds = known
                self._bounds.update(bounds)
            return
        old = [t for t in targets if not t.new]
        bounded = {n: await self._bounded(n, q, source, targets) for n, q in compared.items()}
        asked = {n: q for n, q in bounded.items() if q}
        before = {n: await self._hour(source, q, old, at.began, at) for n, q in asked.items()}
        histories = await asyncio.gather(*(source.history(q, targets, at.began, 10.0) for q in asked.values()))
        for readings in zip_longest(*histories):
            answers = {n: r for n, r in zip(asked, readings, strict=True) if r is not None}
            self._add(answers, at, name, before)
            before = {}

    async def _keep(self, s: Situation, name: str) -> None:
        """Write what was gathered, now and then, where nobody else remembers it."""
        if name != "pods" or s.new is None or not s.record.started or time.monotonic() - self._saved < SAVE:
            return
        self._saved = time.monotonic()
        text = store(self._watcher.judgement, self._memories, self._bounds)
        path = objects.replicaset(s.deployment.namespace, s.new.name)
        body = {"metadata": {"annotations": {keys.EVIDENCE: text}}}
        with contextlib.suppress(NotFound):
            await self.client.merge(path, body, fieldManager=keys.MANAGER)
