"""Numbers and lines: what was asked how often and how long it took, and one line for each write that was changed.

No namespace, name or user in the metrics: they would grow with the cluster. In the lines such texts are cut, since
whoever writes a Deployment chooses them.
"""

import logging
import sys

import structlog

from penstock.core.admission import Request
from penstock.core.guard import record_of
from penstock.signals import instruments, series
from penstock.signals.tracing import Tracing, rollout_in
from webhook.review import Answer

OPERATIONS = ("CREATE", "UPDATE", "DELETE", "CONNECT")
LONGEST = 256


class Telemetry:
    """The webhook's metrics, and its log of changes."""

    def __init__(self, tracing: Tracing | None = None) -> None:
        self.tracing = tracing or Tracing()
        self.registry = instruments.registry()
        self._log = structlog.get_logger("webhook")
        self._requests = instruments.counter(series.ADMISSIONS, self.registry)
        self._duration = instruments.histogram(series.ADMISSION_SECONDS, self.registry)
        self._certificate = instruments.gauge(series.CERTIFICATE_END, self.registry)
        self._reloads = instruments.counter(series.CERTIFICATE_RELOADS, self.registry)

    def answered(self, path: str, request: Request, answer: Answer, seconds: float, caller: str = "") -> None:
        """One review was decided; `caller` is the API server's traceparent."""
        operation = request.operation if request.operation in OPERATIONS else "other"
        self._requests.labels(path, operation, answer.reason, str(request.dry_run).lower()).inc()
        self._duration.labels(path).observe(seconds)
        if self.tracing and not request.dry_run:
            self._trace(path, request, answer, seconds, caller)
        if answer.patch or not answer.allowed:
            self._log.info(
                "admission",
                path=path,
                operation=operation,
                decision=answer.reason,
                namespace=request.namespace[:LONGEST],
                name=request.name[:LONGEST],
                user=request.username[:LONGEST],
                manager=request.field_manager[:LONGEST],
                dry_run=request.dry_run,
                uid=request.uid,
            )

    def _trace(self, path: str, request: Request, answer: Answer, seconds: float, caller: str) -> None:
        began, known = rollout_in(answer.patch), record_of(request.old)
        attributes = {
            "penstock.path": path,
            "penstock.decision": answer.reason,
            "k8s.namespace.name": request.namespace[:LONGEST],
            "k8s.deployment.name": request.name[:LONGEST],
        }
        first = bool(began) and (known is None or known.id != began)
        rollout = began or (known.id if known else "")
        self.tracing.admitted(rollout, seconds, attributes, first=first, caller=caller)

    def malformed(self, path: str, problem: str) -> None:
        """Something that is no review; a line would let anybody on the network fill the log."""
        self._requests.labels(path, "unknown", problem, "unknown").inc()

    def broken(self, path: str, request: Request, error: Exception) -> None:
        """A bug of ours, or an object that no API server would send."""
        frame = error.__traceback__
        while frame is not None and frame.tb_next is not None:
            frame = frame.tb_next
        where = f"{frame.tb_frame.f_code.co_filename}:{frame.tb_lineno}" if frame is not None else ""
        self._log.error(
            "admission failed",
            path=path,
            error=f"{type(error).__name__}: {error}"[:LONGEST],
            where=where,
            namespace=request.namespace[:LONGEST],
            name=request.name[:LONGEST],
        )

    def reloaded(self, not_after: float) -> None:
        """Another certificate is served."""
        self._certificate.labels("serving").set(not_after)
        self._reloads.labels("served").inc()
        self._log.info("certificate", not_after=int(not_after))

    def refused(self, problem: str) -> None:
        """A Secret that cannot be served; the former certificate goes on."""
        self._reloads.labels("refused").inc()
        self._log.warning("certificate refused", problem=problem)


def configure_logs() -> None:
    """JSON lines on standard output, those of libraries too."""
    shared: list[structlog.types.Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        foreign_pre_chain=shared,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(formatter)
    logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)
    # uvicorn warns about each request that is no HTTP; that line too would be anybody's to write.
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
