"""The manifest of the demo, and the numbers that were worked out from it by hand."""

import copy
import math
from statistics import NormalDist
from typing import Any

import pytest
import yaml

from penstock.core import keys, queries
from penstock.core.exposure import budget, exposures
from penstock.core.plan import Plan, plan
from penstock.kube import Client
from sandbox.demo.app import BOUNDS, Settings
from sandbox.demo.releases import CAP, FIRST, FLOOR, RELEASES, REPLICAS, STEPS, Release, playable
from sandbox.demo.shop import MANIFEST, Shop
from sandbox.demo.traffic import SLOW

NOBODY: Client = None  # type: ignore[assignment]  # manifests are made without a cluster


def deployment() -> Any:
    return list(yaml.safe_load_all(MANIFEST.read_text()))[2]


def test_what_runs_already_is_the_manifest_as_it_stands() -> None:
    """The demo shows a plain Deployment, so it must not touch it."""
    assert Shop(NOBODY, simulated=False).manifest(FIRST) == deployment()


def test_simulated_pods_are_not_asked_for_metrics() -> None:
    """There is nobody to ask, and a check without data would hold every release."""
    manifest = Shop(NOBODY, simulated=True).manifest(FIRST)
    assert set(deployment()["metadata"]["annotations"]) == {keys.ERRORS, keys.SLOW, keys.MAX_IMPACT}
    assert manifest == deployment() | {"metadata": deployment()["metadata"] | {"annotations": {}}}


@pytest.mark.parametrize("simulated", [False, True])
@pytest.mark.parametrize("release", RELEASES)
def test_a_release_changes_nothing_but_its_template(release: Release, simulated: bool) -> None:
    """Strategy, replicas and annotations stay the user's."""
    shop = Shop(NOBODY, simulated=simulated)
    manifest, first = shop.manifest(release), shop.manifest(FIRST)
    changed = copy.deepcopy(manifest)
    changed["spec"]["template"] = first["spec"]["template"]
    assert changed == first
    assert manifest["spec"]["template"] != first["spec"]["template"]
    assert "strategy" not in manifest["spec"]


def environment(release: Release) -> dict[str, str]:
    manifest = Shop(NOBODY, simulated=False).manifest(release)
    return {v["name"]: v["value"] for v in manifest["spec"]["template"]["spec"]["containers"][0]["env"]}


def test_a_bad_release_is_told_what_is_wrong_with_it_and_nothing_else() -> None:
    """Errors, tail and crash each alone: a check must not be helped by another fault."""
    usual = {"DELAY": "0.128", "SPREAD": "0.25"}
    assert [environment(release) for release in RELEASES] == [
        {"VERSION": "v2", **usual},
        {"VERSION": "v3", **usual, "ERROR_RATE": "0.05"},
        {"VERSION": "v4", **usual, "TAIL": "1.3"},
        {"VERSION": "v5", **usual, "CRASH_AFTER": "5"},
        {"VERSION": "v6", **usual},
    ]
    for release in RELEASES:
        Settings.of(environment(release))  # raises for what the application would not understand


def test_simulated_pods_crash_by_kwok_and_are_spared_what_only_answers_can_show() -> None:
    """A release whose errors nobody can see would be promoted, and rightly so."""
    assert [release.version for release in playable(real=False)] == ["v2", "v5", "v6"]
    assert playable(real=True) == RELEASES
    crashing = Shop(NOBODY, simulated=True).manifest(RELEASES[3])["spec"]["template"]["metadata"]
    usual = deployment()["spec"]["template"]["metadata"]
    assert crashing == {
        "labels": {"app": "web", "sandbox.penstock.dev/behaviour": "crash-after"},
        "annotations": {**usual["annotations"], "sandbox.penstock.dev/after": "5s"},
    }


def test_a_slower_tail_makes_fourteen_times_as_many_answers_late() -> None:
    """The judge's time depends on it: with more old slow answers a pass, with fewer new ones a failure takes longer."""
    good, bad = Settings.of(environment(RELEASES[0])), Settings.of(environment(RELEASES[2]))
    bound, normal = SLOW, NormalDist()

    def late(settings: Settings) -> float:
        return 1 - normal.cdf(math.log(bound / settings.delay / settings.tail) / settings.spread)

    assert (late(good), late(bad)) == (pytest.approx(0.0037, abs=0.0001), pytest.approx(0.052, abs=0.001))
    found = plan(deployment()["metadata"]["annotations"]).checks[1].query
    assert isinstance(found, queries.Slow)
    assert found.bound == bound
    assert bound in BOUNDS


def test_the_numbers_worked_out_by_hand_are_those_of_the_defaults() -> None:
    """The demo judges by its own numbers; here, and only here, they meet Penstock's arithmetic."""
    limits = budget(None, None, REPLICAS)
    assert deployment()["spec"]["replicas"] == REPLICAS
    assert (REPLICAS - limits.unavailable, REPLICAS + limits.surge) == (FLOOR, CAP)
    assert tuple(exposure.pods for exposure in exposures(Plan().steps, REPLICAS, limits.surge)) == STEPS
