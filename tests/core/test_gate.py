"""The gate: which template changes are held, which pass, and what is remembered of the ones that are held."""

from copy import deepcopy
from typing import Any

import pytest

from penstock.core import keys
from penstock.core.draft import Draft, stepping
from penstock.core.fields import Fields
from penstock.core.gate import at_rest, gated, previous, replicas_of, returns_fast, to_gate
from penstock.core.guard import Outcome
from penstock.core.record import Record, rollout_id
from penstock.core.template import loose_hash
from tests.core.shop import NOW, UID, V1, V2, Object, deployment, labelled, noted, template

OLD = deployment()
RECREATE = Fields(type="Recreate", surge=None, unavailable=None)


PAUSED = "paused by its owner; when it is resumed, this change is rolled out in steps"
EMPTY = "no pods are wanted (replicas: 0), so there is nothing to compare with; this change is not stepped"
MIDWAY = "its pods were not at rest; the version with the most available ones counts as the stable one"


def status(**changes: int | None) -> Object:
    """The stored object with another status; None leaves a count out, as the API server does with 0."""
    obj = deepcopy(OLD)
    obj["status"].update(changes)
    obj["status"] = {k: v for k, v in obj["status"].items() if v is not None}
    return obj


def begun(stable: str = V1, fields: Fields | None = None) -> Record:
    """The record of a rollout of v2 that has just been gated."""
    return Record(
        uid=UID,
        id=rollout_id(UID, V2, 3),
        declared=V2,
        loose=loose_hash(template("v2")),
        saved=fields or Fields(),
        stable=stable,
    )


def test_a_template_change_from_rest_is_paused_with_a_record() -> None:
    """The user's own fields are saved as they are, and only `paused` is in force."""
    fields = Fields(surge=None, min_ready=10)
    outcome = gated(OLD, deployment("v2"), fields, NOW)
    held = Fields(surge=None, min_ready=10, paused=True)
    assert outcome == Outcome("Gated", stepping(begun(fields=fields), held))


@pytest.mark.parametrize(
    "old",
    [
        status(observedGeneration=2),
        status(updatedReplicas=3),
        status(replicas=12),
        status(availableReplicas=1, updatedReplicas=None),
    ],
)
def test_in_the_middle_of_a_native_rollout_the_stable_version_is_left_open(old: Object) -> None:
    """The stored template need not be what most pods run; the controller sees the ReplicaSets."""
    assert not at_rest(old)
    outcome = gated(old, deployment("v2"), Fields(), NOW)
    assert outcome == Outcome("Gated", stepping(begun(stable=""), Fields(paused=True)), (MIDWAY,))


def test_one_available_pod_is_enough_to_be_at_rest() -> None:
    """All run the template; some may be ill."""
    assert at_rest(OLD)
    assert at_rest(status(availableReplicas=1))
    assert not at_rest(status(availableReplicas=None))
    assert not at_rest({"spec": OLD["spec"], "metadata": {}})


RECREATE_WARNING = "strategy Recreate cannot be rolled out in steps; this change goes to all pods at once"
NOTHING = "no pod of the running version is available to compare with; this change is not stepped"


@pytest.mark.parametrize(
    ("old", "new", "fields", "outcome"),
    [
        (OLD, deployment("v2"), RECREATE, Outcome("NotRolling", Draft(), (RECREATE_WARNING,))),
        (OLD, deployment("v2"), Fields(paused=True), Outcome("PausedByUser", Draft(), (PAUSED,))),
        (OLD, deployment("v2", replicas=0), Fields(), Outcome("NoReplicas", Draft(), (EMPTY,))),
        (status(availableReplicas=None), deployment("v2"), Fields(), Outcome("NothingAvailable", Draft(), (NOTHING,))),
        (OLD, deployment("v2"), Fields(surge=0, unavailable=0), Outcome("Invalid", Draft())),
        (OLD, deployment("v2"), Fields(surge="lots"), Outcome("Invalid", Draft())),
        (
            noted(OLD, previous=previous(V2, NOW + 1)),
            deployment("v2"),
            Fields(),
            Outcome("FastRollback", Draft(annotations={keys.PREVIOUS: None})),
        ),
        (OLD, deployment(), Fields(), None),
        (OLD, deployment(replicas=20, paused=True), Fields(paused=True), None),
        (OLD, labelled(deployment("v2"), enabled="false"), Fields(), None),
    ],
)
def test_what_is_not_gated(old: Object, new: Object, fields: Fields, outcome: Outcome | None) -> None:
    """It could not be stepped, must not wait, is not ours, or will be refused by the API server anyhow."""
    assert gated(old, new, fields, NOW) == outcome


@pytest.mark.parametrize(
    ("old", "new", "wanted"),
    [
        (OLD, deployment("v2"), True),
        (OLD, deployment(replicas=3), False),
        (deployment("v2", paused=True), deployment("v2"), False),
        ({**status(updatedReplicas=None), "spec": deployment("v2", paused=True)["spec"]}, deployment("v2"), True),
        (
            {**status(updatedReplicas=None), "spec": deployment("v2", paused=True)["spec"]},
            deployment("v2", paused=True),
            False,
        ),
    ],
)
def test_the_end_of_a_users_pause_over_a_change_is_gated_too(old: Object, new: Object, wanted: bool) -> None:
    """`kubectl rollout pause`, `set image`, `resume` would be the way around every step."""
    assert to_gate(old, new) is wanted


@pytest.mark.parametrize(
    ("note", "template_name", "fast"),
    [
        (previous(V1, NOW + 1), V1, True),
        (previous(V1, NOW), V1, False),
        (previous(V1, NOW + 1), V2, False),
        (None, V1, False),
        ("", V1, False),
        ("{", V1, False),
        ("[]", V1, False),
        ('{"template":"' + V1 + '"}', V1, False),
        ('{"template":"' + V1 + '","until":null}', V1, False),
        ('{"template":"' + V1 + '","until":"soon"}', V1, False),
        ('{"template":"' + V1 + '","until":1' + "0" * 400 + "}", V1, False),
        ("[" * 5000, V1, False),
    ],
)
def test_the_way_back_is_free_for_a_while(note: str | None, template_name: str, fast: bool) -> None:
    """And an annotation that anybody may have edited never fails an admission."""
    assert returns_fast(noted(OLD, previous=note), template_name, NOW) is fast


def test_notes_of_a_former_rollout_go_when_a_new_one_begins() -> None:
    """A request made for the former one must not wait for the new one."""
    new = noted(deployment("v2"), previous="x", request="y", declared="z", steps="1")
    outcome = gated(OLD, new, Fields(), NOW)
    assert outcome is not None
    assert {k: v for k, v in outcome.draft.annotations.items() if k != keys.RECORD} == {
        keys.PREVIOUS: None,
        keys.REQUEST: None,
        keys.DECLARED: None,
    }


@pytest.mark.parametrize(("spec", "replicas"), [({}, 10), ({"replicas": None}, 1), ({"replicas": 0}, 0)])
def test_absent_replicas_mean_one(spec: dict[str, Any], replicas: int) -> None:
    """As the API server would fill in."""
    assert replicas_of(deployment(**spec)) == replicas
