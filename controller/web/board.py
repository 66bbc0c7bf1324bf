"""What the page knows: the active rollouts as of the last look, and a bounded past of each.

The control loop writes here and goes on; it makes no view, encodes nothing and waits for nobody. Views are made when
somebody asks, from the newest state: a viewer that is slow, or was away, gets fewer of them and never a queue.
"""

import asyncio
import secrets
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice

import structlog

from controller.web import view
from controller.web.tracks import Track
from controller.web.view import Result, Row, Said, Whole
from penstock.clock import CLOCK
from penstock.core import keys
from penstock.core.decide import situation
from penstock.core.decision import Decision
from penstock.core.guard import record_in
from penstock.core.observation import Observation
from penstock.core.queries import Limit
from penstock.core.reasons import ENDS, WARNINGS, Reason
from penstock.core.record import Record
from penstock.core.rollout import Phase
from penstock.core.situation import Situation

SAID = 100
"""Decisions that are kept of one rollout."""

RESULTS = 50
GONE = 1000
"""Ends that a viewer can still be told of one by one; one that was away for longer reads all anew."""

RESULT = ENDS | {Reason.REJECTED}
JUDGED = frozenset({Phase.PENDING, Phase.BRAKING, Phase.OPENING, Phase.HOLDING})

log = structlog.get_logger()


@dataclass
class Entry:
    """One active rollout."""

    seen: Observation
    decision: Decision
    record: Record
    since: float
    """Since when it was looked at."""
    said: deque[Said] = field(default_factory=lambda: deque(maxlen=SAID))
    tracks: dict[str, Track] = field(default_factory=dict)
    judged: float = 0.0
    reached: int = 0
    """The last step that was opened."""
    version: int = 0
    """Of the board, when something of it changed last."""
    concluded: tuple[str, float, str] = ("", 0.0, "")
    row: Row | None = None
    row_made: int = 0
    row_version: int = 0
    """Of the board, when its row changed last."""

    @property
    def situation(self) -> Situation:
        return situation(self.seen, self.record)


