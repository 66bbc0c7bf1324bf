"""The user's own fields: read, put back exactly, merged with later writes, and judged as the API server would."""

from typing import Any

import pytest

from penstock.core import keys
from penstock.core.fields import Fields, malformed
from penstock.core.patch import operations
from tests.core.shop import applied, deployment

RECREATE = Fields(type="Recreate", surge=None, unavailable=None)


def strategy(surge: Any = None, unavailable: Any = None) -> dict[str, Any]:
    rolling = {"maxSurge": surge, "maxUnavailable": unavailable}
    return {"type": "RollingUpdate", "rollingUpdate": {k: v for k, v in rolling.items() if v is not None}}


@pytest.mark.parametrize(
    ("spec", "fields"),
    [
        ({}, Fields()),
        (
            {"strategy": None, "progressDeadlineSeconds": None},
            Fields(type=None, surge=None, unavailable=None, deadline=None),
        ),
        ({"strategy": {"type": "Recreate"}}, RECREATE),
        ({"strategy": {"type": "Recreate", "rollingUpdate": None}}, RECREATE),
        ({"strategy": strategy(3, 0)}, Fields(surge=3, unavailable=0)),
        ({"paused": True, "minReadySeconds": 5}, Fields(paused=True, min_ready=5)),
        ({"paused": False, "minReadySeconds": 0}, Fields()),
    ],
)
def test_the_fields_of_an_object(spec: dict[str, Any], fields: Fields) -> None:
    """False and 0 of these two are what the API server makes of absent."""
    assert Fields.of(deployment(**spec)) == fields


FORMER = [
    Fields(),
    Fields(surge=None),
    Fields(surge=None, unavailable=None),
    Fields(type=None, surge=None, unavailable=None, deadline=None),
    Fields(surge=0, unavailable="100%", min_ready=30, deadline=40, paused=True),
    RECREATE,
]


@pytest.mark.parametrize("before", FORMER)
@pytest.mark.parametrize("after", FORMER)
def test_any_fields_can_be_put_back_over_any_others(before: Fields, after: Fields) -> None:
    """Absent stays absent, and the rest of the spec stays as it is."""
    obj = applied(deployment(), operations(deployment(), before.wanted()))
    back = applied(obj, operations(obj, after.wanted()))
    assert Fields.of(back) == after
    others = {"replicas", "template"}
    assert {k: v for k, v in back["spec"].items() if k in others} == {
        k: v for k, v in deployment()["spec"].items() if k in others
    }
    assert operations(back, after.wanted()) == ()


def test_recreate_leaves_no_empty_rolling_update() -> None:
    """The API server refuses `rollingUpdate: {}` next to Recreate."""
    assert operations(deployment(), RECREATE.wanted()) == (
        {"op": "replace", "path": "/spec/strategy/type", "value": "Recreate"},
        {"op": "remove", "path": "/spec/strategy/rollingUpdate"},
    )


FORCE = Fields(surge="10%", unavailable=0, min_ready=keys.BRAKE_READY, deadline=keys.BRAKE_DEADLINE)


@pytest.mark.parametrize(
    ("new", "stated", "saved"),
    [
        (FORCE, frozenset(), Fields()),
        (
            Fields(surge="50%", unavailable=0, min_ready=9, deadline=60),
            frozenset(),
            Fields(surge="50%", min_ready=9, deadline=60),
        ),
        (FORCE, frozenset({"surge"}), Fields(surge="10%")),
        (FORCE, frozenset({"min_ready", "deadline"}), Fields()),
        (Fields(surge="10%", unavailable=0, paused=True), frozenset(), Fields(paused=True)),
        (Fields("RollingUpdate", None, 0, None, None), frozenset(), Fields(surge=None, deadline=None)),
        (RECREATE, frozenset(), RECREATE),
    ],
)
def test_what_a_write_changes_is_the_users_word_and_the_rest_is_kept(
    new: Fields, stated: frozenset[str], saved: Fields
) -> None:
    """A clamp or the brake in force must never be saved as if the user had asked for it."""
    assert Fields().merged(FORCE, new, stated) == saved


def test_a_surge_after_recreate_means_rolling_update_again() -> None:
    """RollingUpdate is in force all the while, so the type alone does not show as a change."""
    assert RECREATE.merged(FORCE, Fields(surge=3, unavailable=0)) == Fields(
        surge=3, unavailable=None, min_ready=None, deadline=600
    )


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        (Fields(), None),
        (Fields(surge=0, unavailable=1), None),
        (Fields(surge=None, unavailable=0), None),
        (Fields(surge="200%", unavailable="100%"), None),
        (RECREATE, None),
        (Fields(surge=0, unavailable="0%"), "maxSurge and maxUnavailable are both 0"),
        (Fields(unavailable="101%"), "maxUnavailable is 101%"),
        (Fields(surge="lots"), "maxSurge is 'lots'"),
        (Fields(unavailable=-1), "maxUnavailable is -1"),
        (Fields(surge="25"), "maxSurge is '25'"),
        (Fields(min_ready=-3), "minReadySeconds is -3"),
        (Fields(min_ready=600), "progressDeadlineSeconds 600 is not above minReadySeconds 600"),
        (Fields(min_ready=700, deadline=None), "progressDeadlineSeconds 600 is not above minReadySeconds 700"),
        (Fields(deadline=0), "progressDeadlineSeconds 0 is not above minReadySeconds None"),
        (Fields(type="Blue"), "strategy.type is Blue"),
        (Fields(type=None), "strategy.type is None"),
        (Fields(type="Recreate"), "strategy.rollingUpdate goes with RollingUpdate only"),
    ],
)
def test_what_the_api_server_would_refuse_is_known(fields: Fields, problem: str | None) -> None:
    """Only a valid set is saved: at the end it could not be put back."""
    assert fields.problem() == problem


@pytest.mark.parametrize(
    ("value", "bad"),
    [(None, False), (0, False), ("0%", False), ("25%", False), (-1, True), ("25", True), ("-5%", True), ("٥%", True)],
)
def test_a_malformed_amount_is_seen_before_it_is_counted(value: int | str | None, bad: bool) -> None:
    """Admission runs before the API server's own check of the form."""
    assert malformed(value) is bad


def test_while_two_versions_run_the_strategy_is_rolling() -> None:
    """A change to Recreate takes effect when one version is left (I4)."""
    assert RECREATE.rolling() == Fields()
    assert Fields(surge=2, unavailable=0).rolling() == Fields(surge=2, unavailable=0)


def test_absent_stays_visible_in_the_record() -> None:
    """Absent and the default are put back differently (I7)."""
    assert Fields(surge=None, paused=True).json() == {
        "type": "RollingUpdate",
        "surge": None,
        "unavailable": "25%",
        "min_ready": None,
        "deadline": 600,
        "paused": True,
    }
