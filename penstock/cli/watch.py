"""`penstock status --watch`: redrawn on a terminal, a line for each change elsewhere.

The API server is followed by the same reflectors that the controller uses, so watching costs it one connection for
each kind and a few small reads; only the clock is polled. When the connection is lost the last state stays on the
screen and it is said that it is old, for a frozen screen that looks alive is worse than none.
"""

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import click

from penstock import clock
from penstock.cli.console import console, draws, emit
from penstock.cli.errors import Refusal
from penstock.cli.formats import rendered, structured
from penstock.cli.overview import overview
from penstock.cli.progress_view import View, lines, screen, stamped
from penstock.cli.reading import Sight, home_of, must_exist, sight, silence, told, workload
from penstock.cli.session import run
from penstock.cli.status import named, view
from penstock.core import keys
from penstock.kube import ApiError, Client, Reflector, objects

Object = dict[str, Any]
Show = Callable[[View], None]

TICK = 1.0
"""Seconds between two looks at the clock."""

AROUND = 3.0
"""Seconds between two reads of what is not followed: Namespace, Events, the controller's lease."""

SLOW = 4.0
"""Seconds after which it is said that the cluster does not answer."""

PAUSE = 0.1
"""Seconds in which changes are gathered: a window changes many objects at once."""


def follow(deployment: str | None, everywhere: bool, output: str) -> None:
    """Show until Ctrl-C, which is the normal end."""
    logging.getLogger("penstock.kube").addHandler(logging.NullHandler())  # what goes wrong stands on the screen

    async def work(client: Client, namespace: str) -> None:
        with printer(output) as show:
            if deployment:
                await _follow_one(client, namespace, named(deployment), show)
            else:
                await _follow_all(client, "" if everywhere else namespace, show)

    with contextlib.suppress(KeyboardInterrupt):
        run(work)


@contextlib.contextmanager
def printer(output: str) -> Iterator[Show]:
    """How a state is shown, now and again."""
    if structured(output):
        yield _values(output)
        return
    terminal = console()
    if not (terminal.is_terminal and draws(terminal)):
        yield _plain_lines()
        return
    from rich.live import Live

    wide = output == "wide"
    with Live(console=terminal, auto_refresh=False) as live:
        yield lambda state: live.update(screen(state, wide=wide), refresh=True)


def _values(output: str) -> Show:
    """JSON on a line for each change, for a reader line by line; YAML as a document for each."""
    last = ""

    def show(state: View) -> None:
        nonlocal last
        value = state.json()
        text = json.dumps(value, ensure_ascii=False) if output == "json" else f"---\n{rendered(value, output)}"
        if text != last:
            click.echo(text)
        last = text

    return show


def _plain_lines() -> Show:
    """Only the lines that are new, each with the time."""
    known: set[str] = set()

    def show(state: View) -> None:
        nonlocal known
        now = set(lines(state))
        for line in lines(state):
            if line not in known:
                click.echo(stamped(line, state.now))
        if known and not now:
            emit(screen(state))  # that none is left
        known = now

    return show


class Around:
    """What is read again from time to time: Namespaces, one object's Events, and whether anybody is at work."""

    def __init__(self, client: Client, namespace: str, first: Sight | None = None) -> None:
        self.client, self.namespace = client, namespace
        self.homes: dict[str, Object | None] = {namespace: first.namespace} if first else {}
        self.obj = first.obj if first else None
        self.events = first.events if first else ()
        self.silent = first.silent if first else ""

    async def keep(self) -> None:
        """Read for ever."""
        while True:
            await asyncio.sleep(AROUND)
            try:
                async with asyncio.timeout(SLOW):
                    await self._read()
            except ApiError as error:
                self.silent = f"what stands here may be old, the cluster does not answer ({error.message})"
            except TimeoutError:
                self.silent = f"what stands here may be old, the cluster has not answered for {SLOW:.0f} s"

    async def _read(self) -> None:
        for place in list(self.homes):
            self.homes[place] = await home_of(self.client, place)
        if self.obj:
            self.events = await told(self.client, self.obj)
        self.silent = await silence(self.client, self.namespace)

    async def know(self, places: set[str]) -> None:
        """Read Namespaces that were not seen yet, and forget those of which nothing is shown."""
        for place in self.homes.keys() - places:
            del self.homes[place]
        for place in places - self.homes.keys():
            with contextlib.suppress(ApiError):
                self.homes[place] = await home_of(self.client, place)


async def _follow_one(client: Client, namespace: str, name: str, show: Show) -> None:
    first = await workload(client, namespace, name)
    show(view(first))
    around = Around(client, namespace, first)
    selected = {"labelSelector": objects.selector(first.obj)}
    changed = asyncio.Event()
    mark = _mark(changed)
    this = Reflector(client, objects.deployments(namespace), {"fieldSelector": f"metadata.name={name}"}, mark)
    replicasets = Reflector(client, objects.replicasets(namespace), selected, mark)
    pods = Reflector(client, objects.pods(namespace), selected, mark)
    async with _running(this.run(), replicasets.run(), pods.run(), around.keep()):
        for reflector in (this, replicasets, pods):
            await reflector.synced.wait()
        while True:
            obj = this.items.get(f"{namespace}/{name}")
            if obj is None:
                raise Refusal(f"Deployment {namespace}/{name} was deleted")
            show(view(_sight(obj, replicasets, pods, around)))
            await _next(changed)


def _sight(obj: Object, replicasets: Reflector, pods: Reflector, around: Around) -> Sight:
    around.obj = obj
    owned, running = list(replicasets.items.values()), list(pods.items.values())
    return sight(obj, owned, running, around.homes[around.namespace], around.events, around.silent)


async def _follow_all(client: Client, namespace: str, show: Show) -> None:
    path, changed = objects.deployments(namespace or None), asyncio.Event()
    await client.get(path, labelSelector=keys.ROLLOUT, limit=1)  # a refusal is told at once; a reflector tries for ever
    if namespace:
        await must_exist(client, namespace)
    reflector = Reflector(client, path, {"labelSelector": keys.ROLLOUT}, _mark(changed))
    around = Around(client, namespace)
    async with _running(reflector.run(), around.keep()):
        await reflector.synced.wait()
        while True:
            items = list(reflector.items.values())
            await around.know({objects.namespace_of(item) for item in items})
            show(overview(namespace, items, around.homes, clock.now(), around.silent if items else ""))
            await _next(changed)


def _mark(changed: asyncio.Event) -> Callable[[str, Object | None, Object | None], None]:
    return lambda _key, _old, _new: changed.set()


async def _next(changed: asyncio.Event) -> None:
    """Until something has changed, or the clock has moved on."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(TICK):
            await changed.wait()
            await asyncio.sleep(PAUSE)
    changed.clear()


@contextlib.asynccontextmanager
async def _running(*loops: Any) -> AsyncIterator[None]:
    """Endless tasks for the time of a block; an error in one of them ends the block."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(loop) for loop in loops]
            yield
            for task in tasks:
                task.cancel()
    except ExceptionGroup as group:
        raise group.exceptions[0] from None
