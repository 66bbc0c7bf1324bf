"""How many versions served at once in a history, and for how long; from what the recorder has heard."""

import itertools
from dataclasses import dataclass

from tests.cluster.reading import Deployment
from tests.cluster.state import State
from tests.cluster.world import World


@dataclass(frozen=True)
class Look:
    """The namespace after one event: versions by their images."""

    at: float
    wanted: frozenset[str]
    """Versions of which a ReplicaSet wants pods."""
    serving: frozenset[str]
    """Versions of which a pod is Ready and not on its way out."""
    phase: str
    step: int
    target: int
    stable: str
    """Template hash of the stable version, by the record."""
    declared: str
    """Image of the Deployment's template."""


def looks(here: World) -> list[Look]:
    """The history, event by event."""
    state, found = State(), []
    for event in sorted(here.recorder.events, key=lambda event: event.version):
        state.take(event)
        if state.deployment:
            found.append(_look(state, state.deployment, event.at))
    return found


def _look(state: State, deployment: Deployment, at: float) -> Look:
    sets, grant = state.replicasets, deployment.grant
    serving = {sets[p.owner].image for p in state.pods.values() if p.ready and p.alive and p.owner in sets}
    return Look(
        at=at,
        wanted=frozenset(rs.image for rs in sets.values() if rs.replicas),
        serving=frozenset(serving),
        phase=grant.phase if grant else "",
        step=grant.step if grant else 0,
        target=grant.target if grant else 0,
        stable=grant.stable if grant else "",
        declared=deployment.image,
    )


def seconds_of_three(history: list[Look]) -> float:
    """For how long three versions or more served."""
    return sum(after.at - now.at for now, after in itertools.pairwise(history) if len(now.serving) > 2)


def retreat(history: list[Look], image: str) -> list[Look]:
    """The part of the history from the write that declared `image` until the pods of the superseded one had gone."""
    begun = next(n for n, look in enumerate(history) if look.declared == image)
    rest = history[begun:]
    over = next((n for n, look in enumerate(rest) if look.phase not in ("Retreating", "Pending")), len(rest))
    return rest[: over + 1]
