"""Failed requests and the releases that have to answer for them."""

from sandbox.demo.account import Account, Answers, Requests, crashing_bound, failing_bound
from sandbox.demo.traffic import Count, End, Failure


def account() -> Account:
    told = Account()
    for second in range(11):
        told.take(Count(100.0 + second, 40 * second, {"v1": 40 * second}, {}))
    for at in (101.5, 104.999, 105.0, 109.0):
        told.take(Failure(at, "refused", ""))
    told.take(Failure(106.0, "cut", ""))
    return told


def test_a_failure_belongs_to_the_release_in_which_the_request_began() -> None:
    """A time-out is reported seconds later, perhaps during the next release."""
    told = account()
    assert told.between(100.0, 105.0) == Requests(200, {"refused": 2})
    assert told.between(105.0, float("inf")) == Requests(200, {"refused": 2, "cut": 1})


def test_nothing_falls_between_two_releases() -> None:
    """Windows that meet share no request and miss none."""
    told = account()
    parts = [told.between(begun, ended) for begun, ended in ((0.0, 103.3), (103.3, 107.2), (107.2, float("inf")))]
    assert sum(part.failures for part in parts) == 5
    assert sum(part.sent for part in parts) == 400


def test_the_rate_and_the_shares_are_those_of_late() -> None:
    """A rate over the whole run would hide that traffic has stopped."""
    told = Account()
    assert (told.rate, told.shares) == (0.0, {})
    told.take(Count(100.0, 4000, {"v1": 4000}, {}))
    for second in range(1, 9):
        told.take(Count(100.0 + second, 4000 + 40 * second, {"v1": 4000 + 30 * second, "v2": 10 * second}, {}))
    assert told.rate == 40.0
    assert told.shares == {"v1": 0.75, "v2": 0.25}
    assert not told.ended
    told.take(End(109.0))
    assert told.ended


def test_traffic_flows_when_all_requests_of_late_were_answered() -> None:
    """The first requests may find a Service that the machine does not know yet; no release is to answer for these."""
    told = Account()
    seen = []
    for answered, refused in ((0, 0), (0, 20), (10, 30), (30, 30), (50, 30), (70, 30)):
        told.take(Count(100.0, answered + refused, {"v1": answered}, {"refused": refused}))
        seen.append(told.flows)
    assert seen == [False, False, False, False, False, True]


def test_the_bounds_grow_with_the_fault_and_the_traffic_and_shrink_with_pods() -> None:
    """2 crashes, 4 s each, 40/s over 11 pods: 29.1 are expected, three standard deviations are 16.2."""
    assert crashing_bound(2, 40.0, 11) == 46
    assert crashing_bound(0, 40.0, 11) == 0
    assert crashing_bound(1, 40.0, 11) < crashing_bound(2, 40.0, 11) < crashing_bound(2, 80.0, 11)
    assert crashing_bound(2, 40.0, 20) < crashing_bound(2, 40.0, 11)
    assert failing_bound(0.05, 30.0, 80.0, 11) == 21  # 10.9 are expected, and 9.9
    assert failing_bound(0.0, 30.0, 80.0, 11) == 0


def test_what_a_version_answered_is_told_apart_from_what_others_did() -> None:
    """An old pod's error is not the new version's; a request that nobody answered is put to the one on trial."""
    told = Account()
    for second in range(6):
        told.take(Count(100.0 + second, 0, {"v1": 36 * second, "v2": 4 * second}, {}, {"v1": second, "v2": 2 * second}))
    told.take(Failure(102.0, "500", "v2 fails on purpose", "v2"))
    told.take(Failure(102.1, "500", "v1 fails too", "v1"))
    told.take(Failure(102.2, "refused", ""))
    told.take(Failure(104.5, "500", "v2 fails on purpose", "v2"))
    assert told.of("v2", 101.0, 104.0) == Answers(answered=12, slow=6, failed=2)
    assert told.of("v2", 101.0, 104.0).requests == 14
    assert told.of("v3", 101.0, 102.0) == Answers(0, 0, 0)
