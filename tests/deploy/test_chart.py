"""The chart and the kustomization install the same objects; values change what they say and nothing else."""

import subprocess
from typing import Any

import pytest
import yaml

from sandbox import build
from sandbox.helm import helm
from tools.chart import ROOT, TEMPLATES, templates

CHART = ROOT / "deploy" / "chart"
Object = dict[str, Any]


def keyed(text: str) -> dict[tuple[str, str], Object]:
    """Objects by kind and name; webhooks in no order, and whitespace in expressions as one (parsers of YAML fold lines
    that are indented further in two ways)."""
    found = {}
    for obj in yaml.safe_load_all(text):
        if obj:
            if "webhooks" in obj:
                obj["webhooks"] = sorted(obj["webhooks"], key=lambda hook: hook["name"])
            found[obj["kind"], obj["metadata"]["name"]] = folded(obj)
    return found


def folded(value: Any) -> Any:
    """The same, with every expression in one line."""
    if isinstance(value, list):
        return [folded(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        key: " ".join(each.split()) if key == "expression" and isinstance(each, str) else folded(each)
        for key, each in value.items()
    }


def kustomized(directory: str) -> dict[tuple[str, str], Object]:
    said = subprocess.run(
        [build.binaries() / "kubectl", "kustomize", ROOT / directory], capture_output=True, text=True, check=True
    )
    return keyed(said.stdout)


def rendered(major: int, *values: str, namespace: str = "penstock-system") -> dict[tuple[str, str], Object]:
    return keyed(_template(major, *values, namespace=namespace, check=True).stdout)


def _template(
    major: int, *values: str, namespace: str = "penstock-system", check: bool = False
) -> subprocess.CompletedProcess[str]:
    command = [helm(major), "template", "penstock", CHART, "--namespace", namespace, "--kube-version", "1.37.2"]
    command += ["--set", "createNamespace=true", "--no-hooks"]
    chosen = [part for value in values for part in ("--set", value)]
    return subprocess.run([*command, *chosen], capture_output=True, text=True, check=check)


def test_the_templates_are_made_from_the_base() -> None:
    """`make chart` was run after the last change of deploy/base."""
    stored = {path.name: path.read_text(encoding="utf-8") for path in TEMPLATES.iterdir()}
    assert "Written by hand" in stored.pop("uninstall.yaml")
    assert stored == templates()


@pytest.mark.cluster
@pytest.mark.full
@pytest.mark.parametrize("major", [3, 4])
def test_the_chart_installs_what_the_kustomization_installs(major: int) -> None:
    """Two ways to install the same thing must not drift apart."""
    assert rendered(major) == kustomized("deploy")
    assert rendered(major, "strict=true") == kustomized("deploy/overlays/strict")
    without = kustomized("deploy")
    del without["Namespace", "penstock-system"]
    assert rendered(major, "createNamespace=false") == without


@pytest.mark.cluster
@pytest.mark.full
def test_values_change_what_they_say() -> None:
    """Each of them reaches its place."""
    values = (
        "image.repository=registry.example.org/penstock", "image.tag=v1", "image.pullPolicy=Always",
        "image.pullSecrets={one,two}", "webhook.replicas=3", "controller.replicas=2",
        "controller.namespaces={shop,billing}", "webhook.resources.limits.memory=1Gi", "configuration=version: 1\n",
    )  # fmt: skip
    objects = rendered(4, *values)
    webhook, controller = (objects["Deployment", name]["spec"] for name in ("webhook", "controller"))
    for spec, replicas in ((webhook, 3), (controller, 2)):
        pod = spec["template"]["spec"]
        image = pod["containers"][0]
        assert (image["image"], image["imagePullPolicy"]) == ("registry.example.org/penstock:v1", "Always")
        assert (pod["imagePullSecrets"], spec["replicas"]) == ([{"name": "one"}, {"name": "two"}], replicas)
    assert controller["template"]["spec"]["containers"][0]["args"].count("--namespaces=shop,billing") == 1
    assert webhook["template"]["spec"]["containers"][0]["resources"]["limits"] == {"memory": "1Gi"}
    assert objects["ConfigMap", "penstock"]["data"] == {"penstock.yaml": "version: 1\n"}


@pytest.mark.cluster
@pytest.mark.full
@pytest.mark.parametrize(
    ("value", "namespace", "said"),
    [
        ("webhook.replicas=0", "penstock-system", "webhook/replicas"),
        ("webhook.replica=2", "penstock-system", "replica"),
        ("controller.namespaces={Shop}", "penstock-system", "namespaces"),
        ("strict=false", "default", "Penstock lives in the namespace penstock-system, this is default"),
    ],
)
def test_a_value_that_cannot_be_is_refused_with_its_place(value: str, namespace: str, said: str) -> None:
    """A typing error must not install something else."""
    answer = _template(4, value, namespace=namespace)
    assert answer.returncode != 0
    assert said in answer.stderr.replace(".", "/") or said in answer.stderr


@pytest.mark.cluster
@pytest.mark.full
def test_what_ends_releases_before_an_uninstallation_exists_only_then() -> None:
    """Rights to every Deployment that lay around would be the best there is to steal; none is given by a star."""

    def hooks(*values: str) -> list[Object]:
        command = [helm(4), "template", "penstock", CHART, "--namespace", "penstock-system"]
        chosen = [part for value in values for part in ("--set", value)]
        said = subprocess.run([*command, *chosen], capture_output=True, text=True, check=True).stdout
        found = [obj for obj in yaml.safe_load_all(said) if obj]
        return [obj for obj in found if "helm.sh/hook" in obj["metadata"].get("annotations", {})]

    made = hooks("onUninstall=undo")
    assert {obj["metadata"]["annotations"]["helm.sh/hook"] for obj in made} == {"pre-delete"}
    kinds = ["ClusterRole", "ClusterRoleBinding", "Job", "Role", "RoleBinding", "ServiceAccount"]
    assert sorted(obj["kind"] for obj in made) == kinds
    policies = {obj["metadata"]["annotations"]["helm.sh/hook-delete-policy"] for obj in made if obj["kind"] != "Job"}
    assert policies == {"before-hook-creation,hook-succeeded,hook-failed"}
    rules = [rule for obj in made for rule in obj.get("rules", [])]
    assert "*" not in {word for rule in rules for words in rule.values() for word in words}
    container = next(obj for obj in made if obj["kind"] == "Job")["spec"]["template"]["spec"]["containers"][0]
    assert container["args"] == ["--on-uninstall=undo"]
    assert (
        "args" not in next(obj for obj in hooks() if obj["kind"] == "Job")["spec"]["template"]["spec"]["containers"][0]
    )
    assert hooks("onUninstall=none") == []
