"""Where a pod is asked: only at its own address, and only where it says so itself."""

from typing import Any

import pytest
from yarl import URL

from controller.sources.pods import _url
from penstock.metrics.source import Target


def pod(ip: str | None = "10.1.2.3", ports: dict[str, int] | None = None, **notes: str) -> dict[str, Any]:
    containers = [{"ports": [{"name": n, "containerPort": p} for n, p in (ports or {}).items()]}, {}]
    annotations = {f"prometheus.io/{name}": value for name, value in notes.items()}
    metadata = {"namespace": "shop", "name": "web", "annotations": annotations}
    return {"metadata": metadata, "spec": {"containers": containers}, "status": {"podIP": ip}}


PLACES = [
    (pod(scrape="true", port="8080"), "http://10.1.2.3:8080/metrics"),
    (pod(scrape="true", port="8080", path="/m?x=1", scheme="https"), "https://10.1.2.3:8080/m?x=1"),
    (pod(ports={"http": 80, "metrics": 9090}), "http://10.1.2.3:9090/metrics"),
    (pod(ports={"metrics": 9090}, scrape="true", port="1234"), "http://10.1.2.3:1234/metrics"),
    (pod(ports={"metrics": 9090}, scrape="true"), "http://10.1.2.3:9090/metrics"),
    (pod(ports={"metrics": 9090}, scrape="false"), ""),
    (pod(ip="fd00::5", scrape="true", port="80"), "http://[fd00::5]:80/metrics"),
    (pod(), ""),
    (pod(scrape="true"), ""),
    (pod(port="8080"), ""),
    (pod(ip=None, scrape="true", port="80"), ""),
    (pod(ip="", scrape="true", port="80"), ""),
    (pod(ip="127.0.0.1", scrape="true", port="80"), ""),
    (pod(ip="169.254.169.254", scrape="true", port="80"), ""),
    (pod(ip="::ffff:169.254.169.254", scrape="true", port="80"), ""),
    (pod(ip="::1", scrape="true", port="80"), ""),
    (pod(ip="0.0.0.0", scrape="true", port="80"), ""),
    (pod(ip="evil.example", scrape="true", port="80"), ""),
    (pod(ip="2130706433", scrape="true", port="80"), ""),
    (pod(scrape="true", port="0"), ""),
    (pod(scrape="true", port="65536"), ""),
    (pod(scrape="true", port="80@evil.example"), ""),
    (pod(scrape="true", port="٣"), ""),
    (pod(scrape="true", port="80", path="@evil.example/"), ""),
    (pod(scrape="true", port="80", path="http://evil.example/"), ""),
    (pod(scrape="true", port="80", path="//evil.example/x"), "http://10.1.2.3:80//evil.example/x"),
    (pod(scrape="true", port="80", path="/a\r\nHost: evil"), ""),
    (pod(scrape="true", port="80", path="/a b"), ""),
    (pod(scrape="true", port="80", path="/" + "a" * 600), ""),
    (pod(scrape="true", port="80", path="/\\evil"), ""),
    (pod(scrape="true", port="80", scheme="file"), ""),
    (pod(scrape="true", port="80", scheme="http://evil.example/?"), ""),
]


@pytest.mark.parametrize(("obj", "url"), PLACES)
def test_a_pod_is_asked_at_its_own_address_or_not_at_all(obj: dict[str, Any], url: str) -> None:
    """Annotations and status are input; the controller's requests come from a trusted place."""
    target = Target.of(obj, new=True)

    assert target.scrapeable == bool(url)
    if url:
        found = _url(target)
        assert found == URL(url, encoded=True)
        assert found.host == obj["status"]["podIP"]
