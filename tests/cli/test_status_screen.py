"""The screen of `penstock status`, whole, in the order in which a person meets it."""

from collections.abc import Callable

import pytest

from penstock.cli.console import emit
from penstock.cli.idle import idle
from penstock.cli.overview import overview
from penstock.cli.progress import Pods, Progress, progress
from penstock.cli.progress_view import View, lines, screen, stamped
from penstock.cli.reading import Sight, Told
from penstock.core import keys
from penstock.core.rollout import Phase
from tests.cli.play import Play

Shown = Callable[[View], str]


@pytest.fixture
def shown(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shown:
    """What is on a screen of 80 columns."""
    monkeypatch.setenv("COLUMNS", "80")

    def render(view: View) -> str:
        emit(screen(view))
        return capsys.readouterr().out

    return render


def view(sight: Sight) -> View:
    return progress(sight) or idle(sight)


def crash(play: Play, times: int = 2) -> None:
    """A pod of the new version ends with exit code 1, some times."""
    cluster = play.cluster
    pod = next(pod for pod in cluster.pods.all.values() if pod.owner == "web-2")
    for _ in range(times):
        cluster.pods.crash(pod, cluster.now)
    cluster.settle()


def test_without_a_rollout_it_says_so_and_what_a_change_would_do(shown: Shown) -> None:
    """An empty screen would leave open whether anything is set up at all."""
    assert (
        shown(view(Play(approve="25%").sight()))
        == """\
shop/web: no active rollout
scope   opted in
change  A change of its pod template goes to 1, 3 and 5 pods, then to all 10; it
        takes at least 3m, and waits for a person at 3.
"""
    )


def test_the_free_way_back_is_shown_as_long_as_it_lasts(shown: Shown) -> None:
    """A change that goes to all pods at once in an opted-in namespace would look like a fault."""
    play = Play()
    play.release()
    play.until(None)
    assert "back    to the former version at once until 09:04:40 UTC (fast-rollback)" in shown(view(play.sight()))
    play.cluster.now += 3700
    assert "\nback" not in shown(view(play.sight()))


def test_no_pods_wanted_is_said_in_words(shown: Shown) -> None:
    """`at step 1 of 0` is no place, and an absent revision no fault."""
    play = Play()
    play.release()
    play.until(Phase.HOLDING, 1)
    play.cluster.server.user(lambda obj: obj["spec"].update(replicas=0))
    play.cluster.settle()
    play.turn()
    play.turn()
    assert (
        shown(view(play.sight()))
        == """\
shop/web: at step 1
version  revision 1 → no pods are wanted now; web: image web:v1 → v2
new      0 of 0 pods, 0 allowed
old      0 of 0 pods
reason   ScaledToZero: no pods are wanted; it goes on when the workload is
         scaled up
next     goes on when it is scaled up
"""
    )


def test_events_of_the_rollout_before_are_not_shown() -> None:
    """`Promoted` under a release that has just begun reads like its end."""
    play = Play()
    play.release()
    play.until(Phase.HOLDING, 1)
    told = [Told(9.0 - n, reason, "", False) for n, reason in enumerate(("StepOpened", "Promoted", "StepOpened"))]
    found = progress(play.sight(*told))
    assert found is not None
    assert found.events == (told[0],)
    assert [event.reason for event in idle(play.sight(*told)).events] == ["StepOpened", "Promoted", "StepOpened"]


def test_where_nobody_is_at_work_no_time_is_promised(shown: Shown) -> None:
    """Time passes, and nothing ends by it."""
    play = Play()
    play.release()
    play.until(Phase.HOLDING, 2)
    play.turn()
    assert "more at this step" in shown(view(play.sight()))
    assert "more at this step" not in shown(view(play.sight(silent="nothing moves on, no controller is at work")))


def test_without_an_opt_in_it_says_how_to_opt_in(shown: Shown) -> None:
    """The most frequent reason why nothing is stepped."""
    sight = Play(replicas=4).sight(namespace={"metadata": {"name": "shop"}})
    assert (
        shown(view(sight))
        == """\
shop/web: no active rollout
scope    not opted in
change   A change of its pod template goes to 1 and 2 pods, then to all 4; it
         takes at least 2m.
warning  namespace shop is not opted in, a change goes to all pods at once; what
         is shown here comes true after: kubectl label namespace shop
         penstock.dev/enabled=true
"""
    )


def test_a_change_that_was_just_admitted_is_held_before_the_first_step(shown: Shown) -> None:
    """Nothing of it runs, and the controller has not spoken; what it would do next is no reason, it may be dead."""
    play = Play()
    play.release()
    assert (
        shown(view(play.sight()))
        == """\
shop/web: before step 1 of 3
version  revision 1 → not running yet; web: image web:v1 → v2
new      0 of 10 pods, 0 allowed
old      ○○○○○○○○○○  10 of 10 pods
reason   Gated: the new version is admitted and held, nothing of it runs yet
next     step 1: 1 of 10 pods
"""
    )


def test_a_step_that_is_judged_shows_pods_time_left_and_what_comes_next(shown: Shown) -> None:
    """The screen that people look at for most of a rollout."""
    play = Play()
    play.release()
    play.until(Phase.HOLDING, 2)
    play.turn()
    play.cluster.now += 12
    told = Told(play.cluster.now - 75, "StepOpened", "step 1 of 3: 1 of 10 pods get the new version", False)
    assert (
        shown(view(play.sight(told)))
        == """\
shop/web: at step 2 of 3
version  revision 1 → 2; web: image web:v1 → v2
new      ●●●  3 of 10 pods, 3 allowed
old      ○○○○○○○○○○  10 of 10 pods
time     at least 48s, at most 9m48s more at this step
reason   Judging: step 2 of 3: 3 of 10 pods run the new version, judged until
         08:03:40 UTC
next     step 3: 5 of 10 pods
events   1m15s ago StepOpened: step 1 of 3: 1 of 10 pods get the new version
"""
    )


def test_a_step_that_waits_for_a_person_names_the_command(shown: Shown) -> None:
    """Time is no answer there, so none is shown."""
    play = Play(approve="10%")
    play.release()
    play.until(Phase.HOLDING, 1)
    play.turn()
    play.cluster.now += 61
    play.turn()
    assert (
        shown(view(play.sight()))
        == """\
shop/web: at step 1 of 3
version  revision 1 → 2; web: image web:v1 → v2
new      ●  1 of 10 pods, 1 allowed
old      ○○○○○○○○○○  10 of 10 pods
reason   AwaitingApproval: step 1 of 3: 1 of 10 pods run the new version and are
         healthy; approval is awaited: penstock approve web -n shop
next     step 2: 3 of 10 pods, after penstock approve web -n shop
"""
    )


def test_a_failed_release_shows_the_pod_and_goes_back(shown: Shown) -> None:
    """Pods that are not Ready have another shape, not only another colour."""
    play = Play()
    play.release()
    play.until(Phase.HOLDING, 3)
    crash(play)
    play.turn()
    assert (
        shown(view(play.sight()))
        == """\
shop/web: going back
version  revision 1 → 2; web: image web:v1 → v2
new      ●●●●✕  5 of 10 pods, 1 not Ready, 5 allowed
old      ○○○○○○○○  8 of 10 pods
reason   Crashed: step 3 of 3: pod web-2-11 of the new version crashed 2 times
         (exit code 1); the release is taken back
next     all 10 pods run the old version, and the new one stays out
"""
    )
    play.until(Phase.REJECTED)
    assert (
        shown(view(play.sight()))
        == """\
shop/web: taken back
version  revision 1 → not running; web: image web:v1 → v2
new      0 of 10 pods, 0 allowed
old      ○○○○○○○○○○  10 of 10 pods
reason   Rejected: taken back, all pods run the stable version: step 3 of 3: pod
         web-2-11 of the new version crashed 2 times (exit code 1); deploy
         another version, or the stable one; to try this one again: penstock
         retry web -n shop
next     nothing by itself, a person decides
"""
    )


def test_a_newer_version_is_not_shown_with_the_verdict_on_the_last_one() -> None:
    """The condition of the rejected version stays until the controller has spoken again."""
    play = Play()
    play.release()
    play.until(Phase.HOLDING, 1)
    crash(play)
    play.until(Phase.REJECTED)
    play.release("v3")
    found = progress(play.sight())
    assert found is not None
    assert (found.reason, found.changes) == ("Superseded", ("web: image web:v1 → v3",))


def test_a_failure_that_is_held_asks_a_person(shown: Shown) -> None:
    """on-failure: pause leaves the broken pods for a look at them."""
    play = Play(on_failure="pause", replicas=4)
    play.release()
    play.until(Phase.HOLDING, 1)
    crash(play)
    play.turn()
    assert (
        shown(view(play.sight(silent="nothing moves on, no controller is at work")))
        == """\
shop/web: at step 1 of 2
version  revision 1 → 2; web: image web:v1 → v2
new      ✕  1 of 4 pods, 1 not Ready, 1 allowed
old      ○○○○  4 of 4 pods
reason   HeldAfterFailure: step 1 of 2: pod web-2-5 of the new version crashed 2
         times (exit code 1); held (on-failure: pause). Go on: penstock approve
         web -n shop; back: penstock abort web -n shop
next     a person decides: penstock approve web -n shop, or penstock abort web
         -n shop
warning  nothing moves on, no controller is at work
"""
    )


def test_the_last_phase_says_when_it_is_over(shown: Shown) -> None:
    """All pods are new already, yet the object still carries our label."""
    play = Play()
    play.release()
    play.until(Phase.FINISHING)
    assert (
        shown(view(play.sight()))
        == """\
shop/web: finishing
version  revision 1 → 2; web: image web:v1 → v2
new      ●●●●●●●●●●  10 of 10 pods, 10 allowed
old      0 of 10 pods
reason   Finishing: all steps passed; all 10 pods get the new version
next     over when all new pods are available; nothing of Penstock stays in the
         object then
"""
    )


def test_a_record_that_cannot_be_read_is_said_not_hidden(shown: Shown) -> None:
    """A newer Penstock's rollout must not look like none."""
    play = Play()
    play.cluster.server.obj["metadata"]["annotations"] = {keys.RECORD: '{"v":99}'}
    title = " ".join(shown(view(play.sight())).splitlines()[:2])
    assert title == (
        "shop/web: the record has version 99, this Penstock reads version 1; nothing is "
        "changed until a version that can read it runs; to end it: kubectl label"
    )


def test_many_pods_stay_one_line_and_a_broken_one_stays_visible(shown: Shown) -> None:
    """500 dots say less than 50, but one pod that is not Ready is what people look for."""
    found = _progress(new=Pods(124, 1), old=Pods(375, 0))
    rows = shown(found).splitlines()
    assert rows[2:4] == [
        "new      " + "●" * 10 + "✕" + "  125 of 500 pods, 1 not Ready, 125 allowed",
        "old      " + "○" * 29 + "  375 of 500 pods (a dot is 13 pods)",
    ]


def test_escape_sequences_in_messages_do_not_reach_the_terminal(shown: Shown) -> None:
    """Messages hold names of pods and images, which come from elsewhere."""
    text = shown(_progress(message="pod \x1b[2J\x07 [bold]x[/bold]\nnext"))
    assert "\x1b" not in text
    assert "reason   Judging: pod ?[2J? [bold]x[/bold] next" in text


def test_a_terminal_without_unicode_gets_other_shapes(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A question mark for each pod would show no difference."""
    monkeypatch.setattr("penstock.cli.console.draws", lambda _screen: False)
    emit(screen(_progress(new=Pods(2, 1), old=Pods(3, 0))))
    rows = capsys.readouterr().out.splitlines()
    assert [row[:14].rstrip() for row in rows[2:4]] == ["new      ##x", "old      ooo"]
    assert all(row.isascii() for row in rows)


def test_plain_lines_hold_no_time_left() -> None:
    """A line is printed when it changes; a clock in it would print one each second."""
    play = Play()
    play.release()
    play.until(Phase.HOLDING, 1)
    play.turn()
    first = list(lines(view(play.sight())))
    play.cluster.now += 20
    assert first == list(lines(view(play.sight())))
    assert stamped(first[0], 0.0) == (
        "00:00:00 UTC shop/web at step 1 of 3, new 1, old 10 of 10; "
        "Judging: step 1 of 3: 1 of 10 pods run the new version, judged until 08:02:40 UTC"
    )


def test_the_table_has_a_row_for_each_rollout(shown: Shown) -> None:
    """It is made from Deployments alone, so that hundreds are no burden."""
    play = Play()
    play.release()
    play.until(Phase.HOLDING, 2)
    play.turn()
    obj = play.sight().obj
    later = {**obj, "metadata": {**obj["metadata"], "namespace": "bank", "name": "ledger"}}
    found = overview("", [obj, later], {"shop": None}, play.cluster.now + 30)
    assert (
        shown(found)
        == """\
name         where           new      since  reason
bank/ledger  at step 2 of 3  3 of 10  1m30s  Judging
shop/web     at step 2 of 3  3 of 10  1m30s  Judging
"""
    )
    assert shown(overview("shop", [], {}, 0.0)) == "No active rollouts in namespace shop.\n"
    assert shown(overview("", [], {}, 0.0)) == "No active rollouts in any namespace.\n"


def test_json_names_everything_that_the_screen_shows() -> None:
    """Scripts read this one; a field may be added, none may go."""
    play = Play()
    play.release()
    play.until(Phase.HOLDING, 2)
    play.turn()
    found = progress(play.sight(Told(1.0, "StepOpened", "step 1", False)))
    assert found is not None
    value = found.json()
    assert play.record is not None
    assert value == {
        "rollout": play.record.id,
        "namespace": "shop",
        "name": "web",
        "state": "holding",
        "phase": "Holding",
        "step": 2,
        "steps": 3,
        "written": ("25%",),
        "replicas": 10,
        "allowed": 3,
        "new": {"ready": 3, "unready": 0},
        "old": {"ready": 10, "unready": 0},
        "other": {"ready": 0, "unready": 0},
        "changes": ("web: image web:v1 → v2",),
        "revisions": ("1", "2"),
        "started": 1800000100.0,
        "earliest": 1800000220.05,
        "latest": 1800000760.05,
        "reason": "Judging",
        "message": "step 2 of 3: 3 of 10 pods run the new version, judged until 08:03:40 UTC",
        "next": "step 3: 5 of 10 pods",
        "checks": (),
        "events": ({"moment": 1.0, "reason": "StepOpened", "message": "step 1", "warning": False},),
        "warnings": (),
    }


def test_where_the_namespace_may_not_be_read_no_time_is_promised() -> None:
    """Its annotations are defaults; a time from our own defaults would be a guess."""
    play = Play()
    play.release()
    play.until(Phase.HOLDING, 2)
    seen = play.sight()
    found = progress(Sight(seen.obj, seen.seen, None))
    assert found is not None
    assert (found.earliest, found.latest) == (None, None)
    assert found.warnings == (
        "its Namespace may not be read: what it gives as defaults is not known, steps may differ from these",
    )


def _progress(
    new: Pods = Pods(1, 0),  # noqa: B008  # frozen
    old: Pods = Pods(1, 0),  # noqa: B008  # frozen
    message: str = "step 1 of 1",
) -> Progress:
    return Progress(
        namespace="shop",
        name="web",
        rollout="3f2a9c1e",
        state="holding",
        phase=Phase.HOLDING,
        step=1,
        steps=1,
        written=("25%",),
        replicas=500,
        allowed=125,
        new=new,
        old=old,
        other=Pods(0, 0),
        changes=(),
        revisions=("1", "2"),
        started=0.0,
        earliest=None,
        latest=None,
        reason="Judging",
        message=message,
        next="all 500 pods get the new version",
        now=0.0,
    )
