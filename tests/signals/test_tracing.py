"""One trace for each rollout, from two processes that share nothing; by the SDK itself."""

import time

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import format_span_id, format_trace_id

from controller.telemetry import Telemetry as Controller
from penstock.core import keys
from penstock.core.admission import Request, admit
from penstock.core.decide import decide
from penstock.core.guard import record_of
from penstock.core.record import decode
from penstock.signals.tracing import Tracing, rollout_in, root_of, trace_of
from tests.certs.test_probe import free_port
from tests.core.seen import observation
from tests.core.shop import NOW, Object, applied, deployment, write
from webhook.decisions import decisions
from webhook.telemetry import Telemetry as Webhook

CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Seen:
    """A process with its own tracer, and what it exported."""

    def __init__(self, service: str) -> None:
        self.exporter = InMemorySpanExporter()
        self.tracing = Tracing(service, SimpleSpanProcessor(self.exporter))

    @property
    def spans(self) -> tuple[ReadableSpan, ...]:
        return self.exporter.get_finished_spans()


def reviewed(seen: Seen, request: Request, caller: str = "") -> Object:
    """The webhook answers a write; the object as it is stored."""
    answer = decisions(strict=False, clock=lambda: NOW)["/mutate"](request)
    Webhook(seen.tracing).answered("/mutate", request, answer, 0.002, caller)
    assert request.object is not None
    return applied(request.object, answer.patch)


def place(span: ReadableSpan) -> tuple[str, str, str]:
    """Trace, span and parent."""
    context = span.get_span_context()
    assert context is not None
    parent = format_span_id(span.parent.span_id) if span.parent else ""
    return format_trace_id(context.trace_id), format_span_id(context.span_id), parent


def test_admission_and_decisions_of_a_rollout_are_one_trace() -> None:
    """The webhook's span is the first; each decision hangs below it, and no state was shared."""
    webhook, controller = Seen("penstock-webhook"), Seen("penstock-controller")
    stored = reviewed(webhook, write(deployment("v1"), deployment("v2")), CALLER)
    record = record_of(stored)
    assert record is not None
    seen = observation(record, new=0)
    decision = decide(seen)
    Controller(tracing=controller.tracing).traced(seen, record, decision)
    reviewed(webhook, write(stored, {**stored, "spec": {**stored["spec"], "minReadySeconds": 5}}))

    admission, guarded = webhook.spans
    (decided,) = controller.spans
    trace, root = trace_of(record.id), root_of(record.id)
    assert place(admission) == (trace, root, "")
    assert [place(span)[::2] for span in (decided, guarded)] == [(trace, root)] * 2
    assert [format_trace_id(link.context.trace_id) for link in admission.links] == [CALLER.split("-")[1]]
    assert admission.attributes is not None
    assert decided.attributes is not None
    assert admission.attributes["penstock.decision"] == "Gated"
    assert (decided.name, decided.attributes["penstock.message"]) == (f"decision {decision.reason}", decision.text)
    assert decided.resource.attributes["service.name"] == "penstock-controller"


def test_a_newer_version_begins_a_trace_of_its_own() -> None:
    """It is another rollout."""
    webhook = Seen("penstock-webhook")
    stored = reviewed(webhook, write(deployment("v1"), deployment("v2")))
    newer = {**stored, "spec": {**stored["spec"], "template": deployment("v3")["spec"]["template"]}}
    again = reviewed(webhook, write(stored, newer))
    ids = [decode(obj["metadata"]["annotations"][keys.RECORD]).id for obj in (stored, again)]

    assert [place(span)[:2] for span in webhook.spans] == [(trace_of(i), root_of(i)) for i in ids]
    assert ids[0] != ids[1]


@pytest.mark.parametrize(
    "request_of",
    [write(deployment("v1"), deployment("v2"), dry_run=True), write(deployment("v1"), deployment("v1", replicas=3))],
    ids=["dry run", "no rollout"],
)
def test_what_begins_no_rollout_leaves_no_span(request_of: Request) -> None:
    """Else there would be a span for every write of an opted-in namespace."""
    webhook = Seen("penstock-webhook")
    reviewed(webhook, request_of)
    assert webhook.spans == ()


def test_the_rollout_is_found_in_every_patch_that_writes_a_record() -> None:
    """With annotations already there, and without any."""
    plain = deployment("v1")
    noted = {**plain, "metadata": {**plain["metadata"], "annotations": {"a": "b"}}}
    for old in (plain, noted):
        new = {**deployment("v2"), "metadata": old["metadata"]}
        patch = admit(write(old, new), NOW).patch
        assert rollout_in(patch) == decode(applied(new, patch)["metadata"]["annotations"][keys.RECORD]).id
    assert rollout_in(()) == ""


def test_off_there_is_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The default; the SDK is not even imported."""
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    tracing = Tracing.from_environment("penstock-webhook")
    seen = observation()
    Controller(tracing=tracing).traced(seen, None, decide(seen))
    tracing.decided("id", NOW, {})
    tracing.close()
    assert not tracing


@pytest.mark.full
def test_a_collector_that_is_away_holds_up_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spans are lost then, and that is all."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{free_port()}")
    tracing = Tracing.from_environment("penstock-controller")
    assert tracing
    begun = time.monotonic()
    for number in range(100):
        tracing.decided(f"rollout-{number}", NOW, {"penstock.reason": "Judging"})
    spent = time.monotonic() - begun
    tracing.close()

    assert spent < 0.5
    assert time.monotonic() - begun < 15
