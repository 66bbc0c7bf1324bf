"""The Grafana dashboard, from rows of panels in PromQL: forty lines of JSON for each panel are nobody's to edit."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

FILE = Path(__file__).parents[2] / "deploy" / "monitoring" / "dashboard.json"
WIDTH = 24
SOURCE = {"type": "prometheus", "uid": "${datasource}"}

OF_ROLLOUT = 'namespace=~"$namespace",name=~"$rollout"'
EACH = "{{namespace}}/{{name}}"
ASKED = 'reason=~"AwaitingApproval|Inconclusive|HeldAfterFailure"'


def quantile_of(histogram: str, quantile: float) -> str:
    """Of the last five minutes, over all replicas."""
    return f"histogram_quantile({quantile}, sum by (le) (rate({histogram}_bucket[5m])))"


@dataclass(frozen=True)
class Panel:
    """One picture: its queries by their legend."""

    title: str
    queries: Mapping[str, str]
    unit: str = "short"
    kind: str = "timeseries"
    text: str = ""


ROWS: Mapping[str, tuple[Panel, ...]] = {
    "Now": (
        Panel("Active rollouts", {"": "sum(penstock_rollouts_active)"}, kind="stat"),
        Panel(
            "Rejected",
            {"": 'count(penstock_rollout_phase{phase="Rejected"} == 1) or vector(0)'},
            kind="stat",
            text="Taken back and not followed by another version yet.",
        ),
        Panel(
            "Waiting for a person",
            {"": f"count(penstock_rollout_reason{{{ASKED}}}) or vector(0)"},
            kind="stat",
        ),
        Panel("Leader", {"": "sum(penstock_is_leader)"}, kind="stat"),
        Panel("Webhook answers", {"": "max(penstock_selfprobe_success)"}, kind="stat"),
        Panel(
            "Certificate ends in", {"{{role}}": "min by (role) (penstock_cert_not_after_seconds) - time()"}, "s", "stat"
        ),
    ),
    "Rollouts": (
        Panel(
            "Pods of the new version",
            {
                f"{EACH} runs": f"penstock_rollout_exposed_pods{{{OF_ROLLOUT}}}",
                f"{EACH} allowed": f"penstock_rollout_allowed_pods{{{OF_ROLLOUT}}}",
            },
            text="What runs is never more than what the step allows.",
        ),
        Panel("Share of the new version", {EACH: f"penstock_rollout_exposed_ratio{{{OF_ROLLOUT}}}"}, "percentunit"),
        Panel("Step", {EACH: f"penstock_rollout_step{{{OF_ROLLOUT}}}"}),
        Panel("Held for", {EACH: f"penstock_rollout_paused_seconds{{{OF_ROLLOUT}}}"}, "s"),
        Panel("Ends in an hour", {"{{reason}}": "sum by (reason) (increase(penstock_rollouts_ended_total[1h]))"}),
        Panel("Reasons", {"{{reason}}": "count by (reason) (penstock_rollout_reason)"}),
    ),
    "Checks": (
        Panel(
            "Evidence against the release",
            {
                f"{EACH} {{{{check}}}}": f"penstock_check_evidence{{{OF_ROLLOUT}}}",
                f"{EACH} {{{{check}}}} needed": f"penstock_check_evidence_needed{{{OF_ROLLOUT}}}",
            },
        ),
        Panel(
            "Bad requests, of all",
            {
                f"{EACH} {{{{check}}}} {{{{version}}}}": f"penstock_check_bad_requests{{{OF_ROLLOUT}}} "
                f"/ (penstock_check_requests{{{OF_ROLLOUT}}} > 0)"
            },
            "percentunit",
        ),
        Panel("What checks say", {"{{result}}": "sum by (result) (rate(penstock_check_total[5m]))"}, "ops"),
    ),
    "Webhook": (
        Panel(
            "Reviews",
            {"{{decision}}": "sum by (decision) (rate(penstock_admission_requests_total[5m]))"},
            "reqps",
        ),
        Panel(
            "Time of a review",
            {
                share: quantile_of("penstock_admission_duration_seconds", quantile)
                for share, quantile in (("half", 0.5), ("99 %", 0.99))
            },
            "s",
        ),
        Panel(
            "The API server went on without it",
            {"{{name}}": 'rate(apiserver_admission_webhook_fail_open_count{name=~".+[.]penstock[.]dev"}[5m])'},
            "ops",
        ),
    ),
    "Controller": (
        Panel(
            "From event to decision, 99 %",
            {"": quantile_of("penstock_decision_lag_seconds", 0.99)},
            "s",
        ),
        Panel("Writes", {"{{verb}} {{code}}": "sum by (verb, code) (rate(penstock_writes_total[5m]))"}, "ops"),
        Panel("Lists of watches", {"{{reason}}": "sum by (reason) (rate(penstock_watch_relists_total[5m]))"}, "ops"),
        Panel("Failed looks", {"{{kind}}": "sum by (kind) (rate(penstock_errors_total[5m]))"}, "ops"),
        Panel(
            "Notifications",
            {"{{target}} {{result}}": "sum by (target, result) (increase(penstock_notifications_total[1h]))"},
        ),
        Panel("Memory", {"{{pod}}": 'process_resident_memory_bytes{pod=~"(controller|webhook)-.+"}'}, "bytes"),
    ),
}


def dashboard() -> dict[str, Any]:
    """All of it, as Grafana imports it."""
    return {
        "uid": "penstock",
        "title": "Penstock",
        "tags": ["penstock"],
        "schemaVersion": 39,
        "editable": True,
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": [_source(), *map(_variable, ("namespace", "rollout"))]},
        "panels": list(_panels()),
    }


def text() -> str:
    """The file."""
    return json.dumps(dashboard(), indent=1) + "\n"


def _source() -> dict[str, Any]:
    return {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus"}


def _variable(name: str) -> dict[str, Any]:
    label = "name" if name == "rollout" else name
    narrowed = '{namespace=~"$namespace"}' if name == "rollout" else ""
    query = f"label_values(penstock_rollout_step{narrowed}, {label})"
    return {
        "name": name,
        "type": "query",
        "datasource": SOURCE,
        "query": {"query": query, "refId": name},
        "refresh": 2,
        "includeAll": True,
        "multi": True,
        "current": {"text": "All", "value": "$__all"},
    }


def _panels() -> Iterator[dict[str, Any]]:
    numbers, top = count(1), 0
    for title, panels in ROWS.items():
        yield {"id": next(numbers), "type": "row", "title": title, "gridPos": _place(0, top, WIDTH, 1)}
        top += 1
        small = all(panel.kind == "stat" for panel in panels)
        columns, height = (len(panels), 4) if small else (3, 8)
        for i, panel in enumerate(panels):
            left, down = i % columns * (WIDTH // columns), i // columns * height
            yield _panel(panel, next(numbers), _place(left, top + down, WIDTH // columns, height))
        top += (len(panels) + columns - 1) // columns * height


def _panel(panel: Panel, number: int, place: dict[str, int]) -> dict[str, Any]:
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.text,
        "datasource": SOURCE,
        "gridPos": place,
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "targets": [
            {"refId": chr(ord("A") + i), "datasource": SOURCE, "expr": query, "legendFormat": legend}
            for i, (legend, query) in enumerate(panel.queries.items())
        ],
    }


def _place(x: int, y: int, w: int, h: int) -> dict[str, int]:
    return {"x": x, "y": y, "w": w, "h": h}
