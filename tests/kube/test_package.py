"""What others may rely on."""

from penstock import kube
from penstock.kube import claim
from penstock.kube.backoff import Backoff


def test_the_public_names_are_these() -> None:
    """Adding one is a decision, removing one breaks somebody."""
    assert kube.__all__ == [
        "PARTIAL",
        "PARTIAL_LIST",
        "ApiError",
        "Client",
        "Conflict",
        "Denied",
        "Gone",
        "Invalid",
        "Lease",
        "LeaseLost",
        "NotConfigured",
        "NotFound",
        "Reflector",
        "Unavailable",
        "hold",
    ]
    assert all(hasattr(kube, name) for name in kube.__all__)


def test_pauses_double_up_to_a_limit_and_start_anew() -> None:
    """At the smallest and the largest chance; never nothing, never more than half a minute."""
    short, long = Backoff(chance=lambda: 0.0), Backoff(chance=lambda: 1.0)
    assert [short.pause() for _ in range(9)] == [0.25, 0.5, 1, 2, 4, 8, 15, 15, 15]
    assert [long.pause() for _ in range(9)] == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]
    short.reset()
    assert short.pause() == 0.25


def test_a_claim_is_changed_field_by_field_under_a_test() -> None:
    """Labels, owners and newer fields of a Lease are not ours to erase, and only one of two writers may win."""
    seen = claim.read({"metadata": {"resourceVersion": "7"}, "spec": {"leaseTransitions": 4}}, 15)
    assert claim.taken(seen, "me", 15, 0.0) == [
        {"op": "test", "path": "/metadata/resourceVersion", "value": "7"},
        {"op": "add", "path": "/spec/acquireTime", "value": "1970-01-01T00:00:00.000000Z"},
        {"op": "add", "path": "/spec/holderIdentity", "value": "me"},
        {"op": "add", "path": "/spec/leaseDurationSeconds", "value": 15},
        {"op": "add", "path": "/spec/leaseTransitions", "value": 5},
        {"op": "add", "path": "/spec/renewTime", "value": "1970-01-01T00:00:00.000000Z"},
    ]
    bare = claim.read({"metadata": {"resourceVersion": "8"}}, 15)
    assert claim.renewed(bare, 0.0) == [
        {"op": "test", "path": "/metadata/resourceVersion", "value": "8"},
        {"op": "add", "path": "/spec", "value": {}},
        {"op": "add", "path": "/spec/renewTime", "value": "1970-01-01T00:00:00.000000Z"},
    ]


def test_a_new_lease_does_not_count_from_one() -> None:
    """Seconds since 2025, or one more than was ever seen; an int32, and never zero."""
    assert claim.first_transition(0, claim.EPOCH + 100.9) == 100
    assert claim.first_transition(500, claim.EPOCH + 100) == 501
    assert claim.first_transition(0, 0.0) == 1
    assert claim.first_transition(0, 3_870_000_000.0) < 2**31
