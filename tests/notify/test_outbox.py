"""What waits to be sent: together, not too often, again after failures, once; on a clock of its own."""

import asyncio

import pytest
from msgspec import structs

from controller.notify.ledger import Ledger
from controller.notify.notice import PATIENCE
from controller.notify.outbox import GATHER, MOST
from penstock.core.reasons import Reason
from penstock.signals.targets import Kind
from tests.notify.news import BUSY, GONE, TARGET, Office, Paper, news

pytestmark = pytest.mark.looptime


async def during(office: Office, seconds: float) -> None:
    """Let it work for so long."""
    task = asyncio.create_task(office.outbox.run())
    await asyncio.sleep(seconds)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_what_comes_together_is_one_message() -> None:
    """A bad base image that is rejected in a hundred namespaces at once."""
    paper = Paper()
    office = Office({"chat": paper})
    office.tell(*(news(f"k{i}") for i in range(100)))
    await during(office, GATHER + 1)

    assert paper.messages == [tuple(f"k{i}" for i in range(100))]
    assert office.counted("chat", "sent") == 100


async def test_a_target_gets_one_message_in_its_pause() -> None:
    """Chats and mail servers lock out who writes every second."""
    paper = Paper()
    office = Office({"chat": paper}, structs.replace(TARGET, pause=60))
    task = asyncio.create_task(office.outbox.run())
    for second in range(120):
        office.tell(news(f"k{second}"))
        await asyncio.sleep(1)
    task.cancel()

    assert len(paper.messages) == 2
    assert sum(map(len, paper.messages)) == len(set().union(*paper.messages)) >= 60


async def test_a_failure_is_tried_again_later_each_time_and_told_once() -> None:
    """The receiver is restarted: nothing is lost."""
    paper = Paper(BUSY, BUSY)
    office = Office({"chat": paper})
    office.tell(news("k1"))
    await during(office, 60)

    assert (paper.tries, paper.messages) == (3, [("k1",)])
    assert [office.counted("chat", result) for result in ("sent", "retried", "failed")] == [1, 2, 0]


async def test_what_cannot_be_sent_is_given_up_and_counted() -> None:
    """An alert tells of it; the next news is tried anew."""
    paper = Paper(*[BUSY] * 6)
    office = Office({"chat": paper})
    office.tell(news("k1"))
    task = asyncio.create_task(office.outbox.run())
    await asyncio.sleep(1200)
    office.tell(news("k2"))
    await asyncio.sleep(30)
    task.cancel()

    assert (office.counted("chat", "failed"), paper.messages) == (1, [("k2",)])


async def test_a_refusal_is_not_repeated() -> None:
    """A wrong address does not become right by asking more often."""
    paper = Paper(GONE)
    office = Office({"chat": paper})
    office.tell(news("k1"))
    await during(office, 1000)

    assert (paper.tries, office.counted("chat", "failed")) == (1, 1)


async def test_a_target_that_hangs_or_breaks_holds_up_no_other() -> None:
    """Each has its own queue; a bug of a library ends nothing."""
    broken, whole = Paper(*[RuntimeError("https://token@host")] * 6), Paper()
    office = Office({"broken": broken, "whole": whole})
    office.tell(news("k1"))
    await during(office, 10)

    assert (broken.messages, whole.messages) == ([], [("k1",)])


async def test_of_too_much_news_the_oldest_is_dropped_and_counted() -> None:
    """Memory is not for those who do not read."""
    paper = Paper(*[BUSY] * 1)
    office = Office({"chat": paper})
    office.tell(*(news(f"k{i}") for i in range(MOST + 3)))
    await during(office, 60)

    assert office.counted("chat", "dropped") == 3
    assert paper.messages[0][0] == "k3"


async def test_the_same_state_is_told_once_also_by_the_next_process() -> None:
    """A controller that is restarted decides the same again."""
    ledger, first, second = Ledger(None, "", ""), Paper(), Paper()
    office = Office({"chat": first}, ledger=ledger)
    office.tell(news("k1"))
    office.tell(news("k1"))
    await during(office, 30)
    office = Office({"chat": second}, ledger=ledger)
    office.tell(news("k1"), news("k2"))
    await during(office, 30)

    assert (first.messages, second.messages) == ([("k1",)], [("k2",)])


async def test_one_target_that_fails_does_not_make_the_others_hear_it_twice() -> None:
    """What was told is kept for each target."""
    ledger = Ledger(None, "", "")
    office = Office({"a": Paper(GONE), "b": Paper()}, ledger=ledger)
    office.tell(news("k1"))
    await during(office, 30)

    assert [ledger.knows(target, "k1") for target in "ab"] == [False, True]


async def test_what_waits_when_the_process_ends_is_sent_before() -> None:
    """A promotion has no state that the next process could see."""
    paper, busy = Paper(), Paper(BUSY)
    office = Office({"a": paper, "b": busy})
    office.tell(news("k1"))
    await during(office, GATHER + 1)
    office.tell(news("k2"))
    await during(office, 0.1)

    assert paper.messages[-1] == ("k2",)
    assert {key for message in busy.messages for key in message} == {"k1", "k2"}


@pytest.mark.parametrize(("lasts", "told"), [(PATIENCE / 2, False), (PATIENCE * 2, True)])
async def test_a_want_of_data_is_told_when_it_lasts(lasts: float, told: bool) -> None:
    """At the beginning of most rollouts there is one for some seconds."""
    paper = Paper()
    office = Office({"chat": paper})
    held = news("k1", kind=Kind.HELD, reason=Reason.NO_TRAFFIC)
    task = asyncio.create_task(office.outbox.run())
    office.outbox.told(held.place, held)
    await asyncio.sleep(1)
    office.outbox.told(held.place, held)
    await asyncio.sleep(lasts)
    office.outbox.told(held.place, None)
    await asyncio.sleep(PATIENCE)
    task.cancel()

    assert paper.messages == ([("k1",)] if told else [])


async def test_without_targets_nothing_is_done() -> None:
    """Not even the ledger is read."""
    office = Office({})
    office.tell(news("k1"))
    await asyncio.wait_for(office.outbox.run(), 1)
