"""Regular expressions as Prometheus has them (RE2, anchored at both ends), matched in linear time.

Not Python's `re`: a tenant writes the pattern and a pod the text, and `(a+)+$` on 28 letters keeps `re` busy for 15
seconds, in which the controller would lose its lease. Here every state that can be reached is followed at once, so
a match costs at most length × size of the pattern; both are limited. What RE2 has and label matchers hardly need
(flags, `\\p`, anchors inside) is refused by name.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

MOST_STATES = 300
LONGEST_TEXT = 256
"""A label value that is longer does not match; Prometheus' own values of that length are no codes or paths."""

Ranges = tuple[tuple[int, int], ...]
LAST = 0x10FFFF
_CLASSES: dict[str, Ranges] = {
    "d": ((48, 57),),
    "w": ((48, 57), (65, 90), (95, 95), (97, 122)),
    "s": ((9, 10), (12, 13), (32, 32)),
}
_CONTROLS = {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "v": "\v", "a": "\a"}


class PatternError(ValueError):
    """Not a pattern, or one that is not supported; says why."""


class Malformed(PatternError):
    """Not a pattern for anybody: refused at admission. What is only not supported here works on a Prometheus."""


@dataclass(frozen=True)
class Pattern:
    """A program: at a state either one character is consumed (`ranges`), or there are free ways on (`ways`)."""

    ranges: tuple[Ranges, ...]
    ways: tuple[tuple[int, ...], ...]

    def matches(self, text: str) -> bool:
        """Whether the whole text matches."""
        if len(text) > LONGEST_TEXT:
            return False
        states = self._closed({0})
        for character in text:
            code = ord(character)
            states = self._closed({s + 1 for s in states if any(a <= code <= b for a, b in self.ranges[s])})
            if not states:
                return False
        return len(self.ranges) - 1 in states

    def _closed(self, states: set[int]) -> set[int]:
        """The states and all that is reached from them without a character."""
        todo = list(states)
        while todo:
            for way in self.ways[todo.pop()]:
                if way not in states:
                    states.add(way)
                    todo.append(way)
        return states


@lru_cache(maxsize=512)
def compiled(text: str) -> Pattern:
    """The pattern. Raises PatternError."""
    program = _Parser(text).program()
    if len(program) > MOST_STATES:
        raise PatternError("the pattern is too large")
    ranges = tuple(step.ranges if isinstance(step, _Consume) else () for step in program)
    ways = tuple(
        () if isinstance(step, _Consume) else tuple(at + jump for jump in step) for at, step in enumerate(program)
    )
    return Pattern((*ranges, ()), (*ways, ()))


@dataclass(frozen=True)
class _Consume:
    ranges: Ranges


Step = _Consume | tuple[int, ...]
"""One character, or jumps relative to the step itself."""


def _inverted(ranges: Ranges) -> Ranges:
    out, start = [], 0
    for first, last in sorted(ranges):
        if first > start:
            out.append((start, first - 1))
        start = max(start, last + 1)
    return (*out, (start, LAST)) if start <= LAST else tuple(out)


