"""The reference says what the code does, or it is red: `make reference` writes it anew."""

import pytest

from penstock.core.reasons import ENDS, QUIET, WARNINGS, Reason
from tools.reference import licences
from tools.reference.pages import DIRECTORY, PAGES, same


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_what_the_code_says(name: str) -> None:
    """A reference that lags behind is worse than none."""
    assert (DIRECTORY / name).read_text(encoding="utf-8") == PAGES[name]()


def test_a_name_without_words_is_refused() -> None:
    """Whoever adds a reason also says what it means."""
    with pytest.raises(ValueError, match="differ in: b, c"):
        same(["a", "b"], ["a", "c"])


def test_every_state_that_asks_for_a_person_is_a_warning_or_says_whom_it_waits_for() -> None:
    """`kubectl get events` is where people look first; normal are only those that go on by themselves, were wished
    for, or wait for what somebody has decided."""
    normal = {reason.value for reason in Reason if reason not in WARNINGS | QUIET}
    assert normal == {
        "Gated", "StepOpened", "AwaitingApproval", "Approved", "PausedByUser", "ScaledToZero", "Finishing", "Promoted",
        "Retried", "Superseded", "Scaled", "Released", "Reverted",
    }  # fmt: skip
    assert set() == ENDS & QUIET


def test_everything_that_is_shipped_has_a_licence_that_lets_it_be() -> None:
    """Which packages there are depends on the system, so the page has these at least."""
    listed = licences.FILE.read_text(encoding="utf-8")
    needed = licences.shipped(licences.declared())
    assert {"kubernetes", "cryptography", "fastapi", "click"} <= needed
    assert [name for name in needed if f"| {name} | {licences.licence(name)} |" not in listed] == []
    assert "GPL" not in listed
