"""The manifests themselves, judged by the API server that gets them: pods as restricted as they say, rights as few."""

import signal
from typing import Any

import pytest

from penstock.kube import Client, Denied, objects
from tests.deploy.conftest import Installation
from tests.deploy.plane import DEPLOY, Object, Plane, apply, rendered

pytestmark = pytest.mark.cluster

SYSTEM = "penstock-system"
SECRET = "penstock-webhook-certs"
CONFIGURATIONS = ("mutatingwebhookconfigurations", "validatingwebhookconfigurations")


async def rights(client: Client, namespace: str) -> set[tuple[str, str, str, str]]:
    """Every right of the caller, one by one: verb, group, resource, name."""
    body = {"kind": "SelfSubjectRulesReview", "apiVersion": "authorization.k8s.io/v1", "spec": {"namespace": namespace}}
    answer = await client.post("/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", body)
    return {
        (verb, group, resource, name)
        for rule in answer["status"]["resourceRules"]
        for verb in rule["verbs"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for name in rule.get("resourceNames") or ["*"]
    }


def each(verbs: str, group: str, resources: str, name: str = "*") -> set[tuple[str, str, str, str]]:
    return {(verb, group, resource, name) for verb in verbs.split() for resource in resources.split()}


IN_A_NAMESPACE = (
    each("get list watch patch", "apps", "deployments")
    | each("patch", "apps", "deployments/status")
    | each("get list watch patch delete", "apps", "replicasets")
    | each("get list watch", "", "pods")
    | each("get", "", "namespaces")
    | each("create patch", "", "configmaps")
    | each("create patch", "events.k8s.io", "events")
    | each("create patch", "", "events")
)
CLUSTER_WIDE = each("get list watch patch", "admissionregistration.k8s.io", " ".join(CONFIGURATIONS), "zz-penstock")
EVERYWHERE = IN_A_NAMESPACE | CLUSTER_WIDE
AT_HOME = (
    each("get create patch", "coordination.k8s.io", "leases")
    | each("get list watch update", "", "secrets", SECRET)
    | each("get patch", "", "configmaps", "penstock-notified")
    | each("list", "discovery.k8s.io", "endpointslices")
)


def test_each_identity_has_exactly_these_rights(installed: Installation) -> None:
    """A right that is added by accident is a finding; this list is where it has to be written down."""

    plane = installed.plane
    nobody = plane.call(lambda client: plane.account(client, "default"))

    def of(who: str, namespace: str) -> set[tuple[str, str, str, str]]:
        found, everybodys = (plane.call(lambda client: rights(client, namespace), each) for each in (who, nobody))
        return found - everybodys

    assert of(installed.webhook, SYSTEM) == each("get list watch", "", "secrets", SECRET)
    assert of(installed.webhook, "default") == set()
    assert of(installed.controller, SYSTEM) == EVERYWHERE | AT_HOME
    assert of(installed.controller, "default") == EVERYWHERE


def test_no_other_secret_can_be_read_or_made(installed: Installation) -> None:
    """Not even in our own namespace: one of another kind could be filled with credentials by the control plane."""

    async def attempts(client: Client) -> list[str]:
        path = objects.secrets(SYSTEM)
        tries: list[Any] = [
            lambda: client.get(objects.secret(SYSTEM, "other")),
            lambda: client.get(path),
            lambda: client.get(path, fieldSelector="metadata.name=other"),
            lambda: client.get(path, fieldSelector=f"metadata.name={SECRET}"),
            lambda: client.post(path, {"metadata": {"name": "other"}}),
        ]
        found = []
        for attempt in tries:
            try:
                await attempt()
                found.append("allowed")
            except Denied:
                found.append("denied")
        return found

    for who in (installed.webhook, installed.controller):
        assert installed.plane.call(attempts, who) == ["denied", "denied", "denied", "allowed", "denied"]


def test_pods_are_admitted_by_the_restricted_profile(installed: Installation) -> None:
    """Our namespace enforces it; a Deployment would be created all the same and then never get a pod."""

    async def pods(client: Client) -> None:
        for item in rendered(installed.plane):
            if item["kind"] == "Deployment":
                template = item["spec"]["template"]
                body = {
                    "metadata": {"name": item["metadata"]["name"], **template["metadata"]},
                    "spec": template["spec"],
                }
                created = await client.post(objects.pods(SYSTEM), body, dryRun="All")
                container = created["spec"]["containers"][0]
                assert container["securityContext"]["readOnlyRootFilesystem"] is True
                assert container["imagePullPolicy"] == "IfNotPresent"
                assert created["spec"]["securityContext"]["runAsUser"] == 65532

    installed.plane.call(pods)


def test_every_webhook_is_quick_harmless_and_away_from_system_namespaces(plane: Plane) -> None:
    """The points of the official checklist that a reader would look for."""
    found = {}
    for item in rendered(plane, DEPLOY / "overlays/strict"):
        for entry in item.get("webhooks", ()):
            excluded = {
                value
                for expression in entry.get("namespaceSelector", {}).get("matchExpressions", ())
                for value in (expression["values"] if expression["operator"] == "NotIn" else ())
            }
            system = excluded >= {SYSTEM, "kube-system", "kube-public", "kube-node-lease"}
            found[entry["name"]] = entry["failurePolicy"], system
            assert entry["timeoutSeconds"] == 2
            assert entry["sideEffects"] == "None"
            assert entry["matchPolicy"] == "Equivalent"
            assert entry["admissionReviewVersions"] == ["v1"]
            assert entry.get("reinvocationPolicy", "Never") == "Never"
            assert "caBundle" not in entry["clientConfig"]
            assert [rule["scope"] for rule in entry["rules"]] in (["Namespaced"], ["Cluster"])
    assert found == {
        "namespaces.penstock.dev": ("Ignore", True),
        "workloads.penstock.dev": ("Ignore", True),
        "rollouts.penstock.dev": ("Ignore", True),
        "annotations.penstock.dev": ("Ignore", True),
        "namespaces-annotations.penstock.dev": ("Ignore", True),
        "fence.penstock.dev": ("Fail", False),
        "strict-namespaces.penstock.dev": ("Fail", True),
        "strict-workloads.penstock.dev": ("Fail", True),
    }


def test_the_strict_overlay_is_accepted(installed: Installation) -> None:
    """Conditions and all, as one installation."""

    async def dry(client: Client) -> int:
        items = rendered(installed.plane, DEPLOY / "overlays/strict")
        for item in items:
            await apply(client, item, dryRun="All")
        (webhook,) = [item for item in items if (item["kind"], item["metadata"]["name"]) == ("Deployment", "webhook")]
        args: list[str] = webhook["spec"]["template"]["spec"]["containers"][0]["args"]
        assert args == ["--webhook-names=webhook.penstock-system.svc", "--strict"]
        return len(items)

    assert installed.plane.call(dry) == len(rendered(installed.plane))


def test_applying_again_keeps_the_certificates(installed: Installation) -> None:
    """An upgrade must not begin with an outage."""

    async def again(client: Client) -> tuple[Object, Object]:
        path = objects.secret(SYSTEM, SECRET)
        before = await client.get(path)
        (item,) = [item for item in rendered(installed.plane) if item["kind"] == "Secret"]
        await apply(client, item)
        return before["data"], (await client.get(path))["data"]

    before, after = installed.plane.call(again)
    assert before == after
    assert set(before) == {"ca.crt", "ca.key", "tls.crt", "tls.key"}


def test_the_webhook_is_served_soon_after_the_installation_and_ends_when_told(installed: Installation) -> None:
    """Fast from the first moment, and a SIGTERM is an end without an error."""
    assert installed.served_after < 20
    assert installed.end_webhook(signal.SIGTERM) == 0
    installed.start_webhook()
    installed.wait()


def test_a_release_in_a_labelled_namespace_is_gated_and_a_revert_releases_it(installed: Installation) -> None:
    """The whole installation once, with pods that become available: the API server calls, the object is held."""
    plane = installed.plane
    plane.must("create", "namespace", "gated")
    plane.must("label", "namespace", "gated", "penstock.dev/enabled=true")
    plane.must("create", "deployment", "web", "--image=app:1", "--replicas=2", "-n", "gated")
    plane.must("wait", "deployment/web", "-n", "gated", "--for=condition=Available", "--timeout=20s")

    def state() -> tuple[Any, Any, bool]:
        found = plane.call(lambda client: client.get(objects.deployment("gated", "web")))
        record = "penstock.dev/record" in objects.annotations(found)
        return found["spec"].get("paused"), objects.labels(found).get("penstock.dev/rollout"), record

    assert state() == (None, None, False)
    plane.must("set", "image", "deployment/web", "app=app:2", "-n", "gated")
    assert state() == (True, "stepping", True)
    plane.must("set", "image", "deployment/web", "app=app:1", "-n", "gated")
    assert state() == (None, None, False)
    bad = plane.kubectl("annotate", "deployment/web", "penstock.dev/steps=1,fifty", "-n", "gated")
    assert bad.returncode != 0
    assert "penstock.dev/steps" in bad.stderr


def test_the_lease_is_renewed_in_the_share_of_leader_election(installed: Installation) -> None:
    """A crowd of other accounts must not make a controller lose its lease; each answer names the FlowSchema it took."""
    plane = installed.plane
    path = "/apis/coordination.k8s.io/v1/namespaces/penstock-system/leases/penstock-certs"
    taken = plane.must("get", "flowschema", "penstock-leases", "-o", "jsonpath={.metadata.uid}")
    answer = plane.kubectl("get", "--raw", path, "--v=8", who=installed.controller)
    assert f"x-kubernetes-pf-flowschema-uid: {taken}" in answer.stderr.lower()
