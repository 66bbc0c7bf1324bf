"""What befalls pods from outside while a release runs: drained and lost nodes, evictions, no room, an exhausted quota.

None of it is the release's doing. It waits, says why where people look, and goes on when the trouble has gone.
Each scenario has nodes of its own, so that it may drain them.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from penstock.kube import objects
from sandbox.nodes.simulated import LABEL
from tests.cluster.ends import restored
from tests.cluster.stage import Scenario, Stage
from tests.cluster.workload import Workload
from tests.cluster.world import World

pytestmark = pytest.mark.cluster

PLACE = "test.penstock.dev/place"
NODES = f"{objects.CORE}/nodes"


@dataclass(frozen=True)
class Placed(Workload):
    """Pods that run on one scenario's own nodes only."""

    place: str = ""

    def template(self, version: str, behaviour: str = "", **times: str) -> dict[str, Any]:
        """With a selector of nodes."""
        template = super().template(version, behaviour, **times)
        template["spec"]["nodeSelector"] = {PLACE: self.place}
        template["spec"]["tolerations"] = [{"key": PLACE, "operator": "Exists"}]
        return template


@asynccontextmanager
async def nodes(here: World, count: int = 2) -> AsyncIterator[list[str]]:
    """So many nodes for this scenario alone."""
    names = [f"{here.namespace}-{number}" for number in range(count)]
    for name in names:
        labels = {
            "kubernetes.io/hostname": name,
            "kubernetes.io/os": "linux",
            LABEL: "simulated",
            PLACE: here.namespace,
        }
        taint = {"key": PLACE, "value": here.namespace, "effect": "NoSchedule"}  # others keep away
        await here.client.post(
            NODES,
            {
                "apiVersion": "v1",
                "kind": "Node",
                "metadata": {"name": name, "labels": labels},
                "spec": {"taints": [taint]},
            },
        )
    try:
        yield names
    finally:
        for name in names:
            await here.client.delete(f"{NODES}/{name}")


QUICK = {"progressDeadlineSeconds": 3}
"""A deadline that has long passed whenever these tests say that the release is not to blame."""

LATE = 4.0
"""Seconds after which it has."""


def placed(here: World, steps: str = "2, 50%", step_time: str = "1s..90s") -> Placed:
    """Ten pods on the scenario's nodes."""
    return Placed(10, "25%", "25%", steps, step_time, spec=QUICK, place=here.namespace)


async def begun(here: World, workload: Workload, step: int = 1) -> None:
    """Version 2 is held at a step."""
    await here.start_controller()
    await here.create(workload.manifest())
    await here.release(workload, "2")
    await here.until("holding", lambda: here.holding(step))


async def told(here: World, reason: str, words: str) -> None:
    """Wait until the condition says so, and an Event has said it to whoever was not looking."""
    await here.until(f"told {words}", lambda: here.condition("reason") == reason and words in here.condition("message"))
    events: list[Any] = []
    for _ in range(20):
        events = (await here.client.get(objects.events(here.namespace)))["items"]
        if any(e["reason"] == reason and words in e["note"] and e["type"] == "Warning" for e in events):
            return
        await here.silence(0.25)
    raise AssertionError(f"no Event {reason} says {words}: {[(e['reason'], e['note']) for e in events]}")


async def passed(here: World) -> None:
    """The release goes to its end, the first one that was begun."""
    await here.until_promoted("2")
    await restored(here)


def living_on(here: World, node: str, version: str = "") -> list[str]:
    """Names of pods on a node."""
    pods = [o for (kind, _), o in here.recorder.objects.items() if kind == "Pod"]
    found = {objects.name(p) for p in pods if objects.at(p, "spec", "nodeName") == node}
    return sorted(found & {*here.names(version)} if version else found)


async def drained(here: World) -> None:
    """`kubectl drain`, which asks the disruption budget for every pod; old and new ones come up elsewhere."""
    async with nodes(here) as names:
        await begun(here, placed(here))
        budget = {
            "apiVersion": "policy/v1",
            "kind": "PodDisruptionBudget",
            "metadata": {"name": "web"},
            "spec": {"maxUnavailable": 3, "selector": {"matchLabels": {"app": "web"}}},
        }
        await here.client.post(f"/apis/policy/v1/namespaces/{here.namespace}/poddisruptionbudgets", budget)
        here.recorder.excused |= {*living_on(here, names[0])}
        output = await here.kubectl("drain", names[0], "--force", "--ignore-daemonsets", "--timeout=80s")
        assert output.code == 0, output.err
        await passed(here)
        assert living_on(here, names[0]) == []


async def evicted_by_the_api(here: World) -> None:
    """As a cluster autoscaler or descheduler does it: all new pods, one after the other."""
    async with nodes(here):
        await begun(here, placed(here))
        for name in here.names("2"):
            here.recorder.excused.add(name)
            body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}}
            await here.client.post(f"{objects.pod(here.namespace, name)}/eviction", body)
        await passed(here)


async def evicted_by_the_kubelet(here: World) -> None:
    """A node short of memory ends a new pod for good; its object stays, and must not hold the release for ever."""
    async with nodes(here):
        await begun(here, placed(here))
        name = here.names("2")[0]
        here.recorder.excused.add(name)
        ended = {"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory."}
        gone = [{"type": kind, "status": "False", "reason": "PodFailed"} for kind in ("Ready", "ContainersReady")]
        path = objects.status(objects.pod(here.namespace, name))
        await here.client.strategic(path, {"status": ended | {"conditions": gone}})
        await passed(here)
        assert name in {objects.name(p) for p in (await here.client.get(objects.pods(here.namespace)))["items"]}


