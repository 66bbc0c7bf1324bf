"""Label matchers (`code=~"5..",method!="GET"`) applied by us, where no Prometheus does it: to scraped series.

A label that is missing reads as empty, as in Prometheus. `\\` in values is PromQL's escape first, the pattern's second.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from penstock.core.pattern import Malformed, Pattern, PatternError, compiled

_MATCHER = re.compile(r'\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*(=~|!~|!=|=)\s*"((?:[^"\\\n]|\\.)*)"\s*,?')
_ESCAPE = re.compile(r"\\(.)")
_CONTROLS = {
    "n": "\n",
    "t": "\t",
    "r": "\r",
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "v": "\v",
    "\\": "\\",
    '"': '"',
    "'": "'",
}


@dataclass(frozen=True)
class Matcher:
    """One condition on a label."""

    label: str
    negated: bool
    wanted: str | Pattern

    def holds(self, labels: Mapping[str, str]) -> bool:
        """Whether labels meet it."""
        value = labels.get(self.label, "")
        found = value == self.wanted if isinstance(self.wanted, str) else self.wanted.matches(value)
        return found != self.negated


@lru_cache(maxsize=512)
def parsed(text: str) -> tuple[Matcher, ...]:
    """The matchers of a selector (queries.Selector.matchers). Raises PatternError."""
    out, at = [], 0
    while at < len(text):
        match = _MATCHER.match(text, at)
        if match is None:
            raise PatternError(f"expected a label matcher, found {text[at : at + 40]!r}")
        label, operator, value = match[1], match[2], _ESCAPE.sub(_unescaped, match[3])
        out.append(Matcher(label, operator[0] == "!", compiled(value) if operator[1:] == "~" else value))
        at = match.end()
    return tuple(out)


def _unescaped(match: re.Match[str]) -> str:
    if match[1] not in _CONTROLS:
        raise Malformed(f"\\{match[1]} in a string; a backslash for the pattern is written twice")
    return _CONTROLS[match[1]]


def select(matchers: tuple[Matcher, ...], labels: Mapping[str, str]) -> bool:
    """Whether labels meet all matchers."""
    return all(matcher.holds(labels) for matcher in matchers)
