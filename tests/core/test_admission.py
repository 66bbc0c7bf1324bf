"""Admission end to end: a write comes in, and the object that is stored is compared as a whole."""

from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest

from penstock.core import keys
from penstock.core.admission import Admission, Request, admit
from penstock.core.draft import stepping
from penstock.core.fields import Fields
from penstock.core.guard import label, record_of
from penstock.core.record import Record, encode, rollout_id
from penstock.core.rollout import Phase
from penstock.core.template import loose_hash, template_hash
from tests.core.shop import NOW, UID, V1, V2, Object, applied, deployment, labelled, noted, record, rolling, template
from tests.core.shop import write as written

REST = deployment()
CHANGED = deployment("v2")
HELD = record()
CLAMPED = Fields(surge="10%", paused=True)
STEPPING = rolling(HELD, fields=CLAMPED)
BRAKED = Fields(surge="10%", unavailable=0, min_ready=keys.BRAKE_READY, deadline=keys.BRAKE_DEADLINE, paused=True)
DROPPED = "a record of another rollout came with this object (a backup, or rollout undo); it was dropped"


def stored(request: Request, *, gating: bool = True) -> tuple[Admission, Object]:
    """The answer, and what the API server stores."""
    answer = admit(request, NOW, gating=gating)
    assert request.object is not None
    return answer, applied(request.object, answer.patch)


def begun(saved: Fields = Fields(), **changes: Any) -> Record:  # noqa: B008  # frozen
    values: Object = {
        "uid": UID,
        "id": rollout_id(UID, V2, 3),
        "declared": V2,
        "loose": loose_hash(template("v2")),
        "saved": saved,
        "stable": V1,
    }
    return Record(**values | changes)


def gated(obj: Object, known: Record) -> Object:
    """`obj` as the gate leaves it."""
    return applied(obj, stepping(known, replace(known.saved, paused=True)).operations(obj))


def test_a_template_change_from_rest_is_gated() -> None:
    """Paused, labelled, with a record, and otherwise exactly as it was sent."""
    answer, after = stored(written(REST, CHANGED))
    assert answer == Admission(
        (
            {"op": "add", "path": "/spec/paused", "value": True},
            {"op": "add", "path": "/metadata/labels", "value": {keys.ROLLOUT: "stepping"}},
            {"op": "add", "path": "/metadata/annotations", "value": {keys.RECORD: encode(begun())}},
        ),
        (),
        "Gated",
    )
    assert after == gated(CHANGED, begun())


