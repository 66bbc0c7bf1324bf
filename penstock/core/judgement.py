"""What the metric checks of one rollout have gathered: a fold over the answers of a source.

Bound to one rollout and to the query as written (I10): a newer template, or another query, begins with nothing. The
fold is pure, so what is recorded of it can be judged again; only raw counters, which no decision needs, stand apart.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from penstock.core.counters import NONE, Count, Increments, Life, Memory, count
from penstock.core.evidence import STANDARDS, Evidence, Terms, total, weigh
from penstock.core.incident import CALM, Incident, begin, watch
from penstock.core.judge import judge, judge_limit, preflight
from penstock.core.limits import Breaches, breach
from penstock.core.plan import Check, Plan
from penstock.core.pooling import EMPTY, Pool, due, emptied, gathered, pour
from penstock.core.queries import Limit
from penstock.core.reading import Reading, Scalar
from penstock.core.template import digest
from penstock.core.verdict import GROWING, State, Verdict

Answer = Reading | Scalar

START = Evidence()
UNSEEN = Increments(0)
CLEAN = Breaches()


@dataclass(frozen=True)
class Compared:
    """A comparative check."""

    query: str
    """Digest of the query as written."""
    ready: Verdict
    """Whether it could be asked of the old pods, by the last answer before the first window."""
    evidence: Evidence = START
    incident: Incident = CALM
    seen: Increments = UNSEEN
    """What the last answer has added."""
    pool: Pool = EMPTY
    """What was counted and is not weighed yet."""


@dataclass(frozen=True)
class Limited:
    """A limit."""

    query: str
    breaches: Breaches = CLEAN
    step: int = 0
    """At which the last number was asked for."""


@dataclass(frozen=True)
class Judgement:
    """All checks of one rollout."""

    rollout: str = ""
    time: float = 0.0
    """Of the last look."""
    source: str = ""
    """Where the numbers come from: prometheus or pods."""
    compared: Mapping[str, Compared] = field(default_factory=dict)
    limits: Mapping[str, Limited] = field(default_factory=dict)
    began: float = 0.0
    """The first window that it is about; 0 before. A retry opens another one in the same rollout."""

    @property
    def calm(self) -> bool:
        """Whether no incident lasts."""
        return not any(known.incident.since for known in self.compared.values())


NOT_YET = Judgement()


@dataclass(frozen=True)
class Bearings:
    """What the fold has to know of the rollout."""

    rollout: str
    plan: Plan
    began: float
    """When the first window was opened; 0 before."""
    step: int
    share: float
    """Of the pods that the next step means; 1 where it is all."""
    pods: Mapping[str, Life]
    since: float = 0.0
    """When the present step's window was opened."""


Memories = Mapping[str, Memory]
"""Raw counters of each comparative check, as of the last look."""


def digest_of(check: Check) -> str:
    """Tells one query from another of the same name."""
    return digest([check.name, repr(check.query)], 8)


def look(
    known: Judgement,
    memories: Memories,
    answers: Mapping[str, Answer],
    at: Bearings,
    *,
    time: float,
    source: str,
    before: Mapping[str, Count] | None = None,
) -> tuple[Judgement, Memories]:
    """With the answers of one look. `before`: the old pods' counts before the first window, where just learnt."""
    if known.rollout != at.rollout:
        known, memories = Judgement(at.rollout), {}
    elif known.source != source:  # the same series have other names there, and would look born
        memories = {}
    if known.began and known.began != at.began:  # what an earlier try has shown is no verdict on this one
        known = replace(known, compared={name: _anew(one) for name, one in known.compared.items()}, limits={})
    calm = known.calm
    compared: dict[str, Compared] = {}
    limits: dict[str, Limited] = {}
    remembered: dict[str, Memory] = {}
    for check in at.plan.checks:
        answer = answers.get(check.name)
        if isinstance(check.query, Limit):
            scalar = answer if isinstance(answer, Scalar) else Scalar(time, trouble="it was not asked")
            limits[check.name] = _limited(known.limits.get(check.name), check, check.query, scalar, calm, at)
            continue
        reading = answer if isinstance(answer, Reading) else Reading(time, trouble="it was not asked")
        learnt = (before or {}).get(check.name)
        last, memory = known.compared.get(check.name), memories.get(check.name, Memory())
        compared[check.name], remembered[check.name] = _compared(last, memory, check, reading, calm, at, learnt)
    return Judgement(at.rollout, time, source, compared, limits, at.began), remembered


def _anew(known: Compared) -> Compared:
    """Nothing gathered; what is known of the old pods from before the rollout stays."""
    before, limit = known.incident.before, known.incident.limit
    return Compared(known.query, known.ready, incident=replace(CALM, before=before, limit=limit), seen=known.seen)


def _limited(known: Limited | None, check: Check, limit: Limit, scalar: Scalar, calm: bool, at: Bearings) -> Limited:
    query = digest_of(check)
    if known is None or known.query != query:
        known = Limited(query)
    if not at.began:  # before the first window it is tried only; a breach then is none of the release's
        return Limited(query, replace(breach(CLEAN, scalar, limit), row=0))
    breaches = breach(known.breaches, scalar, limit, calm=calm)
    return Limited(query, breaches, at.step if breaches.time > known.breaches.time else known.step)


