"""What the page knows of rollouts: what people need, within bounds, and nothing that could stop a rollout."""

import asyncio
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from controller.web.board import SAID, Board
from controller.web.view import Row
from penstock.core.decide import decide
from penstock.core.decision import Decision
from penstock.core.reasons import Reason
from tests.page.scenes import ERRORS, Scene, Traffic

BAD = Traffic(9, {"errors": (0.002, 0.06)})


def rows(board: Board, since: int = -1) -> dict[str, Row]:
    return {row.key: row for row in asyncio.run(board.rows(since))}


def test_a_release_that_is_taken_back_is_shown_with_what_decided_it() -> None:
    """The one view that people look at longest: why."""
    board = Board()
    scene = Scene(board, "shop", "cart", 10, BAD, **ERRORS).begin()
    scene.run(lambda d: d.reason == "Rejected")
    row, whole = rows(board)["shop/cart"], board.whole("shop/cart")
    assert whole is not None

    assert (row.mood, row.where, row.new.ready, row.old.ready) == ("back", "taken back", 0, 10)
    assert [step.state for step in whole.steps] == ["failed", "ahead", "ahead"]
    (chart,) = whole.charts
    assert chart.state == "Fail"
    assert chart.points[-1][1] == 1.0
    assert [said.reason for said in whole.said if said.warning] == ["MoreErrors", "Rejected"]
    assert [way.do for way in whole.ways] == ["retry", "undo", "release"]
    assert [(result.key, result.reason) for result in board.results] == [("shop/cart", "Rejected")]


def test_a_person_who_is_asked_gets_the_commands_first() -> None:
    """And a request of that form is one that the controller takes."""
    board = Board()
    scene = Scene(board, "shop", "payments", 10, approve="each").begin()
    scene.run(lambda d: d.reason == "AwaitingApproval")
    row, whole = rows(board)["shop/payments"], board.whole("shop/payments")
    assert whole is not None
    id = row.rollout

    assert row.mood == "waiting"
    assert [(way.do, way.asked) for way in whole.ways] == [
        ("approve", True),
        ("abort", True),
        *(("skip-to", False), ("undo", False), ("release", False)),
    ]
    ways = {way.do: (way.penstock, way.kubectl) for way in whole.ways}
    assert ways["approve"] == (
        "penstock approve payments -n shop",
        "kubectl rollout resume deployment payments -n shop",
    )
    annotate = "kubectl annotate deployment payments -n shop --overwrite penstock.dev/request="
    assert ways["abort"] == (
        "penstock abort payments -n shop",
        f"""{annotate}'{{"do":"abort","rollout":"{id}","step":1}}'""",
    )
    assert ways["skip-to"] == (
        "penstock skip-to payments 3 -n shop",
        f"""{annotate}'{{"do":"skip-to","rollout":"{id}","step":3}}'""",
    )
    scene.ask("approve")
    scene.tick()
    assert [said.reason for said in board.whole("shop/payments").said][-2:] != ["AwaitingApproval"] * 2  # type: ignore[union-attr]
    assert rows(board)["shop/payments"].mood == "moving"


def test_a_promoted_release_leaves_the_list_and_a_result() -> None:
    """It is not active any more, and people ask how it ended."""
    board = Board()
    scene = Scene(board, "shop", "web", 4, step_time="10s").begin()
    scene.run(lambda _: scene.over)

    assert (rows(board), len(board)) == ({}, 0)
    assert board.gone(-1) == ["shop/web"]
    (result,) = board.results
    assert (result.reason, result.message, result.changes) == (
        "Promoted",
        "all 4 pods run the new version",
        ("web: image web:v1 → v2",),
    )
    assert result.ended > result.began > 0


def test_only_what_has_changed_for_people_is_told_again() -> None:
    """500 rollouts are looked at every 30 s, and nearly always nothing is new."""
    board = Board()
    scenes = [Scene(board, "shop", f"web-{n}", 10, step_time="10m").begin().until_step(1) for n in range(3)]
    rows(board)
    since = board.version
    for scene in scenes:
        seen = scene.seen()
        board.looked(replace(seen, now=seen.now + 30), decide(seen))
    assert (board.version > since, rows(board, since)) == (True, {})

    pod = next(pod for pod in scenes[1].play.cluster.pods.all.values() if pod.owner == "web-2")
    scenes[1].play.cluster.pods.crash(pod, scenes[1].now)
    scenes[1].ready = False
    scenes[1].tick(0.1)
    assert list(rows(board, since)) == ["shop/web-1"]
    (trouble,) = [unit for unit in board.whole("shop/web-1").pods if unit.why]  # type: ignore[union-attr]
    assert (trouble.version, trouble.ready, trouble.why) == ("new", False, "ended with exit code 1, restarted 1x")


def test_decisions_are_kept_in_a_bounded_number() -> None:
    """A release that goes to and fro for a week."""
    board = Board()
    scene = Scene(board, "shop", "web").begin().until_step(1)
    seen, decision = scene.seen(), decide(scene.seen())
    for n in range(3 * SAID):
        board.looked(seen, replace(decision, message=f"{decision.message} {n}"))

    whole = board.whole("shop/web")
    assert whole is not None
    assert len(whole.said) == SAID
    assert whole.said[-1].message.endswith(f" {3 * SAID - 1}")


def test_an_error_of_the_page_stops_no_rollout(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control loop calls the board at every look."""

    def broken(*_: object) -> None:
        raise RuntimeError

    board = Board()
    monkeypatch.setattr(board, "_take", broken)
    scene = Scene(Board(), "shop", "web").begin()
    with capture_logs() as logs:
        board.looked(scene.seen(), decide(scene.seen()))
    assert [entry["event"] for entry in logs] == ["the page does not know of a look by an error of ours"]


def test_without_a_page_nothing_is_kept() -> None:
    """Who has switched it off pays nothing."""
    board = Board(kept=False)
    Scene(board, "shop", "web").begin().until_step(1)

    assert (len(board), board.version) == (0, 0)


def test_who_was_away_for_too_long_reads_all_anew() -> None:
    """Ends are remembered in a bounded number; a list that keeps one that is over would be a lie."""
    board = Board()
    scene = Scene(board, "shop", "web").begin().until_step(1)
    seen, decision = scene.seen(), decide(scene.seen())
    board.looked(seen, decision)
    since = board.version
    for _ in range(1001):
        board.forget("shop/web")
        board.looked(seen, decision)

    assert board.gone(since) is None
    assert board.gone(board.version) == []


def test_the_clearing_away_after_an_end_is_no_result() -> None:
    """After a revert the traces go with a decision that is shown nowhere; the page must not call that a promotion."""
    board = Board()
    scene = Scene(board, "shop", "web", 10, BAD, **ERRORS).begin()
    scene.run(lambda decision: decision.reason == "Rejected")
    assert [result.reason for result in board.results] == ["Rejected"]
    board.looked(scene.seen(), Decision(Reason.PROMOTED, "nothing of a rollout is left", shown=False, over=True))
    assert [result.reason for result in board.results] == ["Rejected"]
