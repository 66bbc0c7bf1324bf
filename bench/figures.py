"""The measurements: rollouts, and rest among few and among many Deployments that nobody releases.

The controller reaches the API server through the tests' proxy, so its requests are counted where they arrive and
not where they are sent. CPU seconds are the kernel's, of the two processes alone; the proxy and the control plane
are not in them, nor is the second that a controller spends on imports when it starts.
"""

import asyncio
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.workload import Workload, idle
from tests.cluster.world import World

TICKS = os.sysconf("SC_CLK_TCK")
READY_WITHIN = 300.0


@dataclass(frozen=True)
class Cost:
    """What passed between two moments."""

    name: str
    seconds: float
    requests: dict[str, int]
    """By verb and resource; a watch that was open before counts for nothing."""
    refused: int
    """Writes that the API server refused: the object had changed in between."""
    sent: int
    received: int
    controller: float
    webhook: float
    """CPU seconds."""


def cpu(pid: int) -> float:
    """User and system seconds of a process, its ended threads among them."""
    after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(after_name[11]) + int(after_name[12])) / TICKS


class Meter:
    """Counts from its making until it is read."""

    def __init__(self, here: World) -> None:
        self.here, self.before = here, here.proxy.ledger.watches()
        here.proxy.ledger.turn()
        self.heard = sum(entry.received for entry in self.before)
        self.pids = (here.pid, int((here.cluster.directory / "run" / "webhook.pid").read_text()))
        self.spent = tuple(map(cpu, self.pids))
        self.begun = asyncio.get_running_loop().time()

    def read(self, name: str) -> Cost:
        """Everything since."""
        ledger = self.here.proxy.ledger
        new = [entry for entry in ledger if entry not in self.before]
        controller, webhook = (cpu(pid) - spent for pid, spent in zip(self.pids, self.spent, strict=True))
        return Cost(
            name=name,
            seconds=asyncio.get_running_loop().time() - self.begun,
            requests=dict(sorted(Counter(map(str, new)).items())),
            refused=sum(entry.write and entry.status >= 300 for entry in new),
            sent=sum(entry.sent for entry in new),
            received=sum(entry.received for entry in ledger) - self.heard,
            controller=round(controller, 2),
            webhook=round(webhook, 2),
        )


async def rollout(here: World, name: str, workload: Workload) -> Cost:
    """From the release until nothing names us any more and the controller is at rest again."""
    await here.start_controller()
    await here.create(workload.manifest())
    await here.quiet()
    meter = Meter(here)
    await here.release(workload, "2")
    await here.until_promoted("2")
    await here.quiet()
    return meter.read(name)


async def rest(here: World, count: int, seconds: float) -> tuple[Cost, Cost]:
    """A controller's start among so many idle Deployments, and then its rest."""
    await _fill(here, count)
    here.kill_controller()
    here.proxy.ledger.entries.clear()
    await here.start_controller()
    await asyncio.sleep(0.05)  # until /proc shows the child
    starting = Meter(here)
    await here.quiet()
    start = starting.read(f"start among {count} idle Deployments")
    resting = Meter(here)
    await here.silence(seconds)
    return start, resting.read(f"rest among {count} idle Deployments")


async def _fill(here: World, count: int) -> None:
    """Create idle Deployments of one pod each until there are so many, and wait for their pods."""
    known = len((await here.client.get(here.collection))["items"])
    for number in range(known, count):
        await here.client.post(here.collection, idle(f"idle-{number}"))

    async with asyncio.timeout(READY_WITHIN):
        while True:
            items = (await here.client.get(here.collection))["items"]
            if all((item.get("status") or {}).get("availableReplicas") for item in items):
                return
            await asyncio.sleep(2)
