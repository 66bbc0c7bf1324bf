"""One observation for each rule of a decision: which rule speaks, what it says, and what it writes."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from penstock.core import keys
from penstock.core.decide import (
    RULES,
    another_leads,
    decide,
    declared_changed,
    in_phase,
    leaving,
    lost_label,
    misaligned,
    moves_again,
    opted_out,
    owners_word,
    repaused,
    situation,
    stable_unknown,
)
from penstock.core.decision import Align, Decision, Delete, Empty, Patch, Unstall, Write
from penstock.core.draft import Draft, stepping
from penstock.core.fields import Fields
from penstock.core.holding import (
    HOLDING,
    approval_noted,
    available,
    brake_amiss,
    failure,
    growing,
    held_failed,
    judging,
    next_step,
    no_steps,
    scaled,
    unreadable,
)
from penstock.core.observation import Observation
from penstock.core.reasons import Reason
from penstock.core.record import Record, decode, rollout_id, superseded
from penstock.core.requests import requested
from penstock.core.rollout import Phase
from penstock.core.situation import Situation
from penstock.core.template import loose_hash
from penstock.core.workloads.deployment import give_back
from tests.core.seen import observation, pod, pods, replicaset
from tests.core.shop import NOW, V1, V3, Object, record, template

Row = tuple[Callable[[Situation], Decision | None], Observation, Reason, str, Write | None]

HELD = record()
PAUSED = Fields(paused=True)
OUT = record(Phase.REJECTED, failed="x")
SENT = record(Phase.PENDING, id=rollout_id(record().uid, record().declared, 7))
"""Made by the write that made generation 8."""
BRAKED = Fields(min_ready=keys.BRAKE_READY, deadline=keys.BRAKE_DEADLINE, paused=True)
LONG_DOWN: dict[str, Any] = {"ready": False, "created": NOW - 700, "ready_since": NOW - 700}
STEP = "step 1 of 3: 1 of 10 pods run the new version"
WEB = "web -n shop"


def wrote(known: Record, fields: Fields, notes: dict[str, str | None] | None = None, **changes: Any) -> Patch:
    """A write of fields in force and record together, and what else goes with it."""
    draft = stepping(known, fields)
    return Patch(replace(draft, annotations={**draft.annotations, **(notes or {})}, **changes))


def released(saved: Fields | None = None) -> Patch:
    """The end that an owner's word brings; ownership is given back after it."""
    notes: dict[str, str | None] = {keys.REQUEST: None, keys.DECLARED: None}
    return wrote(record(Phase.LEAVING, saved=saved or Fields()), saved or Fields(), notes)


def retreats(known: Record, reason: Reason, failed: str) -> Record:
    """The record of a release that is taken back."""
    return replace(known, phase=Phase.RETREATING, step=0, since=NOW, awaiting=False, failed=failed, note=reason)


SURGE: Object = {"f:spec": {"f:strategy": {"f:rollingUpdate": {"f:maxSurge": {}}}}}
TAKEN: list[Object] = [
    {"manager": "argocd", "operation": "Apply", "fieldsV1": {}},
    {"manager": "penstock", "operation": "Update", "fieldsV1": SURGE},
]
OWNED = record(owners={"surge": ("argocd/Apply",)})
CRASHED = "pod web-v2-0 of the new version crash-loops"

