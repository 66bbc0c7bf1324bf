"""Asks the source of metrics for one rollout, again and again, and keeps what the checks have gathered.

A task of its own beside the stepping: a source that takes five seconds to fail must not keep a crash loop from being
seen. It writes nothing that a decision rests on. What scraping pods has gathered is kept in an annotation of the new
ReplicaSet, for pods remember nothing; a Prometheus is asked again for the whole time since the first window.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import structlog

from controller.observe import Sight, Watcher
from controller.remember import PATIENCE, Forgotten, before, keep, since_window
from controller.sources.choice import Sources
from controller.sources.pods import answerable
from controller.stored import restore
from controller.telemetry import Telemetry
from controller.trouble import OURS, troubled
from penstock import clock
from penstock.core import keys, promql
from penstock.core.counters import Count
from penstock.core.decide import situation
from penstock.core.guard import record_of
from penstock.core.histogram import choose_bound
from penstock.core.judgement import HOUR, NOT_YET, Answer, Bearings, Memories, base_line, digest_of, look
from penstock.core.plan import Check
from penstock.core.queries import Errors, Limit, Slow
from penstock.core.reading import Counters, Reading, Scalar
from penstock.core.rollout import Phase
from penstock.core.situation import Situation
from penstock.kube import ApiError, Client, objects
from penstock.metrics.source import Source, Target

Object = dict[str, Any]
Compared = Mapping[str, Check]
log = structlog.get_logger()

TICK = 5.0
"""Seconds between two looks. The tests may be looked at as often as one likes; more often costs scrapes only."""

SAVE = 30.0
"""Seconds between two writes of what scraping has gathered; counters cover what came between."""

PAUSE = 30.0
"""Seconds until what failed, or was not there, is asked for again where that costs more than a look."""

LIMITS_AT_ONCE = 4
ASKED = frozenset({Phase.PENDING, Phase.BRAKING, Phase.OPENING, Phase.HOLDING})


class Judge:
    """The metric checks of one rollout."""

    def __init__(
        self, client: Client, sources: Sources, telemetry: Telemetry, watcher: Watcher, changed: Callable[[], None]
    ) -> None:
        self.client, self.sources, self.telemetry = client, sources, telemetry
        self._watcher, self._changed = watcher, changed
        self._places, self._saved = asyncio.Semaphore(LIMITS_AT_ONCE), 0.0
        self._quiet: tuple[Any, float] = (None, 0.0)
        self._begin("")

    def _begin(self, rollout: str) -> None:
        """With nothing."""
        self._rollout, self._watcher.judgement = rollout, NOT_YET
        self._memories: Memories = {}
        self._bounds: dict[str, float] = {}
        self._source: tuple[str, Source] | None = None
        self._settled = False
        """What was gathered before a restart of the controller is there, or nothing was."""
        self._based: set[str] = set()
        """Checks whose base line is known."""
        self._again = self._lost = 0.0

    async def run(self, latest: Callable[[], Object], see: Callable[[], Awaitable[Sight]]) -> None:
        """Ask for ever. `latest` is the Deployment as last seen; `see` gives all of the rollout as it is now."""
        while True:
            try:
                if self._wanted(latest()):
                    await self._once(await see())
            except ApiError as error:
                log.warning("metrics were not asked", error=str(error))
            except Exception:  # a bug here must not end the stepping; what the checks then say is `_once`'s business
                self.telemetry.errors.labels("bug").inc()
                log.exception("asking for metrics failed by an error of ours")
            await asyncio.sleep(TICK)

    def _wanted(self, deployment: Object) -> bool:
        """Whether there may be anything to ask: an observation of all pods is not made for nothing."""
        record = record_of(deployment)
        notes, until = self._quiet
        quiet = time.monotonic() < until and deployment["metadata"].get("annotations") == notes
        return record is not None and record.phase in ASKED and not quiet

    async def _once(self, sight: Sight) -> None:
        record = record_of(sight.deployment)
        if record is None or record.phase not in ASKED:
            return
        s = situation(sight.seen, record)
        if not s.plan.checks:  # a namespace's annotations may bring some
            self._quiet = sight.deployment["metadata"].get("annotations"), time.monotonic() + PAUSE
        if not s.plan.checks or not s.replicas:
            return
        if self._rollout != record.id:
            self._begin(record.id)
        try:
            name = await self._look(s, s.bearings)
        except Exception:  # the log has it all; people would else go on reading what the last look said
            self._show(s, OURS)
            raise
        else:
            self._show(s)
            await self._keep(s, name)

    def _show(self, s: Situation, trouble: str = "") -> None:
        if trouble:
            self._watcher.judgement = troubled(self._watcher.judgement, s.bearings, trouble, clock.now())
        seen = replace(s.seen, now=clock.now(), judgement=self._watcher.judgement)
        self.telemetry.judged(s.deployment.namespace, s.deployment.name, replace(s, seen=seen).verdicts)
        self._changed()

    async def _look(self, s: Situation, at: Bearings) -> str:
        """The name of the source."""
        targets = self._targets(s)
        compared = {c.name: c for c in s.plan.checks if not isinstance(c.query, Limit)}
        if at.began and not self._settled:
            self._restore(s, at)
        name, source, answers = await self._ask(s, at, compared, targets)
        try:
            if at.began and not self._settled and name == "prometheus":
                await self._remember(at, name, source, compared, targets)
            self._settled = True
        except Forgotten as forgotten:  # nothing is counted on top of a past that is not there
            words = f"what was counted before is not known: {forgotten}"
            answers = dict.fromkeys(compared, Reading(clock.now(), trouble=words))
        before = await self._before(at, name, source, compared, answers, targets)
        numbers = await self._scalars(s, source)
        self._watcher.judgement, self._memories = look(
            self._watcher.judgement,
            self._memories,
            {**answers, **numbers},
            answerable(at, targets) if name == "pods" else at,
            time=clock.now(),
            source=name,
            before=before,
        )
        return name

    def _targets(self, s: Situation) -> list[Target]:
        new, old = {p.name for p in s.new_pods}, {p.name for p in s.compared_pods}
        found = [(objects.name(obj), obj) for obj in self._watcher.pods]
        return [Target.of(obj, name in new) for name, obj in found if name in new or name in old]

    async def _ask(
        self, s: Situation, at: Bearings, compared: Compared, targets: Sequence[Target]
    ) -> tuple[str, Source, dict[str, Answer]]:
        """The answers of the source; the first that knows the old pods' metrics is kept to the end."""
        options = self.sources.options(s.plan.source, any(t.scrapeable for t in targets))
        if self._source and self._source in self.sources.options(s.plan.source, scrapeable=True):
            options = [self._source]
        if not options:
            nobody = Reading(clock.now(), trouble=f"no Prometheus is configured ({keys.SOURCE}: {s.plan.source})")
            return "none", self.sources.pods, dict.fromkeys(compared, nobody)
        if not compared:
            return *options[0], {}
        first: tuple[str, Source, dict[str, Answer]] | None = None
        for name, source in options:
            answers = await self._read(source, compared, targets)
            found, readings = (name, source, answers), [r for r in answers.values() if isinstance(r, Reading)]
            if any(c.all for r in readings for c in r.pods.values()):
                self._source = (name, source)
                return found
            if at.began and not self._settled and any(r.trouble for r in readings):
                return found  # it may be the one that remembers; with another all would begin anew
            first = first or found
        assert first is not None
        return first

    async def _read(self, source: Source, compared: Compared, targets: Sequence[Target]) -> dict[str, Answer]:
        asked = await self._bounded(source, compared, targets)
        readings = await source.read(list(asked.values()), targets)
        answers: dict[str, Answer] = dict(zip(asked, readings, strict=True))
        now = clock.now()
        few = {t.name: Counters({}, {}, now) for t in targets if not t.new}
        return answers | {name: Reading(now, few) for name in compared.keys() - asked.keys()}

    async def _bounded(self, source: Source, compared: Compared, targets: Sequence[Target]) -> dict[str, Errors | Slow]:
        """The queries with their bounds. Where none is written it is chosen once, from the old pods; the query is
        left out as long as these have too few requests."""
        found: dict[str, Errors | Slow] = {}
        for name, check in compared.items():
            query, key = check.query, digest_of(check)
            assert not isinstance(query, Limit)
            if not isinstance(query, Slow) or query.bound is not None:
                found[name] = query
                continue
            if key not in self._bounds:
                bound = choose_bound(await source.spreads(query, [t for t in targets if not t.new]))
                if bound is None:
                    continue
                self._bounds[key] = bound
            found[name] = replace(query, bound=self._bounds[key])
        return found

    async def _scalars(self, s: Situation, source: Source) -> dict[str, Answer]:
        limits = {c.name: c.query for c in s.plan.checks if isinstance(c.query, Limit)}
        asked = self.sources.prometheus or source
        window = min(HOUR, max(60.0, s.now - s.record.since))
        new, old = [p.name for p in s.new_pods], [p.name for p in s.stable_pods]
        values = promql.values(s.deployment.namespace, s.deployment.name, new, old, window)

        async def number(limit: Limit) -> Scalar:
            async with self._places:
                return await asked.scalar(limit, values)

        return dict(zip(limits, await asyncio.gather(*map(number, limits.values())), strict=True))

    async def _before(
        self,
        at: Bearings,
        name: str,
        source: Source,
        compared: Compared,
        answers: Mapping[str, Answer],
        targets: Sequence[Target],
    ) -> dict[str, Count]:
        """What the old pods had before the first window: by a Prometheus in the hour before, asked until it is known,
        else since they run."""
        old = [t for t in targets if not t.new]
        found: dict[str, Count] = {}
        known = {n: r for n, r in answers.items() if isinstance(r, Reading) and any(c.all for c in r.pods.values())}
        queries = await self._bounded(source, {n: compared[n] for n in known}, targets)
        for check, answer in known.items():
            key = digest_of(compared[check])
            if name == "pods" and not at.began:
                found[check] = base_line(answer, [t.name for t in old])
            elif name == "prometheus" and key not in self._based and time.monotonic() >= self._again:
                try:
                    found[check] = await before(source, queries[check], old, at.began or clock.now(), at)
                    self._based.add(key)
                except Forgotten as forgotten:
                    self._again = time.monotonic() + PAUSE
                    log.warning("the hour before is not known yet", check=check, trouble=str(forgotten))
        return found

    def _restore(self, s: Situation, at: Bearings) -> None:
        """After a restart of the controller: what it kept of scraping. Where there is such, pods were the source."""
        replicaset = self._watcher.replicaset(s.new.name) if s.new else None
        known = restore(replicaset, at.rollout)
        if known and s.plan.source in ("auto", "pods"):
            self._watcher.judgement, self._memories, self._bounds = known
            self._source, self._settled = ("pods", self.sources.pods), True

    async def _remember(
        self, at: Bearings, name: str, source: Source, compared: Compared, targets: Sequence[Target]
    ) -> None:
        """After a restart of the controller: what a Prometheus knows of the time before. Raises Forgotten."""
        asked = await self._bounded(source, compared, targets)
        self._lost = self._lost or time.monotonic()
        patient = time.monotonic() - self._lost < PATIENCE
        if patient and asked.keys() != compared.keys():
            raise Forgotten("no bound can be chosen from the old pods")
        try:
            past = await since_window(source, name, asked, targets, at, patient=patient)
        except Forgotten as forgotten:
            self._lost = 0.0 if forgotten.wholly else self._lost
            raise
        self._watcher.judgement = replace(past.judgement, rollout=at.rollout, limits=self._watcher.judgement.limits)
        self._memories = past.memories
        self._based = {digest_of(compared[check]) for check in past.checks}

    async def _keep(self, s: Situation, name: str) -> None:
        """Now and then."""
        if name != "pods" or s.new is None or not s.record.started or time.monotonic() - self._saved < SAVE:
            return
        self._saved = time.monotonic()
        gathered = self._watcher.judgement, self._memories, self._bounds
        await keep(self.client, s.deployment.namespace, s.new.name, *gathered)
