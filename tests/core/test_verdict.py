"""What each comparative check says, word by word, and what all say together."""

import math
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from penstock.core.counters import Count, Increments
from penstock.core.evidence import STANDARDS, Evidence, Terms, weigh
from penstock.core.incident import CALM, Incident, begin, watch
from penstock.core.judge import failed, judge, preflight
from penstock.core.reading import Counters, Reading
from penstock.core.verdict import Numbers, State, StepVerdict, Together, Verdict, step_verdict

BEFORE = Count(1_000_000, 10_000)
ERRORS = Terms(STANDARDS["errors"], impact=0.05, share=0.2)
STRICT = replace(ERRORS, impact=0.01, share=0.5)
NOW = 1000.0


def look(new: Count, old: Count, **other: Any) -> Increments:
    """One new pod and three old ones that share their counts evenly."""
    third = Count(old.requests / 3, old.bad / 3)
    numbers = {"new_pods": 1, "new_seen": 1, "new_series": 1, "old_pods": 3, "old_seen": 3, "old_series": 3} | other
    return Increments(NOW, {"n": new}, dict.fromkeys(("a", "b", "c"), third), sampled=NOW, **numbers)


def said(
    seen: Increments,
    terms: Terms = ERRORS,
    *,
    before: Count = BEFORE,
    incident: Incident = CALM,
    known: Evidence | None = None,
) -> Verdict:
    """The verdict after that look."""
    return judge("errors", weigh(known or Evidence(), seen, terms, before=before), seen, terms, incident)


NUMBERS = [
    # bad and all on new and on old pods, terms, state, sentence
    (
        (33, 1012, 95, 9104),
        STRICT,
        State.TOO_LITTLE,
        "errors: new 33/1012 (3.3%) vs old 95/9104 (1.0%), ratio 3.1, evidence 41x of 100x needed; "
        "for the next step 0.0x of 20x, which needs new pods below 3.0%",
    ),
    (
        (31, 1012, 95, 9104),
        ERRORS,
        State.PASS,
        "errors: new 31/1012 (3.1%) vs old 95/9104 (1.0%), ratio 2.9, safe for the next step (>9999x of 20x needed)",
    ),
    (
        (36, 1012, 95, 9104),
        ERRORS,
        State.FAIL,
        "errors: new 36/1012 (3.6%) vs old 95/9104 (1.0%), ratio 3.4, evidence 255x of 100x needed",
    ),
    (
        (45, 1012, 95, 9104),
        ERRORS,
        State.FAIL,
        "errors: new 45/1012 (4.4%) vs old 95/9104 (1.0%), ratio 4.3, evidence >9999x of 100x needed",
    ),
    (
        (0, 3, 1, 30),
        ERRORS,
        State.TOO_LITTLE,
        "errors: new 0/3 (0%) vs old 1/30 (3.3%), ratio 0.0, evidence 0.5x of 100x needed; "
        "for the next step 2.6x of 20x, at most 15 more requests to new pods needed",
    ),
    (
        (26, 1012, 100, 9104),
        STRICT,
        State.TOO_LITTLE,
        "errors: new 26/1012 (2.6%) vs old 100/9104 (1.1%), ratio 2.3, evidence 0.8x of 100x needed; "
        "for the next step 0.2x of 20x, at most 18244 more requests to new pods needed",
    ),
    (
        (2.5, 1012, 95, 9104),
        ERRORS,
        State.PASS,
        "errors: new 2.5/1012 (0.25%) vs old 95/9104 (1.0%), ratio 0.2, safe for the next step (>9999x of 20x needed)",
    ),
    (
        (0, 18, 0, 162),
        ERRORS,
        State.PASS,
        "errors: new 0/18 (0%) vs old 0/162 (0%), safe for the next step (42x of 20x needed)",
    ),
]


@pytest.mark.parametrize(("counts", "terms", "state", "sentence"), NUMBERS)
def test_what_numbers_say(counts: tuple[float, float, float, float], terms: Terms, state: State, sentence: str) -> None:
    """Each number that decides stands beside the number it needs."""
    x, n, y, m = counts
    verdict = said(look(Count(n, x), Count(m, y)), terms)
    assert (verdict.state, verdict.sentence) == (state, sentence)


SOME, TRAFFIC = Count(50, 0), Count(450, 3)
EMPTY = Count(0, 0)

