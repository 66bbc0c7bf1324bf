"""The native Deployment controller, as a model: what a rollout is steered through, and so what its tests need.

Written from the measured facts (kube-controller-manager 1.37.2), not from its source. It works on a cached view that
may lag behind the store, and a write on an old view is a conflict, as in the original: a protocol that is safe only
with fresh caches is not safe. It knows nothing of Penstock.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Protocol

Amount = int | str


@dataclass
class ReplicaSet:
    """One ReplicaSet: spec, the two annotations that scaling reads, and the status its own controller reports."""

    name: str
    template: str
    created: int
    size: int
    desired: int | None = None
    most: int | None = None
    min_ready: int = 0
    generation: int = 1
    version: int = 0
    notes: frozenset[str] = frozenset()
    revision: int = 0
    observed: int = 0
    replicas: int = 0
    ready: int = 0
    available: int = 0


@dataclass(frozen=True)
class Target:
    """A Deployment, as far as its controller reads it."""

    replicas: int
    surge: Amount
    unavailable: Amount
    template: str
    paused: bool = False
    min_ready: int = 0
    rolling: bool = True
    history: int = 10
    notes: frozenset[str] = frozenset()
    generation: int = 1
    version: int = 0
    status_replicas: int = 0


@dataclass(frozen=True)
class Status:
    """What the controller reports of a Deployment."""

    observed: int
    replicas: int
    updated: int
    available: int


@dataclass
class View:
    """What the controller's caches hold: copies, possibly of the past."""

    target: Target
    sets: dict[str, ReplicaSet] = field(default_factory=dict)


class Conflict(Exception):
    """The write was made on an old view."""


class Store(Protocol):
    """Where the controller writes. Each method raises Conflict where the version is not the stored one."""

    def update(self, changed: ReplicaSet) -> ReplicaSet: ...

    def create(self, template: str, size: int, desired: int, most: int, target: Target) -> ReplicaSet: ...

    def delete(self, gone: ReplicaSet) -> None: ...

    def report(self, status: Status, version: int) -> None: ...


