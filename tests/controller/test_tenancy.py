"""Two tenants with Deployments, ReplicaSets and labels of the same names: what is asked for one never names the other.

The tenant `red` tries: owner references that point to the other's objects, matchers that name its namespace.
"""

import re
import time
from typing import Any, cast

import pytest

from controller.judge import Judge
from controller.observe import Watcher
from controller.sources.choice import Sources
from controller.sources.pods import Pods
from controller.telemetry import Telemetry
from penstock.core import keys
from penstock.core.record import encode
from penstock.kube import Client, objects
from tests.core.shop import NOW, Object, noted, record, rolling, template
from tests.sources.servers import prometheus
from tests.sources.test_prometheus import answering

ERRORS = 'http_requests_total{namespace="blue",pod=~".*",code="500"} / http_requests_total{namespace=~".*"}'
SLOW = 'duration_seconds{namespace!="red"} > 250ms'
LIMIT = 'max(queue{namespace="{{ namespace }}",pod=~"{{ old }}|{{ new }}"}) < 5'


class Town:
    """Both namespaces, and which paths were asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.objects = {tenant: _of(tenant) for tenant in ("blue", "red")}

    async def get(self, path: str, **_: Any) -> Object:
        self.asked.append(path)
        for tenant, (deployment, sets, pods) in self.objects.items():
            known: dict[str, Object] = {
                objects.deployment(tenant, "web"): deployment,
                objects.replicasets(tenant): {"items": sets},
                objects.pods(tenant): {"items": pods},
                objects.namespace(tenant): {"metadata": {"labels": {keys.ENABLED: "true"}}},
            }
            if path in known:
                return known[path]
        raise AssertionError(path)


def _of(tenant: str) -> tuple[Object, list[Object], list[Object]]:
    other = {"blue": "red", "red": "blue"}[tenant]
    known = record(uid=f"{tenant}-web")
    obj = noted(rolling(known), errors=ERRORS, slow=SLOW, warmup="1s", source="prometheus")
    obj = noted(obj, record=encode(known), **{"limit.queue": LIMIT})
    obj["metadata"] |= {"namespace": tenant, "uid": f"{tenant}-web"}
    obj["spec"]["selector"] = {"matchLabels": {"app": "web"}}
    sets = [_set(tenant, "v1", f"{tenant}-web"), _set(tenant, "v2", f"{tenant}-web")]
    pods = [_pod(tenant, f"{tenant}-old-{n}", f"{tenant}-v1") for n in range(10)]
    pods.append(_pod(tenant, f"{tenant}-new", f"{tenant}-v2"))
    if tenant == "red":  # claims to belong to the other
        sets.append(_set(tenant, "v3", f"{other}-web"))
        pods += [_pod(tenant, "red-claims-old", f"{other}-v1"), _pod(tenant, "red-claims-new", f"{other}-v2")]
    return obj, sets, pods


def _set(tenant: str, version: str, owner: str) -> Object:
    size = 10 if version == "v1" else 1
    return {
        "metadata": {
            "name": f"web-{version}",
            "namespace": tenant,
            "uid": f"{tenant}-{version}",
            "creationTimestamp": f"2026-11-25T12:00:0{version[1]}Z",
            "ownerReferences": [{"uid": owner, "controller": True}],
        },
        "spec": {"replicas": size, "template": template(version)},
        "status": {"replicas": size, "readyReplicas": size, "availableReplicas": size},
    }


def _pod(tenant: str, name: str, owner: str) -> Object:
    ready = {"type": "Ready", "status": "True", "lastTransitionTime": "2026-11-25T12:00:10Z"}
    return {
        "metadata": {
            "name": name,
            "namespace": tenant,
            "uid": name,
            "labels": {"app": "web"},
            "creationTimestamp": "2026-11-25T12:00:05Z",
            "ownerReferences": [{"uid": owner, "controller": True}],
        },
        "status": {"podIP": "10.0.0.7", "conditions": [ready]},
    }


@pytest.mark.parametrize(("tenant", "other"), [("blue", "red"), ("red", "blue")])
async def test_one_tenants_names_are_in_no_question_about_another(
    tenant: str, other: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Paths of the API server, and PromQL: every selector is kept to this namespace and to these pods, whatever else
    its author has written beside that."""
    monkeypatch.setattr(time, "time", lambda: NOW)
    town, queries = Town(), list[str]()
    client = cast(Client, town)
    async with prometheus(answering(queries)) as (source, _server), Pods() as pods:
        watcher = Watcher(client, town.objects[tenant][0], lambda: None)
        sight = await watcher.fresh("web", 4)
        watcher._pods.items.update({objects.key(pod): pod for pod in town.objects[tenant][2]})
        await Judge(client, Sources(pods, source), Telemetry(), watcher, lambda: None)._once(sight)
    assert {path.split("/namespaces/")[1].split("/")[0] for path in town.asked} == {tenant}
    assert [rs.name for rs in sight.seen.replicasets] == ["web-v1", "web-v2"]
    assert {query.partition("{")[0] for query in queries} >= {"http_requests_total", "max(queue"}
    for query in queries:
        assert f"{other}-" not in query
        assert "claims" not in query
        if "max(queue" not in query:
            own = query.partition("{")[2]
            assert re.match(
                rf'namespace=~"{tenant}",pod=~"({tenant}-new\|)?{tenant}-old-0\|', own
            )  # or the hour before
    limit = next(query for query in queries if "max(queue" in query)
    old = "|".join(f"{tenant}-old-{n}" for n in range(10))
    assert limit == f'max(queue{{namespace="{tenant}",pod=~"{old}|{tenant}-new"}})'
