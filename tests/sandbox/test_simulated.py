"""Simulated pods do what the label on their template says, as a kubelet would report it."""

import datetime
import time
from collections.abc import Callable
from typing import Any

import pytest

from sandbox.api import Api
from sandbox.cluster import Sandbox
from tests.sandbox.conftest import administrator

pytestmark = pytest.mark.cluster

PREFIX = "sandbox.penstock.dev/"
PODS = "/api/v1/namespaces/default/pods"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"


@pytest.fixture(scope="module")
def api(simulated: Sandbox) -> Api:
    """With ServiceAccounts there, without which no pod is admitted."""
    client = administrator(simulated)
    wait(lambda: client.get("/api/v1/namespaces/default/serviceaccounts/default").ok)
    return client


def wait(holds: Callable[[], bool], patience: float = 15) -> None:
    """Until it holds."""
    deadline = time.monotonic() + patience
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def pod(api: Api, name: str, behaviour: str, node: str = "simulated-1", **annotations: str) -> None:
    """A pod with a behaviour and times."""
    metadata = {
        "name": name,
        "labels": {f"{PREFIX}behaviour": behaviour},
        "annotations": {f"{PREFIX}{key.replace('_', '-')}": value for key, value in annotations.items()},
    }
    spec = {"nodeName": node, "containers": [{"name": "web", "image": "web:1"}]}
    assert api.create(PODS, {"metadata": metadata, "spec": spec}).status == 201


def seen(api: Api, name: str) -> tuple[str, str, int, str]:
    """(Ready, the container's state with its reason, restarts, how it ended the time before)."""
    status = api.get(f"{PODS}/{name}").object.get("status", {})
    ready = next((c["status"] for c in status.get("conditions", []) if c["type"] == "Ready"), "")
    if not status.get("containerStatuses"):
        return ready, "", 0, ""
    container = status["containerStatuses"][0]
    ((state, more),) = container["state"].items()
    last = container.get("lastState", {}).get("terminated", {})
    ended = f"{last['reason']} {last['exitCode']}" if last else ""
    return ready, f"{state} {more.get('reason', '')}".strip(), container["restartCount"], ended


def history(api: Api, name: str, length: int) -> list[Any]:
    """The first LENGTH different sights of a pod."""
    sights: list[Any] = []

    def enough() -> bool:
        sight = seen(api, name)
        if sight[1] and (not sights or sights[-1] != sight):
            sights.append(sight)
        return len(sights) >= length

    wait(enough)
    return sights[:length]


QUICK = {"ready_after": "200ms", "after": "600ms", "back_off": "600ms", "unready_for": "600ms"}

HISTORIES: dict[str, list[tuple[str, str, int, str]]] = {
    "ok": [("True", "running", 0, "")],
    "slow": [("True", "running", 0, "")],
    "never-ready": [("False", "running", 0, "")],
    "image-pull-failure": [("False", "waiting ErrImagePull", 0, ""), ("False", "waiting ImagePullBackOff", 0, "")],
    "crash-loop": [
        ("False", "running", 0, ""),
        ("False", "terminated Error", 0, ""),
        ("False", "running", 1, "Error 1"),
        ("False", "terminated Error", 1, "Error 1"),
        ("False", "waiting CrashLoopBackOff", 1, "Error 1"),
        ("False", "running", 2, "Error 1"),
    ],
    "crash-after": [
        ("True", "running", 0, ""),
        ("False", "terminated Error", 0, ""),
        ("False", "running", 1, "Error 1"),
        ("True", "running", 1, "Error 1"),
        ("False", "terminated Error", 1, "Error 1"),
        ("False", "waiting CrashLoopBackOff", 1, "Error 1"),
    ],
    "oom": [
        ("True", "running", 0, ""),
        ("False", "terminated OOMKilled", 0, ""),
        ("False", "running", 1, "OOMKilled 137"),
    ],
    "flap": [
        ("True", "running", 0, ""),
        ("False", "running", 0, ""),
        ("True", "running", 0, ""),
        ("False", "running", 0, ""),
    ],
}


@pytest.mark.parametrize("behaviour", HISTORIES)
def test_a_behaviour_is_the_sequence_of_states_a_kubelet_would_report(api: Api, behaviour: str) -> None:
    """Penstock judges pods by exactly these fields."""
    pod(api, behaviour, behaviour, **QUICK)

    expected = HISTORIES[behaviour]
    assert history(api, behaviour, len(expected)) == expected


def test_a_behaviour_can_be_bound_to_some_nodes(api: Api) -> None:
    """A fault of one node must be told from a fault of the release."""
    for node in ("simulated-1", "simulated-2"):
        pod(api, f"on-{node}", "never-ready", node, ready_after="100ms", nodes="simulated-2,simulated-9")

    wait(lambda: all(seen(api, f"on-simulated-{n}")[1] for n in (1, 2)))
    assert [seen(api, f"on-simulated-{n}")[0] for n in (1, 2)] == ["True", "False"]


def test_a_behaviour_can_begin_later_in_pods_that_run(api: Api) -> None:
    """A release that is good for some time and then is not is what the steps after the first one are for."""
    moment = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=3)
    start = moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    for behaviour in ("crash-after", "never-ready"):
        pod(api, f"later-{behaviour}", behaviour, ready_after="100ms", **{"from": start})

    wait(lambda: all(seen(api, f"later-{each}")[0] == "True" for each in ("crash-after", "never-ready")), 2)
    wait(lambda: seen(api, "later-crash-after")[1] == "terminated Error")
    wait(lambda: seen(api, "later-never-ready")[0] == "False")
    assert datetime.datetime.now(datetime.UTC) > moment.replace(microsecond=0)


def test_a_deployment_becomes_available_and_its_pods_end_at_once(api: Api) -> None:
    """Scheduler, Deployment and ReplicaSet controller are the real ones, over both nodes."""
    labels = {"app": "web"}
    spec = {
        "replicas": 4,
        "selector": {"matchLabels": labels},
        "template": {
            "metadata": {"labels": labels},
            "spec": {"containers": [{"name": "web", "image": "web:1"}]},
        },
    }
    api.create(DEPLOYMENTS, {"metadata": {"name": "web"}, "spec": spec})
    wait(lambda: api.get(f"{DEPLOYMENTS}/web").object["status"].get("availableReplicas") == 4)
    pods = api.get(PODS, labelSelector="app=web").object["items"]
    assert {each["spec"]["nodeName"] for each in pods} == {"simulated-1", "simulated-2"}
    assert len({each["status"]["podIP"] for each in pods}) == 4

    api.merge(f"{DEPLOYMENTS}/web", {"spec": {"replicas": 0}})
    wait(lambda: not api.get(PODS, labelSelector="app=web").object["items"], 3)
