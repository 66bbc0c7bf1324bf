"""The write by which a person ends a rollout, against the model API server with the real admission before it.

The same write has to be right whether or not admission is asked; both are tried at every phase.
"""

from copy import deepcopy
from typing import Any

import jsonpatch
import pytest
from click.testing import CliRunner

from penstock.cli import restore
from penstock.cli.errors import Refusal
from penstock.cli.main import cli
from penstock.cli.release import begun, follows, question
from penstock.core import keys
from penstock.core.admission import Request, admit
from penstock.core.fields import Fields
from penstock.core.guard import record_of
from penstock.core.rollout import Phase
from tests.cli.play import Play
from tests.model.cluster import template

Object = dict[str, Any]

STRATEGY = {"maxSurge": 3, "maxUnavailable": "20%"}


def at(phase: Phase) -> Play:
    """A rollout that has come to this phase."""
    play = Play(strategy=STRATEGY)
    play.release()
    if phase in (Phase.RETREATING, Phase.REJECTED):
        play.until(Phase.HOLDING, 2)
        record = play.record
        assert record is not None
        request = f'{{"do":"abort","rollout":"{record.id}","step":{record.step}}}'
        play.cluster.server.user(lambda obj: obj["metadata"]["annotations"].update({keys.REQUEST: request}))
    play.until(phase, ready=phase is not Phase.RETREATING)
    return play


def written(play: Play, operations: tuple[Object, ...], *, webhook: bool) -> Object:
    """The object as it is stored after a JSON Patch of these operations."""
    old = deepcopy(play.cluster.server.obj)
    new: Object = jsonpatch.apply_patch(old, list(operations))
    if webhook:
        meta = old["metadata"]
        names = meta.get("namespace", ""), meta.get("name", "")
        request = Request("1", "UPDATE", "Deployment", *names, "ann", keys.MANAGER, False, deepcopy(new), old)
        new = jsonpatch.apply_patch(new, list(admit(request, play.cluster.now).patch))
    return new


def ours(obj: Object) -> list[str]:
    found = {**(obj["metadata"].get("annotations") or {}), **(obj["metadata"].get("labels") or {})}
    return [key for key in found if key in (*keys.OUR_ANNOTATIONS, keys.ROLLOUT)]


PHASES = [Phase.PENDING, Phase.OPENING, Phase.HOLDING, Phase.RETREATING, Phase.REJECTED, Phase.FINISHING]


@pytest.mark.parametrize("webhook", [True, False], ids=["webhook alive", "webhook dead"])
@pytest.mark.parametrize("phase", PHASES)
def test_a_release_restores_every_field_in_one_write(phase: Phase, webhook: bool) -> None:
    """I7, in each phase, with and without anybody to help."""
    play = at(phase)
    record = play.record
    assert record is not None
    new = written(play, restore.ended(play.cluster.server.obj, record), webhook=webhook)
    assert Fields.of(new) == Fields(surge=3, unavailable="20%")
    assert new["spec"]["template"] == template("v2")
    assert ours(new) == []
    assert new["metadata"]["labels"][keys.ENABLED] == "false"


def test_a_write_on_an_old_view_fails() -> None:
    """The controller writes, too; its window must not be closed by what was read before it."""
    play = at(Phase.HOLDING)
    record = play.record
    assert record is not None
    operations = restore.ended(play.cluster.server.obj, record)
    play.cluster.server.user(lambda obj: obj["metadata"]["annotations"].update({"note": "1"}))
    with pytest.raises(jsonpatch.JsonPatchTestFailed):
        written(play, operations, webhook=False)


def test_the_second_write_takes_the_opt_out_back_and_our_name_off() -> None:
    """This release was let go, and not all that follow."""
    obj: Object = {
        "metadata": {
            "resourceVersion": "7",
            "labels": {keys.ENABLED: "false"},
            "managedFields": [{"manager": keys.MANAGER, "operation": "Update"}, {"manager": "flux"}],
        }
    }
    guard = {"op": "test", "path": "/metadata/resourceVersion", "value": "7"}
    label, managed = "/metadata/labels/penstock.dev~1enabled", "/metadata/managedFields"
    others = {"op": "replace", "path": managed, "value": [{"manager": "flux"}]}
    assert restore.given(obj, {}, None) == (guard, {"op": "remove", "path": label}, others)
    assert restore.given(obj, {}, "true") == (guard, {"op": "replace", "path": label, "value": "true"}, others)
    assert restore.given(obj, {}, "false") == (guard, others)
    del obj["metadata"]["managedFields"][0]
    assert restore.given(obj, {}, "false") == ()


def test_what_its_owner_has_changed_after_the_release_stays() -> None:
    """Between a release and the record's end the fields are theirs already."""
    play = at(Phase.HOLDING)
    play.cluster.namespace_labels = {}
    play.turn()
    record = record_of(play.cluster.server.obj)
    assert record is not None
    assert record.phase is Phase.LEAVING
    play.cluster.server.obj["spec"]["minReadySeconds"] = 5
    new = written(play, restore.ended(play.cluster.server.obj, record), webhook=False)
    assert (new["spec"]["minReadySeconds"], ours(new)) == (5, [])


@pytest.mark.parametrize(
    ("phase", "back", "text"),
    [
        (
            Phase.HOLDING,
            False,
            "Release shop/web, at step 1 of 3? All 10 pods get the new version at once, not judged.",
        ),
        (
            Phase.REJECTED,
            False,
            "Release shop/web, taken back? It failed: a person took it back. All 10 pods get the new version at once, "
            "not judged.",
        ),
        (
            Phase.HOLDING,
            True,
            "Put back the former version of shop/web, at step 1 of 3? 1 pod of the new version will go at once.",
        ),
    ],
)
def test_the_question_says_what_a_yes_means(phase: Phase, back: bool, text: str) -> None:
    """A version that failed must not be sent to all pods by a yes without thought."""
    play = at(phase)
    record = play.record
    assert record is not None
    assert question(play.sight(), record, back=back) == text


def test_what_follows_names_the_next_command() -> None:
    """And the tool that would bring the version back."""
    play = at(Phase.HOLDING)
    sight, record = play.sight(), play.record
    assert record is not None
    assert follows(sight, record, back=False) == "follow it: kubectl rollout status deployment web -n shop"
    assert follows(sight, record, back=True) == (
        "pods of the new version go at once; a tool that applies from Git brings it back: revert it there too"
    )


def test_a_record_of_another_version_is_left_to_a_person() -> None:
    """What it holds back cannot be guessed."""
    play = at(Phase.HOLDING)
    play.cluster.server.obj["metadata"]["annotations"] = {keys.RECORD: '{"v":99}'}
    with pytest.raises(Refusal) as refused:
        begun(play.sight(), back=False)
    assert refused.value.message.startswith("Deployment shop/web: the record has version 99")
    assert refused.value.hint == "docs/guide/recovery.md tells how to do it with kubectl"


@pytest.mark.parametrize("command", ["release", "undo"])
def test_a_mistake_on_the_command_line_needs_no_cluster(command: str) -> None:
    """As with every command."""
    result = CliRunner().invoke(cli, [command, "svc/web", "--kubeconfig", "/nope"])
    assert (result.exit_code, result.output.splitlines()[-1]) == (2, "Error: only Deployments are stepped, not svc")
