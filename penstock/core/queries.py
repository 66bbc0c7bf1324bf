"""The form of the three metric annotations, checked at admission so that a typing error is found there.

Only the form: which series they select and what these say is the judge's business.
"""

import contextlib
import math
import re
from dataclasses import dataclass

from penstock.core.matchers import parsed
from penstock.core.pattern import Malformed, PatternError
from penstock.core.units import AnnotationError, count, duration, quoted

ERRORS_EXAMPLE = """'http_requests_total{code=~"5.."} / http_requests_total'"""
SLOW_EXAMPLE = "'http_request_duration_seconds > 250ms'"
LIMIT_EXAMPLE = "'max(queue_length) < 500 for 3'"

NAMES = ("namespace", "name", "new", "old", "window")
"""What a limit's query may ask for between double braces."""

_NAME = re.compile(r"\s*([a-zA-Z_:][a-zA-Z0-9_:]*)\s*")
_MATCHER = r'[a-zA-Z_][a-zA-Z0-9_]*\s*(?:=~|!~|!=|=)\s*"(?:[^"\\\n]|\\.)*"\s*'
_MATCHERS = re.compile(rf"\{{\s*(?:({_MATCHER}(?:,\s*{_MATCHER})*)(?:,\s*)?)?\}}\s*")
"""No two blanks of the pattern stand side by side: with an optional comma between them, a line of twelve matchers
took a minute to refuse."""
_NUMBER = r"[-+]?[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?"
_COMPARISON = re.compile(rf"(<=|>=|<|>)\s*({_NUMBER})(?:\s+for\s+(\S+))?\Z")
_PLACEHOLDER = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)


@dataclass(frozen=True)
class Selector:
    """A metric's name and its label matchers, as written."""

    metric: str
    matchers: str = ""


@dataclass(frozen=True)
class Errors:
    """Counters of bad and of all requests."""

    bad: Selector
    all: Selector


@dataclass(frozen=True)
class Slow:
    """A histogram; `bound` in seconds, or None where the judge is to choose it."""

    histogram: Selector
    bound: float | None


@dataclass(frozen=True)
class Limit:
    """A scalar query, compared with a number; it fails after `breaches` in a row."""

    query: str
    comparison: str
    number: float
    breaches: int

    @property
    def asks_new(self) -> bool:
        """Whether it cannot be asked before new pods are there."""
        return any(found.group(1).strip() == "new" for found in _PLACEHOLDER.finditer(self.query))


Query = Errors | Slow | Limit


def _selector(text: str, start: int, example: str) -> tuple[Selector, int]:
    name = _NAME.match(text, start)
    if name is None:
        problem = f"expected a metric with optional label matchers, found {quoted(text[start:].strip())}"
        raise AnnotationError(problem, example, start + 1)
    if text[name.end() : name.end() + 1] != "{":
        return Selector(name.group(1)), name.end()
    body = _MATCHERS.match(text, name.end())
    if body is None:
        problem = f"expected label matchers between braces, found {quoted(text[name.end() :])}"
        raise AnnotationError(problem, example, name.end() + 1)
    with contextlib.suppress(PatternError):  # what only we do not support works on a Prometheus
        try:
            parsed(body.group(1) or "")
        except Malformed as error:
            raise AnnotationError(f"{error} in {quoted(body.group(0))}", example, name.end() + 1) from None
    return Selector(name.group(1), (body.group(1) or "").strip()), body.end()


def errors(text: str) -> Errors:
    """`BAD / ALL`: two vector selectors."""
    bad, end = _selector(text, 0, ERRORS_EXAMPLE)
    if text[end : end + 1] != "/":
        raise AnnotationError(
            f"expected '/' between two selectors, found {quoted(text[end:])}", ERRORS_EXAMPLE, end + 1
        )
    total, end = _selector(text, end + 1, ERRORS_EXAMPLE)
    if end != len(text):
        raise AnnotationError(f"unexpected {quoted(text[end:])} after the second selector", ERRORS_EXAMPLE, end + 1)
    return Errors(bad, total)


def slow(text: str) -> Slow:
    """`HISTOGRAM > DURATION`; the bound may be left out."""
    histogram, end = _selector(text, 0, SLOW_EXAMPLE)
    rest = text[end:]
    if not rest:
        return Slow(histogram, None)
    if not rest.startswith(">"):
        raise AnnotationError(f"expected '>' and a duration, found {quoted(rest)}", SLOW_EXAMPLE, end + 1)
    try:
        return Slow(histogram, duration(rest[1:].strip(), SLOW_EXAMPLE))
    except AnnotationError as error:
        raise error.shifted(len(text) - len(rest[1:].lstrip())) from None


def limit(text: str) -> Limit:
    """`PROMQL < NUMBER [for N]`; N breaches in a row, 3 where left out."""
    text = text.rstrip()
    match = _COMPARISON.search(text)
    if match is None or not text[: match.start()].strip():
        problem = "expected a query, then <, <=, > or >=, a number, and optionally 'for N'"
        raise AnnotationError(problem, LIMIT_EXAMPLE, max(1, len(text)))
    query = text[: match.start()].strip()
    for found in _PLACEHOLDER.finditer(text, 0, match.start()):
        name = found.group(1).strip()
        if name not in NAMES:
            problem = f"{quoted(name)} is not known between braces; allowed: {', '.join(NAMES)}"
            raise AnnotationError(problem, """'max(queue{pod=~"{{ new }}"}) < 500'""", found.start() + 1)
    try:
        breaches = count(match.group(3), LIMIT_EXAMPLE) if match.group(3) else 3
    except AnnotationError as error:
        raise error.shifted(match.start(3)) from None
    number = float(match.group(2))
    if math.isinf(number):
        raise AnnotationError(f"{quoted(match.group(2))} is too large a number", LIMIT_EXAMPLE, match.start(2) + 1)
    return Limit(query, match.group(1), number, breaches)
