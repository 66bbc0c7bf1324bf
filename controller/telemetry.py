"""Metrics and logs: numbers for alerts, and one JSON line per decision that changed.

Series are labelled with namespace and name of *active* rollouts only and end with them, so their number does not
grow with the cluster.
"""

import asyncio
import sys
from collections.abc import Iterable

import structlog
from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest

from penstock.core.decision import Decision
from penstock.core.rollout import Phase
from penstock.core.verdict import State, Verdict

PER_ROLLOUT = ("namespace", "name")


class Telemetry:
    """The controller's metrics, and whether it is ready."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.ready = False
        gauge, counter = Gauge, Counter
        self.leader = gauge("penstock_leader", "1 while this controller leads its shard", registry=self.registry)
        self.active = gauge("penstock_rollouts_active", "Rollouts that are watched", registry=self.registry)
        self.phase = gauge(
            "penstock_rollout_phase", "1 for the present phase", (*PER_ROLLOUT, "phase"), registry=self.registry
        )
        self.step = gauge("penstock_rollout_step", "Present step, from 1", PER_ROLLOUT, registry=self.registry)
        self.exposed = gauge(
            "penstock_rollout_exposed_pods", "Pods of the new version", PER_ROLLOUT, registry=self.registry
        )
        self.allowed = gauge(
            "penstock_rollout_allowed_pods", "Pods that the step allows", PER_ROLLOUT, registry=self.registry
        )
        check = (*PER_ROLLOUT, "check")
        self.evidence = gauge("penstock_check_evidence", "Factor against the release", check, registry=self.registry)
        self.needed = gauge("penstock_check_evidence_needed", "To take it back", check, registry=self.registry)
        self.state = gauge("penstock_check_state", "1 for the present state", (*check, "state"), registry=self.registry)
        self.requests = gauge(
            "penstock_check_requests_total", "Requests counted", (*check, "version"), registry=self.registry
        )
        self.bad = gauge(
            "penstock_check_bad_requests_total", "Bad ones of them", (*check, "version"), registry=self.registry
        )
        self.writes = counter(
            "penstock_writes_total", "Writes to the API server", ("verb", "code"), registry=self.registry
        )
        self.decisions = counter(
            "penstock_decisions_total", "Decisions that changed, by reason", ("reason",), registry=self.registry
        )
        self.errors = counter("penstock_errors_total", "Looks that failed, by kind", ("kind",), registry=self.registry)

    def wrote(self, verb: str, _path: str, status: int) -> None:
        """One write was answered."""
        self.writes.labels(verb, str(status)).inc()

    def decided(self, namespace: str, name: str, decision: Decision) -> None:
        """The state of one rollout after a look."""
        for phase in Phase:
            self.phase.labels(namespace, name, phase.value).set(phase.value == decision.phase)
        self.step.labels(namespace, name).set(decision.step)
        self.exposed.labels(namespace, name).set(decision.exposed)
        self.allowed.labels(namespace, name).set(decision.allowed)

    def judged(self, namespace: str, name: str, verdicts: Iterable[Verdict]) -> None:
        """What the metric checks of one rollout say."""
        for v in verdicts:
            place, numbers = (namespace, name, v.check), v.numbers
            self.evidence.labels(*place).set(numbers.evidence)
            self.needed.labels(*place).set(numbers.needed)
            for state in State:
                self.state.labels(*place, state.value).set(v.state is state)
            for version, counted in (("new", numbers.new), ("old", numbers.old)):
                self.requests.labels(*place, version).set(counted.requests)
                self.bad.labels(*place, version).set(counted.bad)

    def forget(self, namespace: str, name: str) -> None:
        """A rollout is over."""
        for gauge in (self.phase, self.step, self.exposed, self.allowed):
            self._drop(gauge, namespace, name)
        for gauge in (self.evidence, self.needed, self.state, self.requests, self.bad):
            self._drop(gauge, namespace, name)

    @staticmethod
    def _drop(gauge: Gauge, namespace: str, name: str) -> None:
        gauge.remove_by_labels({"namespace": namespace, "name": name})


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
        return web.Response(body=generate_latest(telemetry.registry), content_type="text/plain")

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
