"""Tenants who forge what is ours, in one namespace with a neighbour whose rollout must go on as if they were not there.

The forgeries are written while the webhook is dead, so past admission; what admission itself makes of them is in
tests/core/test_forgery.py. The recorder judges the neighbour at every event.
"""

import asyncio
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import pytest

from penstock.core import keys
from penstock.core.record import saved_in
from penstock.kube import Invalid, objects
from tests.cluster.ends import restored
from tests.cluster.stage import Scenario, Stage
from tests.cluster.workload import Workload
from tests.cluster.world import USER, World
from tests.core.forged import COUNT, Case, case, says_it_is_over

pytestmark = pytest.mark.cluster

Object = dict[str, Any]

NEIGHBOUR = Workload(4, steps="1, 50%", step_time="1s..60s")
FORGER = Workload(2, steps="1", step_time="90s..120s", spec={"minReadySeconds": 1, "progressDeadlineSeconds": 77})
TOGETHER = 6
"""Forgers in one namespace."""

LATER = 20.0
"""Seconds that the neighbour may take longer than one without forgers; the tests share two cores, and load comes and
goes."""


class Forger:
    """One Deployment and its case."""

    def __init__(self, here: World, case: Case) -> None:
        self.here, self.case = here, case
        self.name = f"forged-{case.number}"
        self.path = objects.deployment(here.namespace, self.name)
        self.text = ""

    def manifest(self, version: str) -> Object:
        manifest = FORGER.manifest(version)
        manifest["metadata"] |= {"name": self.name, "labels": {"app": self.name}}
        manifest["spec"]["selector"]["matchLabels"] = {"app": self.name}
        manifest["spec"]["template"]["metadata"]["labels"] = {"app": self.name}
        return manifest

    async def apply(self, version: str) -> None:
        await self.here.client.apply(self.path, self.manifest(version), manager="flux", force=True)

    def running(self, obj: Object) -> bool:
        return serves(obj)

    def at_start(self, obj: Object) -> bool:
        if not self.case.held:
            return serves(obj)
        return (obj["metadata"]["labels"].get(keys.ROLLOUT), exposed(obj)) == ("holding", 1)

    async def forge(self) -> None:
        """The API server may find it too much; then nothing is forged."""
        obj = await self.here.client.get(self.path)
        forged = self.case.notes(objects.annotations(obj).get(keys.RECORD, ""))
        before = objects.annotations(obj).get(keys.RECORD, "")
        written = forged.get(keys.RECORD, before)
        self.text = before if written is None else written  # of one taken away a ReplicaSet has a copy
        labels = {} if self.case.label == "as it is" else {keys.ROLLOUT: self.case.label}
        with suppress(Invalid):
            await self.here.client.merge(self.path, {"metadata": {"annotations": forged, "labels": labels}})
            for name in [await self._newest()] if self.case.of_replicasets else []:
                body = {"metadata": {"annotations": self.case.of_replicasets}}
                await self.here.client.merge(objects.replicaset(self.here.namespace, name), body)

    async def _newest(self) -> str:
        found = await self.here.client.get(objects.replicasets(self.here.namespace), labelSelector=f"app={self.name}")
        return objects.name(max(found["items"], key=lambda rs: int(objects.version(rs))))

    async def give_back(self) -> None:
        """Its owner has enough."""
        if self.case.number % 3 == 2:
            gone = dict.fromkeys(keys.OUR_ANNOTATIONS)
            await self.here.client.merge(self.path, {"metadata": {"annotations": gone}}, fieldManager=USER)
        body: Object = {"metadata": {"labels": {keys.ENABLED: "false"}}}
        await self.here.client.merge(self.path, body, fieldManager=USER)
        if says_it_is_over(self.text):
            await self.here.kubectl("rollout", "resume", f"deployment/{self.name}")

    def freed(self, obj: Object) -> bool:
        """I7: nothing of ours is left, it is not paused nor braked, and all its pods serve."""
        meta, spec = obj["metadata"], obj["spec"]
        ours = keys.ROLLOUT in meta["labels"] or keys.RECORD in objects.annotations(obj)
        if ours or spec.get("paused") or not serves(obj):
            return False
        said = saved_in(self.text)
        waits = {(1, 77)} | ({(said.min_ready, said.deadline)} if said else {(None, 600)})
        return (spec.get("minReadySeconds") or None, spec.get("progressDeadlineSeconds")) in waits