async def cordoned(here: World) -> None:
    """No node takes pods: the new ones wait, longer than they might take to become Ready, and then have their time."""
    async with nodes(here) as names:
        workload = placed(here)
        await here.start_controller()
        await here.create(workload.manifest())
        assert (await here.kubectl("cordon", *names)).code == 0
        await here.release(workload, "2")
        await told(here, "NotTheRelease", "no node has room for it; that is not the release's fault")
        await here.silence(LATE)
        assert (here.phase(), here.pods("2"), here.pods("1")) == ("Holding", 2, 10)
        assert (await here.kubectl("uncordon", *names)).code == 0
        await passed(here)


async def image_missing_on_one_node(here: World) -> None:
    """A registry that one node does not reach: the other nodes' pods run, so the image is there."""
    async with nodes(here) as names:
        workload = placed(here, "4, 50%")
        await here.start_controller()
        await here.create(workload.manifest())
        await here.release(workload, "2", "image-pull-failure", nodes=names[0])
        await told(here, "NotTheRelease", "cannot pull its image app:2, which other pods of the new version run")
        await here.silence(LATE)
        assert (here.phase(), here.pods("2")) == ("Holding", 4)
        assert (await here.kubectl("cordon", names[0])).code == 0
        for name in living_on(here, names[0], "2"):
            await here.delete_pod(name)
        await passed(here)


async def quota_exhausted(here: World) -> None:
    """Pods that are never created; the owner of the quota reads which one it is."""
    workload = Workload(10, "25%", "25%", "2, 50%", "1s..90s", spec=QUICK)
    quotas = f"{objects.CORE}/namespaces/{here.namespace}/resourcequotas"
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "few"}, "spec": {"hard": {"pods": "10"}}}
    await here.start_controller()
    await here.create(workload.manifest())
    await here.client.post(quotas, quota)
    while objects.at(await here.client.get(f"{quotas}/few"), "status", "used", "pods") != "10":
        await here.silence(0.2)
    await here.release(workload, "2")
    await told(here, "NotTheRelease", "exceeded quota: few")
    await here.silence(LATE)
    assert (here.phase(), here.pods("2"), len(here.names("1"))) == ("Holding", 2, 10)
    await here.client.merge(f"{quotas}/few", {"spec": {"hard": {"pods": "20"}}})
    await passed(here)


async def refused_by_admission(here: World) -> None:
    """A rule that the new template breaks, and its pods are never created: that one is taken back."""
    workload = Workload(10, "25%", "25%", "2, 50%", "1s..90s", spec=QUICK)
    await here.start_controller()
    await here.create(workload.manifest())
    strict = {"pod-security.kubernetes.io/enforce": "restricted"}
    await here.client.merge(objects.namespace(here.namespace), {"metadata": {"labels": strict}})
    await here.release(workload, "2")
    await told(here, "CannotStart", "cannot be created: violates PodSecurity")
    await here.until_rejected()
    assert (here.record["note"], here.pods("2"), here.pods("1")) == ("CannotStart", 0, 10)


async def node_lost(here: World) -> None:
    """A node goes silent, and the node controller takes the readiness of all of its pods; later it is there again."""
    async with nodes(here):
        await begun(here, placed(here, step_time="150s..160s"))
        node = next(objects.at(here.recorder.objects["Pod", name], "spec", "nodeName") for name in here.names("2"))
        pods = living_on(here, node)
        here.recorder.excused |= {*pods}
        await played(here, node, False)
        await told(here, "NotTheRelease", "its node is not ready; that is not the release's fault")
        await here.silence(LATE)
        assert (here.phase(), here.pods("2")) == ("Holding", 2)
        await played(here, node, True)
        for name in pods:  # as the kubelet does, now that it speaks again
            condition = {"type": "Ready", "status": "True", "lastTransitionTime": objects.rfc3339(here.now())}
            path = objects.status(objects.pod(here.namespace, name))
            await here.client.strategic(path, {"status": {"conditions": [condition]}})
        await here.hurry("1s..90s")
        await passed(here)


async def played(here: World, node: str, alive: bool) -> None:
    """kwok plays a kubelet, and renews its lease, only on nodes with our label; 50 s later the node is given up."""
    label = {LABEL: "simulated" if alive else None}
    await here.client.merge(f"{NODES}/{node}", {"metadata": {"labels": label}})


QUICKER: dict[str, Scenario] = {
    "image missing on one node": image_missing_on_one_node,
    "evicted by the kubelet": evicted_by_the_kubelet,
}
SLOWER: dict[str, Scenario] = {
    "no node has room": cordoned,
    "quota exhausted": quota_exhausted,
    "node drained, with a disruption budget": drained,
    "evicted by the API": evicted_by_the_api,
    "refused by admission": refused_by_admission,
    "node lost": node_lost,
}


async def test_trouble_of_one_node_is_not_blamed_on_the_release(stage: Stage) -> None:
    """It is held with the reason, and goes on by itself."""
    await stage.play(QUICKER)


@pytest.mark.full
async def test_no_room_no_quota_and_pods_that_are_moved_or_lost_do_not_end_a_release(stage: Stage) -> None:
    """All of it is everyday life; only what the new template itself causes ends a release."""
    await stage.play(SLOWER)
