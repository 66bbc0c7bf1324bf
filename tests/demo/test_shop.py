"""The manifest of the demo, and the numbers that were worked out from it by hand."""

import copy
from typing import Any

import pytest
import yaml

from penstock.core.exposure import budget, exposures
from penstock.core.plan import Plan
from penstock.kube import Client
from sandbox.demo.releases import CAP, FIRST, FLOOR, RELEASES, REPLICAS, STEPS, Release
from sandbox.demo.shop import MANIFEST, Shop

NOBODY: Client = None  # type: ignore[assignment]  # manifests are made without a cluster


def deployment() -> Any:
    return list(yaml.safe_load_all(MANIFEST.read_text()))[2]


def test_what_runs_already_is_the_manifest_as_it_stands() -> None:
    """The demo shows a plain Deployment, so it must not touch it."""
    assert Shop(NOBODY, simulated=False).manifest(FIRST) == deployment()
    assert Shop(NOBODY, simulated=True).manifest(FIRST) == deployment()


@pytest.mark.parametrize("simulated", [False, True])
@pytest.mark.parametrize("release", RELEASES)
def test_a_release_changes_nothing_but_its_template(release: Release, simulated: bool) -> None:
    """Strategy, replicas and annotations stay the user's; of Penstock there is no word in the Deployment."""
    manifest = Shop(NOBODY, simulated=simulated).manifest(release)
    changed = copy.deepcopy(manifest)
    changed["spec"]["template"] = deployment()["spec"]["template"]
    assert changed == deployment()
    assert manifest["spec"]["template"] != deployment()["spec"]["template"]
    assert "strategy" not in manifest["spec"]
    assert "penstock.dev/" not in yaml.safe_dump(manifest).replace("sandbox.penstock.dev/", "")


def test_a_bad_release_crashes_by_itself_or_by_kwok() -> None:
    """Real pods crash in the application; simulated ones as the label says."""
    _, bad, _ = RELEASES
    template = Shop(NOBODY, simulated=False).manifest(bad)["spec"]["template"]
    assert template["spec"]["containers"][0]["env"] == [
        {"name": "VERSION", "value": "v3"},
        {"name": "CRASH_AFTER", "value": "5"},
    ]
    assert template["metadata"] == {"labels": {"app": "web"}}
    assert Shop(NOBODY, simulated=True).manifest(bad)["spec"]["template"]["metadata"] == {
        "labels": {"app": "web", "sandbox.penstock.dev/behaviour": "crash-after"},
        "annotations": {"sandbox.penstock.dev/after": "5s"},
    }


def test_the_numbers_worked_out_by_hand_are_those_of_the_defaults() -> None:
    """The demo judges by its own numbers; here, and only here, they meet Penstock's arithmetic."""
    limits = budget(None, None, REPLICAS)
    assert deployment()["spec"]["replicas"] == REPLICAS
    assert (REPLICAS - limits.unavailable, REPLICAS + limits.surge) == (FLOOR, CAP)
    assert tuple(exposure.pods for exposure in exposures(Plan().steps, REPLICAS, limits.surge)) == STEPS
