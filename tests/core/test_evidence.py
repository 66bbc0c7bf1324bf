"""The numbers of the judge against numbers made by hand, and what theory says of every input."""

import math
from collections.abc import Mapping
from dataclasses import replace

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.core import mixture, passing, spread
from penstock.core.counters import NONE, Count, Increments
from penstock.core.evidence import STANDARDS, Evidence, Terms, stakes_of, weigh
from penstock.core.incident import begin, watch
from penstock.core.judge import judge
from penstock.core.passing import Passing, Stakes
from penstock.core.spread import Spread

BEFORE = Count(1_000_000, 10_000)
ERRORS = Terms(STANDARDS["errors"], impact=0.05, share=0.2)


def look(new: Count, *old: Count, time: float = 0.0) -> Increments:
    """One new pod and some old ones, all counted."""
    return Increments(time, {"n": new}, {f"o{i}": c for i, c in enumerate(old)})


def weighed(*looks: Increments, terms: Terms = ERRORS, before: Count = BEFORE) -> Evidence:
    """After all of them."""
    evidence = Evidence()
    for seen in looks:
        evidence = weigh(evidence, seen, terms, before=before)
    return evidence


# -- the test itself


def test_a_likelihood_ratio_by_hand() -> None:
    """3 of 100 on new, 9 of 900 on old pods, tolerated 1.5: 3 ln 1.25 + 12 ln(1050/1087.5), and for 64 times."""
    logs = mixture.add(mixture.START, 100, 3, 900, 9, 1.5)
    assert logs[0] == pytest.approx(0.248335, abs=2e-6)
    assert logs[-1] == pytest.approx(3 * math.log(64) + 12 * math.log(1050 / 10500), abs=1e-9)
    assert mixture.GRID[0] == 1.25
    assert mixture.GRID[-1] == pytest.approx(64)


def test_it_is_the_ratio_of_two_binomials() -> None:
    """Of 12 bad requests 3 fell on new pods: how much likelier that is if these fail g times as often as tolerated."""

    def chance(theta: float) -> float:
        share = theta * 100 / (theta * 100 + 900)
        return math.comb(12, 3) * share**3 * (1 - share) ** 9

    logs = mixture.add(mixture.START, 100, 3, 900, 9, 1.5)
    expected = [math.log(chance(1.5 * g) / chance(1.5)) for g in mixture.GRID]
    assert logs == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(("share", "errors"), [(0.05, 3), (0.1, 4), (0.2, 5), (0.5, 11)])
def test_errors_on_new_pods_alone_that_take_a_release_back(share: float, errors: int) -> None:
    """facts/analysis.md, minimal data: exactly so many, and one fewer is not enough."""

    def against(k: int) -> float:
        return mixture.log_mean(mixture.add(mixture.START, 1000 * share, k, 1000 * (1 - share), 0, 1.5))

    assert against(errors) >= math.log(100) > against(errors - 1)


@pytest.mark.parametrize(
    "counts",
    [(0, 0, 900, 9), (100, 3, 0, 0), (100, 0, 900, 0), (0, 0, 0, 0)],
    ids=["no new", "no old", "no bad", "none"],
)
def test_a_look_without_anything_to_compare_changes_nothing(counts: tuple[float, float, float, float]) -> None:
    """All bad requests fell where they had to."""
    logs = mixture.add(mixture.START, 100, 3, 900, 9, 1.5)
    assert mixture.add(logs, *counts, 1.5) == logs


def test_the_expectation_is_at_most_one_for_requests_that_fail_by_themselves() -> None:
    """The bound of 1 % rests on it: summed exactly over all outcomes of 6 new and 14 old requests, at the edge."""

    def binomial(n: int, k: int, p: float) -> float:
        return math.comb(n, k) * p**k * (1 - p) ** (n - k)

    for p, least in ((0.01, 0.98), (0.2, 0.6), (0.6, 0.1)):  # rare ones use it up
        mean = sum(
            binomial(6, x, 1.5 * p)
            * binomial(14, y, p)
            * math.exp(mixture.log_mean(mixture.add(mixture.START, 6, x, 14, y, 1.5)))
            for x in range(7)
            for y in range(15)
        )
        assert least < mean <= 1.0


