"""What a person may ask, when, and how it is bound to what they saw."""

import json

import click
import pytest
from click.testing import CliRunner

from penstock.cli.errors import Refusal
from penstock.cli.petition import done, petition, question, standing, taken_up
from penstock.cli.requests import confirm
from penstock.core import keys
from penstock.core.decide import decide
from penstock.core.reasons import Reason
from penstock.core.rollout import Phase
from tests.cli.play import Play


def held(step: int = 1, **annotations: str) -> Play:
    """A release at rest at a step."""
    play = Play(**annotations)
    play.release()
    play.until(Phase.HOLDING, step)
    return play


def rejected() -> Play:
    play = held()
    write(play, "abort")
    play.until(Phase.REJECTED)
    return play


def write(play: Play, do: str, target: str = "") -> None:
    """What the API server does with the request: the test, then the annotation."""
    asked = petition(play.sight(), do, target)
    test, add = asked.operations
    notes = play.cluster.server.obj["metadata"]["annotations"]
    assert test == {"op": "test", "path": "/metadata/annotations/penstock.dev~1record", "value": notes[keys.RECORD]}
    assert (add["op"], add["path"]) == ("add", "/metadata/annotations/penstock.dev~1request")
    play.cluster.server.user(lambda obj: obj["metadata"]["annotations"].update({keys.REQUEST: add["value"]}))


@pytest.mark.parametrize(
    ("do", "target", "reason", "phase"),
    [
        ("approve", "", Reason.APPROVED, Phase.HOLDING),
        ("abort", "", Reason.ABORTED, Phase.RETREATING),
        ("skip-to", "3", Reason.APPROVED, Phase.HOLDING),
        ("skip-to", "50%", Reason.APPROVED, Phase.HOLDING),
    ],
)
def test_what_is_asked_is_what_the_controller_does(do: str, target: str, reason: Reason, phase: Phase) -> None:
    """The request is written for a controller that is another process, perhaps of another version."""
    play = held(approve="each")
    asked = petition(play.sight(), do, target)
    write(play, do, target)
    assert not taken_up(play.cluster.server.obj, asked)
    assert play.turn().reason is reason
    assert taken_up(play.cluster.server.obj, asked)
    assert play.record is not None
    assert play.record.phase is phase
    assert done(asked, play.record)


def test_a_rejected_version_can_be_tried_again() -> None:
    """Without a change of the template, which `kubectl` could not even express."""
    play = rejected()
    asked = petition(play.sight(), "retry")
    write(play, "retry")
    assert play.turn().reason is Reason.RETRIED
    assert done(asked, play.record)


@pytest.mark.parametrize(
    ("do", "target", "message"),
    [
        ("retry", "", "only a rejected version can be tried again; this is step 2 of rollout "),
        ("skip-to", "2", "2 is not a later step (later ones: 3); this is step 2 of rollout "),
        ("skip-to", "4", "4 is not a later step (later ones: 3); this is step 2 of rollout "),
        ("skip-to", "33%", "33% is no step of this rollout"),
        ("skip-to", "last", "last is no step of this rollout"),
    ],
)
def test_what_the_controller_would_ignore_is_refused_at_once(do: str, target: str, message: str) -> None:
    """Ten seconds of waiting for a no would be a poor answer."""
    with pytest.raises(Refusal) as refused:
        petition(held(2).sight(), do, target)
    assert refused.value.message.startswith(message)
    assert refused.value.hint


def test_a_yes_where_nobody_asks_is_refused() -> None:
    """As `kubectl rollout resume` answers; it would change nothing that anybody could see."""
    with pytest.raises(Refusal, match="nothing waits for an approval; this is step 2 of rollout"):
        petition(held(2).sight(), "approve")


def test_a_request_that_stands_unanswered_is_said_to_be_replaced() -> None:
    """There is room for one: with no controller alive an abort would silently take an approval's place."""
    play = held(approve="each")
    assert standing(petition(play.sight(), "approve")) == []
    write(play, "approve")
    assert standing(petition(play.sight(), "approve")) == []
    assert standing(petition(play.sight(), "abort")) == [
        "this replaces a request that nobody has taken up yet: approve, step 1"
    ]
    play.cluster.server.user(lambda obj: obj["metadata"]["annotations"].update({keys.REQUEST: "?"}))
    assert standing(petition(play.sight(), "abort")) == ["this replaces a request that nobody can read"]


def test_no_is_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """`Aborted!` after a no to `abort` would read as its opposite."""

    @click.command()
    def asks() -> None:
        monkeypatch.setattr("sys.stdin.isatty", lambda: True)
        confirm("Take back shop/web?")

    result = CliRunner().invoke(asks, input="n\n")
    assert (result.exit_code, result.stderr) == (1, "nothing was changed\n")
    assert CliRunner().invoke(asks, input="y\n").exit_code == 0


def test_a_second_abort_is_refused() -> None:
    """It is on its way already, or done."""
    with pytest.raises(Refusal, match="the release is taken back already"):
        petition(rejected().sight(), "abort")


@pytest.mark.parametrize("do", ["approve", "abort", "retry", "skip-to"])
def test_without_a_rollout_there_is_nothing_to_ask(do: str) -> None:
    """The rollout may have ended while the person typed."""
    with pytest.raises(Refusal) as refused:
        petition(Play().sight(), do, "2")
    assert (refused.value.message, refused.value.hint) == (
        "Deployment shop/web has no active rollout",
        "what a change of it would do: penstock status web -n shop",
    )


def test_a_request_names_the_rollout_and_the_step_that_were_seen() -> None:
    """I10: a yes never moves another revision."""
    play = held(2, approve="25%")
    asked = petition(play.sight(), "approve")
    assert play.record is not None
    assert json.loads(asked.text) == {"do": "approve", "rollout": play.record.id, "step": 2}


def test_a_yes_that_comes_too_late_does_nothing_and_is_not_called_done() -> None:
    """A newer version was declared between the look and the controller's next one."""
    play = held(1, approve="each")
    asked = petition(play.sight(), "approve")
    write(play, "approve")
    play.release("v3")
    decision = decide(play.cluster.observation())
    assert decision.reason is Reason.REQUEST_IGNORED
    assert not done(asked, play.record)


@pytest.mark.parametrize(
    ("do", "target", "text"),
    [
        ("approve", "", "Approve shop/web, at step 2 of 3? Next: step 3: 5 of 10 pods."),
        ("abort", "", "Take back shop/web, at step 2 of 3? 3 pods of the new version will go."),
        ("skip-to", "3", "Go on from shop/web, at step 2 of 3, to step 3 (5 of 10 pods)?"),
    ],
)
def test_the_question_says_what_a_yes_means(do: str, target: str, text: str) -> None:
    """A bare `Sure?` is answered yes without reading."""
    assert question(petition(held(2, approve="25%").sight(), do, target)) == text


def test_the_question_before_another_try() -> None:
    """As above."""
    assert question(petition(rejected().sight(), "retry")) == (
        "Try again shop/web, taken back? It starts anew with step 1 of 3."
    )


def test_an_approval_after_which_the_rollout_has_ended_was_carried_out() -> None:
    """The last step may be over before we look again."""
    asked = petition(held(3, approve="last").sight(), "approve")
    assert done(asked, None)
    assert not done(petition(held().sight(), "abort"), None)
