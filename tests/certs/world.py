"""A small model of everything around the authority: API servers with old caches, replicas that learn late.

The rotation protocol is about delays, so here they are: an API server trusts what the configuration said LAG seconds
ago, a replica takes a Secret DELAY seconds after it was written, and only one that it finds fit. A call works if the
certificate that the replica serves is signed by a CA that the API server trusts.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TypeVar

from cryptography import x509

from certs import bundle, protocol
from certs.authority import Lifetimes, Pair
from certs.protocol import Action, Held, State, Step
from tests.certs.moments import NAMES, NOW

T = TypeVar("T")


class Crashed(Exception):
    """The authority died between two writes."""


@dataclass
class World:
    """One cluster. `lags` of API servers, `delays` of replicas, in seconds."""

    held: Held = field(default_factory=Held)
    configurations: list[bytes] = field(default_factory=lambda: [b"", b""])
    leaves: list[Pair | None] = field(default_factory=lambda: [None, None])
    lags: tuple[float, ...] = (0.0, 60.0)
    delays: tuple[float, ...] = (0.0, 50.0)
    lifetimes: Lifetimes = field(default_factory=Lifetimes)
    time: float = 0.0
    crashes: Iterator[bool] = field(default_factory=lambda: iter(()))

    def __post_init__(self) -> None:
        self._trusted = [(-1e9, tuple(self.configurations))]
        self._secrets = [(-1e9, self.held)]
        self._since = self.time
        self._signers: dict[tuple[str, bytes], x509.Certificate | None] = {}
        self.actions: list[Action] = []

    @property
    def now(self) -> datetime:
        return NOW + timedelta(seconds=self.time)

    def failing(self) -> list[str]:
        """Calls that would not work now, by API server, configuration and replica."""
        found = []
        for server, lag in enumerate(self.lags):
            for number, pem in enumerate(_at(self._trusted, self.time - lag)):
                for replica, leaf in enumerate(self.leaves):
                    if leaf is None or not self._accepted(leaf, pem):
                        found.append(f"server {server}, configuration {number}, replica {replica} at {self.time:.0f} s")
        return found

    def _accepted(self, leaf: Pair, pem: bytes) -> bool:
        key = bundle.fingerprint(leaf.certificate), pem
        if key not in self._signers:
            self._signers[key] = bundle.issuer(leaf.certificate, bundle.certificates(pem))
        signer = self._signers[key]
        return signer is not None and bundle.valid(signer, self.now) and bundle.valid(leaf.certificate, self.now)

    def sleep(self, seconds: float) -> None:
        """Time goes by; replicas learn what is old enough."""
        self.time += seconds
        for replica, delay in enumerate(self.delays):
            known = _at(self._secrets, self.time - delay)
            fit = known.leaf and bundle.issuer(known.leaf.certificate, known.bundle)
            if known.leaf and fit and bundle.valid(known.leaf.certificate, self.now):
                self.leaves[replica] = known.leaf

    def step(self) -> Step:
        """One round of the authority, which may die in the middle of its writes."""
        served = frozenset(bundle.fingerprint(leaf.certificate) if leaf else "unknown" for leaf in self.leaves)
        state = State(self.held, tuple(self.configurations), NAMES, self.time - self._since)
        step = protocol.plan(state, self.now)
        if step.action is Action.ASK:
            step = protocol.plan(replace(state, served=served), self.now)
        try:
            self._perform(step, state)
        except Crashed:
            self._since = self.time  # a new leader has not seen anything yet
        return step

    def _perform(self, step: Step, state: State) -> None:
        if step.action is not Action.REST:
            self.actions.append(step.action)
        if step.action in (Action.TRUST, Action.DROP):
            for number in range(len(self.configurations)):
                self._may_crash()
                self.configurations[number] = bundle.text(step.bundle)
                self._trusted.append((self.time, tuple(self.configurations)))
                self._since = self.time
        new = protocol.performed(step, state, self.now, self.lifetimes)
        if new != self.held:
            self._may_crash()
            self.held = new
            self._since = self.time
            self._secrets.append((self.time, new))

    def _may_crash(self) -> None:
        if next(self.crashes, False):
            raise Crashed


def _at(history: list[tuple[float, T]], time: float) -> T:
    return next(value for when, value in reversed(history) if when <= time)
