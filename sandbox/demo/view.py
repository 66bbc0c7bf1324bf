"""The story as it is seen: one live screen on a terminal, plain lines everywhere else.

Drawn in the event loop and not in rich's own thread, which would hold up the loop in the very milliseconds in which the
controller is to be killed.
"""

import asyncio
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.text import Text

from penstock.core.rollout import Phase
from sandbox.demo.account import Account
from sandbox.demo.history import Cluster, Pod
from sandbox.demo.recorder import Recorder
from sandbox.demo.releases import FIRST, REPLICAS, STEPS, Release

DRAWN = 0.2
"""Seconds between two drawings."""
CALM = 2.0
"""Seconds between two plain lines that say the same with other numbers."""

CHECKS = re.compile(r"; (?=(?:errors|slow): )")
"""Where the sentences of the metric checks begin in what Penstock says."""

OLD, NEW, GONE = "cyan", "green", "red"


class Scene:
    """What there is to be seen; the story changes it, a view shows it."""

    def __init__(self) -> None:
        self.begun = time.monotonic()
        self.release: Release = FIRST
        self.recorder: Recorder | None = None
        self.account: Account | None = None
        self.last_words = ""
        """What the controller had said when it died; it stands until a living one says something else."""

    @property
    def cluster(self) -> Cluster:
        return self.recorder.now if self.recorder else Cluster()

    @property
    def clock(self) -> str:
        tenths = int(10 * (time.monotonic() - self.begun))
        return f"{tenths // 600}:{tenths // 10 % 60:02}.{tenths % 10}"

    @property
    def sentence(self) -> str:
        """What Penstock says about the release, or what runs when it has nothing to say."""
        seen = self.cluster.deployment
        if seen is None:
            return "nothing is deployed yet"
        if seen.message and seen.message == self.last_words:
            return f"the controller is dead; its last words: {seen.message}"
        if seen.message:
            return seen.message
        if seen.phase is not None:
            return f"{seen.version} is admitted and held: nothing of it runs yet"
        return f"all pods run {seen.version}, no rollout is active" if seen.complete else f"{seen.version} is coming up"

    @property
    def counts(self) -> str:
        """Pods by version, in words."""
        versions = sorted({pod.version for pod in self.cluster.pods.values() if not pod.going})
        words = [f"{self.cluster.ready(v)} of {self.cluster.living(v)} {v}" for v in versions]
        return f"Ready: {', '.join(words)}" if words else "no pods"

    @property
    def traffic(self) -> str:
        """Rate and failures."""
        if self.account is None:
            return "not measured"
        if not self.account.counts:
            return "starting"
        last = self.account.counts[-1]
        return f"{self.account.rate:.0f}/s, {sum(last.failed.values())} of {last.sent} failed"

    @property
    def shares(self) -> str:
        """Which version answers."""
        shares = self.account.shares.items() if self.account else ()
        return ", ".join(f"{version} {share:.0%}" for version, share in shares)


class View:
    """Plain lines: every new sentence at once, new numbers now and then."""

    def __init__(self, console: Console, scene: Scene) -> None:
        self.console, self.scene = console, scene
        self._told = ("", "")
        self._at = 0.0

    def say(self, text: str) -> None:
        """Something that the story does."""
        self.console.print(f"{self.scene.clock:>7}  {text}", highlight=False, markup=False, soft_wrap=True)

    @contextmanager
    def shown(self) -> Iterator[None]:
        """While the story is told."""
        yield

    async def run(self) -> None:
        """Show until cancelled."""
        while True:
            self.draw()
            await asyncio.sleep(DRAWN)

    def draw(self) -> None:
        sentence, *checks = CHECKS.split(self.scene.sentence)
        now = (sentence, "; ".join((*checks, self.scene.counts)))
        calm = time.monotonic() - self._at
        if now[0] != self._told[0] or (now != self._told and calm > CALM):
            self._told, self._at = now, time.monotonic()
            self.say(f"   {sentence}  [{self.scene.counts}; traffic: {self.scene.traffic}]")
            for check in checks:
                self.console.print(f"{'':13}{check}", highlight=False, markup=False, soft_wrap=True)


class Screen(View):
    """A live panel under what the story has said so far."""

    def __init__(self, console: Console, scene: Scene) -> None:
        super().__init__(console, scene)
        self._live = Live(console=console, auto_refresh=False, transient=True)

    @contextmanager
    def shown(self) -> Iterator[None]:
        with self._live:
            yield

    def draw(self) -> None:
        self._live.update(panel(self.scene), refresh=True)


def panel(scene: Scene) -> Panel:
    """One screen: the sentence, what the metric checks say, the step, a dot per pod, the traffic."""
    sentence, *checks = CHECKS.split(scene.sentence)
    lines = [
        Text(sentence, style="bold"),
        *(Text(check) for check in checks),
        Text.assemble("steps    ", steps(scene)),
        Text.assemble("pods     ", dots(scene)),
        Text(f"         {scene.counts}", style="dim"),
        Text(f"traffic  {scene.traffic}"),
        Text(f"         answers: {scene.shares or 'none'}", style="dim"),
    ]
    title = f"{scene.release.version}, {scene.release.title}"
    return Panel(Group(*lines), title=title, subtitle=scene.clock, title_align="left", subtitle_align="right")


def steps(scene: Scene) -> Text:
    """1  3  5  10, as far as they are reached."""
    seen = scene.cluster.deployment
    reached = 0
    if seen is not None and seen.version == scene.release.version:
        reached = len(STEPS) + 1 if seen.phase in (None, Phase.FINISHING) else seen.step
    numbers = [(f"{k}  ", NEW if i < reached else "dim") for i, k in enumerate((*STEPS, REPLICAS))]
    return Text.assemble(*numbers)


def dots(scene: Scene) -> Text:
    """One per pod, old ones first and each in its place: ● Ready, ○ not Ready, · going."""
    pods = sorted(scene.cluster.pods.values(), key=lambda pod: pod.version)  # sorted() keeps the order of their coming
    return Text.assemble(*(_dot(pod, new=pod.version == scene.release.version) for pod in pods))


def _dot(pod: Pod, *, new: bool) -> tuple[str, str]:
    if pod.going:
        return "· ", "dim"
    colour = NEW if new else OLD
    return ("● ", colour) if pod.ready else ("○ ", GONE if pod.crashes else colour)
