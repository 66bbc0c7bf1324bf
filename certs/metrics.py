"""What alerts need to know about the certificates: how long they last, what was done, and whether calls arrive."""

from prometheus_client import CollectorRegistry

from certs.protocol import Held
from penstock.signals import instruments, series


class Metrics:
    """Series of the process that looks after the certificates."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        registry = registry or CollectorRegistry()
        self.not_after = instruments.gauge(series.CERTIFICATE_END, registry)
        self.generations = instruments.gauge(series.CA_GENERATIONS, registry)
        self.steps = instruments.counter(series.CERTIFICATE_STEPS, registry)
        self.self_probe = instruments.gauge(series.SELF_PROBE, registry)
        self.self_probe.set(float("nan"))  # only the process that holds the lease probes

    def show(self, held: Held) -> None:
        """The state after a look."""
        self.generations.set(len(held.bundle))
        for role, pair in (("ca", held.signer), ("leaf", held.leaf)):
            end = pair.certificate.not_valid_after_utc.timestamp() if pair else 0.0
            self.not_after.labels(role).set(end)
