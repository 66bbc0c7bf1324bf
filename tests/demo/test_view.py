"""What people see, on a terminal and without one."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from penstock.core.rollout import Phase
from sandbox.demo.account import Account
from sandbox.demo.history import Cluster, Deployment, Fact, Pod, ReplicaSet
from sandbox.demo.releases import RELEASES
from sandbox.demo.traffic import Count
from sandbox.demo.view import Scene, View, panel

SAYS = "step 1 of 3: 1 of 10 pods run the new version, judged until 12:30:15 UTC"


class Seen(Scene):
    """A scene with a cluster that nobody recorded."""

    def __init__(self, *facts: Fact) -> None:
        super().__init__()
        self.release = RELEASES[0]
        self.shown = Cluster(facts={(type(fact), str(i)): fact for i, fact in enumerate(facts)})

    @property
    def cluster(self) -> Cluster:
        return self.shown


def holding() -> Seen:
    old = [Pod("v1", ready=True, going=False, crashes=0)] * 9 + [Pod("v1", ready=False, going=True, crashes=0)]
    new = [Pod("v2", ready=True, going=False, crashes=0), Pod("v2", ready=False, going=False, crashes=1)]
    deployment = Deployment(
        "v2", paused=True, complete=False, rollout="holding", phase=Phase.HOLDING, step=1, message=SAYS
    )
    return Seen(deployment, ReplicaSet("v2", 1), ReplicaSet("v1", 10), *new, *old)


def drawn(scene: Scene) -> str:
    console = Console(width=100, file=io.StringIO(), record=True)
    console.print(panel(scene))
    return console.export_text()


def test_the_screen_shows_the_sentence_a_dot_per_pod_and_the_traffic() -> None:
    """One look says where the release is; old pods first, each in its place."""
    scene = holding()
    scene.account = Account()
    scene.account.take(Count(1.0, 0, {}, {}))
    scene.account.take(Count(2.0, 40, {"v1": 36, "v2": 3}, {"refused": 1}))
    screen = drawn(scene)
    assert "v2, a good version" in screen
    assert SAYS in screen
    assert "pods     ● ● ● ● ● ● ● ● ● · ● ○" in screen
    assert "Ready: 9 of 9 v1, 1 of 2 v2" in screen
    assert "traffic  40/s, 1 of 40 failed" in screen
    assert "answers: v1 92%, v2 8%" in screen


def test_a_narrow_screen_breaks_what_the_judge_says_and_cuts_off_nothing() -> None:
    """80 columns are what a terminal has, and the judge is a talker."""
    scene = holding()
    words = f"{SAYS}; errors: new 5/110, old 0/1100, evidence 41x of 200x needed; slow: new 3/110, old 5/1100, ratio 6"
    key = next(key for key, fact in scene.shown.facts.items() if isinstance(fact, Deployment))
    deployment = scene.shown.deployment
    assert deployment is not None
    scene.shown = Cluster(facts={**scene.shown.facts, key: replace(deployment, message=words)})
    console = Console(width=80, file=io.StringIO(), record=True)
    console.print(panel(scene))
    lines = console.export_text().splitlines()
    assert {len(line) for line in lines} == {80}
    assert words.replace("; slow", " slow").replace("; errors", " errors") in " ".join(
        line.strip("│ ") for line in lines
    )
    for release in RELEASES:
        scene.release = release
        assert f"{release.version}, {release.title}" in drawn(scene)


def test_simulated_pods_have_no_traffic_and_nothing_is_claimed_about_it() -> None:
    """A zero would be a lie."""
    assert "traffic  not measured" in drawn(holding())


def test_before_anything_is_deployed_there_is_a_screen() -> None:
    """The first drawing comes before the first event."""
    assert "nothing is deployed yet" in drawn(Scene())


def test_without_a_terminal_a_sentence_is_told_once() -> None:
    """A log in which a screen is redrawn five times a second is no log."""
    out = io.StringIO()
    scene = holding()
    view = View(Console(width=100, file=out), scene)
    for _ in range(3):
        view.draw()
    lines = out.getvalue().splitlines()
    assert len(lines) == 1
    assert lines[0].endswith(f"{SAYS}  [Ready: 9 of 9 v1, 1 of 2 v2; traffic: not measured]")
    scene.shown = Cluster(facts={})
    view.draw()
    assert len(out.getvalue().splitlines()) == 2


def test_without_a_terminal_each_check_has_a_line_and_its_numbers_come_now_and_then() -> None:
    """One line of three hundred letters every five seconds is read by nobody."""
    out = io.StringIO()
    scene = holding()
    view = View(Console(width=80, file=out), scene)

    def says(message: str) -> list[str]:
        before = len(out.getvalue().splitlines())
        key = next(key for key, fact in scene.shown.facts.items() if isinstance(fact, Deployment))
        said = Deployment("v2", paused=True, complete=False, phase=Phase.HOLDING, step=1, message=message)
        scene.shown = Cluster(facts={**scene.shown.facts, key: said})
        view.draw()
        return out.getvalue().splitlines()[before:]

    first, *checks = says(f"{SAYS}; errors: new 0/10; for the next step 2x of 20x; slow: new 0/10")
    assert f"{SAYS}  [Ready" in first
    assert checks == [" " * 13 + "errors: new 0/10; for the next step 2x of 20x", " " * 13 + "slow: new 0/10"]
    assert says(f"{SAYS}; errors: new 0/20; slow: new 1/20") == []


def test_the_words_of_a_dead_controller_are_not_shown_as_news() -> None:
    """Its condition stands while it is dead, and the exposure has gone on to the open window's."""
    scene = holding()
    scene.last_words = SAYS
    assert f"the controller is dead; its last words: {SAYS[:20]}" in drawn(scene)
    scene.last_words = "something else"
    assert "dead" not in drawn(scene)


def test_new_numbers_under_the_same_sentence_come_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pods come and go within milliseconds."""
    out = io.StringIO()
    scene = holding()
    view = View(Console(width=100, file=out), scene)
    view.draw()
    key = next(key for key, fact in scene.shown.facts.items() if isinstance(fact, Pod))
    scene.shown = Cluster(facts={k: f for k, f in scene.shown.facts.items() if k != key})
    view.draw()
    assert len(out.getvalue().splitlines()) == 1
    monkeypatch.setattr("sandbox.demo.view.CALM", 0.0)
    view.draw()
    assert len(out.getvalue().splitlines()) == 2
