"""`python -m tests.page [PORT]`: the page with played rollouts that go on, to look at while it is being worked on."""

import asyncio
import sys

from controller.web.access import access
from controller.web.board import Board
from controller.web.leadership import Leadership
from controller.web.serve import bound, serve_page
from tests.page.scenes import go_on, story


async def main(port: int) -> None:
    """Until Ctrl-C."""
    board = Board()
    scenes = story(board)
    board.clock = lambda: scenes[0].now
    leadership = Leadership(lambda: True, "played", "penstock-controller", "penstock-system")
    async with asyncio.TaskGroup() as group:
        group.create_task(serve_page(bound("127.0.0.1", port), board, leadership, access("127.0.0.1"), ""))
        group.create_task(go_on(scenes, 2.0))


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 8080))
