"""What metric checks do to a rollout: from the answers of a source to the decision."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from penstock.core import keys
from penstock.core.counters import Count
from penstock.core.decide import decide, situation
from penstock.core.decision import Decision, Patch
from penstock.core.fields import Fields
from penstock.core.judgement import NOT_YET, Answer, Judgement, look
from penstock.core.observation import Observation, Pod
from penstock.core.reading import Counters, Reading, Scalar
from penstock.core.reasons import Reason
from penstock.core.record import Record, decode
from penstock.core.rollout import Phase
from tests.core.seen import observation, pods
from tests.core.shop import NOW, record

LONGEST = 600.0
STEP = "step 1 of 3: 1 of 10 pods run the new version"
NO_VERDICT = "no verdict of errors (too little data) at the end of the longest stay"
BACK = "the release is taken back (on-inconclusive: rollback)"
GO_ON = "Go on: penstock approve web -n shop; back: penstock abort web -n shop"
ERRORS = {"errors": 'a{code="500"} / a', "warmup": "5s"}
LIMIT = {"limit.queue": "max(queue) < 500 for 2"}
OLD, NEW = pods("v1", 9, started=NOW - 9000), pods("v2", 1, started=NOW - 118)
HELD = record(started=NOW - 120)


def counted(some: tuple[Pod, ...], requests: float, bad: float, time: float) -> dict[str, Counters]:
    """Each of these pods has so many requests and bad ones by then."""
    return {pod.name: Counters({"a": requests}, {"a": bad}, time) for pod in some}


def folded(seen: Observation, *answers: Mapping[str, Answer], before: Count | None = None) -> Observation:
    """The observation after the source has given these answers, ten seconds apart, the last one just now."""
    known, memories = NOT_YET, {}
    for number, answer in enumerate(answers):
        time = seen.now - 10.0 * (len(answers) - 1 - number)
        learnt = {"errors": before} if before and number == 0 else None
        known, memories = look(
            known,
            memories,
            answer,
            situation(seen, decode(seen.deployment.annotations[keys.RECORD])).bearings,
            time=time,
            source="pods",
            before=learnt,
        )
    return replace(seen, judgement=known)


def compared(
    new: tuple[float, float],
    old: tuple[float, float],
    known: Record = HELD,
    before: Count | None = None,
    **changes: Any,
) -> Observation:
    """Held at the first step: requests and bad ones per new and per old pod since the look before."""
    seen = observation(known, pods=OLD + NEW, notes={**ERRORS, **changes.pop("notes", {})}, **changes)
    then, now = seen.now - 10, seen.now
    first = Reading(then, {**counted(OLD, 1000, 10, then), **counted(NEW, 50, 0, then)})
    last = {**counted(OLD, 1000 + old[0], 10 + old[1], now), **counted(NEW, 50 + new[0], new[1], now)}
    return folded(seen, {"errors": first}, {"errors": Reading(now, last)}, before=before)


def written(decision: Decision) -> Record:
    """The record that the decision writes."""
    assert isinstance(decision.write, Patch)
    return decode(str(decision.write.draft.annotations[keys.RECORD]))


def said(decision: Decision) -> tuple[Reason, str, bool]:
    """Reason, message, and whether something is written."""
    return decision.reason, decision.message, decision.write is not None


def test_more_errors_on_new_pods_take_the_release_back_at_once() -> None:
    """Not at the end of the step: each second more costs requests."""
    found = decide(compared((500, 100), (500, 5), now=NOW))
    assert found.reason is Reason.MORE_ERRORS
    assert found.message.startswith(
        "step 1 of 3: errors: new 100/500 (20.0%) vs old 45/4500 (1.0%), ratio 20.0, evidence "
    )
    assert found.message.endswith("; the release is taken back")
    assert isinstance(found.write, Patch)


def test_equal_errors_let_it_go_on_after_the_shortest_stay() -> None:
    """The pods' own checks and the comparison agree."""
    found = decide(compared((2000, 20), (2000, 20)))
    assert said(found) == (Reason.WINDOW, "the brake is set for step 2", True)


