"""Reasons are an API: their names never change by accident, and Kubernetes accepts each of them."""

import re

import pytest

from penstock.core.reasons import QUIET, WARNINGS, Reason


def test_the_names_are_these() -> None:
    """Scripts compare them; whoever changes one changes it here too, and says so in the changelog."""
    assert {reason.value for reason in Reason} == {
        "Gated", "StepOpened", "Window", "WaitingForPods", "Judging", "AwaitingApproval", "Approved", "PausedByUser",
        "ScaledToZero", "Inconclusive", "Finishing", "Promoted", "Retreating", "Rejected",
        "HeldAfterFailure", "Aborted", "Retried", "RequestIgnored", "Superseded", "Scaled", "Released", "Reverted",
        "FailedVersionReleased", "Uninstalled",
        "PausedAgain", "BadAnnotation", "BadRecord", "NoStableVersion", "FormerLeader", "CrashLoop", "Crashed",
        "OutOfMemory", "ImagePull", "CannotStart", "Unready", "NeverReady", "NotTheRelease",
        "NoSeries", "NoTraffic", "Unreachable", "Incident", "MoreErrors", "Slower", "LimitBreached",
    }  # fmt: skip


@pytest.mark.parametrize("reason", Reason)
def test_a_condition_may_carry_every_reason(reason: Reason) -> None:
    """The API server's pattern for metav1.Condition, and what kubectl shows in one column."""
    assert re.fullmatch("[A-Z][A-Za-z]{0,39}", reason.value)


def test_a_warning_is_never_quiet() -> None:
    """An Event that warns and is not sent would warn nobody."""
    assert not WARNINGS & QUIET
