"""A browser, and plain requests."""

from __future__ import annotations

import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import axe_core_python
import pytest
from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.remote.webelement import WebElement

#: For a condition on a page, in seconds.
PATIENCE = 20.0
PHONE, DESK = 390, 1280


class Browser:
    """A headless Chromium with an empty profile."""

    def __init__(self, profile: Path) -> None:
        program, driver = shutil.which("chromium"), shutil.which("chromedriver")
        if program is None or driver is None:
            pytest.skip("Debian's packages chromium and chromium-driver are not installed")
        options = Options()
        options.binary_location = program
        for flag in (
            *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
            *("--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage"),
            *(f"--user-data-dir={profile}", f"--window-size={DESK},900"),
        ):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=Service(driver))
        script = next(Path(axe_core_python.__file__).parent.rglob("axe.min.js"))
        self._axe = script.read_text()

    def open(self, url: str, *, width: int = DESK, dark: bool = False, scripts: bool = True) -> None:
        """Open a page."""
        theme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width == PHONE}
        self._command("Emulation.setEmulatedMedia", {"features": theme})
        self._command("Emulation.setDeviceMetricsOverride", size)
        self._command("Emulation.setScriptExecutionDisabled", {"value": not scripts})
        self.driver.get(url)

    def _command(self, name: str, values: dict[str, Any]) -> None:
        self.driver.execute_cdp_cmd(name, values)

    def run(self, script: str) -> Any:
        """Run a script in the page and return its result."""
        return self.driver.execute_script(script)

    def follow(self, element: WebElement) -> None:
        """Click on a link or button, and wait for the page that it leads to."""
        self.run("window.isOld = true")
        element.click()
        self.wait(self._is_new, "the click leads to no other page")

    def _is_new(self) -> bool:
        try:
            return bool(self.run("return window.isOld === undefined && document.readyState === 'complete'"))
        except WebDriverException:
            # The page is just being replaced.
            return False

    def text(self) -> str:
        """Return the text that people see."""
        return str(self.run("return document.body.innerText"))

    def messages(self) -> list[str]:
        """Return what the page has complained about, and forget it."""
        return [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]

    def overflow(self) -> int:
        """Return by how many pixels the page is wider than the window."""
        return int(self.run("return document.documentElement.scrollWidth - document.documentElement.clientWidth"))

    def accessibility(self) -> list[str]:
        """Return the serious findings of axe."""
        self.driver.execute_script(self._axe)
        found = self.driver.execute_async_script(
            "const done = arguments[arguments.length - 1]; axe.run().then((result) => done(result.violations));"
        )
        return [
            f"{each['id']}: {each['help']}: {node['html'][:200]}"
            for each in found
            if each["impact"] in ("serious", "critical")
            for node in each["nodes"]
        ]

    def wait(self, condition: Callable[[], Any], what: str) -> Any:
        """Return the first true value of a condition."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            value = condition()
            if value:
                return value
            time.sleep(0.05)
        raise AssertionError(f"{what}: {self.text()[:500]}")

    def quit(self) -> None:
        """End the browser."""
        self.driver.quit()


def get(url: str, **headers: str) -> tuple[int, str, dict[str, str]]:
    """Return status, text and headers of an answer; `OSError` if there is none."""
    request = urllib.request.Request(url, headers={name.replace("_", "-"): value for name, value in headers.items()})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read().decode(), dict(answer.headers)
    except urllib.error.HTTPError as err:
        with err:
            return err.code, err.read().decode(), dict(err.headers)
