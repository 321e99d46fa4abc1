"""Pictures of the web pages for the documentation: ``make screenshots``.

Makes a database with the history of a fleet, serves the pages, and takes the pictures with a headless Chromium
(Debian's packages chromium and chromium-driver) into ``docs/images``.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

from geventcore.cli.demo import demo_clients, make_demo_site
from geventcore.simulation import Load, RunPlan
from geventcore.simulation.measurement import Measurement, measure_load
from geventcore.simulation.report_history import fill
from geventcore.simulation.test_bed import HOST, ServerProcess, free_port, geventcore_server
from geventcore.storage import migration
from geventcore.storage.config import DatabaseConfig
from geventcore.storage.database import Database

IMAGES = Path(__file__).parent.parent / "docs" / "images"
WIDTH, PHONE = 1180, 390
HOSTS, DAYS = 160, 8
_PASSWORD = "correct-horse-battery-staple"
#: Name of a picture -> address, width, height (0: the whole page), dark.
PICTURES: dict[str, tuple[str, int, int, bool]] = {
    "fleet": ("/", WIDTH, 1010, False),
    "fleet-dark": ("/", WIDTH, 1010, True),
    "host": ("/hosts/web46.example.com", WIDTH, 900, False),
    "entry": ("/entry?tag=Path&name=/etc/ssh/sshd_config", WIDTH, 620, False),
    "calendar": ("/calendar/", WIDTH, 700, False),
    "servers": ("/servers", WIDTH, 900, False),
    "configuration": ("/hosts/web01.example.com/configuration", WIDTH, 700, False),
    "phone": ("/", PHONE, 844, True),
}


def start_browser(profile: Path) -> webdriver.Chrome:
    """Start a browser; ends the program if there is none."""
    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if program is None or driver is None:
        sys.exit("chromium and chromedriver are needed: apt-get install chromium chromium-driver")
    options = Options()
    options.binary_location = program
    for flag in (
        *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
        *("--disable-background-networking", "--disable-component-update", "--hide-scrollbars"),
        f"--user-data-dir={profile}",
    ):
        options.add_argument(flag)
    return webdriver.Chrome(options=options, service=Service(driver))


def take(browser: webdriver.Chrome, url: str, name: str) -> None:
    """Take one picture."""
    address, width, height, dark = PICTURES[name]
    theme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": theme})
    size = {
        "width": width,
        "height": height,
        "deviceScaleFactor": 1.5 if name == "fleet" else 1,
        "mobile": width == PHONE,
    }
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.get(url + address)
    deadline = time.monotonic() + 30
    while browser.execute_script("return document.querySelector('[data-reload]') !== null"):
        if time.monotonic() > deadline:
            break
        time.sleep(0.5)
    IMAGES.mkdir(exist_ok=True)
    browser.save_screenshot(str(IMAGES / f"{name}.png"))
    print(IMAGES / f"{name}.png")


def main() -> None:
    """Make the site, and take all pictures."""
    with tempfile.TemporaryDirectory(prefix="screenshots-") as directory:
        base = Path(directory)
        port, web_port = free_port(), free_port()
        configuration = make_demo_site(base / "site", port, web_port)
        database = DatabaseConfig("sqlite3", str(base / "site" / "repository" / "etc" / "bcfg2.sqlite"))
        migration.upgrade(database)
        opened = Database.open(database)
        fill(opened, HOSTS, HOSTS * 48 * DAYS, time.time_ns() // 1_000_000)
        opened.close()
        server = ServerProcess(geventcore_server(configuration), base / "server.log", port)
        pages = None
        try:
            ca = base / "site" / "tls" / "ca.crt"
            server.wait_until_serving(ca)
            plan = RunPlan(checks_answers=True, deviations=1)
            load = Load(server.target, ca, _PASSWORD, demo_clients(3), plan=plan)
            measure_load(Measurement("gevent", ""), load)
            command = [sys.executable, "-m", "geventcore", "web", "-C", str(configuration)]
            pages = ServerProcess(command, base / "web.log", web_port)
            browser = start_browser(base / "profile")
            try:
                time.sleep(3)
                for name in PICTURES:
                    take(browser, f"http://{HOST}:{web_port}", name)
            finally:
                browser.quit()
        finally:
            if pages is not None:
                pages.kill()
            server.kill()


if __name__ == "__main__":
    main()