BY_RULE: list[Row] = [
    (
        another_leads,
        observation(HELD, epoch=3),
        Reason.FORMER_LEADER,
        "another controller has taken over this rollout, or its record was edited; to end it: "
        "kubectl label deployment web -n shop penstock.dev/enabled=false",
        None,
    ),
    (
        another_leads,
        observation(HELD, epoch=5),
        Reason.WINDOW,
        "this controller takes over",
        wrote(record(epoch=5), PAUSED, label=False),
    ),
    (
        moves_again,
        observation(record(Phase.RETREATING), 0, stalled=True),
        Reason.WINDOW,
        "nothing is stalled any more",
        Unstall(),
    ),
    (
        leaving,
        observation(record(Phase.LEAVING)),
        Reason.WINDOW,
        "the record goes",
        Patch(Draft(label="finishing", annotations=dict.fromkeys(keys.OUR_ANNOTATIONS), managed=[])),
    ),
    (
        owners_word,
        observation(record(Phase.FINISHING, saved=Fields(surge=3, paused=True)), fields=Fields(surge=4)),
        Reason.WINDOW,
        "the owner's fields have changed",
        wrote(record(Phase.FINISHING, saved=Fields(surge=4)), Fields(surge=4)),
    ),
    (
        opted_out,
        observation(HELD, namespace_labels={}),
        Reason.RELEASED,
        "opted out; every field is as its owner had it",
        released(),
    ),
    (lost_label, observation(HELD, labels={}), Reason.WINDOW, "our label is put back", wrote(HELD, PAUSED)),
    (
        lost_label,
        observation(record(saved=Fields(surge=3, paused=True)), fields=Fields(), labels={}),
        Reason.RELEASED,
        "released by removing the label; every field is as its owner had it",
        released(Fields(surge=3)),
    ),
    (
        declared_changed,
        observation(HELD, version="v1"),
        Reason.REVERTED,
        "the stable version was declared again; the rollout is over",
        released(),
    ),
    (  # in a window on the stable template, and somebody has removed what was put aside: what stands there is declared
        declared_changed,
        observation(record(Phase.RETREATING), version="v1", fields=Fields()),
        Reason.REVERTED,
        "the stable version was declared again; the rollout is over",
        released(),
    ),
    (
        declared_changed,
        observation(HELD, version="v3", fields=Fields()),
        Reason.SUPERSEDED,
        "a newer version was declared; pods of the superseded one go first",
        wrote(superseded(HELD, V3, loose_hash(template("v3")), 4 + int(NOW - 120)), PAUSED, {keys.DECLARED: None}),
    ),
    (
        declared_changed,
        observation(record(Phase.REJECTED, failed="x", loose=loose_hash(template("v3"))), 0, version="v3"),
        Reason.WINDOW,
        "the rejected version, restarted",
        wrote(record(Phase.REJECTED, failed="x", loose=loose_hash(template("v3")), declared=V3), PAUSED),
    ),
    (
        stable_unknown,
        observation(record(Phase.PENDING, stable="", revision=""), 3, 7),
        Reason.WINDOW,
        "web-v1 is the stable version",
        wrote(record(Phase.PENDING, stable=V1, revision="1"), PAUSED),
    ),
    (
        stable_unknown,
        observation(HELD, replicasets=(replicaset("v2", 10),)),
        Reason.NO_STABLE,
        "no other version runs, there is nothing to compare with",
        released(),
    ),
    (
        stable_unknown,
        observation(HELD, replicasets=(), replicas=0),
        Reason.SCALED_TO_ZERO,
        "no pods are wanted; it goes on when the workload is scaled up",
        None,
    ),
    (
        requested,
        observation(HELD, notes={"request": "yes"}),
        Reason.REQUEST_IGNORED,
        "the request was ignored: column 1: this is not JSON; "
        'example: {"do": "approve", "rollout": "3f2a9c1e", "step": 1}; this is step 1 of rollout 3f2a9c1e',
        wrote(HELD, PAUSED, {keys.REQUEST: None}),
    ),
    (
        give_back,
        observation(OWNED, managed=TAKEN),
        Reason.WINDOW,
        "fields go back to the tool that owns them",
        Patch(Draft(managed=[{"manager": "argocd", "operation": "Apply", "fieldsV1": SURGE}])),
    ),
    (
        misaligned,
        observation(record(Phase.PENDING), 0, replicasets=(replicaset("v1", 10, desired=12),)),
        Reason.WINDOW,
        "web-v1 says what it has",
        Align("web-v1", 10),
    ),
    (
        repaused,
        observation(HELD, fields=Fields()),
        Reason.REPAUSED,
        "somebody resumed a held rollout; it is paused again",
        wrote(HELD, replace(PAUSED, min_ready=keys.BRAKE_READY, deadline=keys.BRAKE_DEADLINE)),
    ),
    (
        repaused,
        observation(OUT, 0, fields=Fields()),
        Reason.REPAUSED,
        "somebody resumed a held rollout; it is paused again",
        wrote(OUT, PAUSED),
    ),
    (
        declared_changed,
        observation(SENT, 0, generation=8, version="v3", fields=PAUSED),
        Reason.WINDOW,
        "another webhook has changed the template after ours; it is the same version",
        wrote(replace(SENT, declared=V3, loose=loose_hash(template("v3")), sent=SENT.declared), PAUSED),
    ),
    (
        in_phase,
        observation(record(Phase.OPENING), fields=replace(BRAKED, paused=None)),
        Reason.WINDOW,
        "step 1: the native controller adds pods of the new version",
        None,
    ),
]

