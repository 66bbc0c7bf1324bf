"""What the controller asks of the API server: three writes for a step, and nothing at all while nobody releases.

On a shared control plane requests are what a controller costs others. The bound of three holds by construction (the
brake, the window, the hold); here it is counted where it arrives. Writes that the API server refuses, because the
native controller wrote a status in between, change nothing and are not bounded.
"""

import itertools
import json
from collections import Counter, defaultdict

import pytest

from tests.cluster.ends import restored
from tests.cluster.ledger import Entry, counted
from tests.cluster.stage import Scenario, Stage
from tests.cluster.workload import NAME, Workload, idle
from tests.cluster.world import World

pytestmark = pytest.mark.cluster

REST = 10.0
"""Seconds of watching; five renewals of the lease."""

RENEWAL = 2.0

SINGLE_WINDOW_STEPS = {
    "10 pods": Workload(10, "25%", "25%", "1, 30%, 50%", "1s..60s"),
    "3 pods, 0/1": Workload(3, 0, 1, "1, 2", "1s..60s"),
    "1 pod": Workload(1, "25%", "25%", "1", "1s..60s"),
}

ENDING = 3
"""Writes after the last step: to all pods, the user's fields back, the last trace away."""


async def rested(here: World) -> None:
    """One watch, the renewals of its own lease, and no other request, although pods come and go meanwhile."""
    await here.quiet()
    ledger = here.proxy.ledger
    ledger.turn()
    await here.scale(here.size + 2)
    await here.silence(REST)
    counts = ledger.counts()
    renewals = counts.pop("patch leases", 0)
    assert counts == Counter({"watch deployments": 1})
    assert 1 <= renewals <= REST / RENEWAL + 1
    assert len({entry.path for entry in ledger if entry.resource == "leases"}) == 1
    assert here.at_rest()


async def at_rest(here: World) -> None:
    """Idle Deployments are none of its business; that it was alive all the time is shown by what it does next."""
    workload = Workload(3, "25%", "25%", "1", "1s..60s")
    for number in range(10):
        await here.client.post(here.collection, idle(f"idle-{number}"))
    await here.create(workload.manifest())
    await here.start_controller()
    await rested(here)
    await here.release(workload, "2")
    await here.until("holding", lambda: here.holding(1))


def phase(entry: Entry) -> tuple[int, str]:
    """Step and phase of the record that a write left; 0 and nothing without one."""
    record = json.loads(entry.answer["metadata"].get("annotations", {}).get("penstock.dev/record", "{}"))
    return record.get("step", 0), record.get("phase", "")


def said(entry: Entry) -> tuple[str, ...]:
    """What a write of the status left for people to see."""
    conditions = entry.answer["status"].get("conditions", [])
    found = [c for c in conditions if c["type"] == "penstock.dev/Rollout"]
    return tuple(c[field] for c in found for field in ("status", "reason", "message"))


def counted_rollout(workload: Workload) -> Scenario:
    """A rollout from rest to rest, each of its writes looked at."""
    steps = workload.steps.count(",") + 1

    async def scenario(here: World) -> None:
        await here.start_controller()
        await here.create(workload.manifest())
        await here.release(workload, "2")
        await here.until_promoted("2")
        await restored(here)
        stored = [entry for entry in here.proxy.ledger if entry.stored]

        by_step: defaultdict[int, list[str]] = defaultdict(list)
        ending = []
        for entry in stored:
            if str(entry) == "patch deployments":
                step, name = phase(entry)
                if name in ("", "Finishing", "Leaving"):
                    ending.append(name)
                else:
                    by_step[step].append(name)
        assert sorted(by_step) == list(range(1, steps + 1))
        assert all(len(writes) <= 3 for writes in by_step.values()), dict(by_step)
        assert 1 <= len(ending) <= ENDING, ending

        shown = [said(entry) for entry in stored if entry.resource == "deployments/status"]
        assert len(shown) > steps
        assert all(before != after for before, after in itertools.pairwise(shown)), shown
        kinds = counted(stored)
        events, cleaned = kinds.pop("create events"), kinds.pop("patch replicasets", 0)
        assert (events <= len(shown), cleaned <= 1) == (True, True), (events, len(shown), cleaned)
        assert kinds.pop("create configmaps", 0) == 1  # its history, see core/history.py
        assert kinds.keys() == {"patch deployments", "patch deployments/status"}
        assert {entry.path.split("/")[-1] for entry in stored if entry.resource == "deployments"} == {NAME}
        if workload.replicas == 1:  # the shortest of them: watches of a rollout end with it
            await rested(here)

    return scenario


async def test_a_release_takes_three_writes_a_step_and_rest_takes_none(stage: Stage) -> None:
    """The price of a release is known beforehand, and that of an idle cluster is nothing (I11)."""
    releases = {f"release of {name}": counted_rollout(each) for name, each in SINGLE_WINDOW_STEPS.items()}
    await stage.play({"at rest among idle Deployments": at_rest} | releases)
