"""What a Deployment's status says of a rollout, and for how long."""

from typing import Any

import pytest

from penstock.core import keys
from penstock.core.conditions import changes, removal, stated
from penstock.core.decide import decide
from penstock.core.decision import Unmark, Unstall
from penstock.core.observation import Deployment
from penstock.core.reasons import Reason
from penstock.core.rollout import Phase
from tests.core.seen import observation
from tests.core.shop import record, rolling

Condition = dict[str, Any]

THEN, NOW = "2026-11-25T10:00:00Z", "2026-11-25T10:00:05Z"
NATIVE: Condition = {"type": "Available", "status": "True", "reason": "MinimumReplicasAvailable"}
FOREIGN: Condition = {"type": keys.STALLED, "status": "True", "reason": "SomebodyElse", "message": "theirs"}


def at(moment: str, *said: Condition) -> list[Condition]:
    return [{**each, "lastUpdateTime": moment, "lastTransitionTime": moment} for each in said]


JUDGING = stated(Reason.JUDGING, "step 1")
REJECTED = stated(Reason.REJECTED, "taken back: x")


def test_only_a_rejected_release_is_stalled() -> None:
    """kstatus takes `Stalled` for failed, whatever else stands there."""
    assert JUDGING == [{"type": keys.CONDITION, "status": "Unknown", "reason": "Judging", "message": "step 1"}]
    said = {"reason": "Rejected", "message": "taken back: x"}
    ours = {"type": keys.CONDITION, "status": "False", **said}
    assert [*REJECTED] == [ours, {"type": keys.STALLED, "status": "True", **said}]


GONE: Condition = {"type": keys.STALLED, "$patch": "delete"}


@pytest.mark.parametrize(
    ("reason", "text", "present", "written"),
    [
        (Reason.JUDGING, "step 1", [NATIVE], at(NOW, *JUDGING)),
        (Reason.JUDGING, "step 1", at(THEN, *JUDGING), []),
        (
            Reason.JUDGING,
            "step 1",
            at(THEN, *stated(Reason.WAITING_FOR_PODS, "step 1")),
            [{**JUDGING[0], "lastUpdateTime": NOW, "lastTransitionTime": THEN}],
        ),
        (Reason.REJECTED, "taken back: x", at(THEN, *JUDGING), at(NOW, *REJECTED)),
        (Reason.REJECTED, "taken back: x", at(THEN, *REJECTED), []),
        (Reason.REJECTED, "taken back: x", at(THEN, REJECTED[0]), at(NOW, REJECTED[1])),  # of an older Penstock
        (Reason.JUDGING, "step 1", at(THEN, *REJECTED), [GONE, *at(NOW, *JUDGING)]),
        (Reason.JUDGING, "step 1", [FOREIGN, *at(THEN, *JUDGING)], []),
    ],
)
def test_what_is_missing_is_written_and_what_is_said_already_is_not(
    reason: Reason, text: str, present: list[Condition], written: list[Condition]
) -> None:
    """A write of the status wakes every watcher of the Deployment."""
    assert changes(reason, text, present, NOW) == written


def test_all_of_ours_goes_and_nothing_else() -> None:
    """At the end nothing names us, and what other tools have said stays."""
    assert removal([NATIVE, FOREIGN, *JUDGING]) == [{"type": keys.CONDITION, "$patch": "delete"}]
    assert removal([NATIVE, *REJECTED]) == [{"type": keys.CONDITION, "$patch": "delete"}, GONE]


def test_stalled_goes_before_anything_else_is_written() -> None:
    """Flux fails at once on what it finds, and what it finds may be the release before."""
    rejected, again = record(Phase.REJECTED, failed="x"), record(Phase.RETREATING)
    assert decide(observation(rejected, 0, stalled=True)).write is None
    assert decide(observation(again, 0, stalled=True)).write == Unstall()
    ended = observation(again, 0, stalled=True, condition="Rejected", annotations={}, labels={})
    assert decide(ended).write == Unstall()
    assert decide(observation(again, 0, condition="Rejected", annotations={}, labels={})).write == Unmark()


def test_it_is_seen_in_the_status() -> None:
    """Only our own."""
    obj = rolling(record(Phase.REJECTED, failed="x"))
    obj["status"]["conditions"] = [NATIVE, *REJECTED]
    assert (Deployment.of(obj).stalled, Deployment.of(obj).condition) == (True, "Rejected")
    obj["status"]["conditions"] = [NATIVE, FOREIGN]
    assert (Deployment.of(obj).stalled, Deployment.of(obj).condition) == (False, "")
