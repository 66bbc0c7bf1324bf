"""Steps in pods and the windows that lead there, number by number, for the sizes and strategies people have."""

import pytest

from penstock.core import exposure
from penstock.core.exposure import Budget, Exposure, Window
from penstock.core.plan import steps
from penstock.core.units import IntOrPercent, pods

BUDGETS = [
    # surge, unavailable: pods at 1, 2, 3, 4, 10, 20 replicas
    ("25%", "25%", [(1, 0), (1, 0), (1, 0), (1, 1), (3, 2), (5, 5)]),
    (1, 0, [(1, 0), (1, 0), (1, 0), (1, 0), (1, 0), (1, 0)]),
    (0, 1, [(0, 1), (0, 1), (0, 1), (0, 1), (0, 1), (0, 1)]),
    ("50%", 0, [(1, 0), (1, 0), (2, 0), (2, 0), (5, 0), (10, 0)]),
    ("100%", 0, [(1, 0), (2, 0), (3, 0), (4, 0), (10, 0), (20, 0)]),
    ("10%", "10%", [(1, 0), (1, 0), (1, 0), (1, 0), (1, 1), (2, 2)]),
    (0, "10%", [(0, 1), (0, 1), (0, 1), (0, 1), (0, 1), (0, 2)]),
    (0, "100%", [(0, 1), (0, 2), (0, 3), (0, 4), (0, 10), (0, 20)]),
    (None, None, [(1, 0), (1, 0), (1, 0), (1, 1), (3, 2), (5, 5)]),
    (3, 7, [(3, 1), (3, 2), (3, 3), (3, 4), (3, 7), (3, 7)]),
]
SIZES = (1, 2, 3, 4, 10, 20)


@pytest.mark.parametrize(("surge", "unavailable", "expected"), BUDGETS)
def test_the_users_limits_in_pods(
    surge: IntOrPercent | None, unavailable: IntOrPercent | None, expected: list[tuple[int, int]]
) -> None:
    """As the native controller resolves them: up, down, and never both 0."""
    assert [exposure.budget(surge, unavailable, r) for r in SIZES] == [Budget(*pair) for pair in expected]


def test_of_no_replicas_none_may_be_missing() -> None:
    """R = 0 comes up in every look at a workload that is scaled to zero."""
    assert exposure.budget("25%", "25%", 0) == Budget(0, 0)


STEPS = [
    # steps, maxSurge: pods of each step at 1, 2, 3, 4, 10, 20 replicas
    ("10%, 25%, 50%", "25%", [[1], [1], [1, 2], [1, 2], [1, 3, 5], [2, 5, 10]]),
    ("10%, 25%, 50%", 0, [[], [1], [1, 2], [1, 2], [1, 3, 5], [2, 5, 10]]),
    ("1, 2, 4", 1, [[1], [1], [1, 2], [1, 2], [1, 2, 4], [1, 2, 4]]),
    ("1, 25%, 50%", "25%", [[1], [1], [1, 2], [1, 2], [1, 3, 5], [1, 5, 10]]),
    ("3, 50%", "25%", [[1], [1], [2], [2, 3], [3, 5], [3, 10]]),
    ("50%, 3", "25%", [[1], [1], [2], [2, 3], [3, 5], [3, 10]]),
    ("100%", "25%", [[1], [], [], [], [], []]),
    ("25%, 100%", "100%", [[1], [1, 2], [1, 3], [1, 4], [3, 10], [5, 20]]),
    ("25%, 100%", "50%", [[1], [1], [1], [1], [3], [5]]),
    ("20", 20, [[1], [], [], [], [], []]),
]


@pytest.mark.parametrize(("text", "surge", "expected"), STEPS)
def test_steps_in_pods(text: str, surge: IntOrPercent, expected: list[list[int]]) -> None:
    """Equal ones collapse, those that mean all pods are dropped; of one replica the only step is all of it."""
    found = [exposure.exposures(steps(text), r, exposure.budget(surge, 0, r).surge) for r in SIZES]
    assert [[e.pods for e in row] for row in found] == expected


def test_a_step_keeps_all_the_spellings_that_mean_it() -> None:
    """`approve: 25%` must be found, though at this size 1 means as much."""
    assert exposure.exposures(steps("1, 10%, 25%, 50%"), 4, 1) == (
        Exposure(1, ("1", "10%", "25%")),
        Exposure(2, ("50%",)),
    )
    assert exposure.exposures(steps("5%, 100%"), 1, 1) == (Exposure(1, ("5%", "100%")),)


def test_without_replicas_there_is_no_step() -> None:
    """Nor a division by zero."""
    assert exposure.exposures(steps("1, 50%, 100%"), 0, 1) == ()


def windows(k: int, limits: Budget) -> list[Window]:
    """The windows of a step from rest, when all pods of each become available before the next."""
    made: list[Window] = []
    n = 0
    while n < k:
        made.append(exposure.window(k, limits, n))
        assert made[-1].target > n, "a step that never ends"
        n = made[-1].target
    return made


