"""Every phase of a rollout as a place where a test can stand: the controller dies with the write that begins it.

An open window lasts some hundred milliseconds; a test that waits for it and then writes meets it now and then. Killed
at that write, the rollout stays in its phase for as long as the test wants, with the native controllers at work; the
next controller goes on from there.
"""

import json
from collections.abc import Awaitable, Callable
from typing import Any

from tests.cluster.ledger import Entry
from tests.cluster.world import World

Object = dict[str, Any]
Declare = Callable[[World], Awaitable[object]]
"""Declares the new version."""

DECLARED = "penstock.dev/declared"

PHASES = (
    "Pending",
    "Opening",
    "Holding",
    "Braking",
    "Opening 2",
    "Retreating",
    "Showing",
    "Rejected",
    "Finishing",
)
"""`Showing`: a retreat shows the native controller the stable template, the declared one is put aside. It needs a
strategy under which the new pods cannot simply be removed."""

TAKEN_BACK = frozenset({"Retreating", "Showing", "Rejected"})
"""Phases that a healthy version comes to only where a person takes it back."""


def begins(phase: str, step: int) -> Callable[[Object], bool]:
    """Whether a Deployment is in this phase, as one of our writes left it."""

    def check(deployment: Object) -> bool:
        notes = deployment["metadata"].get("annotations") or {}
        record = json.loads(notes.get("penstock.dev/record", "{}"))
        if phase == "Showing":
            return DECLARED in notes
        return record.get("phase") == phase and record["step"] >= step

    return check


async def dead_in(here: World, name: str, declare: Declare) -> None:
    """Declare the new version, and come to this phase of its rollout; a controller lives, and dies there."""
    phase, _, number = name.partition(" ")
    if phase == "Pending":
        here.kill_controller()
        await declare(here)
        await here.until(name, lambda: here.phase() == "Pending")
        return
    there = begins(phase, int(number or 0))

    def noticed(entry: Entry) -> None:
        if entry.resource == "deployments" and there(entry.answer):
            here.kill_controller()

    if phase == "Holding":
        await declare(here)
        await here.until("holding", lambda: here.holding(1))
        here.kill_controller()
        return
    here.proxy.noticed = noticed
    await declare(here)
    if name in TAKEN_BACK:
        await here.until("holding", lambda: here.holding(1))
        await here.ask("abort")
    await here.died()
    here.proxy.noticed = None
    await here.until(name, lambda: there(here.deployment))