WITHOUT = [
    ("trouble", look(SOME, TRAFFIC, trouble="no answer in 5 s"), State.UNREACHABLE, "no answer in 5 s"),
    ("warming up", look(EMPTY, TRAFFIC, warming=1), State.WAITING, "new pods are warming up"),
    (
        "no series",
        look(EMPTY, EMPTY, new_series=0, old_series=0),
        State.NO_SERIES,
        "no pod delivers such a metric, neither new nor old ones",
    ),
    (
        "no new pod known",
        look(EMPTY, TRAFFIC, new_seen=0, new_series=0),
        State.UNREACHABLE,
        "1 of 1 new pods did not answer",
    ),
    (
        "one of three silent",
        look(SOME, TRAFFIC, new_pods=3, new_seen=2, silent=1),
        State.UNREACHABLE,
        "1 of 3 new pods did not answer",
    ),
    (
        "stale",
        replace(look(SOME, TRAFFIC), sampled=NOW - 151),
        State.UNREACHABLE,
        "the last sample of new pods is 151 s old",
    ),
    (
        "no traffic to new pods",
        look(EMPTY, TRAFFIC),
        State.NO_TRAFFIC,
        "no requests to new pods at this step after their warm-up, old pods had 450",
    ),
    (
        "no series on new pods yet",
        look(EMPTY, TRAFFIC, new_series=0),
        State.NO_TRAFFIC,
        "no requests to new pods at this step after their warm-up, old pods had 450",
    ),
    (
        "no traffic at all",
        look(EMPTY, EMPTY),
        State.NO_TRAFFIC,
        "no requests to new pods at this step after their warm-up and none to old ones",
    ),
]


@pytest.mark.parametrize(("seen", "state", "text"), [c[1:] for c in WITHOUT], ids=[c[0] for c in WITHOUT])
def test_missing_data_have_a_name_and_never_pass(seen: Increments, state: State, text: str) -> None:
    """Also not on evidence from before, of which there is plenty here."""
    verdict = said(seen)
    assert (verdict.state, verdict.sentence) == (state, f"errors: {text}")
    if state is not State.NO_SERIES:  # with evidence there have been series
        proven = replace(weigh(Evidence(), look(Count(9000, 50), TRAFFIC), ERRORS, before=BEFORE), step=-1)
        assert said(seen, known=proven).state is state


def test_without_old_pods_that_work_there_is_no_control() -> None:
    """A stable version whose pods are broken, or none: only after enough requests to new pods."""
    alone, few = look(Count(20, 0), EMPTY), look(Count(19, 0), EMPTY)
    nothing = Count(0, 0)
    none_left = Increments(NOW, {"n": SOME}, {}, new_pods=1, new_seen=1, new_series=1, sampled=NOW)
    unseen = replace(none_left, old_pods=3)
    all_bad = look(Count(20, 0), Count(15, 15))
    assert [said(s, before=nothing).state for s in (alone, few, none_left, unseen, all_bad)] == [
        State.NO_CONTROL,
        State.TOO_LITTLE,
        State.NO_CONTROL,
        State.NO_CONTROL,
        State.NO_CONTROL,
    ]
    assert said(alone, before=nothing).sentence == "errors: 0/20 (0%) on new pods, no old pod is Ready to compare with"
    assert said(all_bad, before=nothing).sentence == (
        "errors: 0/20 (0%) on new pods, old pods are not Ready and answered none of 15 requests"
    )
    assert said(few, before=nothing).sentence == (
        "errors: new 0/19 (0%) vs old 0/0 (0%), evidence 1.0x of 100x needed; too little is known of the old pods"
    )
    assert said(alone).state is State.PASS  # by numbers: what was before the rollout is known


def test_old_pods_that_work_and_merely_have_no_requests_are_waited_for() -> None:
    """A canary that gets all requests of a quiet hour must not grow because nobody asked the others."""
    alone, nothing = look(Count(20, 0), EMPTY), Count(0, 0)
    idle, unseen = replace(alone, old_ready=1), replace(alone, old={}, old_ready=3, old_seen=0)
    failing = replace(look(Count(20, 0), Count(15, 15)), old_ready=1)
    assert [said(s, before=nothing).state for s in (idle, unseen, failing)] == [
        State.NO_TRAFFIC,
        State.UNREACHABLE,
        State.TOO_LITTLE,
    ]
    assert said(idle, before=nothing).sentence == (
        "errors: 0/20 (0%) on new pods, old pods get no requests to compare with"
    )
    before = [Incident(Count(50, 1)), Incident(Count(50, 50))]
    assert [said(alone, before=nothing, incident=one).state for one in before] == [State.NO_TRAFFIC, State.NO_CONTROL]


def test_an_incident_is_said_with_its_numbers_and_a_failed_comparison_goes_before_it() -> None:
    """What fails more than its neighbours in an incident is still the release."""
    incident = watch(begin(BEFORE), NOW, Count(450, 46))
    verdict = said(look(SOME, TRAFFIC), incident=incident)
    sentence = "errors: old pods had 10.2%, 1.0% before the rollout: an incident, not the release"
    assert (verdict.state, verdict.sentence) == (State.INCIDENT, sentence)
    assert said(look(Count(50, 40), TRAFFIC), incident=incident).state is State.FAIL