WINDOWS = [
    (1, Budget(3, 2), [Window(1, 1, 0)]),
    (3, Budget(3, 2), [Window(3, 3, 0)]),
    (5, Budget(3, 2), [Window(5, 3, 2)]),
    (9, Budget(3, 2), [Window(5, 3, 2), Window(9, 3, 6)]),
    (3, Budget(1, 0), [Window(1, 1, 0), Window(2, 1, 1), Window(3, 1, 2)]),
    (3, Budget(0, 1), [Window(1, 0, 1), Window(2, 0, 2), Window(3, 0, 3)]),
    (5, Budget(5, 0), [Window(5, 5, 0)]),
    (10, Budget(10, 0), [Window(10, 10, 0)]),
    (4, Budget(1, 1), [Window(2, 1, 1), Window(4, 1, 3)]),
    (10, Budget(2, 2), [Window(4, 2, 2), Window(8, 2, 6), Window(10, 2, 8)]),
]


@pytest.mark.parametrize(("k", "limits", "expected"), WINDOWS)
def test_the_windows_of_a_step(k: int, limits: Budget, expected: list[Window]) -> None:
    """Surge first: with it no old pod has to go."""
    assert windows(k, limits) == expected


@pytest.mark.parametrize(("surge", "unavailable", "_"), BUDGETS)
@pytest.mark.parametrize("replicas", SIZES)
def test_no_window_goes_over_the_step_or_under_the_floor(
    surge: IntOrPercent | None, unavailable: IntOrPercent | None, _: object, replicas: int
) -> None:
    """I1 to I3 by the native controller's own fixed point, for every step there can be."""
    limits = exposure.budget(surge, unavailable, replicas)
    for k in range(1, replicas):
        new, old = 0, replicas
        for window in windows(k, limits):
            available = new
            old = min(old, max(0, replicas - window.unavailable))
            new = max(new, min(replicas, replicas + window.surge - old))
            assert new == window.target <= k
            assert old + available >= replicas - limits.unavailable
            assert old + new <= replicas + limits.surge
            assert exposure.settled(replicas, window.surge, window.unavailable, new, old)
        assert new == k


def test_new_pods_that_are_not_available_make_up_for_none() -> None:
    """The next window of a step waits for them, else two would be missing where one may be."""
    assert exposure.window(5, Budget(1, 1), 0) == Window(2, 1, 1)
    assert exposure.window(5, Budget(1, 1), 1) == Window(3, 1, 2)


def test_where_old_pods_are_missing_the_surge_fills_less() -> None:
    """The user has raised maxSurge meanwhile: with the full surge the new version would fill their places too."""
    assert exposure.window(4, Budget(10, 0), 2, missing=2) == Window(4, 2, 2)
    assert exposure.window(2, Budget(3, 0), 0, missing=3) == Window(2, 0, 2)


CLAMPS: list[tuple[int, int, IntOrPercent | None, bool, IntOrPercent]] = [
    (3, 10, "25%", True, "25%"),  # the user's own spelling
    (2, 10, "25%", False, "25%"),
    (1, 10, "25%", True, "10%"),
    (2, 10, "25%", True, "20%"),
    (6, 10, "25%", False, "60%"),
    (0, 10, "25%", True, "0%"),
    (0, 3, "25%", False, "25%"),
    (1, 3, "25%", False, "34%"),
    (1, 3, 1, True, "33%"),
    (1, 20, 1, True, "5%"),
    (7, 20, None, True, "35%"),
    (20, 20, None, False, "100%"),
    (1, 1, "25%", True, "25%"),
    (1, 300, 1, False, 1),  # no whole percentage means 1 of 300 rounded down
    (1, 300, 1, True, 1),
    (0, 0, "25%", True, "25%"),
    (3, 0, 3, True, 3),
]


@pytest.mark.parametrize(("value", "replicas", "own", "up", "expected"), CLAMPS)
def test_a_clamp_follows_the_replicas_where_a_percentage_can_say_it(
    value: int, replicas: int, own: IntOrPercent | None, up: bool, expected: IntOrPercent
) -> None:
    """When the replicas change while a window is open and we are dead, the share stays."""
    assert exposure.clamp(value, replicas, own, up=up) == expected


@pytest.mark.parametrize("up", [True, False])
@pytest.mark.parametrize("own", [None, 1, "25%", "100%"])
@pytest.mark.parametrize("replicas", [1, 2, 3, 4, 7, 10, 20, 99, 101, 1000])
def test_a_clamp_means_exactly_the_number(replicas: int, own: IntOrPercent | None, up: bool) -> None:
    """One more is a pod over the step."""
    for value in range(replicas + 1):
        written = exposure.clamp(value, replicas, own, up=up)
        assert pods(written, replicas, up=up) == value
        if not up:
            assert isinstance(written, int) or int(written[:-1]) <= 100


SETTLED = [
    # replicas, surge', unavailable', new, old
    (10, 3, 0, 3, 10, True),
    (10, 3, 0, 2, 10, False),  # one to come
    (10, 3, 2, 3, 10, False),  # two old ones may go still
    (10, 3, 2, 5, 8, True),
    (10, 0, 1, 1, 9, True),
    (10, 0, 1, 0, 9, False),
    (1, 1, 0, 1, 1, True),
    (10, 3, 2, 10, 0, True),
    (10, 3, 2, 0, 10, False),
]


@pytest.mark.parametrize(("replicas", "surge", "unavailable", "new", "old", "settled"), SETTLED)
def test_a_window_has_settled_when_nothing_may_move_any_more(
    replicas: int, surge: int, unavailable: int, new: int, old: int, settled: bool
) -> None:
    """Closing it a moment too early leaves a resize that the pause then freezes half-way."""
    assert exposure.settled(replicas, surge, unavailable, new, old) is settled
