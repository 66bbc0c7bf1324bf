"""The dashboard is what its source says, and Prometheus understands every query in it."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from penstock.signals import series
from tests.signals.promql import metrics_of
from tools.reference import dashboard

PANELS: list[dict[str, Any]] = [p for p in dashboard.dashboard()["panels"] if p["type"] != "row"]
QUERIES = [target["expr"] for panel in PANELS for target in panel["targets"]]
FOREIGN = {"apiserver_admission_webhook_fail_open_count", "process_resident_memory_bytes", "vector"}
"""Not ours: the API server's, the client library's, and a function."""


def test_the_file_is_what_the_source_says() -> None:
    """`make reference` writes it."""
    assert json.loads(dashboard.FILE.read_text()) == json.loads(dashboard.text())


def test_prometheus_understands_every_query(tmp_path: Path) -> None:
    """As rules, for that is the form in which promtool parses an expression. Grafana's variables are filled in."""
    if shutil.which("promtool") is None:
        pytest.skip("needs the Debian package prometheus")
    rules = [
        {"record": f"panel:query:{i}", "expr": query.replace("$namespace", "shop").replace("$rollout", ".*")}
        for i, query in enumerate(QUERIES)
    ]
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    done = subprocess.run(["promtool", "check", "rules", "rules.yaml"], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_asks_only_for_metrics_that_exist(query: str) -> None:
    """A panel without data looks like one where all is well."""
    known = {name for s in (*series.CONTROLLER, *series.WEBHOOK) for name in s.exposed}
    asked = metrics_of(query)
    assert asked
    assert asked - known - FOREIGN == set()


def test_panels_do_not_lie_on_each_other() -> None:
    """Grafana would move them, and then want to save."""
    taken = [
        (x, y)
        for panel in PANELS
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(taken) == len(set(taken))
    assert max(x for x, _ in taken) < dashboard.WIDTH
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)
