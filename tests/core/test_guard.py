"""Writes of others while a rollout runs: what stays in force, what is kept for the end, what ends it here and now."""

import json
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest

from penstock.core import keys
from penstock.core.draft import Draft, stepping
from penstock.core.fields import Fields
from penstock.core.guard import Outcome, active, annotation, guarded, label, record_of
from penstock.core.record import encode, superseded
from penstock.core.rollout import Phase
from penstock.core.template import loose_hash
from tests.core.shop import V1, V2, V3, Object, applied, deployment, labelled, noted, record, rolling, template

HELD = record()
IN_FORCE = Fields(surge="10%", paused=True)
OLD = rolling(HELD, fields=IN_FORCE)
OPEN = record(Phase.OPENING)
BRAKED = Fields(surge="10%", unavailable=0, min_ready=keys.BRAKE_READY, deadline=keys.BRAKE_DEADLINE)
REJECTED = record(Phase.REJECTED, failed="step 1 of 3: pod x crash-loops", note="CrashLoop")


def changed(old: Object, version: str | None = None, **spec: Any) -> Object:
    """A write to the stored object: some fields of the spec (None: left out), maybe another template."""
    new = deepcopy(old)
    new["spec"].update(spec)
    new["spec"] = {k: v for k, v in new["spec"].items() if v is not None}
    if version:
        new["spec"]["template"] = template(version)
    return new


def rolling_update(surge: Any, unavailable: Any) -> Object:
    return {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}


MANIFEST = deployment("v2")["spec"]
"""What a GitOps tool applies again and again: the user's fields and the declared template."""


@pytest.mark.parametrize(
    ("new", "saved"),
    [
        (OLD, Fields()),
        (changed(OLD, replicas=20), Fields()),
        (changed(OLD, **MANIFEST), Fields()),
        (changed(OLD, strategy=rolling_update("50%", "25%")), Fields(surge="50%")),
        (changed(OLD, minReadySeconds=30), Fields(min_ready=30)),
        (changed(OLD, progressDeadlineSeconds=60), Fields(deadline=60)),
        (changed(OLD, paused=False), Fields()),
        (
            changed(OLD, strategy={"type": "Recreate"}),
            Fields(type="Recreate", surge=None, unavailable=None),
        ),
    ],
)
def test_what_is_in_force_stays_and_the_users_word_is_kept(new: Object, saved: Fields) -> None:
    """A re-apply every few seconds must neither lift the pause nor be forgotten."""
    known = replace(HELD, saved=saved)
    draft = stepping(known, IN_FORCE)
    kept: dict[str, str | None] = {**draft.annotations, keys.DECLARED: None}
    assert guarded(OLD, new, HELD, resumed=False) == Outcome("Guarded", replace(draft, annotations=kept))


def test_in_an_open_window_the_brake_stays() -> None:
    """The manifest has no brake: applied as it is, the release would run to 100 % in milliseconds."""
    old = rolling(OPEN, fields=BRAKED)
    outcome = guarded(old, changed(old, **MANIFEST, minReadySeconds=0), OPEN, resumed=False)
    assert outcome.draft.fields == BRAKED
    assert outcome.draft.label == "stepping"
    assert record_of(noted(old, record=outcome.draft.annotations[keys.RECORD])) == OPEN


def test_a_users_pause_in_an_open_window_is_kept_for_the_end() -> None:
    """Paused now, the window would be frozen half-way; the controller stops at the step."""
    old = rolling(OPEN, fields=BRAKED)
    outcome = guarded(old, changed(old, paused=True), OPEN, resumed=False)
    assert outcome.draft.fields == BRAKED
    assert outcome.draft.annotations[keys.RECORD] == encode(replace(OPEN, saved=Fields(paused=True)))


def test_at_the_end_the_users_own_fields_are_in_force() -> None:
    """Finishing is a native rollout; a new value takes effect at once."""
    known = record(Phase.FINISHING)
    old = rolling(known)
    outcome = guarded(old, changed(old, strategy=rolling_update(1, 0)), known, resumed=False)
    assert outcome.draft.fields == Fields(surge=1, unavailable=0)


@pytest.mark.parametrize(
    ("strategy", "asked"),
    [
        (rolling_update(0, 0), Fields(surge=0, unavailable=0, paused=True)),
        (rolling_update("lots", "25%"), Fields(surge="lots", paused=True)),
    ],
)
def test_fields_that_the_api_server_refuses_reach_it(strategy: Object, asked: Fields) -> None:
    """Hidden behind ours they would be accepted today and break the end of the rollout."""
    outcome = guarded(OLD, changed(OLD, strategy=strategy), HELD, resumed=False)
    assert (outcome.reason, outcome.draft.fields) == ("Invalid", asked)


