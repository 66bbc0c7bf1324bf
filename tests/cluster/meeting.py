"""Points at which all scenarios of a table meet, and something is done that concerns them all.

The webhook is one for the whole cluster: scenarios that need it dead get to that point in their own time, then it is
stopped once for all of them. One that has failed is not waited for.
"""

import asyncio
from collections.abc import Awaitable, Callable

Action = Callable[[], Awaitable[None]]


class Meeting:
    """`parties` scenarios meet once for each of `actions`, in their order."""

    def __init__(self, parties: int, *actions: Action) -> None:
        self._parties = parties
        self._actions = iter(actions)
        self._arrived = 0
        self._turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._acting: set[asyncio.Task[None]] = set()

    async def arrive(self) -> None:
        """Returns when all have arrived and the action is done."""
        turn = self._turn
        self._arrived += 1
        self._check()
        await asyncio.shield(turn)

    def leave(self) -> None:
        """One that does not come any more."""
        self._parties -= 1
        self._check()

    def _check(self) -> None:
        if 0 < self._parties <= self._arrived:
            turn, self._turn = self._turn, asyncio.get_running_loop().create_future()
            self._arrived = 0
            task = asyncio.create_task(self._act(turn))
            self._acting.add(task)
            task.add_done_callback(self._acting.discard)

    async def _act(self, turn: asyncio.Future[None]) -> None:
        action = next(self._actions, None)
        try:
            if action:
                await action()
        except Exception as error:
            turn.set_exception(error)
        else:
            turn.set_result(None)