def test_too_little_data_wait_and_say_what_is_missing() -> None:
    """A person who looks must see that it is not stuck."""
    found = decide(compared((10, 0), (10, 0)))
    assert said(found) == (Reason.JUDGING, f"{STEP}, judged until 08:08:10 UTC at the latest", False)
    assert len(found.sentences) == 1
    assert found.sentences[0].startswith("errors: new 0/10 (0%) vs old 0/90 (0%)")
    assert found.text == f"{found.message}; {found.sentences[0]}"


def test_nothing_passes_before_the_shortest_stay() -> None:
    """Evidence may be early; a slow fault is not."""
    young = pods("v2", 1, started=NOW - 118, ready_since=NOW - 20)
    seen = compared((2000, 20), (2000, 20))
    found = decide(replace(seen, pods=OLD + young))
    assert said(found) == (Reason.JUDGING, f"{STEP}, judged until 08:00:40 UTC", False)


def test_a_proof_for_the_step_before_is_none_for_this_one() -> None:
    """What the next step risks has grown, the proof has to be made against that."""
    seen = compared((2000, 20), (2000, 20))
    later = replace(HELD, step=2, target=3)
    grown = observation(later, new=3, old=8, pods=OLD[:8] + pods("v2", 3), notes=ERRORS)
    found = decide(replace(grown, judgement=replace(seen.judgement, rollout=later.id)))
    assert found.reason is Reason.JUDGING


def test_evidence_of_another_rollout_is_none() -> None:
    """I10: a verdict is bound to uid and template."""
    seen = compared((500, 100), (500, 5))
    found = decide(replace(seen, judgement=replace(seen.judgement, rollout="another")))
    assert said(found) == (Reason.JUDGING, f"{STEP}, judged until 08:08:10 UTC at the latest", False)
    assert found.sentences == ("errors: not asked yet",)


def test_evidence_for_another_query_is_none() -> None:
    """Whoever corrects the annotation in mid-rollout wants the new one to be asked."""
    seen = compared((500, 100), (500, 5))
    other = observation(HELD, pods=OLD + NEW, notes={"errors": "other / a", "warmup": "5s"})
    found = decide(replace(other, judgement=seen.judgement))
    assert found.sentences == ("errors: not asked yet",)


def test_a_passing_look_that_is_old_does_not_pass() -> None:
    """A source that hangs must not leave its last good word standing."""
    seen = compared((2000, 20), (2000, 20))
    found = decide(replace(seen, now=NOW + 61))
    assert found.reason is Reason.UNREACHABLE
    assert found.sentences == ("errors: not asked since a minute",)


def test_old_pods_that_fail_too_are_an_incident_and_nothing_advances() -> None:
    """Also after the longest stay, and whatever on-inconclusive says."""
    for policy in ("hold", "advance", "rollback"):
        seen = compared((500, 250), (500, 250), before=Count(5000, 50), notes={"on-inconclusive": policy})
        for now in (NOW, NOW + LONGEST):
            found = decide(replace(seen, now=now))
            message = f"{STEP}; pods of the old version fail as well: an incident, not the release. It goes on after it"
            assert said(found) == (Reason.INCIDENT, message, False)


def limited(*values: Scalar, known: Record = HELD) -> Observation:
    """Held at the first step with a limit that was asked for so many times."""
    seen = observation(known, pods=OLD + NEW, notes=LIMIT)
    return folded(seen, *({"limit.queue": value} for value in values))


def test_a_limit_fails_after_its_breaches_in_a_row() -> None:
    """One is a blip."""
    once = decide(limited(Scalar(NOW - 10, 100), Scalar(NOW, 900)))
    assert once.reason is Reason.JUDGING
    twice = decide(limited(Scalar(NOW - 10, 900), Scalar(NOW, 900)))
    assert twice.reason is Reason.LIMIT_BREACHED
    assert "limit.queue: 900, wanted < 500, breached 2 times in a row" in twice.message


