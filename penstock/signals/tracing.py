"""OpenTelemetry spans: one trace for each rollout, from its admission to its end, by two processes that share nothing.

The trace's id is made from the rollout's id, which stands in the record; so is the id of its first span, the admission
that gated it. The API server passes its own trace on to webhooks; that one is linked to, not joined, since it ends
with the write and the rollout does not.

Off unless an endpoint is named in the environment. Export happens in a thread of the SDK's; where it fails, spans are
lost and nothing waits.
"""

import hashlib
import os
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import structlog

from penstock import __version__
from penstock.core import keys
from penstock.core.patch import Operation, pointer
from penstock.core.record import RecordError, decode

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor

Attributes = Mapping[str, str | int | bool]

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
RECORD = ("metadata", "annotations", keys.RECORD)

log = structlog.get_logger()


def trace_of(rollout: str) -> str:
    """The id of a rollout's trace, as tools write it."""
    return _digest(rollout)[:32] if rollout else ""


def root_of(rollout: str) -> str:
    """The id of its first span."""
    return _digest(rollout)[32:48]


def _digest(rollout: str) -> str:
    return hashlib.sha256(f"penstock rollout {rollout}".encode()).hexdigest()


def rollout_in(patch: tuple[Operation, ...]) -> str:
    """The id of the rollout whose record an admission writes; empty where it writes none."""
    for operation in patch:
        value = operation.get("value")
        if operation["path"] == pointer(RECORD[:-1]) and isinstance(value, dict):
            value = value.get(keys.RECORD)
        elif operation["path"] != pointer(RECORD):
            continue
        try:
            return decode(value).id if isinstance(value, str) else ""
        except RecordError:
            return ""
    return ""


class Tracing:
    """What makes spans; without a processor, none."""

    def __init__(self, service: str = "", processor: "SpanProcessor | None" = None) -> None:
        self._provider: Any = None
        if processor is None:
            return
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.id_generator import RandomIdGenerator

        class Ids(RandomIdGenerator):
            """Random, but for the first span of a rollout."""

            rollout = ""

            def generate_trace_id(self) -> int:
                return int(trace_of(self.rollout), 16) if self.rollout else super().generate_trace_id()

            def generate_span_id(self) -> int:
                return int(root_of(self.rollout), 16) if self.rollout else super().generate_span_id()

        self._ids = Ids()
        resource = Resource.create({"service.name": service, "service.version": __version__})
        self._provider = TracerProvider(resource=resource, id_generator=self._ids)
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("penstock", __version__)

    def __bool__(self) -> bool:
        return self._provider is not None

    @classmethod
    def from_environment(cls, service: str) -> "Tracing":
        """As OpenTelemetry's variables say; off where they name no endpoint."""
        if not any(map(os.environ.get, ENDPOINTS)):
            return cls()
        try:
            import requests
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
            from opentelemetry.sdk.trace.export import BatchSpanProcessor
        except ImportError:
            log.warning("no traces: the extra penstock[otel] is not installed")
            return cls()
        session = requests.Session()
        session.trust_env = False  # a collector is in the cluster, where no proxy leads
        return cls(service, BatchSpanProcessor(OTLPSpanExporter(session=session)))

    def admitted(self, rollout: str, seconds: float, attributes: Attributes, *, first: bool, caller: str = "") -> None:
        """A review that belongs to a rollout; `first` began it. `caller` is the API server's traceparent."""
        if not self or not rollout:
            return
        from opentelemetry.trace import Link, get_current_span
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        context = get_current_span(TraceContextTextMapPropagator().extract({"traceparent": caller})).get_span_context()
        links = [Link(context)] if context.is_valid else []
        begun = time.time_ns() - int(seconds * 1e9)
        self._ids.rollout = rollout if first else ""
        try:
            parent = None if first else self._of(rollout)
            span = self._tracer.start_span("admission", parent, start_time=begun, attributes=attributes, links=links)
        finally:
            self._ids.rollout = ""
        span.end()

    def decided(self, rollout: str, begun: float, attributes: Attributes) -> None:
        """A look that said something new, or wrote; `begun` in seconds since 1970."""
        if not self or not rollout:
            return
        name = f"decision {attributes.get('penstock.reason', '')}"
        start = int(begun * 1e9)
        self._tracer.start_span(name, self._of(rollout), start_time=start, attributes=attributes).end()

    def close(self) -> None:
        """Export what is left, for some seconds at most."""
        if self:
            self._provider.force_flush(3000)
            self._provider.shutdown()

    def _of(self, rollout: str) -> Any:
        """The context of a rollout's first span."""
        from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

        sampled, ids = TraceFlags(TraceFlags.SAMPLED), (int(trace_of(rollout), 16), int(root_of(rollout), 16))
        return set_span_in_context(NonRecordingSpan(SpanContext(*ids, is_remote=True, trace_flags=sampled)))
