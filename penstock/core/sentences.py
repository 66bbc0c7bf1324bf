"""Sentences of comparative checks: words and numbers, the same wherever people meet them.

A number that decides always stands beside the number it needs.
"""

from penstock.core.counters import Count
from penstock.core.verdict import Numbers

HIGH = 9999.5
"""Factors from here on are cut: nobody needs to know by how much it is certain."""


def against(v: Numbers) -> str:
    """What speaks against the release."""
    return f"{_compared(v)}, evidence {factor(v.evidence)} of {v.needed:.0f}x needed{_spread(v)}"


def safe(v: Numbers) -> str:
    """A check that passes: the proof instead of the evidence."""
    return f"{_compared(v)}, safe for the next step ({factor(v.proof)} of {v.proof_needed:.0f}x needed)"


def undecided(v: Numbers, missing: float | None, limit: float) -> str:
    """A check that waits, and for what. `limit`: the rate that has to be ruled out for the next step."""
    proof = f"for the next step {factor(v.proof)} of {v.proof_needed:.0f}x"
    if missing is None:
        more = f"which needs new pods below {percent(limit)}"
    else:
        more = f"at most {max(1, round(missing))} more requests to new pods needed"
    return f"{against(v)}; {proof}, {more}"


def counts(count: Count) -> str:
    """31/1012 (3.1%)."""
    return f"{_number(count.bad)}/{_number(count.requests)} ({percent(count.rate)})"


def percent(rate: float) -> str:
    """With two digits that count."""
    value = 100 * rate
    if value == 0 or value >= 99.95:
        return f"{value:.0f}%"
    return f"{value:.1f}%" if value >= 0.95 else f"{value:.2g}%"


def factor(value: float) -> str:
    """41x."""
    if value >= HIGH:
        return ">9999x"
    return f"{value:.0f}x" if value >= 9.95 else f"{value:.1f}x"


def _compared(v: Numbers) -> str:
    ratio = v.ratio
    beside = "" if ratio is None else f", ratio {ratio:.1f}"
    return f"new {counts(v.new)} vs old {counts(v.old)}{beside}"


def _spread(v: Numbers) -> str:
    return f", φ {v.spread:.1f}" if v.spread >= 1.05 else ""


def _number(value: float) -> str:
    return f"{value:.0f}" if value == round(value) or value >= 100 else f"{value:.1f}"
