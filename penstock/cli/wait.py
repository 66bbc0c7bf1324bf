"""`penstock wait`: the exit code of a release, for pipelines.

`kubectl rollout status` waits for ever while a release is held, and Helm 3 takes a paused Deployment for a ready one.
This says what became of the release, and never the same code for "taken back" and "I could not find out": a pipeline
that cannot reach its cluster has learned nothing about its release.
"""

from typing import TYPE_CHECKING, Any

import click

from penstock.cli.completion import deployments
from penstock.cli.errors import Refusal
from penstock.cli.formats import formatted, rendered, structured
from penstock.cli.options import common
from penstock.cli.session import run

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from penstock.cli.outcome import Aim, Look
    from penstock.kube import Client

    Next = Callable[[], Awaitable["Object | None"]]

Object = dict[str, Any]

UNKNOWN = 4
"""Exit code where the question could not be answered; 1 to 3 are answers."""

FOLLOW_UP = 5.0
"""Seconds for the last question, after the time is over."""


class Answering(click.Command):
    """A command whose own failures have a code of their own."""

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        try:
            return super().make_context(*args, **kwargs)
        except click.UsageError as error:
            raise _unanswered(error) from None

    def invoke(self, ctx: click.Context) -> Any:
        from penstock.cli.errors import refusal
        from penstock.cli.options import NOTES

        try:
            return super().invoke(ctx)
        except click.ClickException as error:
            raise _unanswered(error) from None
        except (click.Abort, click.exceptions.Exit):
            raise
        except Exception as error:
            if ctx.meta.get(NOTES + "debug"):
                raise
            raise _unanswered(refusal(error)) from None


def _unanswered(error: click.ClickException) -> click.ClickException:
    error.exit_code = UNKNOWN  # type: ignore[misc]  # click reads it from the instance
    return error


def _seconds(_context: click.Context, _parameter: click.Parameter, text: str) -> float:
    from penstock.core.units import AnnotationError, duration

    if text in ("0", "0s"):
        return 0.0
    try:
        return duration(text)
    except AnnotationError as error:
        raise click.BadParameter(str(error)) from None


@click.command(cls=Answering)
@click.argument("deployment", shell_complete=deployments)
@click.option(
    "--for", "wanted", type=click.Choice(["promoted", "rejected", "held"]), default="promoted", show_default=True
)
@click.option(
    "--timeout", default="10m", show_default=True, callback=_seconds, metavar="TIME", help="0: look once, do not wait."
)
@click.option(
    "--begin",
    default="0",
    callback=_seconds,
    metavar="TIME",
    help="Where no rollout is active, wait so long for one first: a GitOps tool applies later than it was told to.",
)
@formatted
@common
def wait(deployment: str, wanted: str, timeout: float, begin: float, output: str) -> None:
    """Wait until a release has ended; its result is the exit code.

    \b
    0  what was waited for happened; all pods run the declared version
    1  rejected: taken back, all pods run the former version
    2  held, or not ended in time
    3  gone without a verdict: released, reverted, deleted, superseded by a newer
       version; or it ended otherwise than was waited for
    4  not known: no such Deployment, no permission, a wrong option

    The reason stands on stderr. Meant is the version that is declared when the command begins; of one that no rollout
    steps (the first one, one that is opted out) it is waited until Kubernetes itself has rolled it out.
    """
    from penstock.cli.status import named

    name = named(deployment)

    async def work(client: "Client", namespace: str) -> tuple["Aim", "Look", str]:
        aim, found = await waited(client, namespace, name, wanted, timeout, begin)
        return aim, found, namespace

    aim, found, namespace = run(work)
    code = aim.exit_code(found.result, wanted)
    click.echo(f"{namespace}/{name}: {_words(found, wanted)}", err=True)
    if structured(output):
        answer = {"namespace": namespace, "name": name, "rollout": aim.rollout or None, "code": code}
        answer |= {"result": found.result, "reason": found.reason, "message": found.sentence}
        click.echo(rendered(answer, output))
    raise click.exceptions.Exit(code)


def _words(found: "Look", wanted: str) -> str:
    from penstock.cli.text import printable

    told = {"promoted": "promoted", "rejected": "rejected", "held": "held", "late": "not ended in time", "gone": "gone"}
    never = f", and not {wanted}" if wanted != "promoted" and found.result in ("promoted", "gone") else ""
    return printable(f"{told[found.result]}{never}: {found.sentence}")


