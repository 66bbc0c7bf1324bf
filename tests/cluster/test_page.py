"""The page in a real browser, on a real control plane: a release that advances, and one that is taken back."""

import asyncio
import os
import signal
import socket
import time

import pytest

from tests.cluster.stage import Stage
from tests.cluster.workload import Workload
from tests.cluster.world import World, controller_flags
from tests.page import axe
from tests.page.browser import Browser, Keys, browser, lacking

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(bool(lacking()), reason=lacking() or "there is one"),
]


def free_port() -> int:
    """One that nobody has at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def opened(tab: Browser, url: str) -> None:
    """Before anything is released."""
    tab.open(url)
    tab.shows("none active")
    assert tab.faults() == []


def entered(tab: Browser) -> None:
    """From the list into the rollout by the keyboard alone."""
    tab.shows("under way")
    tab.until("the row", lambda: tab.all("a.row"))
    tab.press("/", "web")
    assert tab.focused in ("", "Filter", "filter")
    tab.press(Keys.TAB)
    tab.press(Keys.ENTER)
    tab.until("the rollout's view", lambda: tab.all(".steps li.now"))


def advancing(tab: Browser) -> None:
    """What is shown while the first step is held, and that the second comes by itself."""
    tab.shows("at step 1 of 2")
    assert [item.get_attribute("class") for item in tab.all(".steps li")] == ["now", "ahead", "ahead"]
    tab.until("two new pods", lambda: len(tab.all(".pod.new:not(.unready)")) >= 2 + 1)  # and the legend's
    tab.shows("at step 2 of 2")
    tab.shows("Over at", patience=60)


def over(tab: Browser) -> None:
    """Back to the list by Esc: nothing is active, and the result stands there."""
    tab.press(Keys.ESCAPE)
    tab.shows("promoted", "#overview")
    tab.press("/", Keys.ESCAPE)
    tab.shows("none active")


def taken_back(tab: Browser) -> None:
    """The sentence that decided it, the step at which it was, and what a person can do."""
    tab.shows("taken back", "#rollout .badge", patience=60)
    tab.shows("crash", "#rollout .sentence")
    tab.shows("Rejected", ".told")
    assert [item.get_attribute("class") for item in tab.all(".steps li")] == ["failed", "ahead", "ahead"]
    tab.shows("Try again", ".ways")
    assert tab.faults() == []


async def live(here: World) -> None:
    port = free_port()
    await here.start_controller("", "--page-port", str(port))
    await asyncio.to_thread(listens, port)
    workload = Workload(10, steps="2, 50%", step_time="4s..60s")
    await here.create(workload.manifest())
    with browser() as tab:
        await asyncio.to_thread(opened, tab, f"http://127.0.0.1:{port}/")
        await here.release(workload, "2")
        await asyncio.to_thread(entered, tab)
        await asyncio.to_thread(advancing, tab)
        await here.until_promoted("2")
        await asyncio.to_thread(over, tab)
        await here.release(workload, "3", "crash-loop", after="300ms", back_off="300ms")
        await asyncio.to_thread(entered, tab)
        await asyncio.to_thread(taken_back, tab)
        assert tab.complaints() == []
        await standby(here, tab)


async def standby(here: World, tab: Browser) -> None:
    """Another replica, which waits for the lease, knows of no rollout and must not look as if there were none."""
    port = free_port()
    config = here.logs / f"{here.namespace}.kubeconfig"
    flags = [*controller_flags(config, here.namespace, "standby"), "--page-port", str(port)]
    pid = await here.nursery.bear(flags, here.logs / f"{here.namespace}-standby.log")
    try:
        await asyncio.to_thread(listens, port)
        await asyncio.to_thread(tab.open, f"http://127.0.0.1:{port}/")
        await asyncio.to_thread(tab.shows, "standby does not lead", "#notice")
        assert "none active" not in tab.text("#overview")
    finally:
        os.kill(pid, signal.SIGKILL)


def listens(port: int) -> None:
    """Wait until somebody does."""
    end = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            assert time.monotonic() < end, "the other replica has no page"
            time.sleep(0.1)


async def test_a_person_sees_a_release_advance_and_another_one_taken_back(stage: Stage) -> None:
    """In Chromium, by the keyboard, without an error in its console and without a serious finding of axe-core."""
    if axe.lacking():
        pytest.skip(axe.lacking())
    await stage.play({"live": live})
