"""Fields that our writes took go back to the managers that owned them, and nothing else in the list changes."""

from typing import Any

import pytest

from penstock.core import ownership
from penstock.core.ownership import Entries, Owners

Tree = dict[str, Any]

SURGE: Tree = {"f:spec": {"f:strategy": {"f:rollingUpdate": {"f:maxSurge": {}}}}}
READY: Tree = {"f:spec": {"f:minReadySeconds": {}}}
PAUSED: Tree = {"f:spec": {"f:paused": {}}}
IMAGE: Tree = {"f:spec": {"f:template": {"f:spec": {}}}}


def entry(manager: str, fields: Tree, operation: str = "Apply", **more: str) -> dict[str, Any]:
    return {"manager": manager, "operation": operation, "apiVersion": "apps/v1", "fieldsV1": fields, **more}


@pytest.mark.parametrize("obj", [None, {}, {"metadata": {}}, {"metadata": {"managedFields": None}}])
def test_without_a_list_there_are_no_entries(obj: dict[str, Any] | None) -> None:
    """Tests and old clients send objects without one."""
    assert ownership.entries(obj) == []


def test_owners_are_foreign_managers_of_our_fields() -> None:
    """Not ourselves, not who owns other fields, not the writers of scale and status."""
    managed = [
        entry("argocd", {"f:spec": {**SURGE["f:spec"], **IMAGE["f:spec"]}}),
        entry("helm", {"f:spec": {**SURGE["f:spec"], **PAUSED["f:spec"]}}, "Update"),
        entry("penstock", READY, "Update"),
        entry("vpa", IMAGE),
        entry("hpa", READY, "Update", subresource="scale"),
    ]
    assert ownership.owners(managed) == {"surge": ("argocd/Apply", "helm/Update"), "paused": ("helm/Update",)}


def test_known_owners_are_kept_while_we_hold_their_fields() -> None:
    """Our write has just taken the field from them; only the record still knows."""
    known: Owners = {"surge": ("argocd/Apply",)}
    assert ownership.owners([entry("penstock", SURGE, "Update")], known) == known
    assert ownership.owners([entry("flux", SURGE)], known) == {"surge": ("argocd/Apply", "flux/Apply")}
    assert known == {"surge": ("argocd/Apply",)}


def test_what_a_new_owner_writes_is_stated_even_without_a_change() -> None:
    """A user who applies the very value of the clamp means it."""
    before: Entries = [entry("argocd", IMAGE), entry("flux", READY)]
    after: Entries = [entry("argocd", SURGE), entry("flux", READY), entry("penstock", PAUSED)]
    assert ownership.stated(before, after) == {"surge"}
    assert ownership.stated(after, after) == frozenset()


@pytest.mark.parametrize(
    ("known", "taken", "in_the_way"),
    [
        ({}, (), False),
        ({"surge": ("argocd/Apply",)}, ("surge",), True),
        ({"surge": ("helm/Update",)}, ("surge",), False),
        ({"surge": ("helm/Update", "argocd/Apply")}, ("surge",), True),
        ({"min_ready": ("argocd/Apply",)}, (), False),
    ],
)
def test_only_who_applies_would_run_into_us(known: Owners, taken: tuple[str, ...], in_the_way: bool) -> None:
    """An owner by Update never conflicts; giving its fields back can wait, and saves a write per step."""
    managed = [entry("penstock", SURGE, "Update")]
    assert ownership.taken(managed, known) == taken
    assert ownership.in_the_way(managed, known) is in_the_way


def test_fields_go_back_and_our_entries_go() -> None:
    """Into the owner's own entry; a field that nobody owned is nobody's again."""
    managed = [
        entry("argocd", IMAGE, time="2026-11-23T10:00:00Z"),
        entry("argocd", {"f:status": {}}, "Apply", subresource="status"),
        entry("helm", {"f:spec": {"f:strategy": {"f:type": {}}}}, "Update"),
        entry("penstock", {"f:spec": {**SURGE["f:spec"], **READY["f:spec"]}}, "Update"),
        entry("penstock", PAUSED),
    ]
    known: Owners = {"surge": ("argocd/Apply", "helm/Update"), "paused": ("gone/Apply",), "deadline": ("helm/Update",)}
    assert ownership.given_back(managed, known) == [
        entry("argocd", {"f:spec": {**IMAGE["f:spec"], **SURGE["f:spec"]}}, time="2026-11-23T10:00:00Z"),
        managed[1],
        entry(
            "helm",
            {"f:spec": {"f:strategy": {"f:type": {}, "f:rollingUpdate": {"f:maxSurge": {}}}}},
            "Update",
        ),
    ]


def test_giving_back_twice_changes_nothing() -> None:
    """The operation is left out where nothing of ours is in the list: at rest zero writes (I11)."""
    known: Owners = {"surge": ("argocd/Apply",)}
    once = ownership.given_back([entry("argocd", IMAGE), entry("penstock", SURGE)], known)
    assert ownership.given_back(once, known) == once
    assert ownership.given_back([], known) == []
