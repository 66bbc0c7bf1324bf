"""A part of Penstock that runs in pods, handled like the sandbox's other processes.

Its number is the one of the process in the first pod's container (the sandbox has no process namespace of its
own, so it is a number on the machine), and when it dies it is the kubelet, not the sandbox, that restarts it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sandbox import cgroups, processes
from sandbox.api import Api, Object
from sandbox.component import GRACE, PATIENCE, Component, Failed, until
from sandbox.directory import Directory

NAMESPACE = "penstock-system"
PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"
REMEMBERED = "sandbox.penstock.dev/replicas"
"""How many there were before `stop`."""


@dataclass(frozen=True, kw_only=True)
class Deployed(Component):
    """The Deployment of the same name, in the control group IDENTITY."""

    api: Api
    identity: str

    def pid(self, directory: Directory) -> int | None:
        """The process now; its file and log are brought up to date on the way, for the kubelet does not do it."""
        found = next(self._processes(), None)
        number, log = found if found else (None, None)
        file, link = directory.pid_file(self.name), directory.log(self.name)
        if number is None:
            file.unlink(missing_ok=True)
        else:
            file.write_text(f"{number}\n")
        logs = sorted(directory.pods.glob(f"*/{log}/{self.name}/*.log"), key=_attempt) if log else []
        if logs:
            link.unlink(missing_ok=True)
            link.symlink_to(logs[-1])
        return number

    def start(self, directory: Directory) -> None:
        """As many as there were before `stop`; nothing to do while there are any."""
        deployment = self._deployment()
        if deployment["spec"]["replicas"] == 0:
            remembered = int(deployment["metadata"]["annotations"].get(REMEMBERED, 1))
            self._change({"spec": {"replicas": remembered}})

    def stop(self, directory: Directory) -> None:
        """No pods any more. A shorter grace period is not heeded once the kubelet has begun, hence the signals."""
        replicas = self._deployment()["spec"]["replicas"]
        numbers = [number for number, _ in self._processes()]
        if replicas:
            self._change({"metadata": {"annotations": {REMEMBERED: str(replicas)}}, "spec": {"replicas": 0}})
        processes.end(numbers, GRACE)
        until(f"the pods of {self.name} are gone", lambda: not self._pods(), PATIENCE)
        directory.pid_file(self.name).unlink(missing_ok=True)

    def restart(self, directory: Directory) -> None:
        """New pods; a mere kill would have the kubelet wait longer each time before it starts the container again."""
        before = self._names()
        for name in before:
            self.api.ask("DELETE", f"{PODS}/{name}", parameters={"gracePeriodSeconds": f"{GRACE:.0f}"})
        until(f"the former pods of {self.name} are gone", lambda: before.isdisjoint(self._names()), PATIENCE)
        self.start(directory)

    def _asked(self, directory: Directory) -> bool:
        deployment = self._deployment()
        status, wanted = deployment.get("status", {}), deployment["spec"]["replicas"]
        counts = [status.get(count, 0) for count in ("replicas", "updatedReplicas", "readyReplicas")]
        seen = status.get("observedGeneration", 0) >= deployment["metadata"]["generation"]
        return seen and counts == [wanted] * 3 and self.pid(directory) is not None and self.ready()

    def _deployment(self) -> Object:
        answer = self.api.get(self._path)
        if not answer.ok:
            raise Failed(f"no Deployment {self.name}: {answer.message}")
        return answer.object

    def _change(self, change: Object) -> None:
        answer = self.api.merge(self._path, change)
        if not answer.ok:
            raise Failed(f"{self.name} cannot be scaled: {answer.message}")

    @property
    def _path(self) -> str:
        return f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/{self.name}"

    def _pods(self) -> list[Object]:
        """The oldest first."""
        listed = self.api.get(PODS, labelSelector=f"app.kubernetes.io/component={self.name}")
        pods = listed.object.get("items", [])
        return sorted(pods, key=lambda pod: (pod["metadata"]["creationTimestamp"], pod["metadata"]["name"]))

    def _names(self) -> set[str]:
        return {pod["metadata"]["name"] for pod in self._pods()}

    def _processes(self) -> Iterator[tuple[int, str]]:
        """Each pod's process, and the directory of its logs."""
        for pod in self._pods():
            about = pod["metadata"]
            if "deletionTimestamp" in about:
                continue
            for container in pod["status"].get("containerStatuses", []):
                identity = container.get("containerID", "").rpartition("/")[2]
                for number in cgroups.processes_of(self.identity, identity) if "running" in container["state"] else ():
                    yield number, f"{NAMESPACE}_{about['name']}_{about['uid']}"


def _attempt(log: Path) -> int:
    """The kubelet counts a container's starts in the names of its logs."""
    return int(log.stem) if log.stem.isdigit() else -1