@pytest.mark.parametrize(
    ("answer", "reason", "words"),
    [
        (Reading(NOW, trouble="it answered 503"), Reason.UNREACHABLE, "its source does not answer"),
        (Reading(NOW, counted(OLD, 0, 0, NOW)), Reason.UNREACHABLE, "its source does not answer"),
        (
            Reading(NOW, {p.name: Counters({}, {}, NOW) for p in OLD + NEW}),
            Reason.NO_SERIES,
            "no pod delivers such a metric",
        ),
    ],
)
def test_no_data_has_a_name_and_is_never_a_pass(answer: Reading, reason: Reason, words: str) -> None:
    """Each name asks for something else to be done (I12)."""
    seen = folded(observation(HELD, pods=OLD + NEW, notes=ERRORS), {"errors": answer})
    message = f"{STEP}, no data for errors ({words}); waiting until 08:08:10 UTC at the latest"
    assert said(decide(seen)) == (reason, message, False)


def test_new_pods_without_requests_are_told_from_those_without_metrics() -> None:
    """Somebody has to look at the traffic, not at the annotation."""
    found = decide(compared((0, 0), (500, 5)))
    assert found.reason is Reason.NO_TRAFFIC


@pytest.mark.parametrize(
    ("policy", "reason", "message", "phase"),
    [
        ("hold", Reason.INCONCLUSIVE, f"{STEP}; {NO_VERDICT}, held. {GO_ON}", Phase.HOLDING),
        ("advance", Reason.WINDOW, "the brake is set for step 2", Phase.BRAKING),
        ("rollback", Reason.INCONCLUSIVE, f"{STEP}; {NO_VERDICT}; {BACK}", Phase.RETREATING),
    ],
)
def test_at_the_longest_stay_the_user_has_chosen(policy: str, reason: Reason, message: str, phase: Phase) -> None:
    """The default holds (I5)."""
    asked = policy == "hold"
    known = replace(HELD, awaiting=asked, note="Inconclusive" if asked else "")
    seen = compared((10, 0), (10, 0), known, notes={"on-inconclusive": policy}, now=NOW + LONGEST)
    found = decide(seen)
    assert (found.reason, found.message) == (reason, message)
    assert (written(found) if found.write else known).phase is phase


def test_a_hold_without_a_verdict_asks_a_person_and_a_yes_is_taken() -> None:
    """`kubectl rollout resume` means yes only where the record says so."""
    asked = decide(compared((10, 0), (10, 0), now=NOW + LONGEST))
    assert asked.message == "whether a person is asked has changed"
    known = written(asked)
    assert (known.awaiting, known.note) == (True, "Inconclusive")
    yes = replace(known, approved=(1,), awaiting=False)
    approved = decide(compared((10, 0), (10, 0), yes, now=NOW + LONGEST))
    assert approved.message == "the brake is set for step 2"


def test_a_yes_that_was_given_before_is_none_to_missing_data() -> None:
    """Somebody approved a healthy step in its first second; nine minutes later the metrics vanished."""
    early = replace(HELD, approved=(1,))
    asked = decide(compared((10, 0), (10, 0), early, now=NOW + LONGEST, notes={"approve": "each"}))
    assert (written(asked).approved, written(asked).awaiting) == ((), True)


def test_a_held_step_goes_on_by_itself_when_the_data_come() -> None:
    """Nobody has to be at the keyboard when traffic comes back."""
    found = decide(compared((2000, 20), (2000, 20), replace(HELD, awaiting=True), now=NOW + LONGEST))
    assert found.message == "whether a person is asked has changed"
    after = decide(compared((2000, 20), (2000, 20), HELD, now=NOW + LONGEST))
    assert after.message == "the brake is set for step 2"


GATED = record(Phase.PENDING, step=0, target=0, started=0)


