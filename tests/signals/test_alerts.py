"""Every alert fires on what it is for, after the time it names, and stays silent otherwise; by promtool, on Prometheus'
own evaluation."""

import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from penstock.signals import series
from tests.signals.promql import metrics_of

FILE = Path(__file__).parents[2] / "deploy" / "monitoring" / "alerts.yaml"
SPEC: dict[str, Any] = yaml.safe_load(FILE.read_text())["spec"]
RULES: dict[str, dict[str, Any]] = {rule["alert"]: rule for group in SPEC["groups"] for rule in group["rules"]}

WEB = 'namespace="shop",name="web"'
FAIL_OPEN = (
    'apiserver_admission_webhook_fail_open_count{job="a",instance="b",name="workloads.penstock.dev",type="admit"}'
)
ALIVE = 'process_start_time_seconds{job="a",instance="b"}'
FOREIGN = 'apiserver_admission_webhook_fail_open_count{job="a",instance="b",name="other.example",type="admit"}'


@dataclass(frozen=True)
class Drill:
    """Series a minute apart, and what is to be seen of one alert: silence at one time, the alert at another."""

    alert: str
    values: Mapping[str, str]
    fires: str
    silent: str
    summary: str
    labels: Mapping[str, str] = field(default_factory=dict)


ROLLOUT = {"namespace": "shop", "name": "web"}

DRILLS = (
    Drill(
        "PenstockExposureExceeded",
        {
            f"penstock_rollout_exposed_pods{{{WEB}}}": "1x4 3x20",
            f"penstock_rollout_allowed_pods{{{WEB}}}": "1x30",
            f'penstock_rollout_phase{{{WEB},phase="Retreating"}}': "0x15 1x15",
        },
        fires="8m",
        silent="6m",
        summary="shop/web: 3 pods run the new version, more than the step allows",
        labels=ROLLOUT,
    ),
    Drill(
        "PenstockExposureExceeded",  # a retreat that is under way is no news
        {
            f"penstock_rollout_exposed_pods{{{WEB}}}": "3x30",
            f"penstock_rollout_allowed_pods{{{WEB}}}": "0x30",
            f'penstock_rollout_phase{{{WEB},phase="Retreating"}}': "1x15 0x15",
        },
        fires="20m",
        silent="15m",
        summary="shop/web: 3 pods run the new version, more than the step allows",
        labels=ROLLOUT,
    ),
    Drill(
        "PenstockRolloutStuck",
        {
            f"penstock_rollout_paused_seconds{{{WEB}}}": "0+60x60",
            f"penstock_rollout_longest_stay_seconds{{{WEB}}}": "600x60",
            f'penstock_rollout_phase{{{WEB},phase="Rejected"}}': "0x60",
        },
        fires="26m",
        silent="25m",
        summary="shop/web: held for 26m 0s, twice its longest stay",
        labels=ROLLOUT,
    ),
    Drill(
        "PenstockRolloutStuck",  # a rejected release waits for a person, who has been told
        {
            f"penstock_rollout_paused_seconds{{{WEB}}}": "0+60x60",
            f"penstock_rollout_longest_stay_seconds{{{WEB}}}": "600x60",
            f'penstock_rollout_phase{{{WEB},phase="Rejected"}}': "1x40 0x20",
        },
        fires="50m",
        silent="40m",
        summary="shop/web: held for 50m 0s, twice its longest stay",
        labels=ROLLOUT,
    ),
    Drill(
        "PenstockWindowOpen",
        {f"penstock_rollout_window_open_seconds{{{WEB}}}": "0+60x10"},
        fires="4m",
        silent="3m",
        summary="shop/web: a window has been open for 4m 0s",
        labels=ROLLOUT,
    ),
    Drill(
        "PenstockInconclusive",  # another word for the same want is no new beginning
        {
            f'penstock_rollout_reason{{{WEB},reason="NoTraffic"}}': "1x8 stale",
            f'penstock_rollout_reason{{{WEB},reason="Inconclusive"}}': "_x8 1x20",
        },
        fires="15m",
        silent="14m",
        summary="shop/web: the checks have no verdict",
        labels=ROLLOUT,
    ),
    Drill(
        "PenstockNoLeader",
        {'penstock_is_leader{pod="a"}': "1x4 0x10", 'penstock_is_leader{pod="b"}': "0x14"},
        fires="6m",
        silent="5m",
        summary="No controller leads",
    ),
    Drill(
        "PenstockNoLeader",  # no controller at all
        {'penstock_is_leader{pod="a"}': "1x4 stale"},
        fires="6m",
        silent="5m",
        summary="No controller leads",
    ),
    Drill(
        "PenstockSelfProbeFailing",
        {'penstock_selfprobe_success{pod="a"}': "1x4 0x10"},
        fires="8m",
        silent="7m",
        summary="The webhook does not answer as the API server calls it",
        labels={"pod": "a"},
    ),
    Drill(
        "PenstockCertificateExpires",
        {
            'penstock_cert_not_after_seconds{role="leaf"}': "605400x30",
            'penstock_cert_not_after_seconds{role="ca"}': "0x30",
        },
        fires="16m",
        silent="14m",
        summary="The certificate of role leaf ends in 6d 23h 54m 0s",
        labels={"role": "leaf"},
    ),
    Drill(
        "PenstockFailedOpen",  # the first call that fails makes the series
        {FAIL_OPEN: "_x19 1x20", ALIVE: "0x40", FOREIGN: "0+1x40"},
        fires="21m",
        silent="18m",
        summary="The API server went on without the webhook workloads.penstock.dev",
        labels={"job": "a", "instance": "b", "name": "workloads.penstock.dev", "type": "admit"},
    ),
    Drill(
        "PenstockFailedOpen",  # known failures of another day, and then one more
        {FAIL_OPEN: "5x19 6x20", ALIVE: "0x40"},
        fires="21m",
        silent="19m",
        summary="The API server went on without the webhook workloads.penstock.dev",
        labels={"job": "a", "instance": "b", "name": "workloads.penstock.dev", "type": "admit"},
    ),
    Drill(
        "PenstockFailedOpen",  # a Prometheus that has only begun to look knows nothing of when
        {FAIL_OPEN: "5x9 6x20", ALIVE: "0x29"},
        fires="11m",
        silent="8m",
        summary="The API server went on without the webhook workloads.penstock.dev",
        labels={"job": "a", "instance": "b", "name": "workloads.penstock.dev", "type": "admit"},
    ),
    Drill(
        "PenstockMissedAdmission",
        {'penstock_missed_admissions_total{what="resume"}': "0x4 1x20"},
        fires="6m",
        silent="4m",
        summary="A change (resume) of an active rollout did not pass through the webhook",
        labels={"what": "resume"},
    ),
    Drill(
        "PenstockRelistStorm",  # one rollout has three watches; new rollouts list too
        {
            'penstock_watch_relists_total{reason="gone"}': "0x10 0+6x40",
            'penstock_watch_relists_total{reason="start"}': "0+20x50",
            "penstock_rollouts_active": "1x50",
        },
        fires="30m",
        silent="10m",
        summary="Every watch is listed anew more often than once in two minutes",
    ),
    Drill(
        "PenstockErrors",
        {'penstock_errors_total{kind="bug"}': "0x4 1x20", 'penstock_errors_total{kind="conflict"}': "0+1x24"},
        fires="6m",
        silent="4m",
        summary="The controller has met an error of its own",
        labels={"kind": "bug"},
    ),
    Drill(
        "PenstockNotificationsFail",
        {
            'penstock_notifications_total{target="chat",kind="held",result="failed"}': "0x4 1x40",
            'penstock_notifications_total{target="chat",kind="held",result="sent"}': "0+1x44",
        },
        fires="6m",
        silent="4m",
        summary="Messages to chat were not sent (failed)",
        labels={"target": "chat", "kind": "held", "result": "failed"},
    ),
)


