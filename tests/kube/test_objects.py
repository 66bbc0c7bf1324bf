"""Reading survives what real objects lack, and times survive the round trip."""

import inspect
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.kube import objects


@pytest.mark.parametrize("obj", [{}, {"metadata": None}, {"metadata": {"labels": None, "ownerReferences": None}}])
def test_missing_and_null_parts_read_as_empty(obj: dict[str, object]) -> None:
    """Kubernetes writes null where something is empty."""
    assert [objects.name(obj), objects.namespace_of(obj), objects.key(obj), objects.uid(obj)] == ["", "", "", ""]
    assert [objects.version(obj), objects.owner_uid(obj)] == ["", ""]
    assert [objects.labels(obj), objects.annotations(obj)] == [{}, {}]


def test_a_value_deep_inside() -> None:
    """Through maps and lists, with a default for whatever is not there."""
    pod = {"spec": {"containers": [{"name": "a", "ports": None, "tty": False}]}}
    assert objects.at(pod, "spec", "containers", 0, "name") == "a"
    assert objects.at(pod, "spec", "containers", 0, "tty", default=True) is False
    for path in (
        ("spec", "containers", 1),
        ("spec", "containers", "x"),
        ("spec", "containers", 0, "ports", 0),
        ("x", "y"),
    ):
        assert objects.at(pod, *path, default="no") == "no"


def test_keys_and_owners() -> None:
    """As the reflector names them."""
    owners = [{"uid": "1"}, {"uid": "2", "controller": True}]
    meta = {"namespace": "shop", "name": "web", "uid": "u", "resourceVersion": "7", "ownerReferences": owners}
    assert objects.key({"metadata": meta}) == "shop/web"
    assert objects.key({"metadata": {"name": "shop"}}) == "shop"
    assert (objects.uid({"metadata": meta}), objects.version({"metadata": meta})) == ("u", "7")
    assert objects.owner_uid({"metadata": meta}) == "2"


def test_a_workloads_selector_as_a_query() -> None:
    """Labels in order, so that the same selector is the same request."""
    rules = [
        {"key": "tier", "operator": "In", "values": ["a", "b"]},
        {"key": "zone", "operator": "NotIn", "values": ["c"]},
        {"key": "app", "operator": "Exists", "values": None},
        {"key": "old", "operator": "DoesNotExist"},
    ]
    workload = {"spec": {"selector": {"matchLabels": {"b": "2", "a": "1"}, "matchExpressions": rules}}}
    assert objects.selector(workload) == "a=1,b=2,tier in (a,b),zone notin (c),app,!old"
    assert objects.selector({"spec": None}) == ""


def test_all_paths() -> None:
    """Each with its API group, for one object, one namespace, and all namespaces."""
    assert objects.deployments() == "/apis/apps/v1/deployments"
    assert objects.deployments("shop") == "/apis/apps/v1/namespaces/shop/deployments"
    assert objects.status(objects.deployment("shop", "web")) == "/apis/apps/v1/namespaces/shop/deployments/web/status"
    assert objects.scale(objects.statefulset("shop", "db")) == "/apis/apps/v1/namespaces/shop/statefulsets/db/scale"
    assert objects.replicaset("shop", "web-1") == "/apis/apps/v1/namespaces/shop/replicasets/web-1"
    assert objects.daemonset("kube-system", "proxy") == "/apis/apps/v1/namespaces/kube-system/daemonsets/proxy"
    assert objects.namespace("shop") == "/api/v1/namespaces/shop"
    assert objects.pods("shop") == "/api/v1/namespaces/shop/pods"
    assert objects.pod("shop", "web-1-a") == "/api/v1/namespaces/shop/pods/web-1-a"
    assert objects.service("shop", "web") == "/api/v1/namespaces/shop/services/web"
    assert objects.secret("penstock-system", "x") == "/api/v1/namespaces/penstock-system/secrets/x"
    assert objects.configmap("shop", "x") == "/api/v1/namespaces/shop/configmaps/x"
    assert objects.event("shop", "x") == "/apis/events.k8s.io/v1/namespaces/shop/events/x"
    assert objects.lease("p", "x") == "/apis/coordination.k8s.io/v1/namespaces/p/leases/x"
    admission = "/apis/admissionregistration.k8s.io/v1"
    assert objects.mutating_webhook("x") == f"{admission}/mutatingwebhookconfigurations/x"
    assert objects.validating_webhook("x") == f"{admission}/validatingwebhookconfigurations/x"
    assert objects.admission_policy("x") == f"{admission}/validatingadmissionpolicies/x"
    assert objects.admission_policy_binding("x") == f"{admission}/validatingadmissionpolicybindings/x"


@pytest.mark.parametrize("name", ["", ".", ".."])
def test_a_name_that_would_be_another_path_is_refused(name: str) -> None:
    """An empty name would address the whole collection: a delete of everything."""
    with pytest.raises(ValueError, match="no name"):
        objects.deployment("shop", name)


def test_a_slash_in_a_name_stays_in_the_name() -> None:
    """Names come from command lines and annotations."""
    assert objects.pod("a/b", "../x?y").endswith("/namespaces/a%2Fb/pods/..%2Fx%3Fy")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-01T00:00:01Z", 1.0),
        ("2026-11-25T09:46:40.123456Z", 1795600000.123456),
        ("2026-11-25T09:46:40.123456789Z", 1795600000.123456),
        ("2026-11-25T11:46:40+02:00", 1795600000.0),
        ("2026-11-25T09:46:40", None),
        ("yesterday", None),
        ("", None),
        (None, None),
    ],
)
def test_times_are_read(text: str | None, seconds: float | None) -> None:
    """Go's nine digits, offsets; a time without a zone is no time."""
    assert objects.moment(text) == seconds


@given(st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1)))
def test_times_come_back(when: datetime) -> None:
    """To the microsecond, and always with six digits, as MicroTime demands."""
    text = when.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    seconds = when.replace(tzinfo=UTC).timestamp()
    assert objects.rfc3339(seconds) == text
    assert objects.moment(text) == seconds


def test_every_function_is_covered_here() -> None:
    """A new path needs its line above: a wrong group is found in a cluster otherwise."""
    source = inspect.getsource(inspect.getmodule(test_all_paths))  # type: ignore[arg-type]
    public = [
        name for name, each in vars(objects).items() if inspect.isfunction(each) and each.__module__ == objects.__name__
    ]
    plural = {
        "namespaces",
        "replicasets",
        "statefulsets",
        "daemonsets",
        "services",
        "secrets",
        "configmaps",
        "events",
        "leases",
    }
    assert [n for n in public if not n.startswith("_") and n not in plural and f"objects.{n}(" not in source] == []