class _Parser:
    """Recursive descent; each method returns a piece of program that falls through at its end."""

    def __init__(self, text: str) -> None:
        self.text, self.at, self.depth = text, 0, 0

    def program(self) -> list[Step]:
        out = self._alternatives()
        if self.at < len(self.text):
            raise Malformed("a closing parenthesis without an opening one")
        return out

    def _peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def _take(self, token: str) -> bool:
        found = self.text.startswith(token, self.at)
        self.at += len(token) * found
        return found

    def _alternatives(self) -> list[Step]:
        out = self._sequence()
        while self._take("|"):
            other = self._sequence()
            out = [(1, len(out) + 2), *out, (len(other) + 1,), *other]
        return out

    def _sequence(self) -> list[Step]:
        out: list[Step] = []
        while self._peek() not in ("", "|", ")"):
            out += self._repeated()
            if len(out) > MOST_STATES:
                raise PatternError("the pattern is too large")
        return out

    def _repeated(self) -> list[Step]:
        body = self._atom()
        repeated = False
        while (bounds := self._bounds()) is not None:
            if repeated:
                raise PatternError("a repetition of a repetition")
            repeated = True
            self._take("?")  # lazy or greedy, the whole text matches or does not
            low, high = bounds
            if len(body) * max(low, high or 1) > MOST_STATES:
                raise PatternError("the pattern is too large")
            body = list(_times(body, low, high))
        return body

    def _bounds(self) -> tuple[int, int | None] | None:
        """How often, where a repetition follows."""
        for token, bounds in (("*", (0, None)), ("+", (1, None)), ("?", (0, 1))):
            if self._take(token):
                return bounds
        end = self.text.find("}", self.at)
        low, comma, high = self.text[self.at + 1 : end].partition(",")
        if self._peek() != "{" or end < 0 or not _is_number(low) or not (high == "" or _is_number(high)):
            return None
        self.at = end + 1
        first = int(low)
        last = (int(high) if high else None) if comma else first
        if first > 1000 or (last is not None and not first <= last <= 1000):
            raise Malformed("a repetition out of order or of more than 1000")
        return first, last

    def _atom(self) -> list[Step]:
        character = self._peek()
        self.at += 1
        match character:
            case "(":
                return self._group()
            case "[":
                return [_Consume(self._class())]
            case ".":
                return [_Consume(_inverted(((10, 10),)))]
            case "\\":
                return [_Consume(self._escaped())]
            case "*" | "+" | "?":
                raise Malformed(f"nothing before {character} to repeat")
            case "^" | "$":
                raise PatternError(f"{character} is not needed: the whole value has to match")
        return [_Consume(((ord(character), ord(character)),))]

    def _group(self) -> list[Step]:
        if self._take("?") and not self._take(":"):
            raise PatternError("groups with (? other than (?: are not supported")
        self.depth += 1
        if self.depth > 50:
            raise PatternError("too many parentheses in each other")
        body = self._alternatives()
        if not self._take(")"):
            raise Malformed("an opening parenthesis without a closing one")
        self.depth -= 1
        return body

    def _escaped(self) -> Ranges:
        character = self._peek()
        self.at += 1
        if character.lower() in _CLASSES and character:
            ranges = _CLASSES[character.lower()]
            return ranges if character.islower() else _inverted(ranges)
        if character in _CONTROLS:
            character = _CONTROLS[character]
        elif not character or character.isalnum() or ord(character) > 127:
            raise PatternError(f"\\{character} is not supported")
        return ((ord(character), ord(character)),)

    def _class(self) -> Ranges:
        negated = self._take("^")
        ranges: list[tuple[int, int]] = []
        first = True
        while first or self._peek() != "]":
            if self._peek() == "" or self.text.startswith("[:", self.at):
                raise PatternError("an unfinished or unsupported class of characters")
            first = False
            found = self._member()
            following = self.text[self.at + 1 : self.at + 2]
            if len(found) == 1 and found[0][0] == found[0][1] and self._peek() == "-" and following not in ("]", ""):
                self.at += 1
                end = self._member()
                if len(end) != 1 or end[0][0] < found[0][0]:
                    raise Malformed("a range of characters out of order")
                found = ((found[0][0], end[0][1]),)
            ranges += found
        self.at += 1
        return _inverted(tuple(ranges)) if negated else tuple(ranges)

    def _member(self) -> Ranges:
        character = self._peek()
        self.at += 1
        return self._escaped() if character == "\\" else ((ord(character), ord(character)),)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 4


def _times(body: list[Step], low: int, high: int | None) -> Iterator[Step]:
    for _ in range(low):
        yield from body
    if high is None:
        yield (1, len(body) + 2)
        yield from body
        yield (-len(body) - 1,)
    for left in range((high or 0) - low, 0, -1):
        yield (1, left * (len(body) + 1))
        yield from body
