"""The page in a real browser, with played rollouts: for every eye and hand, at every width, and with very many."""

import statistics
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.web.access import access
from controller.web.board import Board
from tests.page import axe
from tests.page.browser import Browser, Keys, browser, lacking
from tests.page.scenes import ERRORS, Scene, many, story
from tests.page.served import Served, served

pytestmark = [
    pytest.mark.full,
    pytest.mark.skipif(bool(lacking()), reason=lacking() or "there is one"),
]

ADDRESSES = ("#/", "#/shop/checkout", "#/shop/cart", "#/shop/payments", "#/search/indexer", "#/search/frontend")
TOKEN = "a-token-of-some-length"

WATCHED = """
addEventListener("DOMContentLoaded", () => new MutationObserver(() => {
  if (window.painted === undefined && document.querySelectorAll("a.row").length >= 500) {
    window.painted = null;
    requestAnimationFrame(() => setTimeout(() => (window.painted = performance.now())));
  }
}).observe(document.body, { childList: true, subtree: true }));
"""
"""Tells when 500 rows were painted, in milliseconds since the navigation began."""


@pytest.fixture(scope="module")
def tab() -> Iterator[Browser]:
    """One browser for all."""
    with browser() as tab:
        yield tab


@pytest.fixture(scope="module")
def shop() -> Iterator[Served]:
    """One rollout of each kind."""
    board = Board()
    scenes = story(board)
    board.clock = lambda: scenes[0].now
    with served(board, access("127.0.0.1")) as page:
        yield page


def seen(tab: Browser, url: str) -> None:
    tab.open(url)
    tab.shows("live", "#link")
    tab.until("a rollout", lambda: any(e.is_displayed() and e.text for e in tab.all(".rows, .sentence")))


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize(("width", "dark"), [(1280, False), (1280, True), (320, False)])
def test_every_view_is_for_everybody(shop: Served, tab: Browser, address: str, width: int, dark: bool) -> None:
    """Nothing serious by axe-core (contrast, names, roles), nothing that runs out of the window, no complaint."""
    if axe.lacking():
        pytest.skip(axe.lacking())
    tab.size(width)
    tab.dark(dark)
    seen(tab, shop.url + address)

    assert tab.faults() == []
    assert tab.driver.execute_script("return document.documentElement.scrollWidth") <= width
    assert tab.complaints() == []


def test_the_chart_is_read_by_the_keyboard(shop: Served, tab: Browser) -> None:
    """A picture alone would keep its numbers from those who cannot point at it, or see it."""
    tab.size(1280)
    seen(tab, shop.url + "#/shop/cart")
    slider = tab.all("input.moment")[0]
    last = slider.get_attribute("aria-valuetext")
    slider.send_keys(Keys.HOME)

    assert "1778x of 200x" in (last or "")
    assert "worse 1.0x of 200x, safe 1.0x of 20x" in (slider.get_attribute("aria-valuetext") or "")
    assert tab.text(".readout") == slider.get_attribute("aria-valuetext")


def test_the_focus_comes_back_to_the_row_it_left(shop: Served, tab: Browser) -> None:
    """Who goes through a list by keyboard must not begin anew each time."""
    tab.size(1280)
    seen(tab, shop.url)
    tab.driver.execute_script("document.querySelector('a.row[data-key=\"shop/cart\"]').focus()")
    tab.press(Keys.ENTER)
    tab.until("the view", lambda: tab.text("#rollout h1") == "shop/cart")
    assert tab.focused == "shop/cart"
    tab.press(Keys.ESCAPE)
    tab.until("the row", lambda: tab.focused.startswith("shop/cart"))


def test_a_filter_that_is_typed_in_a_rollout_leads_to_the_list_and_keeps_the_focus(shop: Served, tab: Browser) -> None:
    """The second letter went nowhere when the focus had moved to a row."""
    tab.size(1280)
    seen(tab, shop.url + "#/shop/cart")
    tab.press("/", "pay")
    tab.shows("1 shown", "#overview")

    assert [row.get_attribute("data-key") for row in tab.all("a.row") if row.is_displayed()] == ["shop/payments"]
    tab.press(Keys.ESCAPE)
    tab.shows("6 active", "#overview")