def resolved(value: Amount, replicas: int, *, up: bool) -> int:
    """An int-or-percent in pods."""
    if isinstance(value, int):
        return value
    share = int(value[:-1]) * replicas
    return -(-share // 100) if up else share // 100


def surge(target: Target) -> int:
    return resolved(target.surge, target.replicas, up=True) if target.rolling else 0


def unavailable(target: Target) -> int:
    """Both resolving to 0 means 1; never more than the replicas."""
    less = resolved(target.unavailable, target.replicas, up=False)
    if less == 0 and surge(target) == 0:
        less = 1
    return min(less, target.replicas)


def rounded(value: float) -> int:
    """Half away from zero."""
    return int(value + 0.5) if value >= 0 else -int(0.5 - value)


def sync(view: View, store: Store) -> None:
    """One sync of one Deployment. A conflict ends it, as in the original; it is tried again later."""
    Sync(view, store).run()


class Sync:
    """The state of one sync: the target, and the ReplicaSets as cached, then as written."""

    def __init__(self, view: View, store: Store) -> None:
        self.target, self.store = view.target, store
        self.sets = {name: replace(each) for name, each in view.sets.items()}
        self.new: str | None = None

    def run(self) -> None:
        target = self.target
        if target.paused:
            self._find_new()
            self._scale()
            self._forget_history()
        elif any(s.desired not in (None, target.replicas) for s in self.sets.values() if s.size):
            self._find_new()
            self._scale()
        elif target.rolling:
            self._roll()
        else:
            self._recreate()
        self._report()

    # -- which is the new one

    def _find_new(self) -> None:
        """The oldest ReplicaSet of the template; it alone gets minReadySeconds, annotations and a revision."""
        same = [s for s in self.sets.values() if s.template == self.target.template]
        if not same:
            return
        new = min(same, key=lambda s: (s.created, s.name))
        self.new = new.name
        last = max((s.revision for s in self._olds()), default=0)
        wanted = replace(
            new,
            min_ready=self.target.min_ready,
            notes=new.notes | self.target.notes,
            revision=new.revision if new.revision > last else last + 1,
        )
        if wanted != new:
            self._write(wanted)

    def _make_new(self) -> None:
        self._find_new()
        if self.new is None:
            size = self._new_size(0)
            made = self.store.create(
                self.target.template, size, self.target.replicas, self.target.replicas + surge(self.target), self.target
            )
            self.sets[made.name] = made
            self.new = made.name

    def _olds(self) -> list[ReplicaSet]:
        return [s for s in self.sets.values() if s.name != self.new]

    def _active(self) -> list[ReplicaSet]:
        return [s for s in self.sets.values() if s.size > 0]

    def _write(self, changed: ReplicaSet) -> None:
        self.sets[changed.name] = self.store.update(changed)

    def _resize(self, each: ReplicaSet, size: int, *, annotate: bool = False) -> None:
        most = self.target.replicas + surge(self.target)
        if each.size != size or (annotate and (each.desired, each.most) != (self.target.replicas, most)):
            self._write(replace(each, size=size, desired=self.target.replicas, most=most))

    # -- scaling: the only thing that happens while paused

    def _scale(self) -> None:
        active, target = self._active(), self.target
        if len(active) <= 1:
            only = active[0] if active else self._newest()
            if only:
                self._resize(only, target.replicas)
            return
        new = self.sets.get(self.new or "")
        if new and new.size == new.desired == new.available == target.replicas:
            for old in active:
                if old.name != new.name:
                    self._resize(old, 0)
        elif target.rolling:
            self._share_out(active)

    def _newest(self) -> ReplicaSet | None:
        if self.new:
            return self.sets[self.new]
        return max(self.sets.values(), key=lambda s: (s.created, s.name), default=None)

    def _share_out(self, active: list[ReplicaSet]) -> None:
        """In proportion to the sizes; what rounding leaves goes to the largest."""
        target = self.target
        allowed = target.replicas + surge(target) if target.replicas else 0
        to_add = allowed - sum(s.size for s in active)
        newer_first = -1 if to_add > 0 else 1
        active = sorted(active, key=lambda s: (-s.size, newer_first * s.created, s.name))
        sizes, added = [], 0
        for each in active:
            part = self._fraction(each) if to_add else 0
            part = min(part, to_add - added) if to_add > 0 else max(part, to_add - added)
            sizes.append(each.size + part)
            added += part
        sizes[0] = max(0, sizes[0] + to_add - added)
        for each, size in zip(active, sizes, strict=True):
            self._resize(each, size, annotate=True)

    def _fraction(self, each: ReplicaSet) -> int:
        if self.target.replicas == 0:
            return -each.size
        before = each.most or self.target.status_replicas
        if not before:
            return 0
        return rounded(each.size * (self.target.replicas + surge(self.target)) / before) - each.size

    # -- rolling

    def _new_size(self, size: int) -> int:
        cap = self.target.replicas + resolved(self.target.surge, self.target.replicas, up=True)
        room = cap - sum(s.size for s in self.sets.values())
        return size if room <= 0 else size + min(room, self.target.replicas - size)

    def _roll(self) -> None:
        self._make_new()
        new, replicas = self.sets[self.new or ""], self.target.replicas
        wanted = new.size if new.size == replicas else replicas if new.size > replicas else self._new_size(new.size)
        if wanted != new.size:
            self._resize(new, wanted)
            return
        self._shrink(new)
        if self._complete():
            self._forget_history()

    def _shrink(self, new: ReplicaSet) -> None:
        """Old pods that are not available go first, then as many more as availability allows."""
        floor = self.target.replicas - unavailable(self.target)
        budget = sum(s.size for s in self.sets.values()) - floor - (new.size - new.available)
        if budget <= 0:
            return
        olds = [s.name for s in self._oldest_first()]
        for name in olds:
            if budget <= 0:
                break
            old = self.sets[name]
            part = min(budget, old.size - old.available)
            if part < 0:
                return  # its status lags behind a scale-down: nothing more in this sync
            self._resize(old, old.size - part)
            budget -= part
        spare = sum(self.sets[name].available for name in olds) + new.available - floor
        for name in olds:
            old = self.sets[name]
            part = max(0, min(old.size, spare))
            self._resize(old, old.size - part)
            spare -= part

    def _oldest_first(self) -> Iterable[ReplicaSet]:
        return sorted((s for s in self._olds() if s.size), key=lambda s: (s.created, s.name))

    def _recreate(self) -> None:
        """All old pods go, then all new ones come."""
        self._find_new()
        for old in list(self._oldest_first()):
            self._resize(old, 0)
        if all(s.replicas == 0 for s in self._olds()):
            self._make_new()
            self._resize(self.sets[self.new or ""], self.target.replicas)

    # -- the end of a sync

    def _complete(self) -> bool:
        new, replicas = self.sets[self.new or ""], self.target.replicas
        total = sum(s.replicas for s in self.sets.values())
        return new.replicas == total == replicas == sum(s.available for s in self.sets.values())

    def _forget_history(self) -> None:
        olds = sorted(self._olds(), key=lambda s: s.revision)
        for old in olds[: max(0, len(olds) - self.target.history)]:
            if old.size == old.replicas == 0 and old.observed >= old.generation:
                self.store.delete(old)
                del self.sets[old.name]

    def _report(self) -> None:
        new = self.sets.get(self.new or "")
        status = Status(
            observed=self.target.generation,
            replicas=sum(s.replicas for s in self.sets.values()),
            updated=new.replicas if new else 0,
            available=sum(s.available for s in self.sets.values()),
        )
        self.store.report(status, self.target.version)
