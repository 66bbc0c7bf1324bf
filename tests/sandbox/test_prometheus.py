"""The sandbox's Prometheus sees its pods, and what the judge reads there is what the pods say themselves."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from penstock.core.queries import errors, slow
from penstock.core.reading import Counters, Reading
from penstock.metrics.configuration import Prometheus as Settings
from penstock.metrics.prometheus import Prometheus
from penstock.metrics.source import Target
from sandbox import packages
from sandbox.api import Api
from sandbox.cluster import Sandbox
from sandbox.image import dev
from sandbox.spec import Spec
from tests.sandbox.conftest import administrator, command, running

pytestmark = pytest.mark.real

PODS = "/api/v1/namespaces/default/pods"
CHECKS = (errors('http_requests_total{code=~"5.."} / http_requests_total'), slow("http_request_duration_seconds > 5ms"))

SCRAPE = """
import asyncio, json, sys
from controller.sources.pods import Pods
from penstock.metrics.source import Target
from penstock.core.queries import errors, slow
CHECKS = (errors('http_requests_total{code=~"5.."} / http_requests_total'), slow("http_request_duration_seconds > 5ms"))
async def main():
    async with Pods() as source:
        pods = [Target.of(pod, True) for pod in json.load(sys.stdin)]
        said = await source.read(CHECKS, pods)
        print(json.dumps([{n: [dict(c.all), dict(c.bad)] for n, c in r.pods.items()} for r in said]))
asyncio.run(main())
"""
TRAFFIC = """
import sys, urllib.error, urllib.request
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
for url in sys.argv[1:]:
    for _ in range(50):
        try: opener.open(url, timeout=5).read()
        except urllib.error.HTTPError: pass
"""


@pytest.fixture(scope="module")
def watched(real_pods: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A real node and a Prometheus."""
    if packages.missing(packages.MONITORING):
        pytest.skip("needs the Debian package prometheus")
    spec = Spec(1, 0, penstock=False, prometheus=True)
    yield from running(Sandbox(tmp_path_factory.mktemp("watched") / "sandbox"), spec)


def wait(holds: Callable[[], bool], patience: float = 45) -> None:
    """Until it holds."""
    deadline = time.monotonic() + patience
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.5)


def start(api: Api, name: str) -> dict[str, Any]:
    """The demo's application, failing now and then; returned when it is ready."""
    container = {
        "name": "web",
        "image": dev.REFERENCE,
        "imagePullPolicy": "Never",
        "command": ["python3", "/app/sandbox/demo/app.py"],
        "env": [{"name": "ERROR_RATE", "value": "0.2"}, {"name": "DRAIN", "value": "0"}],
        "ports": [{"name": "http", "containerPort": 8080}],
        "readinessProbe": {"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 1},
    }
    metadata = {"name": name, "annotations": {"prometheus.io/scrape": "true", "prometheus.io/port": "8080"}}
    wait(lambda: api.get("/api/v1/namespaces/default/serviceaccounts/default").ok)
    spec = {"containers": [container], "terminationGracePeriodSeconds": 1}
    assert api.create(PODS, {"metadata": metadata, "spec": spec}).ok
    wait(lambda: "True" in [c["status"] for c in conditions(api, name) if c["type"] == "Ready"])
    return api.get(f"{PODS}/{name}").object


def conditions(api: Api, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = api.get(f"{PODS}/{name}").object["status"].get("conditions", [])
    return found


def bare(counters: Counters) -> list[dict[str, float]]:
    """Without `instance`, which pods themselves do not say."""
    return [
        {",".join(part for part in key.split(",") if not part.startswith("instance=")): v for key, v in found.items()}
        for found in (counters.all, counters.bad)
    ]


def asked(sandbox: Sandbox, pods: Sequence[dict[str, Any]], since: float = 0) -> tuple[Reading, ...]:
    """What the judge would read at the sandbox's Prometheus; with SINCE, the history of its first check."""
    targets = [Target.of(pod, True) for pod in pods]

    async def ask() -> tuple[Reading, ...]:
        async with Prometheus(Settings(url=sandbox.prometheus, lookback=20)) as source:
            return await (source.history(CHECKS[0], targets, since, 2) if since else source.read(CHECKS, targets))

    return asyncio.run(ask())


def scraped(sandbox: Sandbox, pods: Sequence[dict[str, Any]]) -> list[Any]:
    """What the judge would read at the pods, from within their network."""
    called = [sys.executable, "-m", "sandbox", "exec", "--directory", str(sandbox.directory), "--", sys.executable]
    done = subprocess.run([*called, "-c", SCRAPE], input=json.dumps(pods), capture_output=True, text=True, check=True)
    found: list[Any] = json.loads(done.stdout)
    return found


def test_prometheus_and_the_pods_say_the_same(watched: Sandbox) -> None:
    """Exactly, series by series: one source's rounding or extrapolation would be evidence of nothing. And a pod that
    was deleted is not known any more, but its counts still are."""
    api, began = administrator(watched), time.time()
    pods = [start(api, "web-a"), start(api, "web-b")]
    urls = [f"http://{pod['status']['podIP']}:8080/" for pod in pods]
    assert command(watched.directory, "exec", "--", sys.executable, "-c", TRAFFIC, *urls).returncode == 0
    own = scraped(watched, pods)
    assert [sum(sum(pod[0].values()) for pod in check.values()) for check in own] == [100.0, 100.0]

    def read() -> list[Any]:
        return [{name: bare(c) for name, c in reading.pods.items()} for reading in asked(watched, pods)]

    wait(lambda: read() == own)

    assert api.ask("DELETE", f"{PODS}/web-b", {"gracePeriodSeconds": 1}).ok
    wait(lambda: [list(reading.pods) for reading in asked(watched, pods)] == [["web-a"], ["web-a"]])
    history = asked(watched, pods, began)
    assert {r.trouble for r in history} == {""}
    last = {name: bare(c) for reading in history for name, c in reading.pods.items()}
    assert last == own[0]


def test_it_can_be_stopped_and_restarted(watched: Sandbox) -> None:
    """An outage of the metrics is one of the demo's and the tests' favourites."""
    assert command(watched.directory, "stop", "prometheus").returncode == 0
    (reading, _) = asked(watched, [{"metadata": {"namespace": "default", "name": "web-a"}}])
    assert reading.trouble == "Prometheus: the answer broke off or is no HTTP"  # the forwarder has hung up
    assert "prometheus                dead" in command(watched.directory, "status").stdout
    assert command(watched.directory, "restart", "prometheus").returncode == 0
    (reading, _) = asked(watched, [{"metadata": {"namespace": "default", "name": "web-a"}}])
    assert reading.trouble == ""
