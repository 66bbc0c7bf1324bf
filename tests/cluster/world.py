"""One test's own corner of the cluster: a namespace, its recorder, and a controller that looks after it alone.

So many tests run side by side on one control plane without seeing each other, and each may kill its controller.
"""

import asyncio
import json
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from penstock.kube import Client, NotFound, objects
from tests.cluster import kubeconfig
from tests.cluster.cluster import Cluster, Output
from tests.cluster.judge import levels
from tests.cluster.meeting import Meeting
from tests.cluster.nursery import Nursery, alive
from tests.cluster.proxy import Cut, Proxy, Trap
from tests.cluster.reading import Grant, ReplicaSet
from tests.cluster.recorder import Recorder
from tests.cluster.state import State
from tests.cluster.workload import NAME, SANDBOX, Workload, image

Object = dict[str, Any]

USER = "kubectl-client-side-apply"
PATIENCE = 90.0
"""Seconds until a wait is given up: many scenarios share two cores."""


class Late(AssertionError):
    """What was waited for did not come."""


@dataclass
class World:
    """A namespace, and everything in it."""

    cluster: Cluster
    client: Client
    nursery: Nursery
    namespace: str
    recorder: Recorder
    proxy: Proxy
    logs: Path
    pid: int = 0
    sleeping: int = 0
    meeting: Meeting | None = None
    dead: asyncio.Event = field(default_factory=asyncio.Event)
    born: Object = field(default_factory=dict)
    """The Deployment as it was at rest, before any rollout."""

    # The controller.

    async def start_controller(self, identity: str = "") -> None:
        """A new process, through the proxy. The same identity each time, or it would wait for the lease to expire."""
        config = kubeconfig.through(self.proxy.access, self.proxy.url, self.logs / f"{self.namespace}.kubeconfig")
        flags = ["--kubeconfig", str(config), "--namespaces", self.namespace, "--identity", identity or self.namespace]
        flags += ["--without-certs", "--metrics-port", "0"]
        self.pid = await self.nursery.bear(flags, self.logs / f"{self.namespace}.log")
        self.proxy.reborn()
        self.dead.clear()

    def kill_controller(self) -> None:
        """SIGKILL, now."""
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            self.pid = 0
            self.dead.set()

    def kill_at(self, at: int, cut: Cut) -> None:
        """SIGKILL at write number `at` of its life, and of each later one's."""
        self.proxy.trap = Trap(at, cut, self.kill_controller)

    def stop_at(self, at: int) -> asyncio.Event:
        """SIGSTOP at write number `at` of its life; the write is sent when the event is set."""
        later = asyncio.Event()
        self.proxy.trap = Trap(at, Cut.BEFORE, self.stop_controller, later)
        return later

    def stop_controller(self) -> None:
        """SIGSTOP: it neither dies nor renews its lease."""
        os.kill(self.pid, signal.SIGSTOP)
        self.sleeping, self.pid = self.pid, 0
        self.dead.set()

    def wake_controller(self) -> None:
        """SIGCONT for the one that was stopped."""
        os.kill(self.sleeping, signal.SIGCONT)

    async def died(self) -> None:
        """Returns when the controller has been killed."""
        async with asyncio.timeout(PATIENCE):
            await self.dead.wait()

    # The user.

    async def create(self, manifest: Object) -> None:
        """Create the Deployment and wait until it is at rest, all pods Ready."""
        await self.client.post(objects.deployments(self.namespace), manifest, fieldManager=USER)
        await self.until("at rest", lambda: self.at_rest())
        self.born = self.deployment

    async def release(self, workload: Workload, version: str, behaviour: str = "", **times: str) -> Object:
        """Declare another version, as `kubectl apply` would."""
        template = workload.template(version, behaviour, **times)
        body = {"spec": {"template": {"$patch": "replace", **template}}}
        answer = await self.client.strategic(self.path, body, fieldManager=USER)
        await self.heard(answer)
        return answer

    async def scale(self, replicas: int) -> None:
        """As an autoscaler does, by the subresource that admission never sees."""
        await self.client.merge(objects.scale(self.path), {"spec": {"replicas": replicas}})

    async def delete_pod(self, name: str) -> None:
        """Delete a pod, having told the recorder."""
        self.recorder.excused.add(name)
        try:
            await self.client.delete(objects.pod(self.namespace, name))
        except NotFound:
            self.recorder.excused.discard(name)

    async def afflict(self, version: str, behaviour: str, **times: str) -> None:
        """Make the living pods of a version behave differently from now on."""
        self.recorder.failing.add(image(version))
        notes = {SANDBOX + name.replace("_", "-"): value for name, value in times.items()}
        body = {"metadata": {"labels": {SANDBOX + "behaviour": behaviour}, "annotations": notes}}
        for name in self.names(version):
            await self.client.merge(objects.pod(self.namespace, name), body)

    async def ask(self, do: str) -> None:
        """What a person asks for by the request annotation, at the present step of the present rollout."""
        request = json.dumps({"do": do, "rollout": self.record["id"], "step": self.record["step"]})
        await self.note("penstock.dev/request", request)

    async def hurry(self, step_time: str = "1s..60s") -> None:
        """The user wants shorter stays from here on: ends a hold that was to last as long as a test looks at it."""
        await self.note("penstock.dev/step-time", step_time)

    async def note(self, key: str, value: str) -> None:
        """Write an annotation."""
        await self.heard(await self.client.merge(self.path, {"metadata": {"annotations": {key: value}}}))

    async def kubectl(self, *arguments: str, stdin: str = "") -> Output:
        """The real kubectl in this namespace; what it has changed of the Deployment is heard of afterwards."""
        output = await self.cluster.kubectl("--namespace", self.namespace, *arguments, stdin=stdin)
        with suppress(NotFound):
            await self.catch_up()
        return output

    def backup(self) -> Object:
        """The Deployment as a backup tool would create it again."""
        kept = {key: self.deployment[key] for key in ("apiVersion", "kind", "spec")}
        meta = {key: self.deployment["metadata"][key] for key in ("name", "labels", "annotations")}
        return kept | {"metadata": meta}

    async def remove(self) -> None:
        """Delete the Deployment, and wait until its pods have gone too."""
        await self.client.delete(self.path, propagationPolicy="Background")
        gone = ("Deployment", "ReplicaSet", "Pod")
        await self.until("gone", lambda: not any(kind in gone for kind, _ in self.recorder.objects))

    @staticmethod
    def now() -> float:
        """Seconds since 1970."""
        return time.time()

    # What is seen.

    @property
    def path(self) -> str:
        """Of the Deployment."""
        return objects.deployment(self.namespace, NAME)

    @property
    def collection(self) -> str:
        """Of all Deployments here."""
        return objects.deployments(self.namespace)

    @property
    def deployment(self) -> Object:
        """The newest one that was heard of."""
        return self.recorder.objects["Deployment", NAME]

    @property
    def state(self) -> State:
        """ReplicaSets and pods as they are, as far as heard."""
        return self.recorder.live

    @property
    def size(self) -> int:
        """spec.replicas."""
        return int(self.deployment["spec"]["replicas"])

    @property
    def grant(self) -> Grant | None:
        """The record."""
        deployment = self.state.deployment
        return deployment.grant if deployment else None

    @property
    def record(self) -> Object:
        """The record as it is written; empty without one."""
        notes = self.deployment["metadata"].get("annotations") or {}
        return dict(json.loads(notes.get("penstock.dev/record", "{}")))

    def condition(self, field: str) -> str:
        """A field of our condition; empty without one."""
        conditions = (self.deployment.get("status") or {}).get("conditions") or []
        return next((str(c[field]) for c in conditions if c["type"] == "penstock.dev/Rollout"), "")

    def pods(self, version: str) -> int:
        """Pods of a version, by spec."""
        return sum(rs.replicas for rs in self.state.replicasets.values() if rs.image == image(version))

    def names(self, version: str) -> list[str]:
        """Living pods of a version."""
        state = self.state
        owners = {rs.uid for rs in state.replicasets.values() if rs.image == image(version)}
        return sorted(pod.name for pod in state.pods.values() if pod.owner in owners and pod.alive)

    def at_rest(self) -> bool:
        """All pods are Ready, of the declared version, counted by the native controller, and nothing is under way."""
        deployment = self.recorder.objects.get(("Deployment", NAME))
        if deployment is None or label(deployment):
            return False
        status, replicas = deployment.get("status") or {}, deployment["spec"]["replicas"]
        counts = [status.get(name, 0) for name in ("replicas", "updatedReplicas", "availableReplicas")]
        seen = status.get("observedGeneration", 0) >= deployment["metadata"]["generation"]
        return seen and counts == [replicas] * 3

    def settled(self) -> bool:
        """The native controllers have seen everything, and there are as many pods as they want."""
        deployment, state = self.state.deployment, self.state
        if deployment is None or deployment.observed < deployment.generation:
            return False
        return all(rs.replicas == sum(p.owner == rs.uid and p.alive for p in state.pods.values()) for rs in self.sets())

    def sets(self) -> list[ReplicaSet]:
        """All ReplicaSets."""
        return list(self.state.replicasets.values())

    def holding(self, step: int) -> bool:
        """The step has been reached and all its pods are Ready."""
        grant, state = self.grant, self.state
        if grant is None or (grant.phase, grant.step) != ("Holding", step):
            return False
        living, deployment = state.living(grant.declared), state.deployment
        wanted = levels(deployment)[step - 1] if deployment else 0
        return len(living) == wanted == state.declared_pods(grant.declared) and all(p.ready for p in living)

    def phase(self) -> str:
        """The record's phase; empty without a record."""
        grant = self.grant
        return grant.phase if grant else ""

    async def until(self, what: str, check: Callable[[], bool], patience: float = PATIENCE) -> None:
        """Wait until `check` has held, looking at each event."""
        try:
            async with asyncio.timeout(patience):
                await self.recorder.until(check)
        except TimeoutError:
            raise Late(
                f"{self.namespace}: not {what} within {patience:.0f} s\n{self.recorder.report().tail()}"
            ) from None

    async def heard(self, stored: Object) -> None:
        """Wait until our own watch has come to what the API server answered: right after a write it lags behind."""
        version = int(objects.version(stored))

        def come() -> bool:
            known = self.recorder.objects.get(("Deployment", NAME))
            return known is not None and int(objects.version(known)) >= version

        await self.until(f"heard of version {version}", come)

    async def catch_up(self) -> None:
        """Wait until all is heard of that is stored now."""
        await self.heard(await self.client.get(self.path))

    async def calm(self, seconds: float) -> None:
        """Wait until nothing has happened for so long, and the native controllers have what they want."""
        async with asyncio.timeout(PATIENCE):
            while True:
                seen = len(self.recorder.events)
                await self.silence(seconds)
                if seen == len(self.recorder.events) and self.settled():
                    return

    async def quiet(self) -> None:
        """Wait until the controller leads and has stopped asking; one that asks every few seconds never does."""
        ledger = self.proxy.ledger
        async with asyncio.timeout(PATIENCE):
            while True:
                asked = ledger.asked()
                await self.silence(3)
                if ledger.watches() and asked == ledger.asked():
                    return

    async def until_size(self, replicas: int) -> None:
        """Wait until it is heard of."""
        await self.until(f"of {replicas} replicas", lambda: self.size == replicas)

    async def until_promoted(self, version: str, patience: float = PATIENCE) -> None:
        """Wait until a version runs alone and nothing of the rollout is left."""
        await self.until(f"promoted {image(version)}", lambda: self.at_rest() and self.pods(version) > 0, patience)

    async def until_rejected(self, patience: float = PATIENCE) -> None:
        """Wait until a version has been taken back: declared and paused, and only the stable one runs."""
        await self.until("rejected", lambda: self.phase() == "Rejected" and self.stable_alone(), patience)

    def stable_alone(self) -> bool:
        """All pods are Ready and of the stable version."""
        grant, state = self.grant, self.state
        if grant is None or state.deployment is None:
            return False
        living, replicas = state.living(grant.stable), state.deployment.replicas
        return state.total == replicas == len(living) == sum(pod.ready for pod in living)

    async def meet(self) -> None:
        """Wait until every other scenario of this table has come as far, and what is done then is done."""
        assert self.meeting
        await self.meeting.arrive()

    async def silence(self, seconds: float) -> None:
        """Let time pass."""
        await asyncio.sleep(seconds)


def label(deployment: Object) -> str:
    """Our label."""
    return str((deployment["metadata"].get("labels") or {}).get("penstock.dev/rollout", ""))


@asynccontextmanager
async def world(
    cluster: Cluster, client: Client, nursery: Nursery, session: aiohttp.ClientSession, name: str, logs: Path
) -> AsyncIterator[World]:
    """A namespace with a recorder and a way for a controller; removed afterwards, without waiting for it."""
    labels = {"penstock.dev/enabled": "true", "test": "true"}
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
    await client.post(objects.namespaces(), body)
    proxy = Proxy(kubeconfig.read(cluster.controller_kubeconfig), session)
    here = World(cluster, client, nursery, name, Recorder(client, name), proxy, logs)
    await proxy.start()
    try:
        await here.recorder.start()
        yield here
    finally:
        here.kill_controller()
        if here.sleeping and alive(here.sleeping):
            os.kill(here.sleeping, signal.SIGKILL)
        await here.recorder.stop()
        await proxy.stop()
        await client.delete(objects.namespace(name))
