"""A golden trace's acts, put to the model of the native controllers.

One order of events is played, that of fresh caches: with one act at a time the real controllers come to rest between
two acts as well. Where pods become Ready `together` the order in which their controllers hear of it is free, and with
it the number of writes; there only each ReplicaSet's way and the state at rest are comparable.
"""

from typing import Any

from penstock.core import keys
from tests.golden.scenarios import Act
from tests.golden.trace import Entry, Rest, Trace, words
from tests.model.cluster import Cluster, template
from tests.model.native import ReplicaSet
from tests.model.pods import Pod
from tests.model.server import Object

WIDE = ("paused", "replicas")


class Replay:
    """The model cluster of one trace, and the moves of the present act."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        rolling = {"rollingUpdate": {"maxSurge": trace.surge, "maxUnavailable": trace.unavailable}}
        spec = {
            "strategy": {"type": trace.type, **(rolling if trace.type == "RollingUpdate" else {})},
            "minReadySeconds": trace.min_ready,
            "revisionHistoryLimit": trace.history,
        }
        self.cluster = Cluster(trace.replicas, spec)
        self.cluster.server.webhook = False
        self.cluster.now += 1 + trace.min_ready
        self.cluster.settle()
        self.moves: list[str] = []
        self.cluster.resized = lambda rs, before: self.moves.append(f"{self.version(rs)} {rs.size}")
        self.cluster.removed = lambda rs: self.moves.append(f"{self.version(rs)} gone")

    def entries(self) -> list[Entry]:
        """What the model makes of the acts."""
        return [self._entry(entry.act) for entry in self.trace.entries]

    def _entry(self, act: Act) -> Entry:
        self.moves.clear()
        self._act(act)
        self.cluster.settle()
        return Entry(act, tuple(self.moves), self._rest())

    def version(self, rs: ReplicaSet) -> str:
        image = self.cluster.templates[rs.template]["spec"]["containers"][0]["image"]
        return str(image).removeprefix("web:")

    # -- acts

    def _act(self, act: Act) -> None:
        cluster = self.cluster
        match act:
            case {"write": fields}:
                cluster.server.user(lambda obj: self._write(obj, fields))
            case {"scale": replicas}:
                cluster.server.scale(replicas)
            case {"ready": version, "together": True}:
                for name in [s.name for s in cluster.sets.values() if version in ("all", self.version(s))]:
                    cluster.pods.start(name, cluster.now)
            case {"ready": version}:
                self._ready(version)
            case {"fall": version, "pods": count}:
                for pod in [p for p in self._pods(version) if p.ready][:count]:
                    pod.ready = False
                    cluster.settle()
            case {"kill": version, "pods": count}:
                for pod in self._pods(version)[:count]:
                    del cluster.pods.all[pod.name]
                    cluster.settle()
            case {"empty": version}:
                cluster.touch(self._set(version).name, size=0)
            case {"align": version, "replicas": replicas}:
                cluster.touch(self._set(version).name, desired=replicas)
            case {"delete": version}:
                cluster.delete(self._set(version))
            case {"wait": seconds}:
                cluster.now += seconds
            case _:
                raise ValueError(f"no such act: {act}")

    def _write(self, obj: Object, fields: dict[str, Any]) -> None:
        spec = obj["spec"]
        for name, value in fields.items():
            if name == "template":
                spec["template"] = template(value)
            elif name == "brake":
                spec["minReadySeconds"] = keys.BRAKE_READY if value else self.trace.min_ready
                spec["progressDeadlineSeconds"] = keys.BRAKE_DEADLINE if value else 600
            elif name in WIDE:
                spec[name] = value
            else:
                spec["strategy"]["rollingUpdate"][name] = value

    def _ready(self, version: str) -> None:
        while True:
            self.cluster.settle()
            waiting = [p for p in self._pods(version) if not p.ready]
            if not waiting:
                return
            waiting[0].ready, waiting[0].since = True, self.cluster.now

    def _pods(self, version: str) -> list[Pod]:
        """In the order in which the recording chooses them, as far as that can matter: by version."""
        sets = sorted(self.cluster.sets.values(), key=self.version)
        return [p for s in sets if version in ("all", self.version(s)) for p in self.cluster.pods.of(s.name)]

    def _set(self, version: str) -> ReplicaSet:
        return next(s for s in self.cluster.sets.values() if self.version(s) == version)

    # -- rest

    def _rest(self) -> Rest:
        status = self.cluster.server.obj["status"]
        counts = tuple(status[name] for name in ("replicas", "updatedReplicas", "availableReplicas"))
        return Rest(counts, {self.version(s): _words(s) for s in sorted(self.cluster.sets.values(), key=self.version)})


def _words(s: ReplicaSet) -> str:
    desired, most = ("-" if each is None else each for each in (s.desired, s.most))
    return words(s.size, s.replicas, s.ready, s.available, desired, most, s.min_ready)
