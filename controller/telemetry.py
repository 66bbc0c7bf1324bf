"""Metrics and logs: numbers for alerts, and one JSON line per decision that changed.

What belongs to one rollout is in `standing`; here is what belongs to the process.
"""

import asyncio
import sys
from collections.abc import Callable, Iterable

import structlog
from aiohttp import web

from controller.standing import Standing
from penstock.clock import CLOCK
from penstock.core.decision import Decision
from penstock.core.observation import Observation
from penstock.core.reasons import Reason
from penstock.core.record import Record
from penstock.core.rollout import Phase
from penstock.core.verdict import Verdict
from penstock.kube import Lease
from penstock.signals import instruments, series
from penstock.signals.tracing import Tracing


class Telemetry:
    """The controller's metrics, and whether it is ready."""

    def __init__(self, clock: Callable[[], float] = CLOCK.now, tracing: Tracing | None = None) -> None:
        self.tracing = tracing or Tracing()
        self.registry = into = instruments.registry()
        self.ready = False
        self.leader = instruments.gauge(series.LEADER, into)
        self._lease_age = instruments.gauge(series.LEASE_AGE, into)
        self.queue = instruments.gauge(series.QUEUE, into)
        self.lag = instruments.histogram(series.DECISION_LAG, into)
        self.writes = instruments.counter(series.WRITES, into)
        self._relists = instruments.counter(series.RELISTS, into)
        self.decisions = instruments.counter(series.DECISIONS, into)
        self.errors = instruments.counter(series.FAULTS, into)
        self.missed = instruments.counter(series.MISSED, into)
        self.ended = instruments.counter(series.ENDED, into)
        self.active = instruments.gauge(series.ACTIVE, into)
        self.checks = instruments.counter(series.CHECKS, into)
        self.notifications = instruments.counter(series.NOTIFICATIONS, into)
        self.standing = Standing(into, clock=clock)
        self._lease_age.set(float("nan"))
        # From 0 on, or the first one would be no increase to a Prometheus.
        for counter, labels in ((self.missed, ("template", "resume")), (self.errors, ("bug", "conflict"))):
            for label in labels:
                counter.labels(label)

    def leads(self, lease: Lease) -> None:
        """The work begins under this lease."""
        self.leader.set(1)
        self._lease_age.set_function(lease.age)

    def leads_no_more(self) -> None:
        """The work has ended."""
        self.leader.set(0)
        self._lease_age.set_function(lambda: float("nan"))
        self.ready = False

    def wrote(self, verb: str, _path: str, status: int) -> None:
        """One write was answered."""
        self.writes.labels(verb, str(status)).inc()

    def listed(self, reason: str) -> None:
        """A watch began with a list."""
        self._relists.labels(reason).inc()

    def decided(self, namespace: str, name: str, seen: Observation, record: Record | None, decision: Decision) -> None:
        """The state of one rollout after a look."""
        self.standing.decided((namespace, name), seen, record, decision)

    def carried_out(self, seen: Observation, record: Record | None, decision: Decision) -> None:
        """A decision wrote: where it mends what admission should have seen, that is told."""
        if decision.reason is Reason.REPAUSED:
            self.missed.labels("resume").inc()
        changed = (
            record is not None and record.phase is not Phase.LEAVING and seen.deployment.template != record.declared
        )
        if changed and decision.reason in (Reason.SUPERSEDED, Reason.REVERTED):
            self.missed.labels("template").inc()

    def traced(self, seen: Observation, record: Record | None, decision: Decision) -> None:
        """A look that said something new or wrote has come to its end."""
        if not self.tracing or record is None:
            return
        attributes = {
            "penstock.reason": decision.reason.value,
            "penstock.message": decision.text,
            "penstock.step": decision.step,
            "penstock.phase": decision.phase,
            "penstock.write": type(decision.write).__name__ if decision.write else "",
            "k8s.namespace.name": seen.deployment.namespace,
            "k8s.deployment.name": seen.deployment.name,
        }
        self.tracing.decided(record.id, seen.now, attributes)

    def judged(self, namespace: str, name: str, verdicts: Iterable[Verdict]) -> None:
        """What the metric checks of one rollout say."""
        found = tuple(verdicts)
        for verdict in found:
            self.checks.labels(verdict.state.value).inc()
        self.standing.judged((namespace, name), found)

    def forget(self, namespace: str, name: str) -> None:
        """A rollout is over."""
        self.standing.forget((namespace, name))


def configure_logs() -> None:
    """JSON lines on standard output."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stdout),
    )


async def serve_metrics(port: int, telemetry: Telemetry) -> None:
    """/metrics, /healthz and /readyz over plain HTTP until cancelled."""

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(
            body=instruments.exposition(telemetry.registry), headers={"Content-Type": instruments.CONTENT_TYPE}
        )

    async def healthy(_: web.Request) -> web.Response:
        return web.Response(text="ok")

    async def ready(_: web.Request) -> web.Response:
        return web.Response(text="ok" if telemetry.ready else "not yet", status=200 if telemetry.ready else 503)

    app = web.Application()
    app.add_routes([web.get("/metrics", metrics), web.get("/healthz", healthy), web.get("/readyz", ready)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "0.0.0.0", port).start()
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()
