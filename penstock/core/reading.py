"""What a source of metrics has said: raw counters of pods, or one number, at one moment.

Raw and by series, never a rate: a rate extrapolates and misses the birth of a series (facts: Prometheus cannot know
when a counter began, we can). Differences are taken in `counters`, aware of resets.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

Series = Mapping[str, float]
"""Values of a counter by the text of its labels, the pod's own label left out."""


@dataclass(frozen=True)
class Counters:
    """One pod's counters of one comparative check, all from one scrape."""

    all: Series
    """Requests; empty where the pod answered but has no such series yet."""
    bad: Series
    """Bad ones among them: errors, or requests slower than the bound (count - bucket, by series)."""
    time: float
    """When the values were scraped, seconds since 1970; not when we asked."""


@dataclass(frozen=True)
class Reading:
    """A source's answer for one comparative check. A pod that is missing was not reached or is not known there."""

    time: float
    pods: Mapping[str, Counters] = field(default_factory=dict)
    trouble: str = ""
    """Why there is no answer (unreachable, not understood), in words; empty where there is one."""


@dataclass(frozen=True)
class Scalar:
    """A source's answer for one limit: the number, or None where the query found no series."""

    time: float
    value: float | None = None
    trouble: str = ""
