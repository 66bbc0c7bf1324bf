"""Which requests are slow, where a histogram only knows buckets."""

import math

import pytest

from penstock.core.histogram import Bucket, Spread, above, choose_bound, same

BUCKETS = [Bucket(-0.001, 0.001, 1), Bucket(0.1, 0.2, 10), Bucket(0.2, 0.4, 4), Bucket(0.4, math.inf, 2)]


@pytest.mark.parametrize(
    ("bound", "slow"), [(0.05, 16.0), (0.1, 16.0), (0.15, 11.0), (0.2, 6.0), (0.3, 4.0), (0.4, 2.0), (9.0, 2.0)]
)
def test_within_a_bucket_requests_lie_evenly(bound: float, slow: float) -> None:
    """Nothing better is known; in the last one, without an end, all are taken for slow."""
    assert math.isclose(above(BUCKETS, bound), slow)


def test_the_bound_with_a_share_nearest_five_percent_is_chosen() -> None:
    """Over all pods together, among the bounds that all of them have."""
    one = Spread(1000, {0.1: 500, 0.25: 60, 0.5: 20, 1.0: 0})
    two = Spread(1000, {0.1: 400, 0.25: 20, 0.5: 10, 0.75: 100})

    assert choose_bound([one, two, Spread(0, {9.0: 0})]) == 0.25


@pytest.mark.parametrize(
    "spreads",
    [
        [],
        [Spread(199, {0.1: 10})],
        [Spread(1000, {})],
        [Spread(1000, {0.1: 5}), Spread(1000, {0.2: 5})],
        [Spread(math.nan, {0.1: 5})],
    ],
)
def test_without_enough_requests_or_a_common_bound_none_is_chosen(spreads: list[Spread]) -> None:
    """It is chosen once, for the whole rollout."""
    assert choose_bound(spreads) is None


def test_bounds_are_the_same_up_to_their_spelling() -> None:
    """And infinity is no 0.25, though a tolerance that is a share of it would say so."""
    assert same(float("0.250"), 0.25)
    assert not same(0.25, 0.2501)
    assert not same(math.inf, 0.25)
