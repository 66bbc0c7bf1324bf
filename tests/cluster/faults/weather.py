"""What a controller's connection is like: fair by default; each subclass is one kind of trouble.

The proxy asks it about each request and each event of a watch. Which one is hit is a function of a seed and of how many
of its kind came before, not of the clock: a busy machine changes the moments and leaves the order mostly as it was.
"""

import asyncio
import json
import random
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from tests.cluster.faults.fault import Fault, Kind, Turn, gone
from tests.cluster.faults.frozen import View
from tests.cluster.ledger import Entry


class Torn(ConnectionResetError):
    """The connection ends here."""


@dataclass
class Weather:
    """Fair: nothing happens."""

    done: list[str] = field(default_factory=list)
    """What has happened, for people who read a failure."""
    view: View | None = None
    heard: int = 0
    """Events of watches that came by, bookmarks left out."""
    cleared: asyncio.Event = field(default_factory=asyncio.Event)
    """Fair from here on; what still waits goes on."""

    def fault(self, _entry: Entry) -> Fault | None:
        """What becomes of a request; asked once for each, in the order in which they come."""
        return None

    def turn(self, _entry: Entry, _number: int) -> tuple[Turn, float] | None:
        """What becomes of the event with this number, from 1, over all watches."""
        return None

    def clear(self) -> None:
        """Fair from now on."""
        self.cleared.set()
        if self.view:
            self.view.thaw()

    def struck(self, entry: Entry) -> Fault | None:
        """`fault`, noted."""
        found = None if self.cleared.is_set() else self.fault(entry)
        if found:
            self.done.append(f"{entry}: {found}")
        return found

    async def last(self, seconds: float) -> None:
        """So long, or until it clears."""
        try:
            async with asyncio.timeout(seconds):
                await self.cleared.wait()
        except TimeoutError:
            pass

    async def events(self, entry: Entry, lines: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """A watch's lines as they reach the controller. Raises Torn."""
        async for line in lines:
            event = json.loads(line)
            if self.view:
                await self.view.reached(event["object"])
            if event["type"] not in ("ADDED", "MODIFIED", "DELETED"):
                yield line
                continue
            self.heard += 1
            turned = None if self.cleared.is_set() else self.turn(entry, self.heard)
            if turned:
                self.done.append(f"event {self.heard}, {_words(event)}: {turned[0]}")
            async for out in self._turned(line, turned):
                yield out

    async def _turned(self, line: bytes, turned: tuple[Turn, float] | None) -> AsyncIterator[bytes]:
        match turned:
            case Turn.DROPPED, _:
                return
            case Turn.TORN, _:
                yield line[: len(line) // 2]
                raise Torn
            case Turn.GONE, _:
                yield gone()
                raise Torn
            case Turn.DOUBLED, _:
                yield line
            case Turn.DELAYED, seconds:
                await self.last(seconds)
        yield line


@dataclass
class Missing(Weather):
    """Some events of watches never come."""

    numbers: range = range(0)

    def turn(self, _entry: Entry, number: int) -> tuple[Turn, float] | None:
        """Dropped, or not."""
        return (Turn.DROPPED, 0.0) if number in self.numbers else None


@dataclass
class Held(Weather):
    """Every request that `which` names waits until it clears: a process stays in the middle of what it does."""

    which: frozenset[str] = frozenset()
    met: asyncio.Event = field(default_factory=asyncio.Event)

    def fault(self, entry: Entry) -> Fault | None:
        """Waits."""
        if str(entry) not in self.which:
            return None
        self.met.set()
        return Fault(Kind.LATE, 60.0)


LIKELY = 0.15
"""Of all requests, how many are hit."""
EVENTS = 0.12

FAULTS = (
    lambda dice: Fault(Kind.LATE, dice.uniform(0.05, 3.0)),
    lambda dice: Fault(Kind.LATE, dice.uniform(0.05, 3.0)),
    lambda dice: Fault(Kind.LATE, 30.0),
    lambda dice: Fault(Kind.SILENT, 30.0),
    lambda dice: Fault(Kind.SILENT, dice.uniform(0.5, 5.0)),
    lambda dice: Fault(Kind.LOST),
    lambda dice: Fault(Kind.LOST),
    lambda dice: Fault(Kind.TORN),
    lambda dice: Fault(Kind.REFUSED, code=409),
    lambda dice: Fault(Kind.REFUSED, code=429, wait=dice.randint(1, 4)),
    lambda dice: Fault(Kind.REFUSED, code=500),
    lambda dice: Fault(Kind.REFUSED, code=503),
)
LEASE = (*FAULTS, lambda dice: Fault(Kind.REFUSED, code=404), lambda dice: Fault(Kind.REFUSED, code=404))
WATCH = (*FAULTS, lambda dice: Fault(Kind.REFUSED, code=410), lambda dice: Fault(Kind.REFUSED, code=410))


@dataclass
class Foul(Weather):
    """Everything, at random from a seed."""

    seed: int = 0
    _count: Counter[str] = field(default_factory=Counter)

    def fault(self, entry: Entry) -> Fault | None:
        """A function of the seed and of how many such requests there were."""
        self._count[str(entry)] += 1
        dice = random.Random(f"{self.seed} {entry} {self._count[str(entry)]}")
        if dice.random() >= LIKELY:
            return None
        kinds = LEASE if entry.resource == "leases" else WATCH if entry.verb == "watch" else FAULTS
        return dice.choice(kinds)(dice)

    def turn(self, entry: Entry, _number: int) -> tuple[Turn, float] | None:
        """A function of the seed and of how many events of this resource there were."""
        self._count[entry.resource] += 1
        dice = random.Random(f"{self.seed} {entry.resource} {self._count[entry.resource]}")
        if dice.random() >= EVENTS:
            return None
        turn = dice.choice(tuple(Turn))
        return turn, 30.0 if dice.random() < 0.1 else dice.uniform(0.1, 4.0)


def _words(event: Any) -> str:
    obj = event["object"]
    return f"{event['type']} {obj.get('kind', '')} {obj['metadata']['name']}"
