"""The page as it is served: a real socket and the real application, in a thread of its own, on a given board."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from controller.web.access import Access
from controller.web.board import Board
from controller.web.leadership import Leadership
from controller.web.serve import bound, serve_page

HERE = "127.0.0.1"


@dataclass
class Served:
    """What tests may touch; the board only through `inside`, for it belongs to the loop's thread."""

    port: int
    board: Board
    loop: asyncio.AbstractEventLoop
    leads: list[bool] = field(default_factory=lambda: [True])

    @property
    def url(self) -> str:
        return f"http://{HERE}:{self.port}/"

    def inside(self, work) -> None:  # type: ignore[no-untyped-def]  # any function without arguments
        """Call something in the loop's thread."""

        async def run() -> None:
            work()

        asyncio.run_coroutine_threadsafe(run(), self.loop).result(60)


@contextmanager
def served(board: Board, access: Access | None = None, prefix: str = "") -> Iterator[Served]:
    """The page, for the time of a test."""
    listening = bound(HERE, 0)
    loop = asyncio.new_event_loop()
    leads = [True]
    here = Served(listening.getsockname()[1], board, loop, leads)
    leadership = Leadership(lambda: leads[0], "controller-1", "penstock-controller", "penstock-system")
    task = loop.create_task(serve_page(listening, board, leadership, access or Access(), prefix))
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield here
    finally:
        loop.call_soon_threadsafe(task.cancel)

        async def rest() -> None:
            others = [each for each in asyncio.all_tasks() if each is not asyncio.current_task()]
            for each in others:
                each.cancel()
            await asyncio.gather(*others, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(rest(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        listening.close()