SCALED = "4 of 10 pods run the new version, step 1 allows 1; it is opened anew"
AWAITED = f"{STEP} and are healthy; approval is awaited: penstock approve {WEB}"
FAILED = f"step 1 of 3: {CRASHED}"
GO_ON = f"Go on: penstock approve {WEB}; back: penstock abort {WEB}"
BAD = (
    'annotation penstock.dev/steps, column 1: "half" is neither a number of pods nor a percentage from 1% to 100%; '
    'example: "1, 25%, 50%"; nothing advances until it is corrected'
)
LOOPING = pods("v1", 10) + pods("v2", 1, waiting=("CrashLoopBackOff",), ready=False, ready_since=0.0)
ASKED = record(awaiting=True)
HELD_FAILED = record(failed=FAILED, note="CrashLoop", awaiting=True)
FRESH = pods("v1", 10) + pods("v2", 1, ready_since=NOW - 10)

BY_HOLDING: list[Row] = [
    (
        scaled,
        observation(HELD, 4),
        Reason.SCALED,
        SCALED,
        wrote(record(Phase.RETREATING, since=NOW), PAUSED),
    ),
    (
        failure,
        observation(HELD, pods=LOOPING),
        Reason.CRASH_LOOP,
        f"{FAILED}; the release is taken back",
        wrote(retreats(HELD, Reason.CRASH_LOOP, FAILED), PAUSED),
    ),
    (
        brake_amiss,
        observation(HELD, fields=BRAKED),
        Reason.WINDOW,
        "the brake follows the number of replicas",
        wrote(HELD, PAUSED),
    ),
    (
        approval_noted,
        observation(HELD, notes={"approve": "each"}),
        Reason.WINDOW,
        "whether a person is asked has changed",
        wrote(ASKED, PAUSED),
    ),
    (
        held_failed,
        observation(HELD_FAILED),
        Reason.HELD_FAILED,
        f"{FAILED}; held (on-failure: pause). {GO_ON}",
        None,
    ),
    (unreadable, observation(HELD, notes={"steps": "half"}), Reason.BAD_ANNOTATION, BAD, None),
    (
        no_steps,
        observation(record(saved=Fields(surge=0)), 0, 1, replicas=1, fields=replace(BRAKED, surge=0)),
        Reason.FINISHING,
        "all steps passed; the only pod gets the new version",
        wrote(record(Phase.FINISHING, saved=Fields(surge=0), since=NOW), Fields(surge=0)),
    ),
    (
        growing,
        observation(record(step=2, target=3)),
        Reason.WINDOW,
        "the brake is set for step 2",
        wrote(record(Phase.BRAKING, step=2, target=3), BRAKED),
    ),
    (
        available,
        observation(HELD, pods=pods("v1", 10) + pods("v2", 1, ready=False)),
        Reason.WAITING_FOR_PODS,
        "step 1 of 3: waiting until 1 pod of the new version is available",
        None,
    ),
    (
        judging,
        observation(HELD, pods=FRESH),
        Reason.JUDGING,
        f"{STEP}, judged until 08:00:50 UTC",
        None,
    ),
    (
        next_step,
        observation(HELD),
        Reason.WINDOW,
        "the brake is set for step 2",
        wrote(record(Phase.BRAKING, step=2), BRAKED),
    ),
]


@pytest.mark.parametrize(("rule", "seen", "reason", "message", "write"), BY_RULE + BY_HOLDING)
def test_the_first_rule_that_has_something_to_say_decides(
    rule: Callable[[Situation], Decision | None],
    seen: Observation,
    reason: Reason,
    message: str,
    write: Write | None,
) -> None:
    """Reason, sentence and write as a whole; and no rule before it would have spoken."""
    found = decide(seen)
    assert (found.reason, found.message, found.write) == (reason, message, write)
    s = situation(seen, record_of(seen))
    rules = HOLDING if rule in HOLDING else RULES
    assert next(r for r in rules if r(s)) is rule