def test_only_what_has_changed_is_drawn_again(tab: Browser) -> None:
    """With hundreds of rollouts something changes all the time, and a person is reading."""
    board = Board()
    scenes = [Scene(board, "shop", f"web-{n}", **ERRORS).begin().until_step(1) for n in range(30)]
    tab.size(1280)
    with served(board, access("127.0.0.1")) as page:
        seen(tab, page.url)
        script = """
            window.touched = new Set();
            new MutationObserver((all) => all.forEach((one) => {
              const row = (one.target.closest ? one.target : one.target.parentElement).closest("a.row");
              if (row && !one.target.closest?.("time")) window.touched.add(row.dataset.key);
            })).observe(document.querySelector("#overview"), { subtree: true, childList: true, attributes: true });
        """
        tab.driver.execute_script(script)
        page.inside(lambda: scenes[7].until_step(2))
        tab.until("the step", lambda: "step 2" in tab.text('a.row[data-key="shop/web-7"]'))
        assert tab.driver.execute_script("return [...window.touched]") == ["shop/web-7"]


def test_a_token_is_asked_for_once(tab: Browser, tmp_path: Path) -> None:
    """A wrong one is told, a right one opens, and the browser keeps a cookie that no script can read."""
    file = tmp_path / "token"
    file.write_text(TOKEN)
    board = Board()
    Scene(board, "shop", "web").begin().until_step(1)
    tab.size(1280)
    with served(board, access("0.0.0.0", token_file=str(file)), "/ops/penstock") as page:
        tab.open(page.url + "ops/penstock")
        tab.until("the question", lambda: tab.all("#token"))
        assert tab.faults() == []
        tab.press("wrong", Keys.ENTER)
        tab.shows("This is not the token", "#notice")
        tab.press(*[Keys.BACKSPACE] * 5, TOKEN, Keys.ENTER)
        tab.until("a rollout", lambda: tab.all("a.row"))
        assert tab.driver.execute_script("return document.cookie") == ""
        tab.driver.refresh()
        tab.until("a rollout again", lambda: tab.all("a.row"))
        tab.complaints()  # 401 is written there by the browser itself


def test_a_controller_that_leads_no_more_is_named_and_found_again(tab: Browser) -> None:
    """What stands on a screen must not look alive when it is not."""
    board = Board()
    scene = Scene(board, "shop", "web").begin().until_step(1)
    tab.size(1280)
    with served(board, access("127.0.0.1")) as page:
        page.leads[0] = False
        tab.open(page.url)
        tab.shows("does not lead", "#notice")
        assert "none active" not in tab.text("#overview")
        page.leads[0] = True
        tab.until("the row", lambda: tab.all("a.row"))
        page.leads[0] = False
        page.inside(scene.tick)
        tab.shows("does not lead", "#notice", patience=40)
        tab.shows("not answered", "#link")
        page.leads[0] = True
        tab.shows("live", "#link", patience=40)
        tab.until("no notice", lambda: not tab.all("#notice")[0].is_displayed())
        tab.complaints()


def test_500_rollouts_are_painted_within_a_second(tab: Browser) -> None:
    """From the navigation to the last row, on a controller that has been asked before."""
    board = Board()
    many(board, 500)
    tab.size(1280)
    tab.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": WATCHED})
    times = []
    with served(board, access("127.0.0.1")) as page:
        for _ in range(4):
            tab.open(page.url)
            times.append(tab.until("500 rows", lambda: tab.driver.execute_script("return window.painted")))
        print(f"500 rollouts painted after {', '.join(f'{ms:.0f}' for ms in times)} ms, the first with all to be made")
    assert statistics.median(times[1:]) < 1000
