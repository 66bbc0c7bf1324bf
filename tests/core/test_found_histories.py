"""Histories that the random machine has found, written out: each was a fault once, and is cheap to look at again.

A history runs on the machine of test_rollout_machine, so the invariants are judged after each write, and at the end
the rollout must come to an end by itself.
"""

from typing import Any

from penstock.core.rollout import Phase
from tests.core.test_rollout_machine import Rollouts


def begun(replicas: int, surge: Any = "25%", unavailable: Any = "25%", **changes: Any) -> Rollouts:
    """One Deployment at rest on v1."""
    values: dict[str, Any] = {
        "steps": None,
        "approve": None,
        "on_failure": None,
        "min_ready": None,
        "history": 10,
    }
    machine = Rollouts()
    machine.begin(replicas, (surge, unavailable), **values | changes)
    return machine


def test_a_users_pause_that_ended_while_the_webhook_was_dead_is_not_put_back() -> None:
    """At the end the fields in force are the owner's; the record's memory of them is older."""
    it = begun(10, 1, 0, steps="1")
    it.release(bad=False, phase=Phase.FINISHING)
    it.pause()
    it.webhook_dies()
    it.deploy(bad=True)
    it.release_by_hand()
    it.teardown()


def test_pods_that_have_just_come_in_a_retreat_do_not_go_again() -> None:
    """From zero all pods came up new. Without the brake the pause between two windows on the stable template makes
    the native controller take the stable pods away, for new ones alone are as many as there should be."""
    it = begun(5, "100%", 0, steps="1", approve="each", min_ready=5)
    it.release(bad=False, phase=Phase.OPENING)
    it.scale(0)
    it.all_of_ours_are_dead_for_an_hour()
    it.teardown()


def test_a_newer_version_takes_the_place_of_a_broken_one_that_came_up_alone() -> None:
    """Nothing but the broken version runs, and nobody misses its pods."""
    it = begun(1)
    it.release(bad=True, phase=Phase.HOLDING)
    it.deploy(bad=True)
    it.scale(0)
    it.all_of_ours_are_dead_for_an_hour()
    it.teardown()


def test_a_window_for_one_pod_does_not_double_twenty() -> None:
    """The surge of one for one replica, as a percentage, is 100%; a newer version's pause must not keep that."""
    it = begun(1, 1, 0)
    it.release(bad=False, phase=Phase.OPENING)
    it.all_settle()
    it.change_fields(("25%", "25%"), None)
    it.deploy(bad=False)
    it.controller_dies()
    it.scale(20)
    it.all_settle()
    assert sum(it.cluster.sizes().values()) == 25
    it.teardown()


def test_a_newer_version_at_zero_replicas_is_not_refused() -> None:
    """The user's maxSurge 0 beside a window's maxUnavailable 0% is what the API server would refuse."""
    it = begun(1, 1, 0)
    it.release(bad=False, phase=Phase.OPENING)
    it.change_fields((0, 1), None)
    it.scale(0)
    it.deploy(bad=False)
    assert it.cluster.fields.paused
    it.teardown()


def test_from_zero_with_all_of_ours_dead_the_superseded_version_may_come_up_and_goes_again() -> None:
    """The exception to I2 that the design names; nobody was there to delete the empty newer ReplicaSet."""
    it = begun(10, 3, 2, steps="10%, 50%, 90%", approve="last")
    it.release(bad=False, phase=Phase.BRAKING)
    it.release_by_hand()
    it.release(bad=False, phase=Phase.PENDING)
    it.scale(0)
    it.all_of_ours_are_dead_for_an_hour()
    it.teardown()
