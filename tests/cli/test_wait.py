"""What `penstock wait` says of a release, and by which exit code, at every state in which one may find it."""

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from penstock.cli.main import cli
from penstock.cli.outcome import Aim, Look, aimed, followed, look
from penstock.core import keys
from penstock.core.rollout import Phase
from tests.cli.play import Play
from tests.model.cluster import template

Object = dict[str, Any]
Act = Callable[[Play], None]


def seen(play: Play) -> Object:
    """The Deployment as the API server would send it, with the condition of our last decision and its time."""
    obj: Object = deepcopy(play.cluster.server.obj)
    for condition in obj["status"].get("conditions") or ():
        condition.setdefault("lastUpdateTime", "2040-01-01T00:00:00Z")
    return obj


def begun(**notes: str) -> tuple[Play, Aim]:
    """A release that has just been declared."""
    play = Play(**notes)
    play.release()
    return play, aimed(seen(play))


def now(play: Play, aim: Aim) -> Look:
    obj = seen(play)
    return look(followed(aim, obj), obj)


def promoted(play: Play) -> None:
    play.until(None)
    play.cluster.ready()


def rejected(play: Play) -> None:
    play.until(Phase.HOLDING, 1)
    ask(play, "abort")
    play.until(Phase.REJECTED)


def ask(play: Play, do: str) -> None:
    record = play.record
    assert record is not None
    request = f'{{"do":"{do}","rollout":"{record.id}","step":{record.step}}}'
    play.cluster.server.user(lambda obj: obj["metadata"]["annotations"].update({keys.REQUEST: request}))


def opted_out(play: Play) -> None:
    play.until(Phase.HOLDING, 1)
    play.cluster.server.user(lambda obj: obj["metadata"].setdefault("labels", {}).update({keys.ENABLED: "false"}))


def reverted(play: Play) -> None:
    play.until(Phase.HOLDING, 1)
    play.release("v1")


def superseded(play: Play) -> None:
    play.until(Phase.HOLDING, 1)
    play.release("v3")


def promoted_then_released(play: Play) -> None:
    promoted(play)
    play.release("v3")


def changed_ungated(play: Play) -> None:
    """By somebody who opted out first and then declared another version."""
    opted_out(play)
    play.release("v3")


@pytest.mark.parametrize(
    ("act", "result", "code", "sentence"),
    [
        (promoted, "promoted", 0, "all 10 pods run the new version"),
        (
            rejected,
            "rejected",
            1,
            "taken back, all pods run the former version: a person took it back; to try it again: "
            "penstock retry web -n shop",
        ),
        (
            opted_out,
            "gone",
            3,
            "it was released: it goes to all pods at once, not judged; follow it: "
            "kubectl rollout status deployment/web",
        ),
        (reverted, "gone", 3, "the former version was declared again"),
        (changed_ungated, "gone", 3, "another version was declared"),
        (promoted_then_released, "promoted", 0, "all pods ran it before a newer version was declared"),
    ],
)
def test_each_end_has_its_code_and_its_sentence(act: Act, result: str, code: int, sentence: str) -> None:
    """A pipeline branches on the code, and a person reads the sentence in its log."""
    play, aim = begun()
    act(play)
    found = now(play, aim)
    assert (found.result, found.sentence) == (result, sentence)
    assert aim.exit_code(found.result, "promoted") == code


def test_a_newer_version_is_never_this_ones_success() -> None:
    """Also not when it has been promoted long since: nobody watches a pipeline from the first second on."""
    play, aim = begun()
    superseded(play)
    assert now(play, aim).result == "gone"
    assert now(play, aim).sentence.startswith("a newer version was declared before this one had ended; rollout ")
    promoted(play)
    assert (now(play, aim).result, now(play, aim).sentence) == ("gone", "another version was declared")


def test_a_release_that_moves_has_no_result() -> None:
    """Gated, opening, judged, finishing: only an end ends the wait."""
    play, aim = begun()
    for phase, step in ((Phase.PENDING, 0), (Phase.HOLDING, 1), (Phase.HOLDING, 2), (Phase.FINISHING, 0)):
        play.until(phase, step)
        assert now(play, aim).result == "", phase


def test_a_release_that_waits_for_a_person_is_held() -> None:
    """And moves again after the yes."""
    play, aim = begun(approve="each")
    play.until(Phase.HOLDING, 1)
    play.cluster.now += 61
    play.turn()
    play.turn()
    assert (now(play, aim).result, now(play, aim).reason) == ("held", "AwaitingApproval")
    ask(play, "approve")
    play.until(Phase.HOLDING, 2)
    play.turn()
    assert now(play, aim).result == ""