# Each look is made at one state of the object, in the order of its changes: between two of them a rollout may end and
# another one begin, and only a missing watch can hide that.
async def waited(
    client: "Client", namespace: str, name: str, wanted: str, patience: float, begin: float
) -> tuple["Aim", "Look"]:
    """Follow the Deployment until what is waited for has happened, or cannot happen any more, or time is over."""
    import asyncio
    import logging

    from penstock.kube import NotFound, Reflector, objects

    logging.getLogger("penstock.kube").addHandler(logging.NullHandler())  # a broken watch is made anew; not a message
    changes: asyncio.Queue[Object | None] = asyncio.Queue()
    path, field = objects.deployments(namespace), {"fieldSelector": f"metadata.name={name}"}
    try:
        changes.put_nowait(await client.get(objects.deployment(namespace, name)))  # a refusal is told at once
    except NotFound:
        if not begin:
            raise Refusal(f"there is no Deployment {name} in namespace {namespace}", "name another one by -n") from None
        changes.put_nowait(None)
    if begin:
        click.echo(f"{namespace}/{name}: waiting for a rollout to begin", err=True)
    reflector = Reflector(client, path, field, lambda _key, _old, new: changes.put_nowait(new))

    async def absent() -> None:
        await reflector.synced.wait()
        if not reflector.items:
            changes.put_nowait(None)  # deleted between our two reads: no event will ever tell

    following, asking = asyncio.create_task(reflector.run()), asyncio.create_task(absent())
    following.add_done_callback(lambda _: changes.put_nowait(None))
    try:
        first = await _begun(changes.get, begin) if begin else await changes.get()
        if first is None:
            raise Refusal(f"no Deployment {name} came to be in namespace {namespace}", "name another one by -n")
        answer = await _followed(client, first, changes.get, wanted, patience)
        if following.done():
            following.result()  # never an answer: an error of ours
        return answer
    finally:
        following.cancel()
        asking.cancel()


async def _begun(get: "Next", patience: float) -> Object | None:
    """The Deployment, once a rollout is active, or its template has changed or come to be, or the time is over."""
    import asyncio

    from penstock.core.guard import active
    from penstock.core.template import template_hash

    last: Object | None = None
    templates: set[str] = set()  # an empty one stands for no Deployment
    try:
        async with asyncio.timeout(patience):
            while True:
                last = await get()
                templates.add(template_hash(last["spec"]["template"]) if last else "")
                if last and (active(last) or len(templates) > 1):
                    return last
    except TimeoutError:
        return last


async def _followed(client: "Client", obj: Object, get: "Next", wanted: str, patience: float) -> tuple["Aim", "Look"]:
    import asyncio

    from penstock.cli.outcome import aimed, followed, look

    aim, told = aimed(obj), ""
    found = look(aim, obj)
    try:
        async with asyncio.timeout(patience):
            while not _over(found, aim, wanted):
                told = _tell(obj, found, told)
                seen = await get()
                obj, aim = seen or obj, followed(aim, seen) if seen else aim
                found = look(aim, seen)
    except TimeoutError:
        return aim, await _late(client, obj, found)
    return aim, found


def _over(found: "Look", aim: "Aim", wanted: str) -> bool:
    """A hold ends the wait only where it is waited for: the person who is asked may be about to answer."""
    if found.result == "held":
        return wanted == "held"
    return bool(found.result) or (wanted != "promoted" and not aim.rollout)


def _tell(obj: Object, found: "Look", before: str) -> str:
    """A line for the pipeline's log whenever step or reason have changed."""
    from penstock.cli.text import printable
    from penstock.core.guard import active
    from penstock.kube import objects

    record = active(obj)
    if record and not found.reason:
        return before  # the controller speaks of it in a moment, or a controller is missing, which the end tells
    now = f"{record.phase} {record.step} {found.reason}" if record else found.sentence
    if now != before:
        line = f"{objects.namespace_of(obj)}/{objects.name(obj)}: {found.sentence}"
        click.echo(printable(line), err=True)
    return now


async def _late(client: "Client", obj: Object, found: "Look") -> "Look":
    """What was last seen, and whether anybody is at work at all."""
    import asyncio
    from contextlib import suppress
    from dataclasses import replace

    from penstock.cli.reading import silence
    from penstock.kube import ApiError, objects

    why = ""
    with suppress(TimeoutError):
        async with asyncio.timeout(FOLLOW_UP):
            try:
                await client.get(objects.deployment(objects.namespace_of(obj), objects.name(obj)))
                why = await silence(client, objects.namespace_of(obj)) if found.reason or found.result == "" else ""
            except ApiError as error:
                why = f"the cluster does not answer: {error.message}"
    sentence = f"{found.sentence}; {why}" if why else found.sentence
    return replace(found, result=found.result or "late", sentence=sentence)
