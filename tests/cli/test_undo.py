"""The way back, as one write: the former version declared again, whether or not admission is there to help."""

from dataclasses import replace

import pytest

from penstock.cli import restore
from penstock.cli.ending import Half
from penstock.cli.errors import Refusal
from penstock.cli.release import begun
from penstock.core.fields import Fields
from penstock.core.rollout import Phase
from tests.cli.play import Play
from tests.cli.test_release import PHASES, at, ours, written
from tests.model.cluster import template


@pytest.mark.parametrize("webhook", [True, False], ids=["webhook alive", "webhook dead"])
@pytest.mark.parametrize("phase", PHASES)
def test_the_way_back_declares_the_former_version(phase: Phase, webhook: bool) -> None:
    """Where a retreat shows it for a moment, that moment is ended first: nobody could see a declaration then."""
    play = at(phase)
    for _ in range(2):
        obj, record = play.cluster.server.obj, play.record
        if record is None:
            break
        hidden = restore.shows_stable(obj, record)
        operations = restore.hidden(obj, record) if hidden else restore.ended(obj, record, template("v1"))
        play.cluster.server.obj = written(play, operations, webhook=webhook)
        if hidden:
            assert play.cluster.server.obj["spec"]["paused"] is True
            assert play.cluster.server.obj["spec"]["template"] == template("v2")
    new = play.cluster.server.obj
    assert Fields.of(new) == Fields(surge=3, unavailable="20%")
    assert (new["spec"]["template"], ours(new)) == (template("v1"), [])


def test_without_a_rollout_nothing_is_ended() -> None:
    """The hint is kubectl's own command, which works then."""
    with pytest.raises(Refusal) as refused:
        begun(Play().sight(), back=True)
    assert (refused.value.message, refused.value.hint) == (
        "Deployment shop/web has no active rollout",
        "to go back to the version before: kubectl rollout undo deployment web -n shop",
    )


def test_the_former_version_is_found_where_nobody_has_named_it_yet() -> None:
    """Gated in the middle of a native rollout: the one with the most available pods."""
    play = at(Phase.HOLDING)
    record = play.record
    assert record is not None
    sets = play.sight().seen.replicasets
    nameless = Half({}, sets, replace(record, stable=""))
    assert nameless.former is not None
    assert nameless.former.spec == template("v1")
    assert Half({}, (), record).former is None
    assert Half({}, sets, None).former is None
