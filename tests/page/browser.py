"""A real Chromium without a window, asked by WebDriver. Where there is none, its tests are left out and say why."""

import contextlib
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

from sandbox import packages
from tests.page import axe

T = TypeVar("T")

SERIOUS = ("serious", "critical")


def lacking() -> str:
    """Why there is no browser; empty where there is one."""
    absent = packages.missing(packages.BROWSER)
    return f"no browser; {packages.how(absent)}" if absent else ""


@dataclass(frozen=True)
class Browser:
    """One tab."""

    driver: webdriver.Chrome

    def open(self, url: str) -> None:
        """Go there, as if nothing had been open before."""
        self.driver.get("about:blank")
        self.driver.get(url)

    def text(self, selector: str = "main") -> str:
        """What a person reads there; empty where there is nothing."""
        found = self.all(selector)
        return found[0].text if found else ""

    def all(self, selector: str) -> list[WebElement]:
        """Elements that are there now."""
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def until(self, what: str, holds: Callable[[], T], patience: float = 20.0) -> T:
        """What HOLDS returns, once that is something."""
        end = time.monotonic() + patience
        while True:
            with contextlib.suppress(StaleElementReferenceException):
                found = holds()
                if found:
                    return found
            if time.monotonic() > end:
                raise AssertionError(f"waited {patience:.0f} s in vain for {what}; the page says:\n{self.text('body')}")
            time.sleep(0.05)

    def shows(self, words: str, selector: str = "main", patience: float = 20.0) -> None:
        """Wait until it can be read there."""
        self.until(repr(words), lambda: words.casefold() in self.text(selector).casefold(), patience)

    def press(self, *keys: str) -> None:
        """Keys, wherever the focus is."""
        webdriver.ActionChains(self.driver).send_keys(*keys).perform()

    @property
    def focused(self) -> str:
        """What has the focus, by its words."""
        script = "const e = document.activeElement; return e.ariaLabel || e.innerText || e.id || e.tagName"
        return str(self.driver.execute_script(script)).strip()

    def complaints(self) -> list[str]:
        """What the browser has written to its console since the last time."""
        return [f"{entry['level']}: {entry['message']}" for entry in self.driver.get_log("browser")]

    def faults(self) -> list[str]:
        """What axe-core calls serious or worse, one line each."""
        self.driver.execute_script(axe.script())
        found = self.driver.execute_async_script("axe.run().then(arguments[0])")
        return [
            f"{violation['impact']} {violation['id']}: {node['html'][:200]} {node['failureSummary']}"
            for violation in found["violations"]
            if violation["impact"] in SERIOUS
            for node in violation["nodes"]
        ]

    def size(self, width: int, height: int = 900) -> None:
        """The window, narrower than any window can be made."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def dark(self, on: bool) -> None:
        """Whether the person likes it dark."""
        features = [{"name": "prefers-color-scheme", "value": "dark" if on else "light"}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def picture(self, file: Path) -> None:
        """Of all of the page at the present width."""
        size: dict[str, Any] = self.driver.execute_cdp_cmd("Page.getLayoutMetrics", {})["cssContentSize"]
        width = self.driver.execute_script("return innerWidth")
        self.size(width, max(300, min(4000, int(size["height"]))))
        file.write_bytes(self.driver.get_screenshot_as_png())


@contextlib.contextmanager
def browser() -> Iterator[Browser]:
    """A new one, with a profile of its own."""
    options = webdriver.ChromeOptions()
    options.binary_location = packages.program("chromium") or ""
    for argument in ("--headless=new", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars", "--lang=en"):
        options.add_argument(argument)
    if os.geteuid() == 0:
        options.add_argument("--no-sandbox")  # Chromium refuses its own sandbox as root; it sees our page only
    options.add_argument("--no-proxy-server")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = webdriver.ChromeService(executable_path=packages.program("chromedriver") or "")
    with tempfile.TemporaryDirectory(prefix="penstock-browser-") as profile:
        options.add_argument(f"--user-data-dir={profile}")
        driver = webdriver.Chrome(options=options, service=service)
        try:
            driver.set_script_timeout(60)
            yield Browser(driver)
        finally:
            driver.quit()


__all__ = ["Browser", "Keys", "browser", "lacking"]
