"""What a release did to the shop, measured at every event: exposure, Ready pods, pods in all."""

from collections.abc import Iterable
from dataclasses import dataclass

from penstock.core.rollout import Phase
from sandbox.demo.history import Cluster, Deployment, Event, replay
from sandbox.demo.releases import REPLICAS, STEPS


@dataclass(frozen=True)
class Measured:
    """One release, from the admitted change to its end."""

    steps: tuple[int, ...]
    """Pods of the new version at each step that was reached."""
    exposure: tuple[tuple[int, int], ...]
    """For each number of new pods that was allowed: the most there ever were while it was."""
    fewest_ready: int
    most_pods: int
    crashes: int
    exposed: float | None = None
    """When the first pod of the new version was Ready."""
    decided: float | None = None
    """When it was decided to go back, or to go on to all pods."""
    verdict: str = ""
    """What was said against it."""


def measure(events: Iterable[Event], version: str, begun: int, ended: int) -> Measured:
    """Events up to revision ENDED; the bounds are judged from BEGUN, the revision of the admitted change, on."""
    steps: list[int] = []
    exposure: dict[int, int] = {}
    crashes: dict[str, int] = {}
    ready, total, allowed = [], [], 0
    exposed, decided, verdict = None, None, ""
    for now in replay(event for event in events if event.revision <= ended):
        if now.revision < begun:
            continue
        allowed = max(allowed, _allowed(now.deployment, version))
        exposure[allowed] = max(exposure.get(allowed, 0), now.sized(version), now.living(version))
        ready.append(now.ready())
        total.append(now.sized())
        crashes |= {name: pod.crashes for name, pod in now.pods.items() if pod.version == version}
        if exposed is None and now.ready(version):
            exposed = now.at
        if exposed is not None and decided is None and _decided(now.deployment, version):
            decided = now.at
        verdict = _verdict(now.deployment, version) or verdict
        if _reached(now, version) and now.sized(version) not in steps:
            steps.append(now.sized(version))
    shown = tuple((k, most) for k, most in sorted(exposure.items()) if k or most)
    return Measured(
        steps=tuple(steps),
        exposure=shown,
        fewest_ready=min(ready, default=0),
        most_pods=max(total, default=0),
        crashes=sum(crashes.values()),
        exposed=exposed,
        decided=decided,
        verdict=verdict,
    )


def sizes(events: Iterable[Event], version: str, begun: float, ended: float) -> set[int]:
    """Every number of pods of one version that was asked for, or lived, between two moments."""
    found = set[int]()
    for now in replay(event for event in events if event.at <= ended):
        if now.at <= begun:
            found = {now.sized(version)}
        else:
            found |= {now.sized(version), now.living(version)}
    return found


def _allowed(deployment: Deployment | None, version: str) -> int:
    """Pods of the new version that the phase stands for. It does not shrink: pods that are to go take a moment."""
    if deployment is None or deployment.version != version:
        return 0
    match deployment.phase:
        case Phase.OPENING | Phase.HOLDING if deployment.step:
            return STEPS[deployment.step - 1]
        case Phase.FINISHING | None:
            return REPLICAS
    return 0


def _decided(deployment: Deployment | None, version: str) -> bool:
    """Back, or on to all pods. Asked only once new pods are Ready: a retreat before is that of the version before."""
    if deployment is None or deployment.version != version:
        return False
    return deployment.phase in (Phase.RETREATING, Phase.REJECTED, Phase.FINISHING, None)


def _verdict(deployment: Deployment | None, version: str) -> str:
    return deployment.verdict if deployment is not None and deployment.version == version else ""


def _reached(now: Cluster, version: str) -> bool:
    """A step is held, or all pods are of the new version."""
    seen = now.deployment
    if seen is None or seen.version != version:
        return False
    return seen.phase is Phase.HOLDING or (seen.complete and now.sized(version) == REPLICAS)