def record_of(seen: Observation) -> Record:
    return decode(seen.deployment.annotations[keys.RECORD])


def test_this_table_has_every_rule() -> None:
    """A new rule needs its observation here."""
    assert {row[0] for row in BY_RULE} == set(RULES)
    assert {row[0] for row in BY_HOLDING} == set(HOLDING)


EMPTY_V3 = replicaset("v3", 0)
IN_WINDOW = Fields(surge="10%", unavailable=0, min_ready=keys.BRAKE_READY, deadline=keys.BRAKE_DEADLINE)
REJECTED = record(Phase.REJECTED, failed=FAILED, note="CrashLoop", step=0)
OUT = (
    f"taken back, all pods run the stable version: {FAILED}; "
    f"deploy another version, or the stable one; to try this one again: penstock retry {WEB}"
)
UNSEEN = (replicaset("v1", 10), replicaset("v2", 1, available=1, min_ready=0))
SEEN_BRAKE = (replicaset("v1", 10), replicaset("v2", 1, available=0, min_ready=keys.BRAKE_READY))

NEW_8 = pods("v2", 8)

IN_PHASE: list[tuple[str, Observation, Reason, str, Write | None]] = [
    (
        "the first window opens",
        observation(record(Phase.PENDING), 0),
        Reason.STEP_OPENED,
        "step 1 of 3: 1 of 10 pods get the new version",
        wrote(
            record(Phase.OPENING, step=1, started=NOW, since=NOW, target=1, replicas=10),
            replace(IN_WINDOW, unavailable="0%"),
        ),
    ),
    (
        "an empty ReplicaSet goes first",
        observation(record(Phase.PENDING), 0, replicasets=(replicaset("v1", 10), EMPTY_V3)),
        Reason.WINDOW,
        "the empty ReplicaSet web-v3 goes, so that nothing can revive it",
        Delete("web-v3", "rs-v3"),
    ),
    (
        "without a step it is native",
        observation(record(Phase.PENDING), 0, notes={"steps": "100%"}),
        Reason.FINISHING,
        "all steps passed; all 10 pods get the new version",
        wrote(record(Phase.FINISHING, step=0, started=0, target=0, replicas=0, since=NOW), Fields()),
    ),
    (
        "the brake is not seen yet",
        observation(record(Phase.BRAKING, step=2), fields=BRAKED, replicasets=UNSEEN),
        Reason.WINDOW,
        "step 2: waiting until every controller has seen the brake",
        None,
    ),
    (
        "the brake is seen",
        observation(record(Phase.BRAKING, step=2), fields=BRAKED, replicasets=SEEN_BRAKE, status_available=10),
        Reason.STEP_OPENED,
        "step 2 of 3: 3 of 10 pods get the new version",
        wrote(
            record(Phase.OPENING, step=2, since=NOW, target=3),
            Fields(surge="25%", unavailable="0%", min_ready=keys.BRAKE_READY, deadline=keys.BRAKE_DEADLINE),
        ),
    ),
    (
        "the window closes",
        observation(record(Phase.OPENING), fields=IN_WINDOW),
        Reason.WINDOW,
        "step 1: the window is closed",
        wrote(HELD, Fields(surge="10%", paused=True)),
    ),
    (
        "a retreat empties the new ReplicaSet",
        observation(record(Phase.RETREATING, failed="x"), 2),
        Reason.WINDOW,
        "web-v2 is emptied",
        Empty("web-v2"),
    ),
    (
        "a retreat empties a new ReplicaSet of which no pod has been Ready for long, however few old ones are",
        observation(record(Phase.RETREATING, failed="x"), 8, 5, pods=pods("v1", 5) + pods("v2", 8, **LONG_DOWN)),
        Reason.WINDOW,
        "web-v2 is emptied",
        Empty("web-v2"),
    ),
    (
        "a retreat towards a version that is down ends with what was declared last",
        observation(record(Phase.RETREATING), 8, 5, pods=pods("v1", 5, ready=False, ready_since=NOW - 601) + NEW_8),
        Reason.NO_STABLE,
        "no pod of the stable version has been Ready for 600 s, there is nothing to go back to",
        released(),
    ),
    (
        "a retreat with too few old pods shows the stable template",
        observation(record(Phase.RETREATING, failed="x"), 8, 5),
        Reason.WINDOW,
        "a window on the stable template is opened",
        wrote(
            record(Phase.RETREATING, failed="x", since=NOW),
            Fields(),
            {keys.DECLARED: json.dumps(template("v2"), separators=(",", ":"))},
            template=template("v1"),
        ),
    ),
    (
        "a retreat is over",
        observation(record(Phase.RETREATING, failed=FAILED, note="CrashLoop", step=0), 0),
        Reason.REJECTED,
        OUT,
        wrote(replace(REJECTED, target=0), PAUSED),
    ),
    (
        "superseded pods are gone",
        observation(record(Phase.RETREATING, step=0), 0),
        Reason.WINDOW,
        "no pod of the new version is left, it starts anew",
        wrote(record(Phase.PENDING, started=NOW - 120, since=NOW - 120, replicas=10), PAUSED),
    ),
    ("rejected", observation(REJECTED, 0), Reason.REJECTED, OUT, None),
    (
        "the native controller completes",
        observation(record(Phase.FINISHING), 6, 5),
        Reason.FINISHING,
        "all steps passed; all 10 pods get the new version",
        None,
    ),
    (
        "all pods run the new version",
        observation(record(Phase.FINISHING), 10, 0),
        Reason.PROMOTED,
        "all 10 pods run the new version",
        Patch(
            Draft(
                Fields(),
                "finishing",
                {
                    **dict.fromkeys(keys.OUR_ANNOTATIONS),
                    keys.PREVIOUS: json.dumps({"template": V1, "until": round(NOW + 3600)}, separators=(",", ":")),
                },
            )
        ),
    ),
]


