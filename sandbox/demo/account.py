"""What the traffic reported, put to the account of the release during which each request began."""

import bisect
import math
from collections import Counter
from dataclasses import dataclass

from sandbox.demo.traffic import Count, End, Failure, Line

RECENT = 4
"""Lines with counts over which the present rate is taken."""


@dataclass(frozen=True)
class Requests:
    """Of one release. `failed` counts by reason."""

    sent: int
    failed: dict[str, int]

    @property
    def failures(self) -> int:
        return sum(self.failed.values())


@dataclass(frozen=True)
class Answers:
    """Of one version on trial, with what got no answer at all: whoever does not answer cannot say what it runs."""

    answered: int
    slow: int
    """Answered, but late."""
    failed: int

    @property
    def requests(self) -> int:
        return self.answered + self.failed


class Account:
    """All lines of the traffic so far."""

    def __init__(self) -> None:
        self.counts: list[Count] = []
        self.failures: list[Failure] = []
        self.ended = False

    def take(self, line: Line) -> None:
        match line:
            case Count():
                self.counts.append(line)
            case Failure():
                self.failures.append(line)
            case End():
                self.ended = True

    def between(self, begun: float, ended: float) -> Requests:
        """Requests that began in [begun, ended): every failure, and how many were sent as of the nearest counts."""
        failed = Counter(failure.why for failure in self.failures if begun <= failure.at < ended)
        return Requests(self._sent(ended) - self._sent(begun), dict(failed))

    def of(self, version: str, begun: float, ended: float) -> Answers:
        """What one version answered to requests between two moments, as of the nearest counts."""
        before, after = self._count(begun), self._count(ended)
        return Answers(
            answered=after.answered.get(version, 0) - before.answered.get(version, 0),
            slow=after.slow.get(version, 0) - before.slow.get(version, 0),
            failed=sum(f.version in (version, "") and begun <= f.at < ended for f in self.failures),
        )

    def _sent(self, moment: float) -> int:
        return self._count(moment).sent

    def _count(self, moment: float) -> Count:
        before = bisect.bisect_right(self.counts, moment, key=lambda count: count.at)
        return self.counts[before - 1] if before else Count(moment, 0, {}, {})

    @property
    def flows(self) -> bool:
        """Requests are answered, and of late none has failed."""
        if len(self.counts) < RECENT:
            return False
        first, last = self.counts[-RECENT], self.counts[-1]
        return last.answered != first.answered and last.failed == first.failed

    @property
    def rate(self) -> float:
        """Requests per second now."""
        if not self.counts:
            return 0.0
        first, last = self.counts[-RECENT:][0], self.counts[-1]
        return (last.sent - first.sent) / (last.at - first.at) if last.at > first.at else 0.0

    @property
    def shares(self) -> dict[str, float]:
        """The share of each version among the answers of late."""
        if not self.counts:
            return {}
        first, last = self.counts[-2 * RECENT :][0], self.counts[-1]
        recent = {version: n - first.answered.get(version, 0) for version, n in last.answered.items()}
        return {version: n / sum(recent.values()) for version, n in sorted(recent.items()) if n}


NOTICED = 1.0
"""Seconds until the kubelet sees that a container has ended: it looks at all of them once a second."""
PROBED = 1.0
"""The period of the readiness probe."""
PROPAGATED = 2.0
"""Status, EndpointSlice, kube-proxy: which writes the machine's rules at most once a second."""


def crashing_bound(crashes: int, rate: float, pods: int) -> int:
    """The most requests that crashes of one pod among so many may cost.

    Each crash leaves a pod in the Service, that does not answer, for at most so many seconds; connections are spread at
    random, so its share is a Poisson number, of which three standard deviations are allowed for.
    """
    return _at_most(crashes * (NOTICED + PROBED + PROPAGATED) * rate / pods)


def failing_bound(share: float, seconds: float, rate: float, pods: int) -> int:
    """The same for one pod that fails this share of its requests for so long."""
    return _at_most(share * seconds * rate / pods)


def _at_most(expected: float) -> int:
    return math.ceil(expected + 3 * math.sqrt(expected))
