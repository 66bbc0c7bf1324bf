"""A rollout of `shop/web` on the model cluster, driven by the real decisions, and as the command line sees it.

Rendering is then tested on observations that really occur, in the order in which they do.
"""

from copy import deepcopy
from typing import Any

from penstock.cli.reading import Sight, Told
from penstock.core import keys
from penstock.core.decide import decide
from penstock.core.decision import Decision
from penstock.core.guard import record_of
from penstock.core.record import Record
from penstock.core.rollout import Phase
from tests.model.cluster import Cluster, template

TURNS = 400


class Play:
    """One Deployment at rest on version v1."""

    def __init__(self, replicas: int = 10, strategy: dict[str, Any] | None = None, **annotations: str) -> None:
        notes = {keys.PREFIX + name.replace("_", "-"): value for name, value in annotations.items()}
        spec = {"strategy": {"rollingUpdate": strategy}} if strategy else {}
        self.cluster = Cluster(replicas, spec, notes)
        self.cluster.now += 100
        self.cluster.settle()

    @property
    def record(self) -> Record | None:
        return record_of(self.cluster.server.obj)

    def release(self, version: str = "v2") -> None:
        """Declare another version, as `kubectl set image` does."""
        self.cluster.server.user(self.cluster.change_template(template(version)))

    def turn(self) -> Decision:
        """One look and write of the controller; then the native controllers come to rest."""
        decision = decide(self.cluster.observation())
        self.cluster.carry_out(decision, self.cluster.server.obj, self.cluster.versions())
        self.cluster.settle()
        return decision

    def until(self, phase: Phase | None, step: int = 0, *, ready: bool = True) -> None:
        """Go on until the phase (None: until the rollout is over), at that step or a later one."""
        for _ in range(TURNS):
            record = self.record
            if (record.phase if record else None) == phase and (record.step if record else 0) >= step:
                return
            decision = self.turn()
            if ready:
                self.cluster.ready()
            if decision.write is None:
                self.cluster.now += decision.wait
        raise AssertionError(f"never came to {phase} {step}, it is {self.record}")

    def sight(self, *events: Told, namespace: dict[str, Any] | None = None, silent: str = "") -> Sight:
        """What the command line reads now."""
        home = namespace or {"metadata": {"name": "shop", "labels": {keys.ENABLED: "true"}}}
        record = self.record
        seen = self.cluster.observation(record.epoch if record else 0)
        return Sight(deepcopy(self.cluster.server.obj), seen, home, events, silent)