COUNTS = st.integers(0, 40).map(float)
AMOUNTS = st.integers(50, 5000).map(float)


@given(AMOUNTS, AMOUNTS, COUNTS, COUNTS, st.integers(2, 5))
def test_a_look_in_parts_of_equal_share_says_the_same(n: float, m: float, x: float, y: float, parts: int) -> None:
    """Looking more often neither finds more nor hides anything."""
    logs, rest = mixture.START, passing.START
    against = Stakes(26.0, 0.26)
    for _ in range(parts):
        part = (n / parts, x / parts, m / parts, y / parts)
        logs = mixture.add(logs, *part, 1.5)
        rest = passing.observe(rest, Count(*part[:2]), Count(*part[2:]), against, calm=True)
    whole = passing.observe(passing.START, Count(n, x), Count(m, y), against, calm=True)
    assert logs == pytest.approx(mixture.add(mixture.START, n, x, m, y, 1.5), abs=1e-6)
    assert passing.proof(rest, against) == pytest.approx(passing.proof(whole, against), abs=1e-6)


# -- how much old pods differ


def scattered(*intervals: Mapping[str, Count]) -> Spread:
    """After all of them."""
    found = spread.START
    for old in intervals:
        found = spread.scatter(found, old)
    return found


def test_spread_by_hand() -> None:
    """0 and 4 of 100 each, 2 expected: (4+4)/2 = 4 at one degree of freedom."""
    assert scattered({"a": Count(100, 0), "b": Count(100, 4)}).factor == pytest.approx(4)
    assert scattered({"a": Count(100, 2), "b": Count(100, 2)}).factor == 1
    assert scattered({"a": Count(100, 9)}).factor == 1


def test_bursts_and_lasting_differences_are_both_seen() -> None:
    """Turns: each interval scatters, the sums do not. Small lasting ones: no interval stands out, the sums do."""
    turns = scattered({"a": Count(100, 0), "b": Count(100, 4)}, {"a": Count(100, 4), "b": Count(100, 0)})
    lasting = scattered(*[{"a": Count(100, 1), "b": Count(100, 3)}] * 10)
    assert turns.factor == pytest.approx(4)
    assert lasting.factor == pytest.approx(10)


def test_pods_of_different_times_are_not_taken_for_different_pods() -> None:
    """a leaves, then an incident comes: each had what its companions had."""
    calm, storm = {"a": Count(100, 2), "b": Count(100, 2)}, {"b": Count(100, 20), "c": Count(100, 20)}
    assert scattered(calm, storm).factor == 1


def test_the_pods_followed_by_name_are_bounded() -> None:
    """A rollout held for days sees many; those that are gone go on counting as a sum."""
    intervals = [{f"{i}": Count(100, 1), f"{i + 1}": Count(100, 3)} for i in range(300)]
    found = scattered(*intervals)
    assert len(found.pods) <= spread.KEPT
    assert len(found.pods) + found.gone[1] == 301
    assert found.factor == pytest.approx(1.0, abs=0.01)  # each pod was once the better and once the worse one


# -- the proof for the next step


def test_stakes_by_hand() -> None:
    """5 % of all requests at 20 % of traffic is a quarter of the new pods' requests."""
    assert passing.stakes(0.05, 0.2, Count(999, 9)) == Stakes(1 + 0.25 * 100, 9 / 999 + 0.25)
    assert passing.stakes(0.05, 1.0, Count(199, 0)) == Stakes(1 + 0.05 * 200, 0.05)
    assert passing.stakes(1.0, 0.1, Count(100, 1)) == Stakes(1 + 10 * 101 / 2, 0.999)
    assert passing.stakes(0.05, 0.2, NONE) is None


