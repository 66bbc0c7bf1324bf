"""What `--watch` prints where no terminal can be redrawn."""

import json

import pytest

from penstock.cli.idle import idle
from penstock.cli.overview import overview
from penstock.cli.progress import progress
from penstock.cli.progress_view import View
from penstock.cli.watch import printer
from penstock.core.rollout import Phase
from tests.cli.play import Play


def views(play: Play) -> list[View]:
    """A rollout as it is looked at each second."""
    seen: list[View] = []
    for step in (1, 2):
        play.until(Phase.HOLDING, step)
        play.turn()
        for _ in range(3):
            play.cluster.now += 5
            seen.append(progress(play.sight()) or idle(play.sight()))
    return seen


def test_a_line_is_printed_when_something_has_changed(capsys: pytest.CaptureFixture[str]) -> None:
    """A log of a pipeline holds the story, not a line for each second."""
    play = Play()
    play.release()
    with printer("text") as show:
        for view in views(play):
            show(view)
    assert [line.partition(";")[0] for line in capsys.readouterr().out.splitlines()] == [
        "08:01:45 UTC shop/web at step 1 of 3, new 1, old 10 of 10",
        "08:02:45 UTC shop/web at step 2 of 3, new 3, old 10 of 10",
    ]


def test_json_has_a_document_on_each_changed_line(capsys: pytest.CaptureFixture[str]) -> None:
    """For a reader line by line."""
    play = Play()
    play.release()
    with printer("json") as show:
        for view in views(play):
            show(view)
    assert [json.loads(line)["step"] for line in capsys.readouterr().out.splitlines()] == [1, 2]


def test_the_end_of_the_last_rollout_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """Silence would look like a rollout that hangs."""
    play = Play()
    play.release()
    with printer("text") as show:
        show(overview("shop", [play.sight().obj], {}, play.cluster.now))
        show(overview("shop", [], {}, play.cluster.now))
        show(overview("shop", [], {}, play.cluster.now))
    first, *rest = capsys.readouterr().out.splitlines()
    assert first.startswith("08:01:40 UTC shop/web before step 1 of 3, new ")
    assert rest == ["No active rollouts in namespace shop."]
