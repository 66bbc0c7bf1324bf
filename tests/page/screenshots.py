"""`make screenshots`: the pictures of the page in docs/images, of played rollouts, the same each time."""

import sys
from pathlib import Path

from controller.web.board import Board
from tests.page.browser import Browser, browser, lacking
from tests.page.scenes import story
from tests.page.served import served

IMAGES = Path(__file__).parents[2] / "docs" / "images"
VIEWS = (
    ("page-overview", "#/", 1280, False),
    ("page-rollout", "#/shop/checkout", 1280, False),
    ("page-approval", "#/shop/payments", 1280, False),
    ("page-rejected", "#/shop/cart", 1280, False),
    ("page-dark", "#/shop/checkout", 1280, True),
    ("page-overview-dark", "#/", 1280, True),
    ("page-overview-320", "#/", 320, False),
    ("page-rollout-320", "#/shop/checkout", 320, False),
)
"""Name, address, width, dark."""


def main(into: Path = IMAGES) -> None:
    """All of them."""
    if lacking():
        sys.exit(f"screenshots: {lacking()}")
    into.mkdir(parents=True, exist_ok=True)
    board = Board()
    scenes = story(board)
    board.clock = lambda: scenes[0].now
    with served(board) as page, browser() as tab:
        for name, address, width, dark in VIEWS:
            _take(tab, page.url + address, into / f"{name}.png", width, dark)
            print(into / f"{name}.png")


def _take(tab: Browser, url: str, file: Path, width: int, dark: bool) -> None:
    tab.size(width)
    tab.dark(dark)
    tab.open(url)
    tab.shows("live", "#link")
    tab.until("a rollout", lambda: any(e.is_displayed() and e.text for e in tab.all(".rows, .sentence")))
    tab.driver.execute_script("document.activeElement.blur()")
    tab.picture(file)


if __name__ == "__main__":
    main(*(Path(argument) for argument in sys.argv[1:]))