@pytest.mark.parametrize(("what", "seen", "reason", "message", "write"), IN_PHASE)
def test_what_a_phase_does_next(
    what: str, seen: Observation, reason: Reason, message: str, write: Write | None
) -> None:
    """Known from the Deployment and its ReplicaSets alone, so any new process goes on from here."""
    found = decide(seen)
    assert (found.reason, found.message, found.write) == (reason, message, write)


def ask(do: str, step: int = 1, rollout: str = "3f2a9c1e") -> dict[str, str]:
    return {"request": json.dumps({"do": do, "rollout": rollout, "step": step})}


FRESH_EACH = record(awaiting=True)
IGNORED = "the request was ignored: {}; this is step {} of rollout 3f2a9c1e"
TAKEN_BACK = "the request was ignored: {}; rollout 3f2a9c1e is taken back"
NOBODY = "nothing waits for an approval"
BACK = "a person took the release back"

REQUESTS: list[tuple[str, int, Record, int, str, Reason, Record]] = [
    ("approve", 1, ASKED, 1, "step 1 is approved", Reason.APPROVED, record(approved=(1,))),
    ("approve", 1, HELD, 1, IGNORED.format(NOBODY, 1), Reason.REQUEST_IGNORED, HELD),
    (
        "approve",
        1,
        replace(HELD_FAILED, awaiting=False),
        1,
        "step 1 is approved",
        Reason.APPROVED,
        replace(HELD_FAILED, awaiting=False, approved=(1,)),
    ),
    (
        "approve",
        0,
        record(Phase.PENDING),
        0,
        f"the request was ignored: {NOBODY}; rollout 3f2a9c1e is before its first step",
        Reason.REQUEST_IGNORED,
        record(Phase.PENDING),
    ),
    (
        "approve",
        1,
        record(approved=(1,)),
        1,
        IGNORED.format(NOBODY, 1),
        Reason.REQUEST_IGNORED,
        record(approved=(1,)),
    ),
    (
        "approve",
        2,
        ASKED,
        1,
        IGNORED.format("approve was for step 2 of rollout 3f2a9c1e", 1),
        Reason.REQUEST_IGNORED,
        ASKED,
    ),
    (
        "approve",
        0,
        REJECTED,
        0,
        TAKEN_BACK.format(NOBODY),
        Reason.REQUEST_IGNORED,
        REJECTED,
    ),
    ("abort", 1, HELD, 1, BACK, Reason.ABORTED, retreats(HELD, Reason.ABORTED, "a person took it back")),
    (
        "abort",
        0,
        record(Phase.PENDING),
        0,
        BACK,
        Reason.ABORTED,
        retreats(record(Phase.PENDING), Reason.ABORTED, "a person took it back"),
    ),
    (
        "abort",
        0,
        REJECTED,
        0,
        "the request was ignored: the release is taken back already; this is rollout 3f2a9c1e",
        Reason.REQUEST_IGNORED,
        REJECTED,
    ),
    (
        "abort",
        2,
        HELD,
        1,
        IGNORED.format("abort was for step 2 of rollout 3f2a9c1e", 1),
        Reason.REQUEST_IGNORED,
        HELD,
    ),
    (
        "retry",
        0,
        REJECTED,
        0,
        "another try begins",
        Reason.RETRIED,
        replace(REJECTED, phase=Phase.PENDING, failed="", note="", started=0, target=0),
    ),
    (
        "retry",
        1,
        HELD,
        1,
        IGNORED.format("only a rejected version can be tried again", 1),
        Reason.REQUEST_IGNORED,
        HELD,
    ),
    (
        "skip-to",
        3,
        ASKED,
        1,
        "a person skips to step 3",
        Reason.APPROVED,
        record(step=3, approved=(1, 2)),
    ),
    (
        "skip-to",
        4,
        HELD,
        1,
        IGNORED.format("4 is not a later step (later ones: 2, 3)", 1),
        Reason.REQUEST_IGNORED,
        HELD,
    ),
    (
        "skip-to",
        1,
        record(step=3),
        5,
        IGNORED.format("1 is not a later step (later ones: none)", 3),
        Reason.REQUEST_IGNORED,
        record(step=3),
    ),
    (
        "skip-to",
        2,
        REJECTED,
        0,
        TAKEN_BACK.format("steps can be skipped only while the rollout is held at one"),
        Reason.REQUEST_IGNORED,
        REJECTED,
    ),
]