def test_fields_that_change_in_the_same_write_are_the_users_own() -> None:
    """One manifest brings a new image and a new strategy."""
    new = deployment("v2", minReadySeconds=5, strategy={"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 2}})
    answer, after = stored(written(REST, new))
    assert (answer.reason, after) == ("Gated", gated(new, begun(Fields(surge=2, unavailable=None, min_ready=5))))


@pytest.mark.parametrize(
    "request_",
    [
        written(None, CHANGED),
        written(REST, deployment(replicas=20, minReadySeconds=3)),
        written(REST, labelled(noted(REST, steps="1"), other="x")),
        written(REST, None, operation="DELETE"),
        written(REST, CHANGED, kind="StatefulSet"),
        written(REST, CHANGED, username=keys.CONTROLLER),
        written(STEPPING, deployment("v1"), username=keys.CONTROLLER),
        written(REST, labelled(CHANGED, enabled="false")),
        written(STEPPING, STEPPING),
        written(STEPPING, {**deepcopy(STEPPING), "spec": {**STEPPING["spec"], "replicas": 20}}),
    ],
)
def test_what_is_left_exactly_as_it_was_sent(request_: Request) -> None:
    """First releases, changes without another template (I9), other kinds, our own writes, opted-out workloads."""
    assert admit(request_, NOW) == Admission(())


@pytest.mark.parametrize(
    ("known", "version", "warning"),
    [
        (record(Phase.REJECTED, failed="it crash-loops"), "v2", "the version that was taken back on all 10 pods"),
        (record(Phase.RETREATING, failed="it crash-loops"), "v2", "the version that was taken back on all 10 pods"),
        (record(failed="it crash-loops"), "v2", "the version that failed on all 10 pods"),
        (record(Phase.REJECTED, failed="it crash-loops"), "v1", ""),
        (record(Phase.REJECTED, failed="it crash-loops"), "v3", ""),
        (record(), "v2", ""),
    ],
)
def test_opting_out_of_a_failed_rollout_warns_of_what_it_does(known: Record, version: str, warning: str) -> None:
    """It looks like turning Penstock off, and releases what has just failed; with the former version it does not."""
    old = rolling(known)
    new = labelled(old, enabled="false")
    new["spec"]["template"] = template(version)
    answer = admit(written(old, new), NOW)
    back = "back to the former one: kubectl rollout undo deployment web -n shop. To end a rollout on the former version"
    said = (f"this puts {warning} at once (it crash-loops); {back}: penstock undo, or apply that version",)
    assert (answer.reason, answer.warnings) == ("OptedOut", said if warning else ())


def test_without_gating_nothing_begins_and_what_runs_is_guarded() -> None:
    """The third entry sees workloads outside every labelled namespace."""
    assert admit(written(REST, CHANGED), NOW, gating=False) == Admission(())
    answer, after = stored(written(STEPPING, deployment("v2")), gating=False)
    assert (answer.reason, after) == ("Guarded", STEPPING)


def test_a_manifest_applied_again_changes_nothing() -> None:
    """Whole objects without our label and record, as `kubectl replace` and some GitOps tools send them."""
    answer, after = stored(written(STEPPING, deployment("v2"), field_manager="argocd-controller"))
    assert (answer.reason, answer.warnings, after) == ("Guarded", (), STEPPING)


@pytest.mark.parametrize("phase", [phase for phase in Phase if phase is not Phase.LEAVING])
@pytest.mark.parametrize("saved", [Fields(), Fields(None, None, None, None, None, True), Fields("RollingUpdate", 0, 1)])
@pytest.mark.parametrize("field_manager", ["kubectl-edit", "kubectl-rollout", "argocd-controller"])
def test_going_back_to_the_stable_template_restores_everything(phase: Phase, saved: Fields, field_manager: str) -> None:
    """In every phase, at once, with no controller alive (I8), absent fields included (I7)."""
    known = record(phase, saved=saved)
    old = noted(rolling(known), request="{}", steps="1")
    new = deepcopy(old)
    new["spec"]["template"] = template("v1")
    answer, after = stored(written(old, new, field_manager=field_manager))
    back = applied(deployment("v1"), stepping(known, saved).operations(deployment("v1")))
    back["metadata"] = {**back["metadata"], "labels": {}, "annotations": {keys.STEPS: "1"}}
    assert (answer.reason, after) == ("Reverted", back)


def test_opting_out_restores_everything_and_keeps_the_template() -> None:
    """The break-glass label: the new version goes out natively from here on."""
    answer, after = stored(written(STEPPING, labelled(STEPPING, enabled="false")))
    free = noted(labelled(deployment("v2"), enabled="false"))
    assert (answer.reason, after) == ("OptedOut", free)


def test_resume_is_a_yes_only_while_one_is_asked_for() -> None:
    """`kubectl rollout resume` is known by its field manager."""
    asking = record(awaiting=True)
    old = rolling(asking, fields=CLAMPED)
    new = deepcopy(old)
    del new["spec"]["paused"]
    answer, after = stored(written(old, new, field_manager="kubectl-rollout"))
    approved = rolling(replace(asking, awaiting=False, approved=(1,)), fields=CLAMPED)
    assert (answer.reason, after) == ("Approved", approved)
    answer, after = stored(written(STEPPING, new, field_manager="kubectl-rollout"))
    assert (answer.reason, after["spec"]["paused"]) == ("NothingToApprove", True)
    answer, after = stored(written(old, new, field_manager="kubectl-patch"))
    assert (answer.reason, after) == ("Guarded", old)


@pytest.mark.parametrize("force", [CLAMPED, BRAKED])
@pytest.mark.parametrize("uid", [None, "d-9"])
def test_a_backup_taken_during_a_hold_is_created_with_the_users_own_fields(force: Fields, uid: str | None) -> None:
    """Else it would be paused, or braked, for ever. Restore tools drop the uid, or not."""
    own = Fields(surge=3, unavailable=None, min_ready=4)
    backup = rolling(record(saved=own), fields=force)
    backup["metadata"]["uid"] = uid
    answer, after = stored(written(None, backup))
    assert answer.warnings == (DROPPED,)
    assert answer.reason == "ForeignRecord"
    assert Fields.of(after) == own
    assert (after["metadata"]["labels"], after["metadata"]["annotations"]) == ({}, {})


@pytest.mark.parametrize(
    ("force", "own"),
    [(CLAMPED, Fields(surge="10%")), (BRAKED, Fields(surge="10%", unavailable=0))],
)
def test_a_backup_whose_record_is_unreadable_is_created_without_pause_and_brake(force: Fields, own: Fields) -> None:
    """The clamp cannot be told from the user's own value; the brake can, no user has it."""
    backup = noted(rolling(HELD, fields=force), record="damaged")
    answer, after = stored(written(None, backup))
    assert (answer.reason, Fields.of(after)) == ("ForeignRecord", own)


def test_rollout_undo_brings_no_record_back() -> None:
    """`kubectl rollout undo` copies the annotations of the old ReplicaSet; the fields are as stored."""
    undone = noted(deployment("v2", minReadySeconds=3), record=encode(record(saved=Fields(surge=9))))
    answer, after = stored(written(deployment("v1", minReadySeconds=3), undone))
    assert answer.reason == "Gated"
    assert after == gated(deployment("v2", minReadySeconds=3), begun(Fields(min_ready=3)))


def test_rollout_undo_on_a_workload_without_gating_drops_the_record_only() -> None:
    """Outside every labelled namespace the undo itself goes through."""
    undone = noted(deployment("v2"), record=encode(HELD), request="{}")
    answer, after = stored(written(REST, undone), gating=False)
    assert (answer.reason, answer.warnings) == ("ForeignRecord", (DROPPED,))
    assert after == noted(deployment("v2"))


def test_a_forged_label_is_dropped() -> None:
    """With it the step lock and the controller would take the object for one in a rollout."""
    answer, after = stored(written(REST, labelled(REST, rollout="holding")))
    assert (answer.reason, after["metadata"]["labels"], after["spec"]) == ("ForeignRecord", {}, REST["spec"])


def test_a_forged_record_does_not_change_what_is_saved() -> None:
    """The record is read from the stored object, never from what the caller sends."""
    forged = noted(STEPPING, record=encode(replace(HELD, stable=V2, step=3, target=10, epoch=0)))
    answer, after = stored(written(STEPPING, forged))
    assert (answer.reason, after) == ("Guarded", STEPPING)


ORPHAN = labelled(rolling(record(Phase.OPENING, saved=Fields(surge=3)), fields=replace(BRAKED, paused=None)))
del ORPHAN["metadata"]["labels"][keys.ROLLOUT]


def test_an_orphan_record_keeps_the_users_last_word() -> None:
    """Released by hand while the webhook was away: the controller will put the saved fields back, with this one."""
    new = deepcopy(ORPHAN)
    new["spec"]["minReadySeconds"] = 20
    answer, after = stored(written(ORPHAN, new))
    expected = record(Phase.OPENING, saved=Fields(surge=3, min_ready=20))
    assert (answer.reason, after) == ("Noted", noted(new, record=encode(expected)))


def test_a_template_change_over_an_orphan_record_is_gated_from_the_saved_fields() -> None:
    """The brake that is still in force is not the user's own; the stable version is the one the record knows."""
    new = deepcopy(ORPHAN)
    new["spec"]["template"] = template("v3")
    answer, after = stored(written(ORPHAN, new))
    declared = template_hash(template("v3"))
    known = begun(
        Fields(surge=3),
        id=rollout_id(UID, declared, 3),
        declared=declared,
        loose=loose_hash(template("v3")),
    )
    assert answer.reason == "Gated"
    assert record_of(after) == known
    assert label(after, keys.ROLLOUT) == "stepping"
    assert Fields.of(after) == Fields(surge=3, paused=True)


def test_what_a_released_rollout_left_behind_is_not_put_back() -> None:
    """Every field is the user's already; only ownership is still to go back."""
    leaving = rolling(record(Phase.LEAVING, saved=Fields(surge=9)), fields=Fields())
    assert admit(written(leaving, deepcopy(leaving)), NOW) == Admission(())
    new = deepcopy(leaving)
    new["spec"]["template"] = template("v3")
    answer, after = stored(written(leaving, new))
    assert (answer.reason, Fields.of(after)) == ("Gated", Fields(paused=True))


OPEN = rolling(record(Phase.OPENING), fields=replace(BRAKED, paused=None))
ASIDE = noted(rolling(record(Phase.RETREATING), "v1", Fields()), declared="{}")


@pytest.mark.parametrize(
    ("old", "new", "saved"),
    [
        (deployment(paused=True), CHANGED, Fields()),
        (REST, deployment("v2", minReadySeconds=5), Fields(min_ready=5)),
        (OPEN, deployment("v3", minReadySeconds=5), Fields(min_ready=5)),
        (ASIDE, deployment("v2"), Fields()),
        (ORPHAN, deployment("v3", minReadySeconds=5), Fields(min_ready=5)),
    ],
)
def test_a_second_admission_of_the_same_write_takes_nothing_of_ours_for_the_users(
    old: Object, new: Object, saved: Fields
) -> None:
    """The pause that the first one set is not the user's, and what it saved is not forgotten."""
    _, once = stored(written(old, new))
    again, twice = stored(written(old, once))
    assert (again.patch, twice) == ((), once)
    known = record_of(once)
    assert known is not None
    assert known.saved == saved


@pytest.mark.parametrize("request_", [written(REST, CHANGED), written(STEPPING, deployment("v3"))])
def test_a_dry_run_gets_the_same_answer(request_: Request) -> None:
    """`kubectl diff` and `--dry-run=server` show what would happen."""
    assert admit(replace(request_, dry_run=True), NOW) == admit(request_, NOW)


def test_the_request_is_not_changed() -> None:
    """Pure: the review that is logged is the review that came."""
    request = written(STEPPING, deployment("v3"))
    before = deepcopy(request)
    admit(request, NOW)
    assert request == before