def _compared(
    known: Compared | None,
    memory: Memory,
    check: Check,
    reading: Reading,
    calm: bool,
    at: Bearings,
    before: Count | None,
) -> tuple[Compared, Memory]:
    query = digest_of(check)
    if known is None or known.query != query:
        known, memory = Compared(query, Verdict(check.name, State.WAITING, f"{check.name}: not asked yet")), Memory()
    if before is not None:
        known = replace(known, incident=begin(before))
    memory, seen = count(memory, reading, at.pods, began=at.began or reading.time, warmup=at.plan.warmup)
    if not at.began:
        ready = preflight(check.name, reading, [name for name, life in at.pods.items() if not life.new])
        return replace(_anew(known), ready=ready, seen=seen), memory
    return _weighed(replace(known, seen=seen, pool=pour(known.pool, seen, at.step, at.since)), check, calm, at), memory


def _weighed(known: Compared, check: Check, calm: bool, at: Bearings) -> Compared:
    """With what is pooled, once it can be compared."""
    pool, incident, time = known.pool, known.incident, known.seen.time
    if not due(pool, known.seen):
        return replace(known, incident=watch(incident, time, NONE))  # an aftermath ends by the clock
    seen = gathered(pool, known.seen)
    evidence = weigh(
        known.evidence, seen, terms_of(check, at), before=incident.before, calm=calm, at_step=pool.step_requests
    )
    incident = watch(incident, time, total(seen, new=False), evidence.spread.factor)
    return replace(known, evidence=evidence, incident=incident, pool=emptied(pool, time))


def terms_of(check: Check, at: Bearings) -> Terms:
    """What a comparative check is judged by now."""
    comparative = sum(not isinstance(c.query, Limit) for c in at.plan.checks)
    return Terms(STANDARDS[check.name], at.plan.max_impact, at.share, at.step, max(1, comparative))


def base_line(reading: Reading, old: Sequence[str]) -> Count:
    """The old pods' counts since their containers started: what was before the rollout, where nothing else tells."""
    found = [reading.pods[name] for name in old if name in reading.pods]
    requests = sum(sum(counters.all.values()) for counters in found)
    return Count(requests, min(requests, sum(sum(counters.bad.values()) for counters in found)))


HOUR = 3600.0
"""Seconds before the first window that are the base line, where there is a history."""


def counted_before(readings: Iterable[Reading], lives: Mapping[str, Life], end: float) -> Count:
    """The old pods' counts by a history, from its first reading on; `lives` are these pods."""
    memory, found = Memory(), NONE
    for reading in readings:
        memory, seen = count(memory, reading, lives, began=end, warmup=0.0)
        found = found.plus(*total(seen, new=False))
    return found


AGE = 60.0
"""Seconds without any look, after which what was gathered is too old to advance on."""


def verdicts(known: Judgement, at: Bearings, now: float) -> tuple[Verdict, ...]:
    """What each check says now."""
    return tuple(_verdict(known, check, at, now) for check in at.plan.checks)


def _verdict(known: Judgement, check: Check, at: Bearings, now: float) -> Verdict:
    mine = known.rollout == at.rollout and (not at.began or known.began in (0.0, at.began))
    if isinstance(check.query, Limit):
        limited = known.limits.get(check.name) if mine else None
        if limited is None or limited.query != digest_of(check):
            return _unasked(check)
        verdict = judge_limit(check.name, limited.breaches, check.query, now)
        if not at.began:
            return _tried(check, check.query, limited.breaches, verdict)
        if verdict.state is State.PASS and limited.step != at.step:
            return replace(verdict, state=State.WAITING, sentence=f"{check.name}: not asked at this step yet")
    else:
        compared = known.compared.get(check.name) if mine else None
        if compared is None or compared.query != digest_of(check):
            return _unasked(check)
        if not at.began:
            return compared.ready
        verdict = judge(check.name, compared.evidence, compared.seen, terms_of(check, at), compared.incident)
        if verdict.state in GROWING and compared.evidence.step != at.step:
            return replace(verdict, state=State.TOO_LITTLE)  # proven for the step before
    if verdict.state in GROWING and now - known.time > AGE:
        return replace(verdict, state=State.UNREACHABLE, sentence=f"{check.name}: not asked since a minute")
    return verdict


def _tried(check: Check, limit: Limit, breaches: Breaches, verdict: Verdict) -> Verdict:
    """Before the first window a limit only has to give a number, and where it asks for new pods not even that."""
    if limit.asks_new:
        return replace(verdict, state=State.PASS, sentence=f"{check.name}: asks for new pods, there are none yet")
    return replace(verdict, state=State.PASS) if breaches.value is not None and not breaches.trouble else verdict


def _unasked(check: Check) -> Verdict:
    return Verdict(check.name, State.WAITING, f"{check.name}: not asked yet", not isinstance(check.query, Limit))