@pytest.mark.parametrize(("do", "step", "known", "new", "message", "reason", "after"), REQUESTS)
def test_a_request_is_answered_and_consumed_in_one_write(
    do: str, step: int, known: Record, new: int, message: str, reason: Reason, after: Record
) -> None:
    """Whatever comes of it: a request left standing would be answered again at every look."""
    found = decide(observation(known, new, notes=ask(do, step)))
    assert (found.reason, found.message, found.write) == (reason, message, wrote(after, PAUSED, {keys.REQUEST: None}))


@pytest.mark.parametrize(
    ("seen", "says"),
    [
        (
            observation(FRESH_EACH, pods=FRESH, notes=ask("approve") | {"approve": "each"}),
            "step 1 is approved; it is still judged until 08:00:50 UTC",
        ),
        (
            observation(FRESH_EACH, pods=pods("v1", 10), notes=ask("approve") | {"approve": "each"}),
            "step 1 is approved; it goes on when its pods are available and have been judged",
        ),
    ],
)
def test_a_yes_in_advance_is_taken_and_says_what_is_still_missing(seen: Observation, says: str) -> None:
    """It will be asked for at this very step, so a person need not come back for it; nor wonder why nothing moves."""
    found = decide(seen)
    after = replace(FRESH_EACH, approved=(1,), awaiting=False)
    assert (found.reason, found.message) == (Reason.APPROVED, says)
    assert found.write == wrote(after, PAUSED, {keys.REQUEST: None})


@pytest.mark.parametrize(
    ("known", "labels", "says"),
    [
        (REJECTED, {keys.ENABLED: "false"}, "the version that was taken back on all 10 pods"),
        (HELD_FAILED, {keys.ENABLED: "false"}, "the version that failed on all 10 pods"),
        (replace(REJECTED, saved=Fields(paused=True)), {keys.ENABLED: "false"}, ""),
        (HELD, {keys.ENABLED: "false"}, ""),
    ],
)
def test_a_release_of_a_failed_version_warns(known: Record, labels: dict[str, str], says: str) -> None:
    """Opting out looks like turning something off; it puts a version on all pods that has just failed."""
    seen = observation(known)
    found = decide(replace(seen, deployment=replace(seen.deployment, labels=labels)))
    message = "opted out; every field is as its owner had it"
    if says:
        message += (
            f"; this puts {says} at once ({FAILED}); back to the former one: kubectl rollout undo deployment {WEB}. "
            "To end a rollout on the former version: penstock undo, or apply that version"
        )
    assert (found.reason, found.message) == (Reason.FAILED_RELEASED if says else Reason.RELEASED, message)