CLEAN = [
    # limit, requests with 0, 1, 3 bad ones: facts/analysis.md, minimal data
    (0.25, (14, 24, 40)),
    (0.10, (37, 64, 106)),
    (0.05, (76, 131, 216)),
    (0.02, (193, 332, 545)),
    (0.01, (387, 667, 1093)),
    (0.001, (3882, 6694, 10964)),
]


@pytest.mark.parametrize(("limit", "requests"), CLEAN)
def test_requests_that_prove_a_limit(limit: float, requests: tuple[int, int, int]) -> None:
    """Exactly so many at 5 %; the half of the stake on the ratio says nothing here, its factor is 1."""

    def factor(n: int, x: int) -> float:
        return 2 * math.exp(passing.proof(Passing(Count(n, x)), Stakes(2.0, limit))) - 1

    for n, x in zip(requests, (0, 1, 3), strict=True):
        assert factor(n, x) >= 20 > factor(n - 1, x)


def test_ratio_proof_by_hand() -> None:
    """2 of 500 on new, 45 of 4500 on old pods, against a ratio of 6."""
    found = passing.observe(passing.START, Count(500, 2), Count(4500, 45), Stakes(6.0, 0.06), calm=True)
    ratios = (1.0, 0.75, 0.5)
    expected = [2 * math.log(g / 6) + 47 * math.log((6 * 500 + 4500) / (g * 500 + 4500)) for g in ratios]
    assert found.logs == pytest.approx(expected)


def test_a_bet_against_other_stakes_proves_nothing() -> None:
    """An annotation or the replicas change between a look and a decision: 40 old errors refute 26 times, not 3."""
    new, old = Count(100, 0), Count(900, 40)
    found = passing.observe(passing.START, new, old, Stakes(26.0, 0.999), calm=False)
    assert passing.proof(found, Stakes(26.0, 0.999)) > math.log(20)
    assert passing.proof(found, Stakes(3.0, 0.999)) == 0


def test_what_is_still_missing() -> None:
    """Without a bad request among 50: so many more, and with them it passes. Failing too often: never."""
    against = Stakes(1e9, 0.05)
    some = Passing(Count(50, 0))
    more = passing.missing(some, against, math.log(20))
    assert more is not None
    assert passing.proof(Passing(Count(50 + more, 0)), against) >= math.log(20) > passing.proof(some, against)
    assert passing.missing(Passing(Count(100, 6)), against, math.log(20)) is None


def test_a_step_that_changes_is_proven_by_all_that_was_seen() -> None:
    """Recomputed from the sums by share: for equal shares the same as if it had been meant from the start."""
    looks = [(Count(50, x), Count(450, y)) for x, y in ((0, 4), (2, 5), (1, 3), (0, 7))]
    second = Stakes(6.0, 0.06)
    switched, straight = passing.START, passing.START
    for i, (new, old) in enumerate(looks):
        switched = passing.observe(switched, new, old, Stakes(26.0, 0.26) if i < 3 else second, calm=True)
        straight = passing.observe(straight, new, old, second, calm=True)
    assert switched.logs == pytest.approx(straight.logs)
    assert switched.new == straight.new == Count(200, 3)


@given(st.lists(st.tuples(AMOUNTS, AMOUNTS, COUNTS, COUNTS), min_size=1, max_size=60))
def test_sums_by_share_cost_at_most_a_tenth_of_a_nat_per_bad_request(
    looks: list[tuple[float, float, float, float]],
) -> None:
    """What merging may do to the proof of a later step, and how many entries there can be."""
    early, late = Stakes(26.0, 0.26), Stakes(6.0, 0.06)
    merged, exact = passing.START, passing.START
    for n, m, x, y in looks:
        merged = passing.observe(merged, Count(n, x), Count(m, y), early, calm=True)
        exact = passing.observe(exact, Count(n, x), Count(m, y), late, calm=True)
    merged = passing.observe(merged, NONE, NONE, late, calm=True)
    bad = sum(x + y for _, _, x, y in looks)
    assert len(merged.shares) <= 48  # of shares between 1:100 and 100:1
    assert all(abs(a - b) <= 0.1 * 2 * bad + 1e-6 for a, b in zip(merged.logs, exact.logs, strict=True))


