"""What the metric checks of one rollout have gathered: a fold over the answers of a source.

Bound to one rollout and to the query as written (I10): a newer template, or another query, begins with nothing. The
fold is pure, so what is recorded of it can be judged again; only raw counters, which no decision needs, stand apart.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from penstock.core.counters import Count, Increments, Life, Memory, count
from penstock.core.evidence import STANDARDS, Evidence, Terms, total, weigh
from penstock.core.incident import CALM, Incident, begin, watch
from penstock.core.judge import judge, judge_limit, preflight
from penstock.core.limits import Breaches, breach
from penstock.core.plan import Check, Plan
from penstock.core.queries import Limit, placeholders
from penstock.core.reading import Reading, Scalar
from penstock.core.template import digest
from penstock.core.verdict import State, Verdict

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


@dataclass(frozen=True)
class Limited:
    """A limit."""

    query: str
    breaches: Breaches = CLEAN


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

    @property
    def calm(self) -> bool:
        """Whether no incident lasts."""
        return not any(known.incident.since for known in self.compared.values())

    @property
    def incident_since(self) -> float:
        """When the present incident was noticed; 0 where none lasts."""
        return max((known.incident.since for known in self.compared.values()), default=0.0)


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
    return Judgement(at.rollout, time, source, compared, limits), remembered


def _limited(known: Limited | None, check: Check, limit: Limit, scalar: Scalar, calm: bool, at: Bearings) -> Limited:
    query = digest_of(check)
    if known is None or known.query != query:
        known = Limited(query)
    if not at.began:  # before the first window it is tried only; a breach then is none of the release's
        return Limited(query, replace(breach(CLEAN, scalar, limit), row=0))
    return Limited(query, breach(known.breaches, scalar, limit, calm=calm))


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
        return replace(known, ready=ready, seen=seen), memory
    terms = terms_of(check, at)
    evidence = weigh(known.evidence, seen, terms, before=known.incident.before, calm=calm)
    incident = watch(known.incident, reading.time, total(seen, new=False), evidence.spread.factor)
    return replace(known, evidence=evidence, incident=incident, seen=seen), memory


def terms_of(check: Check, at: Bearings) -> Terms:
    """What a comparative check is judged by now."""
    comparative = sum(not isinstance(c.query, Limit) for c in at.plan.checks)
    return Terms(STANDARDS[check.name], at.plan.max_impact, at.share, at.step, max(1, comparative))


def base_line(reading: Reading, old: Sequence[str]) -> Count:
    """The old pods' counts since their containers started: what was before the rollout, where nothing else tells."""
    found = [reading.pods[name] for name in old if name in reading.pods]
    requests = sum(sum(counters.all.values()) for counters in found)
    return Count(requests, min(requests, sum(sum(counters.bad.values()) for counters in found)))


AGE = 60.0
"""Seconds without any look, after which what was gathered is too old to advance on."""


def verdicts(known: Judgement, at: Bearings, now: float) -> tuple[Verdict, ...]:
    """What each check says now."""
    return tuple(_verdict(known, check, at, now) for check in at.plan.checks)


def _verdict(known: Judgement, check: Check, at: Bearings, now: float) -> Verdict:
    mine = known.rollout == at.rollout
    if isinstance(check.query, Limit):
        limited = known.limits.get(check.name) if mine else None
        if limited is None or limited.query != digest_of(check):
            return _unasked(check)
        verdict = judge_limit(check.name, limited.breaches, check.query, now)
        if not at.began:
            return _tried(check, check.query, limited.breaches, verdict)
    else:
        compared = known.compared.get(check.name) if mine else None
        if compared is None or compared.query != digest_of(check):
            return _unasked(check)
        if not at.began:
            return compared.ready
        verdict = judge(check.name, compared.evidence, compared.seen, terms_of(check, at), compared.incident)
        if verdict.state is State.PASS and compared.evidence.step != at.step:
            return replace(verdict, state=State.TOO_LITTLE)  # proven for the step before
    if verdict.state is State.PASS and now - known.time > AGE:
        return replace(verdict, state=State.UNREACHABLE, sentence=f"{check.name}: not asked since a minute")
    return verdict


def _tried(check: Check, limit: Limit, breaches: Breaches, verdict: Verdict) -> Verdict:
    """Before the first window a limit only has to give a number, and where it asks for new pods not even that."""
    if "new" in placeholders(limit.query):
        return replace(verdict, state=State.PASS, sentence=f"{check.name}: asks for new pods, there are none yet")
    return replace(verdict, state=State.PASS) if breaches.value is not None and not breaches.trouble else verdict


def _unasked(check: Check) -> Verdict:
    return Verdict(check.name, State.WAITING, f"{check.name}: not asked yet", not isinstance(check.query, Limit))
