"""Time is the API server's where ours is wrong, and ours where it may be right."""

import time
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from penstock import clock
from penstock.clock import Clock
from tests.kube.loopback import Loopback, always, http

NOON = 1_795_600_000.0


def date(moment: float) -> str:
    """As in a header."""
    return formatdate(moment, usegmt=True)


@pytest.mark.parametrize("wrong", [0.0, 600.0, -600.0, 3.0, -3.0, 86400.0])
def test_a_wrong_clock_is_put_right_to_a_second(wrong: float) -> None:
    """Ten minutes ahead or behind, as a machine without time service is."""
    found = Clock()
    for n in range(50):
        theirs = NOON + n * 0.37
        ours = theirs - wrong
        found.answered(date(theirs), ours - 0.004, ours + 0.002)
    assert found.ahead == pytest.approx(wrong, abs=1.0)


@pytest.mark.parametrize("fraction", [0.0, 0.3, 0.999])
def test_a_right_clock_is_left_alone(fraction: float) -> None:
    """`Date` leaves out the fraction of a second; time must not jump by it from answer to answer."""
    found = Clock()
    for n in range(50):
        theirs = NOON + n * 7.3 + fraction
        found.answered(date(theirs), theirs - 0.004, theirs + 0.002)
    assert found.ahead == 0.0


def test_an_answer_that_took_long_says_little() -> None:
    """Ten seconds under way: the clock may be wrong by so much and cannot be told from it."""
    found = Clock()
    found.answered(date(NOON), NOON - 5.0, NOON + 5.0)
    assert found.ahead == 0.0
    found.answered(date(NOON), NOON + 20.0, NOON + 30.0)
    assert found.ahead == pytest.approx(-19.0)


def test_a_clock_that_is_set_right_is_believed_again() -> None:
    """The machine's time service comes up at last."""
    found = Clock()
    found.answered(date(NOON), NOON - 600, NOON - 600)
    assert found.ahead == pytest.approx(600)
    found.answered(date(NOON), NOON, NOON)
    assert found.ahead == pytest.approx(0, abs=1)


@pytest.mark.parametrize("header", [None, "", "yesterday", "Wed, 99 Nov 2026 09:46:40 GMT"])
def test_no_date_changes_nothing(header: str | None) -> None:
    """Some proxies leave it out."""
    found = Clock()
    found.answered(header, NOON, NOON)
    assert found.ahead == 0.0


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The process's clock is everybody's."""
    found = Clock()
    monkeypatch.setattr("penstock.kube.connection.CLOCK", found)
    return found


async def test_every_answer_tells_the_time(fresh: Clock, tmp_path: Path) -> None:
    """It costs no request of its own."""
    body: dict[str, Any] = {"kind": "Thing"}
    server = Loopback(always(http(200, body, Date=date(time.time() + 600))))
    async with server.running(), server.client(tmp_path) as client:
        await client.get("/thing")
    assert fresh.ahead == pytest.approx(600, abs=20)  # since the header was written
    assert clock.now() == pytest.approx(time.time(), abs=2)