def test_requests_of_an_incident_are_left_out_of_the_proof_by_numbers() -> None:
    """All pods failed; the comparison has them nevertheless."""
    new, old, against = Count(50, 25), Count(450, 225), Stakes(26.0, 0.26)
    stormy = passing.observe(passing.START, new, old, against, calm=False)
    assert stormy.new == NONE
    assert stormy.logs == passing.observe(passing.START, new, old, against, calm=True).logs


# -- all together


def test_a_look_is_weighed_whole() -> None:
    """Every field at once, from one look at three old pods."""
    seen = look(Count(100, 3), Count(300, 3), Count(300, 3), Count(300, 3))
    evidence = weighed(seen)
    logs = mixture.add(mixture.START, 100, 3, 900, 9, 1.5)
    against = mixture.log_mean(logs)
    stakes = passing.stakes(0.05, 0.2, BEFORE)
    assert evidence == Evidence(
        new=Count(100, 3),
        old=Count(900, 9),
        logs=logs,
        spread=spread.scatter(spread.START, seen.old),
        against=against,
        peak=0.0,
        passing=passing.observe(passing.START, Count(100, 3), Count(900, 9), stakes, calm=True),
        base=BEFORE,
        step_requests=100,
    )


@pytest.mark.parametrize(
    ("kind", "pods", "tolerance"), [("errors", 3, 1.5), ("errors", 2, 2.0), ("slow", 3, 1.25), ("slow", 1, 2.0)]
)
def test_tolerance_by_kind_and_number_of_old_pods(kind: str, pods: int, tolerance: float) -> None:
    """Also a pod without requests is one; with fewer than three one pod's luck decides."""
    old = [Count(900, 9), *[NONE] * (pods - 1)]
    evidence = weighed(look(Count(100, 3), *old), terms=Terms(STANDARDS[kind], 0.05, 0.2))
    assert evidence.logs == mixture.add(mixture.START, 100, 3, 900, 9, tolerance)


def test_old_pods_that_leave_raise_the_tolerance_of_what_follows() -> None:
    """What was gathered before keeps its weight: each look is fair under its own tolerance."""
    evidence = weighed(look(Count(100, 3), *[Count(300, 3)] * 3), look(Count(100, 4), Count(300, 3), Count(300, 3)))
    logs = mixture.add(mixture.START, 100, 3, 900, 9, 1.5)
    assert evidence.logs == mixture.add(logs, 100, 4, 600, 6, 2.0)


def test_the_peak_stays() -> None:
    """A verdict reached before a restart of the controller is still there after it."""
    bad = look(Count(100, 30), *[Count(300, 3)] * 3)
    good = look(Count(5000, 0), *[Count(300, 30)] * 3)
    evidence = weighed(bad, good)
    assert evidence.peak == weighed(bad).against > math.log(100) > evidence.against


def test_evidence_is_divided_by_the_spread() -> None:
    """0, 3 and 6 of 300: 3 expected, (9+0+9)/3 = 6 at two degrees of freedom."""
    evidence = weighed(look(Count(100, 3), Count(300, 0), Count(300, 3), Count(300, 6)))
    assert evidence.spread.factor == pytest.approx(3)
    assert evidence.against == pytest.approx(mixture.log_mean(evidence.logs) / 3)


