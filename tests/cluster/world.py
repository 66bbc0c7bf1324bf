"""One test's own corner of the cluster: a namespace, its recorder, and a controller that looks after it alone.

So many tests run side by side on one control plane without seeing each other, and each may kill its controller.
"""

import asyncio
import json
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from penstock.kube import Client, Conflict, NotFound, objects
from tests.cluster import kubeconfig
from tests.cluster.cluster import Cluster, Output
from tests.cluster.meeting import Meeting
from tests.cluster.nursery import Nursery, alive
from tests.cluster.proxy import Cut, Proxy, Trap
from tests.cluster.recorder import Recorder
from tests.cluster.sight import PATIENCE, Sight
from tests.cluster.workload import SANDBOX, Workload, image

Object = dict[str, Any]

USER = "kubectl-client-side-apply"


@dataclass
class World(Sight):
    """A namespace, and everything in it."""

    cluster: Cluster
    nursery: Nursery
    proxy: Proxy
    logs: Path
    pid: int = 0
    sleeping: int = 0
    meeting: Meeting | None = None
    dead: asyncio.Event = field(default_factory=asyncio.Event)
    fault: str = ""
    """How a controller ended that nobody had killed."""
    _keeper: asyncio.Task[None] | None = None
    born: Object = field(default_factory=dict)
    """The Deployment as it was at rest, before any rollout."""

    # The controller.

    async def start_controller(self, identity: str = "", *more: str) -> None:
        """A new process, through the proxy. The same identity each time, or it would wait for the lease to expire."""
        config = kubeconfig.through(self.proxy.access, self.proxy.url, self.logs / f"{self.namespace}.kubeconfig")
        flags = [*controller_flags(config, self.namespace, identity or self.namespace), *more]
        log = self.logs / f"{self.namespace}.log"
        self.pid = await self.nursery.bear(flags, log)
        self.proxy.reborn()
        self.dead.clear()
        self._keeper = asyncio.create_task(self._keep(identity, self.pid, log))

    async def _keep(self, identity: str, pid: int, log: Path) -> None:
        """As a kubelet does: one that has lost its lease, which a starved one must, is started again."""
        while self.pid == pid:
            if not alive(pid):
                self.pid = 0
                ending = _ending(log)
                if "LeaseLost" in ending:
                    await self.start_controller(identity)
                else:
                    self.fault = f"the controller ended by itself\n{ending}"
                return
            await asyncio.sleep(1)

    def kill_controller(self) -> None:
        """SIGKILL, now."""
        if self.pid:
            with suppress(ProcessLookupError):  # it has just lost its lease
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

    # Waiting for others.

    async def quiet(self) -> None:
        """Wait until the controller leads and has stopped asking; one that asks every few seconds never does."""
        ledger = self.proxy.ledger
        async with asyncio.timeout(PATIENCE):
            while True:
                asked = ledger.asked()
                await self.silence(3)
                if ledger.watches() and asked == ledger.asked():
                    return

    async def meet(self) -> None:
        """Wait until every other scenario of this table has come as far, and what is done then is done."""
        assert self.meeting
        await self.meeting.arrive()


def controller_flags(config: Path, namespace: str, identity: str) -> list[str]:
    """Of a controller for one namespace."""
    flags = ["--kubeconfig", str(config), "--namespaces", namespace, "--identity", identity]
    return [*flags, "--without-certs", "--metrics-port", "0"]


def _ending(log: Path) -> str:
    return log.read_text()[-3000:]


@asynccontextmanager
async def world(
    cluster: Cluster, client: Client, nursery: Nursery, session: aiohttp.ClientSession, name: str, logs: Path
) -> AsyncIterator[World]:
    """A namespace with a recorder and a way for a controller; removed afterwards, without waiting for it."""
    labels = {"penstock.dev/enabled": "true", "test": "true"}
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
    await client.post(objects.namespaces(), body)
    proxy = Proxy(kubeconfig.read(cluster.controller_kubeconfig), session)
    here = World(client, name, Recorder(client, name), cluster, nursery, proxy, logs)
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
        with suppress(NotFound, Conflict):  # a test may have deleted it itself
            await client.delete(objects.namespace(name))