def expected(drill: Drill) -> dict[str, Any]:
    """The alert as it fires."""
    rule = RULES[drill.alert]
    annotations = {**rule["annotations"], "summary": drill.summary}
    return {"exp_labels": {**rule["labels"], **drill.labels}, "exp_annotations": annotations}


def unit(drill: Drill) -> dict[str, Any]:
    """One test in promtool's language."""
    at = [(drill.silent, []), (drill.fires, [expected(drill)])]
    return {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in drill.values.items()],
        "alert_rule_test": [{"eval_time": t, "alertname": drill.alert, "exp_alerts": found} for t, found in at],
    }


def test_every_alert_fires_and_stays_silent(tmp_path: Path) -> None:
    """An alert that nobody has seen fire is a wish."""
    if shutil.which("promtool") is None:
        pytest.skip("needs the Debian package prometheus")
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(SPEC))
    tests = {"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": [unit(drill) for drill in DRILLS]}
    (tmp_path / "tests.yaml").write_text(yaml.safe_dump(tests, sort_keys=False))
    done = subprocess.run(["promtool", "test", "rules", "tests.yaml"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert {drill.alert for drill in DRILLS} == set(RULES)


@pytest.mark.parametrize("alert", RULES)
def test_an_alert_asks_only_for_metrics_that_exist(alert: str) -> None:
    """A renamed metric would silence it for ever."""
    known = {name for s in (*series.CONTROLLER, *series.WEBHOOK) for name in s.exposed}
    foreign = {"apiserver_admission_webhook_fail_open_count", "process_start_time_seconds"}
    asked = metrics_of(RULES[alert]["expr"])
    assert asked
    assert asked - known - foreign == set()


@pytest.mark.parametrize("alert", RULES)
def test_an_alert_says_what_to_do(alert: str) -> None:
    """Also in the guide, by its name."""
    guide = Path(__file__).parents[2] / "docs" / "guide" / "signals.md"
    assert set(RULES[alert]["annotations"]) == {"summary", "description"}
    assert alert in guide.read_text()
