"""What is read off API objects."""

from typing import Any

import pytest

from penstock.core.observation import Pod, ReplicaSet
from tests.core.shop import template


def waiting(reason: str, image: str = "shop/web:2") -> dict[str, Any]:
    return {"image": image, "state": {"waiting": {"reason": reason}}}


@pytest.mark.parametrize(
    ("containers", "image"),
    [
        ([waiting("ErrImageNeverPull")], "shop/web:2"),
        ([waiting("PodInitializing", "a"), waiting("ImagePullBackOff", "b")], "b"),
        ([waiting("CrashLoopBackOff")], ""),
        ([{"image": "a", "state": {"running": {}}}], ""),
        ([], ""),
    ],
)
def test_the_image_that_is_missing_is_known_by_name(containers: list[Any], image: str) -> None:
    """A typing error in the tag is the most frequent bad release of all; seen in the sentence it is mended at once."""
    pod = Pod.of({"metadata": {"name": "web-1"}, "status": {"containerStatuses": containers}})
    assert pod.image == image


def condition(kind: str, status: str, reason: str = "") -> dict[str, str]:
    return {"type": kind, "status": status, "reason": reason, "lastTransitionTime": "1970-01-01T00:01:40Z"}


@pytest.mark.parametrize(
    ("status", "outside"),
    [
        ({"conditions": [condition("Ready", "False"), condition("ContainersReady", "True")]}, "its node is not ready"),
        (
            {
                "conditions": [
                    condition("Ready", "False", "ContainersNotReady"),
                    condition("ContainersReady", "False", "ContainersNotReady"),
                ]
            },
            "",
        ),
        (
            {
                "conditions": [
                    condition("Ready", "False", "ReadinessGatesNotReady"),
                    condition("ContainersReady", "True"),
                ]
            },
            "",
        ),
        ({"conditions": [condition("Ready", "True"), condition("ContainersReady", "True")]}, ""),
        ({"phase": "Failed", "reason": "Evicted"}, "Evicted"),
        ({}, ""),
    ],
)
def test_a_pod_whose_node_has_gone_silent_is_told_from_one_that_fails(status: dict[str, Any], outside: str) -> None:
    """The node controller takes readiness from every pod of a lost node; a release must not be taken back for it."""
    assert Pod.of({"metadata": {"name": "web-1"}, "status": status}).outside == outside


def test_the_time_to_become_ready_begins_when_a_node_was_found() -> None:
    """A pod may wait for room for hours; taken for a late one, it would end the release at the moment it starts."""
    scheduled = {"conditions": [condition("PodScheduled", "True")]}
    pod = Pod.of({"metadata": {"name": "web-1", "creationTimestamp": "1970-01-01T00:00:01Z"}, "status": scheduled})
    assert (pod.created, pod.placed, pod.starting_since) == (1.0, 100.0, 100.0)


def test_why_pods_cannot_be_created_is_read_without_the_name_of_the_pod() -> None:
    """Each try has another name; people would be told anew each time."""
    message = 'pods "web-5d8-x2x" is forbidden: exceeded quota: few, requested: pods=1, used: pods=12, limited: pods=12'
    status = {"conditions": [{"type": "ReplicaFailure", "status": "True", "message": message}]}
    made = {"metadata": {"name": "web-5d8", "uid": "u"}, "spec": {"template": template("v2")}}
    quota = "exceeded quota: few, requested: pods=1, used: pods=12, limited: pods=12"
    assert ReplicaSet.of(made | {"status": status}).refused == quota
    assert ReplicaSet.of(made).refused == ""
