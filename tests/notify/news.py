"""News and targets as the tests of notifications need them."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from prometheus_client import CollectorRegistry

from controller.notify.channels import Channel, Failed
from controller.notify.ledger import Ledger
from controller.notify.notice import Notice
from controller.notify.outbox import Outbox
from penstock.core.reasons import Reason
from penstock.signals import instruments, series
from penstock.signals.targets import Kind, Notifications, Target

TARGET = Target(apprise_file="/chat")

NEWS = Notice(
    key="k1",
    kind=Kind.REJECTED,
    reason=Reason.REJECTED,
    namespace="shop",
    name="web",
    rollout="3f2a9c1e",
    step=1,
    steps=3,
    message="taken back, all pods run the stable version",
    time=1_800_000_000.0,
)


def news(key: str, **changes: Any) -> Notice:
    """A piece of news."""
    return replace(NEWS, key=key, **changes)


class Paper:
    """A channel that keeps what it is given, and fails as often as it is told to."""

    def __init__(self, *failures: Exception) -> None:
        self.messages: list[tuple[str, ...]] = []
        self.tries = 0
        self._failures = list(failures)

    async def send(self, notices: Sequence[Notice], cluster: str) -> None:
        self.tries += 1
        if self._failures:
            raise self._failures.pop(0)
        self.messages.append(tuple(n.key for n in notices))


class Office:
    """An outbox whose channels are paper."""

    def __init__(self, papers: dict[str, Paper], target: Target = TARGET, ledger: Ledger | None = None) -> None:
        self.registry = CollectorRegistry()
        counted = instruments.counter(series.NOTIFICATIONS, self.registry)
        channels = iter(papers.values())
        targets = dict.fromkeys(papers, target)

        def channel(_: Target) -> Channel:
            return next(channels)

        self.ledger = ledger or Ledger(None, "penstock-system", "penstock-controller")
        self.outbox = Outbox(Notifications(targets=targets), self.ledger, counted, channel)

    def tell(self, *found: Notice) -> None:
        """Each of another workload, since one workload has one state."""
        for n in found:
            self.outbox.told((n.namespace, f"{n.name}-{n.key}"), n)

    def counted(self, target: str, result: str, kind: Kind = Kind.REJECTED) -> float:
        """How many pieces of news came to such an end."""
        labels = {"target": target, "kind": kind.value, "result": result}
        return self.registry.get_sample_value("penstock_notifications_total", labels) or 0.0


GONE = Failed("HTTP 410", again=False)
BUSY = Failed("HTTP 503")