def tried(answer: Reading, known: Record = GATED, **notes: str) -> Decision:
    """Before the first window, after one look at the old pods."""
    seen = observation(known, 0, 10, pods=pods("v1", 10), fields=Fields(paused=True), notes={**ERRORS, **notes})
    return decide(folded(seen, {"errors": answer}))


def test_before_the_first_window_the_metrics_must_be_there() -> None:
    """A typing error in a label is found before anything is replaced, not after ten minutes at the first step."""
    seen = observation(GATED, 0, 10, pods=pods("v1", 10), fields=Fields(paused=True), notes=ERRORS)
    assert said(decide(seen)) == (Reason.WINDOW, "before step 1: the metric checks are tried on the old pods", False)
    there = tried(Reading(NOW, counted(pods("v1", 10), 1000, 10, NOW)))
    assert there.reason is Reason.STEP_OPENED


@pytest.mark.parametrize(
    ("answer", "reason", "words"),
    [
        (Reading(NOW, trouble="refused"), Reason.UNREACHABLE, "its source does not answer"),
        (Reading(NOW), Reason.NO_SERIES, "no pod delivers such a metric"),
        (Reading(NOW, {p.name: Counters({}, {}, NOW) for p in pods("v1", 10)}), Reason.NO_TRAFFIC, "no requests yet"),
    ],
)
def test_without_them_it_is_held_there_with_the_reason(answer: Reading, reason: Reason, words: str) -> None:
    """And a person is asked, once."""
    found = tried(answer)
    message = (
        f"before step 1: no data for errors ({words}); it goes on by itself when they come. "
        "Go on with the checks of pods alone: penstock approve web -n shop"
    )
    assert said(found) == (reason, message, True)
    again = tried(answer, replace(GATED, awaiting=True))
    assert said(again) == (reason, message, False)
    assert again.sentences != ()


def test_without_them_a_person_or_the_policy_may_go_on() -> None:
    """With the checks of pods alone."""
    nothing = Reading(NOW)
    assert tried(nothing, replace(GATED, approved=(0,))).reason is Reason.STEP_OPENED
    assert tried(nothing, **{"on-inconclusive": "advance"}).reason is Reason.STEP_OPENED
    assert tried(nothing, **{"on-inconclusive": "rollback"}).reason is Reason.NO_SERIES


def test_what_a_person_excused_before_the_first_window_stays_excused() -> None:
    """Asked again at each step they would learn to say yes without reading."""
    answer = Reading(NOW, {p.name: Counters({}, {}, NOW) for p in OLD + NEW})
    seen = observation(replace(HELD, approved=(0,)), pods=OLD + NEW, notes=ERRORS)
    assert decide(folded(seen, {"errors": answer})).message == "the brake is set for step 2"
    silent = folded(seen, {"errors": Reading(NOW, trouble="refused")})
    assert decide(silent).message == "the brake is set for step 2"
    since = compared((10, 0), (10, 0), replace(HELD, approved=(0,)))
    some = [{"errors": Reading(NOW - ago, counted(OLD + NEW, 9 - ago, 0, NOW - ago))} for ago in (2, 1)]
    lost = folded(since, *some, {"errors": Reading(NOW, trouble="refused")})
    assert decide(replace(since, judgement=lost.judgement)).reason is Reason.UNREACHABLE


def test_source_none_asks_no_metrics() -> None:
    """Switched off on purpose: the checks of pods decide alone."""
    found = decide(observation(HELD, pods=OLD + NEW, notes={**ERRORS, "source": "none"}))
    assert said(found) == (Reason.WINDOW, "the brake is set for step 2", True)


def test_the_judgement_of_an_empty_look_is_empty() -> None:
    """Nothing is made up where no check is configured."""
    seen = observation(HELD, pods=OLD + NEW)
    assert folded(seen, {}).judgement == Judgement(HELD.id, NOW, "pods", began=HELD.started)