def test_trouble_never_keeps_a_failed_release() -> None:
    """The evidence is there, whatever the source says now."""
    known = weigh(Evidence(), look(Count(50, 40), TRAFFIC), ERRORS, before=BEFORE)
    assert said(look(EMPTY, EMPTY, trouble="no answer"), known=known).state is State.FAIL


def test_a_small_difference_is_no_reason_to_roll_back() -> None:
    """0.1 % against 0.02 %: as sure as it can be, and below half a percent."""
    small = weigh(Evidence(), look(Count(100_000, 100), Count(900_000, 180)), ERRORS)
    large = weigh(Evidence(), look(Count(100_000, 600), Count(900_000, 180)), ERRORS)
    assert (failed(small, ERRORS), failed(large, ERRORS)) == (False, True)
    assert small.peak > math.log(100)


def test_the_one_percent_is_split_among_the_checks() -> None:
    """Two checks: 200x each."""
    seen = look(Count(1012, 35), Count(9104, 95))
    two = replace(STRICT, checks=2)
    assert [said(seen, terms).state for terms in (STRICT, two)] == [State.FAIL, State.TOO_LITTLE]
    assert said(seen, two).numbers.needed == 200


def test_a_verdict_comes_back_from_json_identically() -> None:
    """It is shown by other processes than the one that judged."""
    verdict = said(look(Count(1012, 31), Count(9104, 95)), STRICT)
    assert msgspec.json.decode(msgspec.json.encode(verdict), type=Verdict) == verdict


# -- before the first window

HAS = Counters({"": 0.0}, {}, 1.0)
LACKS = Counters({}, {}, 1.0)
PREFLIGHT = [
    (Reading(1.0, {"a": HAS, "b": LACKS}), State.PASS, "1 of 3 old pods deliver it"),
    (
        Reading(1.0, {"a": LACKS}),
        State.NO_TRAFFIC,
        "the old pods answer but have no such metric yet; it may come with traffic",
    ),
    (Reading(1.0, {}), State.NO_SERIES, "no old pod delivers such a metric"),
    (Reading(1.0, {"x": HAS}), State.NO_SERIES, "no old pod delivers such a metric"),
    (Reading(1.0, {"a": HAS}, "HTTP 503"), State.UNREACHABLE, "HTTP 503"),
]


@pytest.mark.parametrize(("reading", "state", "text"), PREFLIGHT)
def test_preflight(reading: Reading, state: State, text: str) -> None:
    """A check that can never work is found before the first pod is replaced."""
    verdict = preflight("errors", reading, ["a", "b", "c"])
    assert (verdict.state, verdict.sentence) == (state, f"errors: {text}")


# -- all checks together


def verdict(name: str, state: State) -> Verdict:
    """Of a check of that name."""
    return Verdict(name, state, f"{name}: {state}", not name.startswith("limit"), Numbers())


TOGETHER = [
    # what each says, what all say, who decided it
    ("errors Pass, slow Pass, limit.q Pass", Together.ADVANCE, "errors slow limit.q"),
    ("errors Pass, slow TooLittle, limit.q Pass", Together.WAIT, "slow"),
    ("errors Pass, limit.q Waiting", Together.WAIT, "limit.q"),
    ("errors NoSeries, slow NoTraffic, limit.q Unreachable", Together.WAIT, "errors slow limit.q"),
    ("errors NoControl, limit.q Pass", Together.ADVANCE, "errors limit.q"),
    ("errors NoControl, limit.q NoSeries", Together.WAIT, "limit.q"),
    ("errors Pass, limit.q Fail", Together.ROLLBACK, "limit.q"),
    ("errors Incident, limit.q Fail", Together.INCIDENT, "errors"),
    ("errors Incident, slow Pass, limit.q Pass", Together.INCIDENT, "errors"),
    ("errors Incident, slow Fail, limit.q Fail", Together.ROLLBACK, "slow"),
    ("errors Unreachable, limit.q Fail", Together.ROLLBACK, "limit.q"),
    ("errors Waiting, slow Fail", Together.ROLLBACK, "slow"),
    ("", Together.ADVANCE, ""),
]


@pytest.mark.parametrize(("said", "together", "because"), TOGETHER)
def test_what_all_say_together(said: str, together: Together, because: str) -> None:
    """A failed comparison, an incident, a failed limit, a wait, an advance: in this order."""
    verdicts = [verdict(name, State(state)) for name, state in (v.split() for v in said.split(", ") if v)]
    chosen = tuple(v for v in verdicts if v.check in because.split())
    assert step_verdict(verdicts) == StepVerdict(together, chosen)


def test_every_state_but_two_keeps_a_step_from_growing() -> None:
    """A state added later must not advance by being forgotten."""
    growing = {s for s in State if step_verdict([verdict("errors", s)]).together is Together.ADVANCE}
    assert growing == {State.PASS, State.NO_CONTROL}
