"""The other ways to install: each is accepted as a whole by a real API server, and does what its first lines say."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from penstock.core import keys
from penstock.kube import ApiError, Client, objects
from sandbox import ports
from tests.deploy.conftest import Installation, asked, start, until
from tests.deploy.plane import DEPLOY, Object, Plane, apply, rendered
from tests.deploy.test_manifests import CLUSTER_WIDE, IN_A_NAMESPACE, rights

pytestmark = pytest.mark.cluster

OVERLAYS = DEPLOY / "overlays"
SHOPS = ("shop", "billing")


def overlay(plane: Plane, name: str) -> list[Object]:
    return rendered(plane, OVERLAYS / name)


def one(items: list[Object], kind: str, name: str) -> Any:
    (found,) = [item for item in items if (item["kind"], item["metadata"]["name"]) == (kind, name)]
    return found


@pytest.fixture(scope="module")
def shops(installed: Installation) -> Installation:
    """The two namespaces of the example, opted in."""
    for name in SHOPS:
        installed.plane.must("create", "namespace", name)
        installed.plane.must("label", "namespace", name, f"{keys.ENABLED}=true")
    return installed


@pytest.mark.parametrize("name", sorted(path.name for path in OVERLAYS.iterdir()))
def test_every_overlay_is_accepted(shops: Installation, name: str) -> None:
    """By server-side dry run, every object of it, and nothing of the base is missing."""

    async def dry(client: Client) -> set[tuple[str, str]]:
        return {
            (stored["kind"], stored["metadata"]["name"])
            for item in overlay(shops.plane, name)
            for stored in [await apply(client, item, dryRun="All")]
        }

    base = {(item["kind"], item["metadata"]["name"]) for item in rendered(shops.plane)}
    assert shops.plane.call(dry) >= base


def test_ha_has_more_of_each_spread_over_zones(plane: Plane) -> None:
    """A zone that is lost must not take the last one."""
    items = overlay(plane, "ha")
    found = {}
    for name in ("webhook", "controller"):
        spec = one(items, "Deployment", name)["spec"]
        pod = spec["template"]["spec"]
        own = {"labelSelector": spec["selector"], "maxSkew": 1, "whenUnsatisfiable": "ScheduleAnyway"}
        keys_ = [constraint.pop("topologyKey") for constraint in pod["topologySpreadConstraints"]]
        assert pod["topologySpreadConstraints"] == [own, own]
        found[name] = spec["replicas"], pod["priorityClassName"], keys_
    zones = ["kubernetes.io/hostname", "topology.kubernetes.io/zone"]
    assert found == {
        "webhook": (3, "system-cluster-critical", zones),
        "controller": (2, "system-cluster-critical", zones),
    }
    assert one(items, "PodDisruptionBudget", "webhook")["spec"]["minAvailable"] == 2


@pytest.fixture
def namespaced(shops: Installation) -> Iterator[Installation]:
    """The rights of the overlay instead of the usual ones, for one test."""

    async def write(client: Client, items: list[Object]) -> None:
        for item in items:
            if item["kind"] in ("Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"):
                await apply(client, item)

    plane = shops.plane
    plane.call(lambda client: write(client, overlay(plane, "namespaced")))
    yield shops
    plane.call(lambda client: write(client, rendered(plane)))
    for name in SHOPS:
        plane.must("delete", "role,rolebinding", "penstock-controller", "-n", name)


@pytest.mark.full
def test_namespaced_rights_end_at_the_namespace_and_suffice(namespaced: Installation, tmp_path: Path) -> None:
    """Its token is worth nothing elsewhere, and a release in one of the two is stepped with what is left."""
    plane, controller = namespaced.plane, namespaced.controller
    nobody = plane.call(lambda client: plane.account(client, "default"))

    def of(namespace: str) -> set[tuple[str, str, str, str]]:
        found, everybodys = (plane.call(lambda client: rights(client, namespace), who) for who in (controller, nobody))
        return found - everybodys

    assert of("default") == CLUSTER_WIDE
    assert [of(name) for name in SHOPS] == [CLUSTER_WIDE | IN_A_NAMESPACE] * 2

    async def elsewhere(client: Client) -> list[int]:
        codes = []
        for path in (objects.deployments(), objects.pods("default"), objects.namespace("default")):
            try:
                await client.get(path)
                codes.append(200)
            except ApiError as error:
                codes.append(error.status)
        return codes

    assert plane.call(elsewhere, controller) == [403, 403, 403]

    plane.must("create", "deployment", "web", "--image=app:1", "--replicas=2", "-n", "shop")
    plane.must("annotate", "deployment/web", "penstock.dev/steps=50%", "penstock.dev/step-time=2s", "-n", "shop")
    plane.must("wait", "deployment/web", "-n", "shop", "--for=condition=Available", "--timeout=20s")
    port, log = ports.choose().webhook_metrics, tmp_path / "log"
    args = one(overlay(plane, "namespaced"), "Deployment", "controller")["spec"]["template"]["spec"]["containers"][0]
    flag = next(arg for arg in args["args"] if arg.startswith("--namespaces"))
    process = start("controller", log, "--kubeconfig", controller, flag, "--metrics-port", str(port), "--without-certs")
    try:
        until(lambda: asked(port, "/readyz")[0] == 200, "the controller leads", log)
        plane.must("set", "image", "deployment/web", "app=app:2", "-n", "shop")
        assert keys.RECORD in objects.annotations(_web(plane))
        until(lambda: keys.RECORD not in objects.annotations(_web(plane)), "it is promoted", log, 90)
        assert _web(plane)["status"]["updatedReplicas"] == 2
    finally:
        process.terminate()
        process.wait(20)


def _web(plane: Plane) -> Object:
    return plane.call(lambda client: client.get(objects.deployment("shop", "web")))