def exposed(obj: Object) -> int:
    return int((obj.get("status") or {}).get("updatedReplicas", 0))


def serves(obj: Object) -> bool:
    """All pods are of the declared version, and available."""
    status = obj.get("status") or {}
    counts = [status.get(name, 0) for name in ("replicas", "updatedReplicas", "availableReplicas")]
    return bool(status.get("observedGeneration", 0) >= obj["metadata"]["generation"] and counts == [2, 2, 2])


async def until(here: World, forgers: Iterable[Forger], what: str) -> None:
    """Polls: the recorder looks at the neighbour alone."""
    left: list[str] = []
    try:
        async with asyncio.timeout(60):
            while True:
                found = {objects.name(obj): obj for obj in (await here.client.get(here.collection))["items"]}
                left = [f.case.name for f in forgers if not getattr(f, what)(found[f.name])]
                if not left:
                    return
                await asyncio.sleep(0.3)
    except TimeoutError:
        shown = {f.case.name: found[f.name]["spec"] | found[f.name]["metadata"] for f in forgers if f.case.name in left}
        raise AssertionError(f"not {what}: {str(shown)[:3000]}") from None


def neighbours(numbers: Iterable[int], paces: dict[tuple[int, ...], float]) -> Scenario:
    """Forgers of these cases, and what the neighbour's rollout took beside them."""
    chosen = tuple(numbers)

    async def scenario(here: World) -> None:
        forgers = [Forger(here, case(number)) for number in chosen]
        await here.start_controller()
        await asyncio.gather(here.create(NEIGHBOUR.manifest()), *(f.apply("1") for f in forgers))
        await until(here, forgers, "running")
        await asyncio.gather(*(f.apply("2") for f in forgers if f.case.held))
        await until(here, forgers, "at_start")
        await here.meet()
        await asyncio.gather(*(f.forge() for f in forgers))
        await here.meet()
        begun = time.monotonic()
        await here.release(NEIGHBOUR, "2")
        await here.until_promoted("2")
        paces[chosen] = time.monotonic() - begun
        await restored(here)
        await asyncio.gather(*(f.give_back() for f in forgers))
        await until(here, forgers, "freed")
        assert "error of ours" not in (here.logs / f"{here.namespace}.log").read_text()

    return scenario


async def played(stage: Stage, numbers: Iterable[int]) -> None:
    chosen, paces = list(numbers), dict[tuple[int, ...], float]()
    groups = [chosen[i : i + TOGETHER] for i in range(0, len(chosen), TOGETHER)]
    scenarios = {f"beside {group}": neighbours(group, paces) for group in groups}
    cluster, table = stage.cluster, {"beside nobody": neighbours((), paces), **scenarios}
    await stage.play(table, lambda: cluster.stop("webhook"), lambda: cluster.restart("webhook"))
    print(
        f"the neighbour's rollout: alone {paces[()]:.1f} s, beside forgers {sorted(paces.values())[-1]:.1f} s at most"
    )
    assert max(paces.values()) <= paces[()] + LATER


SHARE = range(5, COUNT, 11)
"""Every kind of forgery once."""


async def test_forgeries_hurt_nobody_else_and_end_when_their_author_says_so(stage: Stage) -> None:
    """A share of the two hundred."""
    await played(stage, SHARE)


@pytest.mark.full
async def test_two_hundred_forgeries_hurt_nobody_else(stage: Stage) -> None:
    """All of them."""
    for first in range(0, COUNT, 5 * TOGETHER):
        await played(stage, range(first, min(COUNT, first + 5 * TOGETHER)))
