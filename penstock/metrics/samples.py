"""Prometheus' samples as numbers: plain ones, and native histograms as how many they count and how many are above.

Native histograms are taken raw and cut by us: `histogram_fraction` is an instant function, and so has neither the time
of the scrape nor a past.
"""

import math
from collections.abc import Callable, Iterator

from penstock.core import histogram
from penstock.core.histogram import Bucket, Spread
from penstock.metrics.query import Histogram, Raw, number
from penstock.metrics.tracks import Series


def floats(series: Raw) -> Series:
    """A series of plain numbers."""
    return series.metric, [time for time, _ in series.values], [number(text) for _, text in series.values]


def natives(series: Raw, value: Callable[[Histogram], float]) -> Series:
    """A series of native histograms, each as one VALUE."""
    return series.metric, [time for time, _ in series.histograms], [value(sample) for _, sample in series.histograms]


def _buckets(sample: Histogram) -> Iterator[Bucket]:
    for _, low, high, count in sample.buckets:
        yield Bucket(number(low), number(high), number(count))


def above(sample: Histogram, bound: float) -> float:
    """Observations above BOUND. NaN, which is never used, where a bucket is no bucket."""
    buckets = list(_buckets(sample))
    if any(math.isnan(b.low) or math.isnan(b.high) or not 0 <= b.count < math.inf for b in buckets):
        return math.nan
    return min(histogram.above(buckets, bound), number(sample.count))


def spread(sample: Histogram) -> Spread:
    """Over the bounds of its own buckets."""
    bounds = {bucket.high for bucket in _buckets(sample) if 0 < bucket.high < math.inf}
    return Spread(number(sample.count), {bound: above(sample, bound) for bound in bounds})