def test_too_little_before_the_rollout_and_the_old_pods_beside_it_serve() -> None:
    """From 20 requests on, taken anew at each doubling."""
    looks = [look(Count(1, 0), Count(m, y)) for m, y in ((15, 1), (15, 0), (20, 1), (20, 1))]
    bases = [weighed(*looks[: i + 1], before=Count(199, 0)).base for i in range(4)]
    assert bases == [NONE, Count(30, 1), Count(30, 1), Count(70, 3)]
    assert weighed(looks[0], before=Count(200, 0)).base == Count(200, 0)


def test_requests_of_a_step_begin_anew_with_it() -> None:
    """A step without requests to new pods has no traffic, whatever an earlier one had."""
    evidence = weighed(look(Count(100, 3), Count(900, 9)))
    at_next = Terms(STANDARDS["errors"], 0.05, 0.5, step=1)
    evidence = weigh(evidence, look(Count(7, 0), Count(900, 9)), at_next, before=BEFORE)
    assert (evidence.step_requests, evidence.new) == (7, Count(107, 3))
    assert evidence.passing.ratio == stakes_of(evidence, at_next).ratio  # type: ignore[union-attr]  # there is a base


Look = tuple[list[tuple[float, float]], list[tuple[float, float]]]
LOOKS = st.lists(
    st.tuples(st.lists(st.tuples(AMOUNTS, COUNTS), max_size=3), st.lists(st.tuples(AMOUNTS, COUNTS), max_size=4)),
    min_size=1,
    max_size=5,
)


def made(looks: list[Look], *, turned: bool = False) -> Evidence:
    """From counts of new and old pods; `turned` names them in the other order."""
    evidence = Evidence()
    for new, old in looks:
        sides = [{f"{i}": Count(n, min(x, n)) for i, (n, x) in enumerate(side)} for side in (new, old)]
        if turned:
            sides = [dict(reversed(side.items())) for side in sides]
        evidence = weigh(evidence, Increments(0, *sides), ERRORS, before=BEFORE)
    return evidence


SOME = settings(max_examples=50)


@SOME
@given(LOOKS)
def test_the_order_of_pods_is_irrelevant(
    looks: list[Look],
) -> None:
    """But for the last digits of a sum."""
    one, other = made(looks), made(looks, turned=True)
    assert one.logs == pytest.approx(other.logs, abs=1e-9)
    assert one.spread.factor == pytest.approx(other.spread.factor)
    assert one.passing.logs == pytest.approx(other.passing.logs, abs=1e-9)


@SOME
@given(LOOKS)
def test_evidence_comes_back_from_json_identically(
    looks: list[Look],
) -> None:
    """It outlives the controller, and a recorded one is replayed."""
    evidence = made(looks)
    assert msgspec.json.decode(msgspec.json.encode(evidence), type=Evidence) == evidence


EXTREME = st.one_of(st.just(0.0), st.floats(0, 2.0**53), st.sampled_from([5e-324, 1e-300, 2.0**53]))


@given(st.lists(st.lists(st.tuples(EXTREME, EXTREME), min_size=4, max_size=4), min_size=1, max_size=4))
def test_no_numbers_break_it(looks: list[list[tuple[float, float]]]) -> None:
    """A target may say what it likes: the judge goes on, with numbers, and says a sentence."""
    evidence, incident = Evidence(), begin(Count(1000, 3))
    for i, counts in enumerate(looks):
        pods = [Count(n, min(x, n)) for n, x in counts]
        seen = replace(look(*pods, time=i * 10.0), new_pods=1, new_seen=1, new_series=1)
        incident = watch(incident, seen.time, pods[1])
        evidence = weigh(evidence, seen, ERRORS, before=Count(100, 0))
        verdict = judge("errors", evidence, seen, ERRORS)
        numbers = verdict.numbers
        assert all(map(math.isfinite, (numbers.evidence, numbers.proof, numbers.spread, *evidence.logs, incident.rate)))
        assert verdict.sentence
