"""What of a decision is news to people."""

from dataclasses import replace

import pytest

from controller.notify.notice import KINDS, notice
from penstock.core.decision import Decision
from penstock.core.reasons import ENDS, Reason
from penstock.signals.targets import Kind

DECISION = Decision(Reason.AWAITING_APPROVAL, "step 1 of 3 waits for approval", step=1, steps=3)


def key(decision: Decision = DECISION, rollout: str = "r", attempt: float = 1.0) -> str:
    found = notice("uid", ("shop", "web"), rollout, attempt, decision, 5.0)
    assert found is not None
    return found.key


def test_the_same_state_has_the_same_key_and_another_one_another() -> None:
    """Numbers in the sentence change at every look; step, reason, rollout and try are what matters."""
    assert key() == key(replace(DECISION, sentences=("errors: 3 of 100",), message="worded anew"))
    others = [
        key(replace(DECISION, step=2)),
        key(replace(DECISION, reason=Reason.INCONCLUSIVE)),
        key(rollout="s"),
        key(attempt=2.0),
    ]
    assert len({key(), *others}) == 5


@pytest.mark.parametrize("reason", sorted(set(Reason) - set(KINDS)))
def test_what_goes_on_by_itself_is_no_news(reason: Reason) -> None:
    """Whoever is told of everything reads nothing."""
    assert notice("uid", ("shop", "web"), "r", 1.0, replace(DECISION, reason=reason), 5.0) is None


def test_every_state_that_lasts_until_somebody_acts_is_told() -> None:
    """The list, so that a new reason is thought about here."""
    assert {r.value: k.value for r, k in KINDS.items()} == {
        "Rejected": "rejected",
        "Promoted": "promoted",
        "AwaitingApproval": "approval",
        **dict.fromkeys(
            ("HeldAfterFailure", "Inconclusive", "BadAnnotation", "BadRecord", "NoSeries", "NoTraffic", "Unreachable",
             "Incident"),
            "held",
        ),
    }  # fmt: skip
    assert {r for r in KINDS if r in ENDS} == {Reason.PROMOTED}
    assert set(KINDS.values()) == set(Kind)
