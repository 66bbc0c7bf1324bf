"""From nothing to the summary and back to nothing, whatever happens in between."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from rich.console import Console

from penstock.kube import Client
from sandbox.component import Failed
from sandbox.demo import notes, summary
from sandbox.demo.account import Account
from sandbox.demo.expectations import RATE, Outcome, broken
from sandbox.demo.interruption import Attack
from sandbox.demo.recorder import Recorder
from sandbox.demo.releases import playable
from sandbox.demo.shop import NAMESPACE, SELECTOR, Shop
from sandbox.demo.stage import Stage
from sandbox.demo.story import Story, Told, outcomes
from sandbox.demo.view import Scene, Screen, View
from sandbox.directory import LOGS

WARM = 60.0
"""Seconds within which requests have to be answered: kube-proxy may still be learning the pods."""

BASE = 1000
"""Requests before the first release, from which the judge learns how good the old pods are."""


async def play(directory: Path, pods: str | None, console: Console) -> bool:
    """Whether every expectation held."""
    stage = Stage(directory, pods)
    view = (Screen if console.is_terminal else View)(console, Scene())
    view.say(f"{'using the cluster' if stage.running else 'starting a Kubernetes with Penstock'} in {directory}")
    async with stage.up():
        view.say(f"web page: {stage.sandbox.page}")
        view.say(f"it runs, with {'real containers' if stage.real else 'simulated pods, which answer no requests'}")
        seen = await _perform(stage, view)
    return _conclude(console, seen, stage.sandbox.files.root)


async def _perform(stage: Stage, view: View) -> list[Outcome]:
    account = Account() if stage.real else None
    async with (
        Client.connect(str(stage.sandbox.kubeconfig), user_agent="penstock-demo") as client,
        _opened(Shop(client, simulated=not stage.real), keep=not stage.running) as (shop, url),
    ):
        recorder = Recorder(client, NAMESPACE, SELECTOR)
        story = Story(shop, recorder, Attack(stage, client, recorder, view), view)
        view.scene.recorder = recorder
        with view.shown():
            async with _beside(recorder.run(), view.run()):
                await story.begin()
                told = await _told(story, stage, account, url)
        return outcomes(told, recorder.events, account)


async def _told(story: Story, stage: Stage, account: Account | None, url: str) -> list[Told]:
    """The releases, with traffic where pods can answer."""
    if account is None:
        return await story.tell(playable(real=False))
    story.view.scene.account = account
    story.view.say(f"{RATE:g} requests per second to {url}, three of four on a connection of their own")
    async with _beside(stage.flow(url, RATE, account.take)):
        await _flowing(account)
        return await story.tell(playable(real=True))


async def _flowing(account: Account) -> None:
    for _ in range(int(WARM / 0.1)):
        if account.flows and account.counts[-1].sent >= BASE:
            return
        await asyncio.sleep(0.1)
    raise Failed(f"the Service does not answer steadily within {WARM:.0f} s; failed: {account.counts[-1:]}")


def _conclude(console: Console, seen: list[Outcome], directory: Path) -> bool:
    console.print()
    console.print(summary.table(seen))
    console.print()
    console.print(summary.costs(seen))
    console.print(*notes.notes(seen), sep="\n", highlight=False)
    failed = [sentence for outcome in seen for sentence in broken(outcome)]
    for sentence in failed:
        console.print(f"NOT AS EXPECTED  {sentence}", style="bold red", highlight=False, soft_wrap=True)
    if failed:
        console.print(f"The logs are in {directory / LOGS}.", highlight=False, soft_wrap=True)
    else:
        console.print("Every expectation held.", style="bold green")
    return not failed


@asynccontextmanager
async def _opened(shop: Shop, *, keep: bool) -> AsyncIterator[tuple[Shop, str]]:
    """A namespace for the demo; it is left to go with the cluster where that is taken down anyway."""
    url = await shop.open()
    try:
        yield shop, url
    finally:
        if not keep:
            await shop.close()


@asynccontextmanager
async def _beside(*endless: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Tasks beside the body: ended with it, and one that fails ends the body."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(coroutine) for coroutine in endless]
        yield
        for task in tasks:
            task.cancel()
