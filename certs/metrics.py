"""What alerts need to know about the certificates: how long they last, and what was done."""

from prometheus_client import CollectorRegistry, Counter, Gauge

from certs.protocol import Held


class Metrics:
    """Series of the process that looks after the certificates."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        registry = registry or CollectorRegistry()
        self.not_after = Gauge(
            "cert_not_after_seconds", "End of the certificate's life, Unix time", ("role",), registry=registry
        )
        self.generations = Gauge("ca_bundle_generations", "CAs that are trusted", registry=registry)
        self.steps = Counter("cert_steps_total", "Writes, by what they did", ("action",), registry=registry)

    def show(self, held: Held) -> None:
        """The state after a look."""
        self.generations.set(len(held.bundle))
        for role, pair in (("ca", held.signer), ("leaf", held.leaf)):
            end = pair.certificate.not_valid_after_utc.timestamp() if pair else 0.0
            self.not_after.labels(role).set(end)