@pytest.mark.parametrize(
    ("reason", "version", "labels"),
    [("Reverted", "v1", {}), ("OptedOut", "v2", {"enabled": "false"}), ("OptedOut", "v3", {"enabled": "false"})],
)
@pytest.mark.parametrize("phase", [phase for phase in Phase if phase is not Phase.LEAVING])
def test_a_revert_or_an_opt_out_ends_it_in_every_phase(
    reason: str, version: str, labels: dict[str, str], phase: Phase
) -> None:
    """No controller is needed to go back (I8)."""
    known = record(phase, saved=Fields(surge=None, min_ready=5, paused=True))
    old = rolling(known)
    new = labelled(changed(old, version), **labels)
    ended = Draft(known.saved, None, dict.fromkeys(keys.OUR_ANNOTATIONS))
    assert guarded(old, new, known, resumed=False) == Outcome(reason, ended)


def test_a_revert_with_other_fields_ends_it_with_these() -> None:
    """`kubectl apply` of the former manifest states all of them."""
    new = changed(OLD, **deployment("v1", minReadySeconds=7)["spec"])
    outcome = guarded(OLD, new, HELD, resumed=False)
    assert (outcome.reason, outcome.draft.fields) == ("Reverted", Fields(min_ready=7))


def test_a_revert_that_admission_missed_ends_it_at_the_next_write() -> None:
    """The webhook was away; the stable template stands there, and no retreat has put another one aside."""
    old = rolling(HELD, "v1", IN_FORCE)
    assert guarded(old, changed(old, replicas=20), HELD, resumed=False) == Outcome(
        "Reverted", Draft(Fields(), None, dict.fromkeys(keys.OUR_ANNOTATIONS))
    )


def test_the_way_out_that_the_step_lock_names_ends_it() -> None:
    """Label removed and resumed in one write: kubectl alone is enough."""
    new = changed(OLD, paused=False)
    del new["metadata"]["labels"][keys.ROLLOUT]
    outcome = guarded(OLD, new, HELD, resumed=False)
    assert outcome == Outcome("Released", Draft(Fields(), None, dict.fromkeys(keys.OUR_ANNOTATIONS)))


def test_a_lost_label_alone_is_put_back() -> None:
    """A tool that prunes labels does not know what it does."""
    new = deepcopy(OLD)
    del new["metadata"]["labels"][keys.ROLLOUT]
    del new["metadata"]["annotations"][keys.RECORD]
    outcome = guarded(OLD, new, HELD, resumed=False)
    assert (outcome.reason, outcome.draft.label) == ("Guarded", "holding")
    assert outcome.draft.annotations[keys.RECORD] == annotation(OLD, keys.RECORD)


PUT_BACK = "the rollout goes on, its label was put back; to end it: penstock release web -n shop"
BY_PHASE = {
    Phase.OPENING: BRAKED,
    Phase.BRAKING: replace(BRAKED, paused=True),
    Phase.FINISHING: Fields(),
}
"""Fields in force; elsewhere those of a hold."""


@pytest.mark.parametrize("phase", [phase for phase in Phase if phase is not Phase.LEAVING])
def test_a_tool_that_removes_all_that_it_does_not_know_releases_nothing(phase: Phase) -> None:
    """`kubectl replace`, Terraform: label and record gone, the user's own fields stated, as if to release. The step
    stays, and whoever meant it is told the way."""
    force = BY_PHASE.get(phase, IN_FORCE)
    known = record(phase)
    old = rolling(known, fields=force)
    old["metadata"]["annotations"][keys.REVISION] = "2"
    new = changed(old, **MANIFEST, paused=None, minReadySeconds=None)
    del new["metadata"]["labels"][keys.ROLLOUT], new["metadata"]["annotations"][keys.RECORD]
    outcome = guarded(old, new, known, resumed=False)
    assert (outcome.reason, outcome.draft.fields, outcome.warnings) == ("Guarded", force, (PUT_BACK,))
    again = applied(new, outcome.draft.operations(new))
    assert (active(again), label(again, keys.ROLLOUT)) == (known, label(old, keys.ROLLOUT))
    del new["metadata"]["annotations"][keys.REVISION]
    assert guarded(old, new, known, resumed=False).warnings == ()


def test_what_a_retreat_put_aside_comes_back_when_it_is_removed() -> None:
    """`kubectl annotate web penstock.dev/declared-` while the stable template is shown: no revert, nothing is lost."""
    known = record(Phase.RETREATING, failed="x")
    aside = json.dumps(template("v2"))
    old = noted(rolling(known, "v1", Fields()), declared=aside)
    new = deepcopy(old)
    del new["metadata"]["annotations"][keys.DECLARED]
    outcome = guarded(old, new, known, resumed=False)
    assert applied(new, outcome.draft.operations(new)) == old


