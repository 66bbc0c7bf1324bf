"""From the list of series to the client library's objects; the library itself belongs to the servers only."""

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from penstock import __version__
from penstock.signals import series
from penstock.signals.series import Kind, Series

# A `_created` gauge beside every counter and histogram would double the series; nothing of ours reads them.
prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]  # the library's

CONTENT_TYPE = prometheus_client.CONTENT_TYPE_LATEST


def registry() -> CollectorRegistry:
    """One with the process's own numbers (memory, CPU, open files), and its version."""
    made = CollectorRegistry()
    prometheus_client.ProcessCollector(registry=made)
    gauge(series.BUILD, made).labels(__version__).set(1)
    return made


def counter(known: Series, into: CollectorRegistry) -> Counter:
    """A counter; the library adds `_total` itself."""
    assert known.kind is Kind.COUNTER
    return Counter(known.name.removesuffix("_total"), known.help, known.labels, registry=into)


def gauge(known: Series, into: CollectorRegistry) -> Gauge:
    """A gauge."""
    assert known.kind is Kind.GAUGE
    return Gauge(known.name, known.help, known.labels, registry=into)


def histogram(known: Series, into: CollectorRegistry) -> Histogram:
    """A histogram."""
    assert known.kind is Kind.HISTOGRAM
    return Histogram(known.name, known.help, known.labels, buckets=known.buckets, registry=into)


def exposition(of: CollectorRegistry) -> bytes:
    """What Prometheus reads."""
    return prometheus_client.generate_latest(of)