def test_what_the_controller_said_of_an_earlier_step_does_not_count() -> None:
    """The condition is written after the fields; a yes would look like a hold for a moment."""
    play, aim = begun(approve="each")
    play.until(Phase.HOLDING, 1)
    play.cluster.now += 61
    play.turn()
    play.turn()
    obj = seen(play)
    for condition in obj["status"]["conditions"]:
        condition["lastUpdateTime"] = "2020-01-01T00:00:00Z"
    assert look(aim, obj) == Look("", "Holding, step 1: the controller has said nothing of it yet")


def test_a_rejected_version_that_is_tried_again_is_the_same_release() -> None:
    """`retry` keeps the rollout, so a wait that begins after it hears of its end."""
    play, aim = begun()
    rejected(play)
    ask(play, "retry")
    play.turn()
    assert now(play, aim).result == ""
    promoted(play)
    assert now(play, aim).result == "promoted"


def test_without_a_rollout_the_pods_are_the_truth() -> None:
    """Re-applied manifests and first deploys: no rollout begins, and the pipeline still wants its answer."""
    play = Play()
    aim = aimed(seen(play))
    assert now(play, aim) == Look("promoted", "no rollout was started; all 10 pods run the declared version")
    obj = seen(play)
    obj["status"]["updatedReplicas"] = 4
    moving = "no rollout was started, Kubernetes itself rolls it out: 4 of 10 pods so far"
    assert look(aim, obj) == Look("", moving)
    obj["status"]["conditions"] = [
        {"type": "Progressing", "reason": "ProgressDeadlineExceeded", "message": "ReplicaSet has timed out"}
    ]
    gave_up = "no rollout was started; Kubernetes itself gave it up: ReplicaSet has timed out"
    assert look(aim, obj) == Look("late", gave_up)
    obj["spec"]["paused"] = True
    assert look(aim, obj).result == "held"


def test_after_the_end_it_says_that_it_has_ended() -> None:
    """A pipeline that comes late is not told that nothing was ever started."""
    play, _ = begun()
    promoted(play)
    aim = aimed(seen(play))
    sentence = "its rollout has ended already; all 10 pods run the declared version"
    assert now(play, aim) == Look("promoted", sentence)


def test_a_pause_of_the_owners_that_is_lifted_begins_the_release_that_was_meant() -> None:
    """Un-gated while paused, gated on the resume: the same template, so the same release."""
    play = Play()
    obj = seen(play)
    obj["spec"] |= {"paused": True, "template": template("v2")}
    obj["status"]["updatedReplicas"] = 0
    aim = aimed(obj)
    assert look(aim, obj).result == "held"
    play.release("v2")
    later = seen(play)
    assert followed(aim, later).rollout == aimed(later).rollout != ""
    assert look(followed(aim, later), later).result == ""


def test_another_object_of_the_same_name_is_not_meant() -> None:
    """Deleted, and deleted and created again."""
    play, aim = begun()
    assert look(aim, None) == Look("gone", "the Deployment was deleted")
    obj = seen(play)
    obj["metadata"]["uid"] = "another"
    found = look(followed(aim, obj), obj)
    assert found == Look("gone", "the Deployment was deleted and created again; this is another one")


@pytest.mark.parametrize(
    ("result", "wanted", "code"),
    [
        ("promoted", "rejected", 3),
        ("rejected", "rejected", 0),
        ("held", "held", 0),
        ("held", "promoted", 2),
        ("late", "held", 2),
        ("rejected", "held", 1),
        ("gone", "rejected", 3),
    ],
)
def test_what_was_waited_for_is_0_and_an_answer_is_never_4(result: str, wanted: str, code: int) -> None:
    """`--for rejected` tests a broken release in a pipeline; its success is code 0."""
    assert Aim("u", "d").exit_code(result, wanted) == code


@pytest.mark.parametrize(
    "arguments",
    [
        ["wait", "web", "--kubeconfig", "/nope"],
        ["wait", "web", "--timeout", "soon"],
        ["wait", "web", "--for", "luck"],
        ["wait", "svc/web"],
        ["wait"],
    ],
)
def test_not_knowing_has_a_code_of_its_own(arguments: list[str], tmp_path: Path) -> None:
    """1 would say that the release was taken back, 2 that it is held; the pipeline's own mistake is neither."""
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 4
    assert "Error: " in result.output