def test_at_the_end_our_name_leaves_the_list_of_owners() -> None:
    """And the surge goes back to the tool that had it."""
    known = replace(HELD, owners={"surge": ("argocd/Apply",)})
    surge: Object = {"f:spec": {"f:strategy": {"f:rollingUpdate": {"f:maxSurge": {}}}}}
    new = changed(OLD, "v1")
    new["metadata"]["managedFields"] = [
        {"manager": "argocd", "operation": "Apply", "fieldsV1": {}},
        {"manager": "penstock", "operation": "Update", "fieldsV1": surge},
    ]
    outcome = guarded(OLD, new, known, resumed=False)
    assert outcome.draft.managed == [{"manager": "argocd", "operation": "Apply", "fieldsV1": surge}]


def test_while_a_retreat_shows_the_stable_template_that_is_no_revert() -> None:
    """The template is ours for some milliseconds; a re-apply of labels then must not end the rollout."""
    known = record(Phase.RETREATING, failed="x")
    aside = json.dumps(template("v2"))
    old = noted(rolling(known, "v1", Fields()), declared=aside)
    outcome = guarded(old, labelled(old, other="1"), known, resumed=False)
    assert (outcome.reason, outcome.draft.fields) == ("Guarded", Fields())
    assert outcome.draft.annotations[keys.DECLARED] == aside


def test_an_opt_out_while_a_retreat_shows_the_stable_template_brings_the_owners_template_back() -> None:
    """Opted out means: exactly what the user declared."""
    known = record(Phase.RETREATING, failed="x")
    old = noted(rolling(known, "v1", Fields()), declared=json.dumps(template("v2")))
    outcome = guarded(old, labelled(old, enabled="false"), known, resumed=False)
    assert (outcome.reason, outcome.draft.template) == ("OptedOut", template("v2"))


def test_a_newer_template_supersedes() -> None:
    """Paused, whatever phase it came in; nothing given to the former version survives (I10)."""
    known = replace(OPEN, approved=(1,), awaiting=True)
    old = rolling(known, fields=BRAKED)
    newer = superseded(known, V3, loose_hash(template("v3")), 3)
    draft = stepping(newer, replace(BRAKED, paused=True))
    outcome = guarded(old, changed(old, "v3"), known, resumed=False)
    assert outcome == Outcome("Superseded", replace(draft, annotations={**draft.annotations, keys.DECLARED: None}))


def test_a_newer_template_in_a_window_on_the_stable_one_is_paused() -> None:
    """There is no brake in that window: un-paused, it would run to 100 %."""
    known = record(Phase.RETREATING, failed="x")
    old = noted(rolling(known, "v1", Fields()), declared="{}")
    outcome = guarded(old, changed(old, "v3"), known, resumed=False)
    assert (outcome.reason, outcome.draft.fields) == ("Superseded", Fields(paused=True))


@pytest.mark.parametrize(
    ("own", "force", "stays"),
    [
        (5, "30%", 3),  # as a percentage it would pass theirs when the replicas grow
        ("30%", "21%", "30%"),  # the same number now, in their own words
        ("50%", "10%", "10%"),  # fewer than theirs at every size
        (5, 2, 2),
    ],
)
def test_a_newer_template_in_an_open_window_keeps_its_surge_within_the_users(own: Any, force: Any, stays: Any) -> None:
    """The pause lasts, and while it does nobody clamps anew when the replicas change (I3). Seen by a second admission
    of the same write, the new spelling is not taken for the user's word."""
    known = replace(OPEN, saved=Fields(surge=own))
    old = rolling(known, fields=replace(BRAKED, surge=force))
    outcome = guarded(old, changed(old, "v3"), known, resumed=False)
    assert outcome.draft.fields == replace(BRAKED, surge=stays, paused=True)
    again = applied(changed(old, "v3"), outcome.draft.operations(changed(old, "v3")))
    assert guarded(old, again, known, resumed=False).draft.operations(again) == ()


def test_the_declared_template_in_a_window_on_the_stable_one_is_paused() -> None:
    """The GitOps tool repairs what it takes for drift."""
    known = record(Phase.RETREATING, failed="x")
    old = noted(rolling(known, "v1", Fields()), declared="{}")
    outcome = guarded(old, changed(old, "v2"), known, resumed=False)
    assert (outcome.reason, outcome.draft.fields, outcome.draft.label) == ("Declared", Fields(paused=True), "stepping")
    assert outcome.draft.annotations == {keys.RECORD: encode(known), keys.DECLARED: None}


