"""The controller dies in the middle of an open window, the moment at which most could go wrong.

The window is open for some hundred milliseconds. So the process is found and held beforehand, the kill follows the
event of the Deployment at once, and afterwards the API server is asked whether the window was still open. If the
controller was faster it is started again, and the next window is waited for.

With real pods the kubelet would start the dead container again within a second. Penstock would be none the worse for
it, but a controller that is alive proves nothing: so its pod is taken away before the kubelet comes to it.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from penstock.core.rollout import Phase
from penstock.kube import Client, objects
from sandbox.demo.expectations import HELD, Interruption
from sandbox.demo.history import Cluster, Deployment
from sandbox.demo.measure import sizes
from sandbox.demo.recorder import Recorder
from sandbox.demo.releases import STEPS, Release
from sandbox.demo.shop import NAME, NAMESPACE
from sandbox.demo.stage import CONTROLLER, Stage
from sandbox.demo.view import View

SYSTEM = "penstock-system"
LEASE = objects.lease(SYSTEM, "penstock-controller")

FIRST_STEP = 2
"""The window to begin with: at the second step both versions already run."""

PATIENCE = 240.0
"""Seconds until a window opens, for which the step before has to pass, and until it is filled."""


@dataclass(frozen=True)
class Attack:
    """On the controller of a stage that is up."""

    stage: Stage
    client: Client
    recorder: Recorder
    view: View

    async def during(self, release: Release) -> Interruption:
        """Kill the controller in an open window, watch for HELD seconds, start it again."""
        for step in range(FIRST_STEP, len(STEPS) + 1):
            pods = await _pods(self.client)
            with self.stage.aim(CONTROLLER) as kill:
                holds, what = window_or_end(release, step), f"the window of step {step} opens"
                now = await self.recorder.until(holds, PATIENCE, what)
                if now.deployment is None or not is_open(now.deployment):
                    break
                kill()
            self.view.scene.last_words = now.deployment.message
            await _bury(self.client, pods)
            lease = await _renewal(self.client)
            self.view.say(f"the controller is killed (SIGKILL), the window of step {step} has just opened")
            if await _open(self.client):
                return await self._watch(release, STEPS[step - 1], lease)
            self.view.say("it had closed the window already; it is started again, and the next window is waited for")
            await self.stage.restart(CONTROLLER)
        return Interruption(False, STEPS[-1], frozenset(), renewed=False, seconds=0.0)

    async def _watch(self, release: Release, target: int, lease: str) -> Interruption:
        what = f"the open window is filled with {target} new pods"
        await self.recorder.until(filled(release, target), PATIENCE, what)
        self.view.say(f"un-paused, with nobody to stop it, and it stays at {target} new pods: watched for {HELD:.0f} s")
        begun = time.time()
        await asyncio.sleep(HELD)
        ended, still_open = time.time(), await _open(self.client)
        renewed = await _renewal(self.client) != lease
        seen = sizes(self.recorder.events, release.version, begun, ended)
        self.view.say("the controller is started again")
        await self.stage.restart(CONTROLLER)
        return Interruption(still_open, target, frozenset(seen), renewed, ended - begun)


async def _pods(client: Client) -> list[str]:
    """The controller's pods; none where it is a local process."""
    listed = await client.get(objects.pods(SYSTEM), labelSelector=f"app.kubernetes.io/component={CONTROLLER}")
    return [objects.name(pod) for pod in listed["items"]]


async def _bury(client: Client, pods: list[str]) -> None:
    """No more replicas, and the dead pods without a grace period."""
    if pods:
        await client.merge(objects.scale(objects.deployment(SYSTEM, CONTROLLER)), {"spec": {"replicas": 0}})
    for pod in pods:
        await client.delete(objects.pod(SYSTEM, pod), gracePeriodSeconds=0)


def window_or_end(release: Release, step: int) -> Callable[[Cluster], bool]:
    """The window of a step is open, or there will be none any more."""

    def holds(now: Cluster) -> bool:
        seen = now.deployment
        if seen is None or seen.version != release.version:
            return False
        return (seen.step == step and is_open(seen)) or seen.phase in (Phase.FINISHING, None)

    return holds


def filled(release: Release, target: int) -> Callable[[Cluster], bool]:
    """The native controller has made all pods that the window allows."""
    return lambda now: now.sized(release.version) == now.living(release.version) == target


def is_open(seen: Deployment) -> bool:
    return seen.phase is Phase.OPENING and not seen.paused


async def _open(client: Client) -> bool:
    """What the API server says: a watch might not have told us yet that the window was closed."""
    return is_open(Deployment.of(await client.get(objects.deployment(NAMESPACE, NAME))))


async def _renewal(client: Client) -> str:
    return str(objects.at(await client.get(LEASE), "spec", "renewTime", default=""))