@pytest.mark.parametrize("do", ["approve", "abort", "retry", "skip-to"])
def test_a_request_for_another_rollout_moves_nothing(do: str) -> None:
    """A yes to version 2 must never move version 3 (I10)."""
    found = decide(observation(ASKED, notes=ask(do, rollout="00000000")))
    what = "rollout" if do == "skip-to" else "step 1 of rollout"
    assert found.message == IGNORED.format(f"{do} was for {what} 00000000", 1)
    assert found.write == wrote(ASKED, PAUSED, {keys.REQUEST: None})


def test_an_abort_in_an_open_window_waits_until_it_is_closed() -> None:
    """Milliseconds later it is closed, and the request is still there."""
    known = record(Phase.OPENING)
    settled = decide(observation(known, fields=IN_WINDOW, notes=ask("abort")))
    assert settled.write == wrote(HELD, Fields(surge="10%", paused=True))


@pytest.mark.parametrize(
    ("policy", "known", "waits"),
    [
        ("never", record(), False),
        ("each", ASKED, True),
        ("each", record(approved=(1,)), False),
        ("last", record(), False),
        ("10%", ASKED, True),
        ("25%, 50%", record(), False),
    ],
)
def test_who_has_to_say_yes_is_the_policys_word(policy: str, known: Record, waits: bool) -> None:
    """Steps are named as they are written, not by what they resolve to."""
    found = decide(observation(known, notes={"approve": policy}))
    if waits:
        assert (found.reason, found.message, found.write) == (Reason.AWAITING_APPROVAL, AWAITED, None)
    else:
        assert found.message == "the brake is set for step 2"


def test_with_on_failure_pause_a_failure_is_held_and_asks() -> None:
    """Once it is written it is only said; an approval given before it failed does not count."""
    seen = observation(record(approved=(1,)), pods=LOOPING, notes={"on-failure": "pause"})
    found = decide(seen)
    message = f"{FAILED}; held (on-failure: pause). {GO_ON}"
    assert (found.reason, found.message) == (Reason.HELD_FAILED, message)
    assert found.write == wrote(HELD_FAILED, PAUSED)
    again = decide(observation(HELD_FAILED, pods=LOOPING, notes={"on-failure": "pause"}))
    assert (again.reason, again.message, again.write) == (Reason.HELD_FAILED, message, None)


def test_an_approval_overrules_the_failure_of_its_step() -> None:
    """The person has read why; the next step starts with a clean sheet."""
    known = replace(HELD_FAILED, awaiting=False, approved=(1,))
    looping = pods("v1", 10) + pods("v2", 1, waiting=("CrashLoopBackOff",))
    found = decide(observation(known, pods=looping, notes={"on-failure": "pause"}))
    assert found.write == wrote(record(Phase.BRAKING, step=2, approved=(1,)), BRAKED)


BLIPPED = pods("v1", 10) + pods("v2", 1, restarts=1, exit_code=1, crashed=NOW - 100)


@pytest.mark.parametrize(
    ("now", "message"),
    [
        (NOW, f"{STEP}; watched until 08:08:10 UTC: pod web-v2-0 of the new version crashed once (exit code 1)"),
        (NOW + 491, "the brake is set for step 2"),
    ],
)
def test_one_blip_makes_the_step_last_to_its_longest_stay(now: float, message: str) -> None:
    """And a quiet rest passes."""
    assert decide(observation(HELD, now=now, pods=BLIPPED)).message == message


def test_nothing_passes_while_no_node_has_room() -> None:
    """However long it takes: the pods that would be judged do not run."""
    waiting = (*pods("v1", 10), pod(0), pod(1, scheduled=False, ready=False, ready_since=0.0))
    found = decide(observation(record(target=2), 2, now=NOW + 10_000, pods=waiting, notes={"steps": "2, 50%"}))
    assert (found.reason, found.write) == (Reason.NOT_THE_RELEASE, None)
    assert found.message == (
        "step 1 of 2: waiting until 2 pods of the new version are available "
        "(pod web-v2-1: no node has room for it; that is not the release's fault)"
    )