class Board:
    """All of it. `kept` is False where there is no page: then nothing is kept."""

    def __init__(self, kept: bool = True, clock: Callable[[], float] = CLOCK.now) -> None:
        self.kept, self.clock = kept, clock
        self.life = secrets.token_hex(4)
        """Versions of another process say nothing about this one's."""
        self.version = 0
        self.results: deque[Result] = deque(maxlen=RESULTS)
        self.results_version = 0
        self._entries: dict[str, Entry] = {}
        self._gone: deque[tuple[int, str]] = deque(maxlen=GONE)
        self._bells: set[asyncio.Event] = set()

    # -- the control loop's side

    def looked(self, seen: Observation, decision: Decision) -> None:
        """After each look. An error here is the page's alone: the rollout goes on."""
        if not self.kept:
            return
        try:
            self._take(seen, decision)
        except Exception:  # whatever it is, it must not stop a rollout
            log.exception("the page does not know of a look by an error of ours")

    def forget(self, key: str) -> None:
        """Nothing of a rollout is left."""
        if self._entries.pop(key, None) is not None:
            self.version += 1
            self._gone.append((self.version, key))
            self._ring()

    def _take(self, seen: Observation, decision: Decision) -> None:
        key = f"{seen.deployment.namespace}/{seen.deployment.name}"
        record = record_in(seen.deployment.annotations.get(keys.RECORD), seen.deployment.uid)
        entry = self._entries.get(key)
        if entry is None or (record is not None and record.id != entry.record.id):
            if record is None:
                return
            entry = self._entries[key] = Entry(seen, decision, record, self.clock())
        elif record is not None:
            entry.record = record
        entry.seen = seen if record is not None else entry.seen  # without a record nothing is known of the versions
        if entry.record.step or entry.record.phase is Phase.PENDING:
            entry.reached = entry.record.step
        self._say(entry, seen, decision)
        self._judge(entry)
        self._conclude(entry, decision)
        self.version += 1
        entry.version = self.version
        self._ring()

    def _say(self, entry: Entry, seen: Observation, decision: Decision) -> None:
        if not decision.shown and entry.said:
            return
        entry.decision = decision
        last = entry.said[-1] if entry.said else None
        if last is None or (last.reason, last.message) != (decision.reason, decision.message):
            entry.said.append(view.told(decision, seen.now))

    def _judge(self, entry: Entry) -> None:
        judgement = entry.seen.judgement
        if judgement.time <= entry.judged or entry.record.phase not in JUDGED:
            return
        entry.judged = judgement.time
        s = entry.situation
        queries = {check.name: check.query for check in s.plan.checks}
        for name in entry.tracks.keys() - queries.keys():
            del entry.tracks[name]
        for verdict in s.verdicts:
            query, limited = queries[verdict.check], judgement.limits.get(verdict.check)
            bound = query if isinstance(query, Limit) else None
            track = entry.tracks.get(verdict.check)
            if track is None or track.bound != bound:
                track = entry.tracks[verdict.check] = Track(verdict, bound)
            track.add(judgement.time, verdict, limited.breaches.value if limited else None)

    def _conclude(self, entry: Entry, decision: Decision) -> None:
        mark = (entry.record.id, entry.record.started, str(decision.reason))
        if decision.reason not in RESULT or not decision.shown or entry.concluded == mark:
            return  # what is not shown only clears away after an end that was told
        entry.concluded = mark
        d, s = entry.seen.deployment, entry.situation
        self.results.appendleft(
            Result(
                key=f"{d.namespace}/{d.name}",
                namespace=d.namespace,
                name=d.name,
                rollout=entry.record.id,
                reason=decision.reason,
                message=decision.message,
                warning=decision.reason in WARNINGS,
                changes=view.difference(s),
                began=entry.record.started,
                ended=entry.seen.now,
            )
        )
        self.results_version = self.version + 1

    def _ring(self) -> None:
        for bell in self._bells:
            bell.set()

    # -- the viewers' side

    @contextmanager
    def bell(self) -> Iterator[asyncio.Event]:
        """Set at each change; whoever waits for it clears it first."""
        bell = asyncio.Event()
        self._bells.add(bell)
        try:
            yield bell
        finally:
            self._bells.discard(bell)

    @property
    def viewers(self) -> int:
        """How many wait for changes."""
        return len(self._bells)

    async def rows(self, since: int = -1, pace: int = 20) -> list[Row]:
        """The rows that have changed since a version, all by default. Made a few at a time, for the control loop
        lives in the same thread."""
        changed = []
        for number, entry in enumerate(list(self._entries.values())):
            if entry.version > max(since, entry.row_made):
                self._make(entry)
                if number % pace == pace - 1:
                    await asyncio.sleep(0)
            if entry.row is not None and entry.row_version > since:
                changed.append(entry.row)
        return changed

    def _make(self, entry: Entry) -> None:
        said = view.told(entry.decision, entry.seen.now)
        made = view.row(entry.situation, said, entry.tracks, entry.decision.allowed)
        if made != entry.row:
            entry.row, entry.row_version = made, entry.version
        entry.row_made = entry.version

    def gone(self, since: int) -> list[str] | None:
        """The rollouts that ended since a version and are still over; None where that is too long ago."""
        if since < self.version and len(self._gone) == GONE and self._gone[0][0] > since:
            return None
        new = islice(self._gone, 0, None)
        return [key for version, key in new if version > since and key not in self._entries]

    def whole(self, key: str) -> Whole | None:
        """Everything about one rollout."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        if entry.row is None or entry.row_made < entry.version:
            self._make(entry)
        assert entry.row is not None
        return view.whole(entry.situation, entry.row, entry.said, entry.tracks, entry.since, entry.reached)

    def version_of(self, key: str) -> int:
        """The board's version at the last change of one rollout; -1 where there is none."""
        entry = self._entries.get(key)
        return entry.version if entry else -1

    def __len__(self) -> int:
        return len(self._entries)
