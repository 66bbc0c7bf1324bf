"""What a pod shows at /metrics, in the text format 0.0.4 or OpenMetrics 1.0; only the lines of wanted metrics are read.

A general parser takes 206 ms for 273 KiB; finding the few lines by their beginning and reading only those takes a
hundredth of that. The price: errors in other lines are not seen, which is not our business.
"""

import re
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import lru_cache

from penstock.metrics.counting import MOST_SERIES, Labels, Unusable

LONGEST_LINE = 4 * 1024
OLDEST = 60.0
"""Seconds that a sample's own timestamp may lie back: then somebody serves what was true once."""
PATIENCE = 0.5
"""Seconds of our own processor time for one pod's lines."""
FINDS = 4096
"""Between two looks at the clock."""

_QUOTED = r'"(?:[^"\\\n]|\\.)*"'
_LABEL = re.compile(rf"\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*=\s*({_QUOTED})\s*(?:,|\Z)")
_LINE = re.compile(rf'(?:\{{((?:[^"}}]|{_QUOTED})*)\}})?[ \t]+(\S+)(?:[ \t]+([^\s#]+))?[ \t]*(?:#.*)?\Z')
_ESCAPE = re.compile(r"\\(.)")


@dataclass(frozen=True)
class Sample:
    """One line."""

    name: str
    labels: Labels
    value: float


def samples(body: bytes, names: Collection[str], now: float, *, openmetrics: bool = False) -> list[Sample]:
    """The samples of the metrics NAMES. Raises Unusable."""
    if openmetrics and not body.rstrip(b"\n").endswith(b"# EOF"):
        raise Unusable("an answer that ends too early")
    unit, deadline = (1.0 if openmetrics else 1000.0), time.thread_time() + PATIENCE
    out = []
    for name, line in _lines(body, names, deadline):
        out.append(_sample(name, line, now, unit))
        if len(out) > MOST_SERIES * len(names):
            raise Unusable(f"more than {MOST_SERIES} series")
        _within(deadline)
    return out


def _within(deadline: float) -> None:
    if time.thread_time() > deadline:
        raise Unusable("series that take too long to read")


def _lines(body: bytes, names: Collection[str], deadline: float) -> Iterator[tuple[str, bytes]]:
    """The rest of each line after its metric's name. `find` runs at memory speed, line by line does not; unless a
    page is the name over and over, which is found millions of times and is never a line."""
    finds = 0
    for name in sorted(names):
        start, wanted = 0, name.encode()
        while (at := body.find(wanted, start)) >= 0:
            start, finds = at + len(wanted), finds + 1
            if finds % FINDS == 0:
                _within(deadline)
            if (at == 0 or body[at - 1 : at] == b"\n") and body[start : start + 1] in (b"{", b" ", b"\t"):
                end = body.find(b"\n", start)
                end = len(body) if end < 0 else end
                yield name, body[start:end]
                start = end


def _sample(name: str, line: bytes, now: float, unit: float) -> Sample:
    if len(line) > LONGEST_LINE:
        raise Unusable("a line of more than 4 KiB")
    try:
        match = _LINE.match(line.decode().rstrip("\r"))
    except UnicodeDecodeError:
        match = None
    if match is None:
        raise Unusable("a line that is not understood")
    if match[3] is not None and not now - number(match[3]) / unit <= OLDEST:  # written so that NaN is refused
        raise Unusable("a value with an old time")
    return Sample(name, labels(match[1] or ""), number(match[2]))


def number(text: str) -> float:
    """A value; Python alone would also take 1_000. Raises Unusable."""
    try:
        return float("nan" if "_" in text else text)
    except ValueError:
        raise Unusable("a value that is no number") from None


@lru_cache(maxsize=2048)
def labels(text: str) -> Labels:
    """Between the braces. The same text comes from every pod, every time."""
    out: dict[str, str] = {}
    at = 0
    while at < len(text):
        match = _LABEL.match(text, at)
        if match is None or match[1] in out:
            raise Unusable("labels that are not understood")
        out[match[1]] = _ESCAPE.sub(lambda m: "\n" if m[1] == "n" else m[1], match[2][1:-1])
        at = match.end()
    return out