@pytest.mark.parametrize(
    ("phase", "new", "fields"),
    [(Phase.PENDING, 0, PAUSED), (Phase.HOLDING, 1, PAUSED), (Phase.FINISHING, 5, PAUSED)],
)
def test_a_users_own_pause_is_respected(phase: Phase, new: int, fields: Fields) -> None:
    """Nothing is opened and nothing finishes until it is lifted; the message says how."""
    found = decide(observation(record(phase, saved=PAUSED), new, fields=fields))
    assert (found.reason, found.write) == (Reason.PAUSED_BY_USER, None)
    assert found.message == "paused by its user; it goes on after: kubectl rollout resume deployment web -n shop"


@pytest.mark.parametrize(("phase", "new"), [(Phase.PENDING, 0), (Phase.HOLDING, 1)])
def test_a_bad_annotation_holds_and_says_so(phase: Phase, new: int) -> None:
    """The namespace's count as well; the webhook may have been away when it was written."""
    found = decide(observation(record(phase), new, namespace_annotations={keys.STEPS: "half"}))
    assert (found.reason, found.message, found.write) == (Reason.BAD_ANNOTATION, BAD, None)


def test_a_bad_annotation_does_not_stop_a_failure() -> None:
    """Going back is always possible."""
    found = decide(observation(HELD, pods=LOOPING, notes={"warmup": "soon"}))
    assert found.reason is Reason.CRASH_LOOP


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "the record is not readable JSON"),
        ('{"v":2}', "the record has version 2, this Penstock reads version 1"),
        ('{"v":1}', "the record is damaged: 'uid'"),
    ],
)
def test_a_record_that_cannot_be_read_is_held(text: str, why: str) -> None:
    """Perhaps a newer controller wrote it; a guess would move pods."""
    found = decide(observation(HELD, notes={"record": text}))
    then = "nothing is changed until a version that can read it runs; to end it: "
    then += "kubectl label deployment web -n shop penstock.dev/enabled=false"
    assert found == Decision(Reason.BAD_RECORD, f"{why}; {then}")


def test_a_backups_fields_are_undone() -> None:
    """Created while the webhook was away, with the record of the object that it was made from."""
    known = record(uid="d-9", saved=Fields(surge=3))
    found = decide(observation(known, fields=BRAKED))
    assert found.reason is Reason.RELEASED
    assert found.message == "the record is another object's (a backup); its fields are restored"
    gone = dict.fromkeys(keys.OUR_ANNOTATIONS)
    assert found.write == Patch(Draft(Fields(surge=3), "finishing", gone))


@pytest.mark.parametrize(
    ("enabled", "namespace", "active"),
    [
        (None, "true", True),
        (None, None, False),
        ("true", None, True),
        ("false", "true", False),
        ("true", "false", True),
    ],
)
def test_the_label_of_the_workload_overrides_its_namespace(
    enabled: str | None, namespace: str | None, active: bool
) -> None:
    """In both directions."""
    labels = {keys.ROLLOUT: "holding"} | ({keys.ENABLED: enabled} if enabled else {})
    seen = observation(HELD, labels=labels, namespace_labels={keys.ENABLED: namespace} if namespace else {})
    assert (decide(seen).reason is not Reason.RELEASED) is active


def test_a_decision_tells_where_the_rollout_is() -> None:
    """Metrics and the command line show these."""
    found = decide(observation(record(step=2, target=3), 3, pods=pods("v1", 10) + pods("v2", 3, ready_since=NOW)))
    shown = (found.phase, found.step, found.steps, found.exposed, found.allowed, found.shown, found.over)
    assert shown == ("Holding", 2, 3, 3, 3, True, False)
    assert found.wait == pytest.approx(60.05)


def test_the_same_observation_gives_the_same_decision() -> None:
    """So a recorded one can be replayed."""
    for row in BY_RULE + BY_HOLDING:
        assert decide(row[1]) == decide(row[1])


def test_nothing_is_finished_before_the_native_controller_has_seen_a_change_of_replicas() -> None:
    """From ten to one and finished at once, it took the old pod for one too many (I1)."""
    waits = decide(observation(record(step=3, target=5), 5, 5, seen=False))
    assert waits.message == "waiting until the native controller has seen the last change of the Deployment"
    assert waits.write is None
    assert decide(observation(record(step=3, target=5), 5, 5)).reason is Reason.FINISHING
