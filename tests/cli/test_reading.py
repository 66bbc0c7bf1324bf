"""What one look at the cluster makes of the objects it gets."""

import time
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from penstock.cli.reading import Condition, sight, silence, unattended
from penstock.clock import Clock
from penstock.core import keys
from penstock.kube import objects
from tests.cli.play import Play
from tests.kube.loopback import Loopback, always, http

NOW = 1_800_000_000.0
NEVER = "nothing moves on, no controller has ever run here (no Lease penstock-controller in penstock-system)"


def lease(name: str, age: float | None, holder: str = "controller-1") -> dict[str, Any]:
    spec: dict[str, Any] = {"holderIdentity": holder} if holder else {}
    if age is not None:
        spec["renewTime"] = objects.rfc3339(NOW - age)
    return {"metadata": {"name": name}, "spec": spec}


@pytest.mark.parametrize(
    ("leases", "words"),
    [
        ([lease("penstock-controller", 1)], ""),
        ([lease("penstock-controller-bank-shop", 1)], ""),
        ([lease("penstock-controller", 900), lease("penstock-controller-shop", 1)], ""),
        ([], NEVER),
        ([lease("penstock-certs", 1)], NEVER),
        ([lease("penstock-controller-workshop", 1)], NEVER),
        (
            [lease("penstock-controller", 40)],
            "nothing moves on, no controller is at work, the last one was seen at 07:59:20 UTC",
        ),
        (
            [lease("penstock-controller", 1, holder="")],
            "nothing moves on, no controller is at work, the last one was seen at 07:59:59 UTC",
        ),
        ([lease("penstock-controller", None)], "nothing moves on, no controller is at work"),
    ],
)
def test_a_controller_that_is_away_is_noticed(leases: list[dict[str, Any]], words: str) -> None:
    """A held rollout looks the same with and without one; only its lease tells."""
    assert unattended(leases, "shop", NOW) == words


@pytest.mark.parametrize("wrong", [600.0, -600.0])
async def test_a_laptop_with_a_wrong_clock_sees_the_controller_at_work(
    wrong: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ages are told by the API server's clock, as the lease's own time is."""
    found, theirs = Clock(), time.time() - wrong
    monkeypatch.setattr("penstock.kube.connection.CLOCK", found)
    monkeypatch.setattr("penstock.clock.CLOCK", found)
    renewed = {"holderIdentity": "controller-1", "renewTime": objects.rfc3339(theirs - 2)}
    leases = {"items": [{"metadata": {"name": "penstock-controller"}, "spec": renewed}]}
    server = Loopback(always(http(200, leases, Date=formatdate(theirs, usegmt=True))))
    async with server.running(), server.client(tmp_path) as client:
        assert await silence(client, "shop") == ""


def test_only_replicasets_of_this_deployment_count() -> None:
    """Selectors of two Deployments may overlap; the other one's pods are no version of ours."""
    obj = Play(replicas=1).sight().obj
    template = obj["spec"]["template"]

    def replicaset(name: str, owner: str) -> dict[str, Any]:
        owners = [{"uid": owner, "controller": True}]
        meta = {"name": name, "uid": name, "ownerReferences": owners, "creationTimestamp": "2026-11-25T13:00:00Z"}
        return {"metadata": meta, "spec": {"replicas": 1, "template": template}}

    seen = sight(obj, [replicaset("mine", objects.uid(obj)), replicaset("other", "another")], [], None).seen
    assert [rs.name for rs in seen.replicasets] == ["mine"]


def test_an_unreadable_namespace_is_no_opt_out() -> None:
    """Developers often may not read Namespaces; an active rollout must not look released to them."""
    play = Play()
    idle = sight(play.sight().obj, [], [], None).seen
    play.release()
    active = sight(play.sight().obj, [], [], None).seen
    assert (idle.namespace_labels, active.namespace_labels) == ({}, {keys.ENABLED: "true"})


def test_the_condition_is_ours_among_the_others() -> None:
    """Progressing and Available have reasons, too."""
    play = Play()
    conditions = [
        {"type": "Available", "reason": "MinimumReplicasAvailable", "message": "a"},
        {"type": keys.CONDITION, "reason": "Judging", "message": "step 1"},
    ]
    play.cluster.server.obj["status"]["conditions"] = conditions
    assert play.sight().condition == Condition("Judging", "step 1")