SENT = loose_hash(template("v9"))
"""v9 is what people send; another webhook stores it as v2."""


@pytest.mark.parametrize(
    ("known", "fields"),
    [(HELD, IN_FORCE), (OPEN, BRAKED), (REJECTED, None), (record(Phase.FINISHING), None)],
)
def test_what_another_webhook_makes_the_declared_version_of_is_that_version(known: Any, fields: Fields | None) -> None:
    """Tags to digests, after ours: a manifest that is applied again must not begin the rollout anew."""
    known = replace(known, sent=SENT)
    old = rolling(known, fields=fields)
    outcome = guarded(old, changed(old, "v9"), known, resumed=False)
    assert (outcome.reason, outcome.draft.operations(changed(old, "v9"))) == ("Guarded", ())
    assert guarded(old, changed(old, "v3"), known, resumed=False).reason == "Superseded"


def test_a_rejected_version_stays_rejected_when_it_is_restarted() -> None:
    """`kubectl rollout restart` is no new version; the reason is said again."""
    old = rolling(REJECTED)
    new = changed(old)
    new["spec"]["template"] = template("v2", restarted="2026-11-23T10:00:00Z")
    outcome = guarded(old, new, REJECTED, resumed=False)
    assert outcome.reason == "StillRejected"
    assert outcome.warnings == ("this version was taken back and stays held: step 1 of 3: pod x crash-loops",)
    kept = record_of(noted(old, record=outcome.draft.annotations[keys.RECORD]))
    assert kept is not None
    assert kept.declared not in (V1, V2)
    assert replace(kept, declared=V2) == REJECTED


TO_GO_BACK = "nothing waits for an approval, nothing was changed; to go back: penstock abort web -n shop, "
TO_GO_BACK += "or, with no controller alive, penstock undo web -n shop"


@pytest.mark.parametrize(
    ("known", "fields", "reason", "kept", "warning"),
    [
        (
            record(awaiting=True, approved=()),
            IN_FORCE,
            "Approved",
            {"awaiting": False, "approved": (1,)},
            "step 1 is approved; the rollout goes on",
        ),
        (record(), IN_FORCE, "NothingToApprove", {}, TO_GO_BACK),
        (REJECTED, IN_FORCE, "NothingToApprove", {}, TO_GO_BACK),
        (
            record(saved=Fields(paused=True), awaiting=True),
            IN_FORCE,
            "PauseLifted",
            {"saved": Fields()},
            "your own pause is lifted; the rollout goes on in steps",
        ),
        (
            record(Phase.FINISHING, saved=Fields(paused=True)),
            Fields(paused=True),
            "PauseLifted",
            {"saved": Fields()},
            "your own pause is lifted; the rollout goes on in steps",
        ),
    ],
)
def test_kubectl_rollout_resume(known: Any, fields: Fields, reason: str, kept: Object, warning: str) -> None:
    """A yes only while one is asked for: kubectl tells people to resume before they undo."""
    old = rolling(known, fields=fields)
    outcome = guarded(old, changed(old, paused=None), known, resumed=True)
    after = replace(known, **kept)
    force = after.saved if known.phase is Phase.FINISHING else fields
    assert outcome == Outcome(reason, stepping(after, force), (warning,))


def test_another_tool_that_drops_the_pause_approves_nothing() -> None:
    """A re-applied manifest is no person."""
    known = record(awaiting=True)
    old = rolling(known, fields=IN_FORCE)
    outcome = guarded(old, changed(old, paused=None), known, resumed=False)
    assert outcome.reason == "Guarded"
    assert outcome.draft.annotations[keys.RECORD] == encode(known)


@pytest.mark.parametrize(
    ("obj", "counts"),
    [
        (OLD, HELD),
        (None, None),
        (deployment(), None),
        (noted(OLD, record="damaged"), None),
        (noted(OLD, record=encode(replace(HELD, uid="d-2"))), None),
        (rolling(record(Phase.LEAVING)), None),
        ({**OLD, "metadata": {**OLD["metadata"], "labels": {}}}, HELD),
        ({**rolling(OPEN), "metadata": {**rolling(OPEN)["metadata"], "labels": {}}}, None),
        ({**changed(OLD, paused=None), "metadata": {**OLD["metadata"], "labels": {}}}, None),
    ],
)
def test_which_record_counts(obj: Object | None, counts: object) -> None:
    """With our label and the object's own uid; a hold that lost its label counts while it is paused."""
    assert active(obj) == counts


def test_what_is_no_text_is_no_annotation() -> None:
    """Admission sees objects before the API server has checked them."""
    odd: Object = {"metadata": {"annotations": {"a": 1}, "labels": ["b"]}}
    assert annotation(odd, "a") is None
    assert label(odd, "b") is None
