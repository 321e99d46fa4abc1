"""The pages in a real browser, over a server with fifty hosts that ran."""

from __future__ import annotations

import json
import re
from collections import Counter
from html.parser import HTMLParser
from urllib.parse import quote, urljoin, urlsplit

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tests.web.browsing import DESK, PHONE, Browser, get
from tests.web.conftest import Pages
from tests.web.reports import ATTACK, ATTACK_HOST

pytestmark = pytest.mark.live

EVIL = f"/hosts/{quote(ATTACK_HOST, safe='')}"
ENTRY = f"tag=Path&name={quote('/etc/' + ATTACK, safe='')}"
#: Name of a page -> its address.
ADDRESSES = {
    "fleet": "/",
    "fleet-week-by-group": "/?range=week&by=group",
    "fleet-filtered": "/?profile=web-server&group=server",
    "fleet-past": "/?at=2020-01-01T00:00",
    "hosts": "/hosts",
    "hosts-sorted": "/hosts?sort=-bad&state=problem",
    "hosts-none": "/hosts?q=nothing-has-this-name",
    "host": "/hosts/web02.example.com",
    "host-never": "/hosts/silent.example.com",
    "host-evil": EVIL,
    "history": f"{EVIL}/entry?{ENTRY}",
    "probes": "/hosts/web02.example.com/probes",
    "configuration": "/hosts/web01.example.com/configuration",
    "entries": "/entries",
    "entries-extra": "/entries?kind=extra&tag=Package",
    "entry": f"/entry?{ENTRY}",
    "calendar": "/calendar/",
    "calendar-empty": "/calendar/2020-02-29",
    "servers": "/servers",
    "files": "/servers/files",
    "search": "/search?q=etc",
    "search-empty": "/search",
    "not-found": "/hosts/no-such-host",
}
#: One page of each kind: checks of colours and accessibility take a while.
KINDS = (
    "fleet",
    "hosts",
    "host",
    "host-evil",
    "history",
    "configuration",
    "entries",
    "entry",
    "calendar",
    "servers",
    "search",
)


@pytest.mark.parametrize("name", ADDRESSES)
def test_a_page_has_no_errors_and_fits_a_desk_and_a_phone(pages: Pages, browser: Browser, name: str) -> None:
    browser.messages()
    for width in (DESK, PHONE):
        browser.open(pages.url + ADDRESSES[name], width=width)
        assert browser.overflow() <= 0, f"the page scrolls sideways at {width} pixels"
        assert "geventcore" in browser.driver.title
        assert len(browser.driver.find_elements(By.TAG_NAME, "h1")) == 1
    said = [message for message in browser.messages() if not (name == "not-found" and "404" in message)]
    assert said == []


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("name", KINDS)
def test_axe_has_no_serious_finding(pages: Pages, browser: Browser, name: str, dark: bool) -> None:
    browser.open(pages.url + ADDRESSES[name], dark=dark)
    # Closed details have contents, too.
    browser.run("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    assert browser.accessibility() == []


def assert_no_script_ran(browser: Browser) -> None:
    assert browser.run("return window.broken") is None
    # The policy would stop a script, too; there must not even be one.
    assert browser.run("return document.querySelectorAll('main script, main img, [onerror]').length") == 0


@pytest.mark.parametrize("name", ["fleet", "hosts", "host-evil", "entry", "history", "search", "calendar", "entries"])
def test_what_clients_send_is_text(pages: Pages, browser: Browser, name: str) -> None:
    browser.open(pages.url + ADDRESSES[name])
    browser.run("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    assert_no_script_ran(browser)
    if name in ("host-evil", "entry", "history", "entries"):
        assert ATTACK in browser.run("return document.body.textContent")


def test_probe_results_are_text(pages: Pages, browser: Browser) -> None:
    browser.open(pages.url + ADDRESSES["host"])
    browser.wait(lambda: "os-family" in browser.text(), "the results of probes are not loaded")
    browser.run("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    assert ATTACK in browser.text()
    assert_no_script_ran(browser)


def test_contents_that_are_not_shown_say_so(pages: Pages, browser: Browser) -> None:
    browser.open(pages.url + EVIL)
    browser.run("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    text = browser.text()
    assert "The file is sensitive: its content is neither stored nor shown." in text
    assert "no text (3 bytes)" in text
    assert "The difference is too large to be stored (5.0 MB" in text or "too large to be stored" in text
    assert "0777" not in text, "a value of a sensitive entry"


def test_each_state_leads_to_the_hosts_that_it_counts(pages: Pages, browser: Browser) -> None:
    browser.open(pages.url)
    counts = {
        each.find_element(By.TAG_NAME, "span").text: (
            int(each.find_element(By.TAG_NAME, "strong").text),
            each.find_element(By.TAG_NAME, "a").get_attribute("href"),
        )
        for each in browser.driver.find_elements(By.CSS_SELECTOR, ".states .figures li")
    }
    assert sum(number for number, _ in counts.values()) == 52
    assert counts["never"][0] == 1
    assert counts["dirty"][0] >= 5
    for state, (number, address) in counts.items():
        browser.open(str(address))
        rows = browser.driver.find_elements(By.CSS_SELECTOR, "table.list tbody tr")
        assert len(rows) == min(number, 50), state


def test_the_fleet_is_shown_as_it_was(pages: Pages, browser: Browser) -> None:
    browser.open(f"{pages.url}/calendar/")
    hours = browser.driver.find_elements(By.CSS_SELECTOR, "table.hours tbody th a")
    browser.follow(hours[-1])
    assert "The fleet as it was" in browser.text()
    assert "50 of" in browser.text() or "51 host" in browser.text() or "of 51 hosts" in browser.text()
    browser.follow(browser.driver.find_element(By.LINK_TEXT, "Back to now"))
    assert "The fleet as it was" not in browser.text()
    browser.open(f"{pages.url}/?at=2020-01-01T00:00")
    assert "No host is selected" in browser.text()


@pytest.mark.parametrize(
    ("field", "value"),
    [("profile", "workstation"), ("group", "web-server"), ("bundle", "database"), ("state", "dirty")],
)
def test_a_filter_selects_hosts(pages: Pages, browser: Browser, field: str, value: str) -> None:
    browser.open(f"{pages.url}/hosts")
    choice = browser.driver.find_element(By.CSS_SELECTOR, f"select[name={field}]")
    choice.find_element(By.CSS_SELECTOR, f'option[value="{value}"]').click()
    browser.wait(lambda: f"{field}={value}" in browser.driver.current_url, "the filter is sent at once")
    wanted = json.loads(get(f"{pages.url}/api/v1/hosts?{field}={value}")[1])
    assert 0 < wanted["total"] < 52
    shown = [each.text for each in browser.driver.find_elements(By.CSS_SELECTOR, "table.list tbody th a")]
    assert shown == [row["name"] for row in wanted["rows"]]
    # An address that people share has no empty parameters.
    assert "=&" not in browser.driver.current_url


def test_columns_sort(pages: Pages, browser: Browser) -> None:
    browser.open(f"{pages.url}/hosts")
    browser.follow(browser.driver.find_element(By.LINK_TEXT, "Bad"))
    column = [int(each.text or 0) for each in browser.driver.find_elements(By.CSS_SELECTOR, "tbody tr td:nth-child(4)")]
    assert column == sorted(column, reverse=True)
    assert column[0] > 0


def test_a_host_can_be_marked_and_taken_out_of_service(pages: Pages, browser: Browser) -> None:
    browser.open(f"{pages.url}/hosts/desk07.example.com")
    browser.driver.find_element(By.NAME, "note").send_keys(ATTACK)
    browser.follow(browser.driver.find_element(By.XPATH, "//button[text()='Mark']"))
    assert ATTACK in browser.text()
    assert "(local, today" in browser.text()
    browser.open(f"{pages.url}/hosts?marked=yes")
    assert "1 host" in browser.text()
    browser.open(f"{pages.url}/hosts/desk07.example.com")
    browser.follow(browser.driver.find_element(By.XPATH, "//button[text()='Remove the mark']"))
    assert ATTACK not in browser.text()
    browser.follow(browser.driver.find_element(By.XPATH, "//button[text()='Take out of service']"))
    assert "desk07.example.com is out of service" in browser.text()
    assert "desk07" not in get(f"{pages.url}/hosts?q=desk0")[1]
    assert "desk07" in get(f"{pages.url}/hosts?expired=yes")[1]
    browser.follow(browser.driver.find_element(By.XPATH, "//button[text()='Put back into service']"))
    assert "desk07" in get(f"{pages.url}/hosts?q=desk0")[1]


def test_the_search_finds_hosts_and_entries(pages: Pages, browser: Browser) -> None:
    browser.open(pages.url)
    browser.driver.find_element(By.TAG_NAME, "body").send_keys("/")
    browser.driver.switch_to.active_element.send_keys("motd", Keys.ENTER)
    browser.wait(lambda: "/search?q=motd" in browser.driver.current_url, "the address can be shared")
    assert "/etc/motd" in browser.text()
    browser.open(f"{pages.url}/search?q=web03.example.com")
    assert browser.driver.current_url == f"{pages.url}/hosts/web03.example.com"


def test_entries_lead_to_the_hosts_that_have_them(pages: Pages, browser: Browser) -> None:
    browser.open(f"{pages.url}/entries?kind=bad")
    row = browser.driver.find_element(By.CSS_SELECTOR, "table.list tbody tr")
    hosts = int(row.find_element(By.CSS_SELECTOR, "td.num").text)
    browser.follow(row.find_element(By.TAG_NAME, "a"))
    assert len(browser.driver.find_elements(By.CSS_SELECTOR, ".hostlist a")) == hosts
    browser.follow(browser.driver.find_element(By.CSS_SELECTOR, ".hostlist a"))
    browser.follow(browser.driver.find_element(By.LINK_TEXT, "History on this host"))
    assert "not reported" in browser.text() or "bad" in browser.text()


def test_the_page_of_servers_updates_by_itself(pages: Pages, browser: Browser) -> None:
    browser.open(f"{pages.url}/servers")
    browser.wait(lambda: "The page updates by itself." in browser.text(), "no update came")
    before = browser.text().rpartition("As of ")[2]
    browser.wait(lambda: browser.text().rpartition("As of ")[2] != before, "no second update came")
    text = browser.text()
    for word in ("ready", "RecvStats", "Pools", "Renders", "Event loop blocked", "days left", "works", "journal"):
        assert word in text


def test_a_configuration_tells_where_each_entry_comes_from(pages: Pages, browser: Browser) -> None:
    browser.open(f"{pages.url}/hosts/web01.example.com/configuration")
    text = browser.text()
    assert "Cfg/etc/motd/motd.H_web01.example.com" in text
    assert re.search(r"Rules/packages.xml:\d+", text)


def test_themes_are_chosen_and_stay(pages: Pages, browser: Browser) -> None:
    def background() -> str:
        return str(browser.run("return getComputedStyle(document.body).backgroundColor"))

    browser.open(pages.url)
    light = background()
    browser.open(pages.url, dark=True)
    dark = background()
    assert light != dark
    browser.open(pages.url)
    browser.follow(browser.driver.find_element(By.CSS_SELECTOR, ".themes button[value=dark]"))
    assert background() == dark
    browser.open(f"{pages.url}/hosts")
    assert background() == dark
    browser.follow(browser.driver.find_element(By.CSS_SELECTOR, ".themes button[value=auto]"))
    assert background() == light


def test_pages_work_without_scripts(pages: Pages, browser: Browser) -> None:
    try:
        browser.open(f"{pages.url}/hosts?state=dirty", scripts=False)
        browser.driver.find_element(By.CSS_SELECTOR, "table.list tbody a").click()
        browser.wait(lambda: "/hosts/" in browser.driver.current_url, "the link does not lead to the host")
        browser.open(f"{pages.url}/servers", scripts=False)
        assert "RecvStats" in browser.driver.find_element(By.TAG_NAME, "main").text
    finally:
        browser.open(pages.url)


def test_the_keyboard_reaches_the_content(pages: Pages, browser: Browser) -> None:
    browser.open(pages.url)
    browser.driver.find_element(By.TAG_NAME, "body").send_keys(Keys.TAB)
    assert browser.driver.switch_to.active_element.text == "Skip to the content"
    browser.driver.switch_to.active_element.send_keys(Keys.ENTER)
    assert browser.run("return document.activeElement.id") == "main"


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.update(value for name, value in attrs if name in ("href", "src") and value)


def _kinds(address: str) -> set[str]:
    """The path without what differs among hosts, entries and moments, with each of its parameters."""
    split = urlsplit(address)
    path = re.sub(r"/hosts/(?!(runs|entry)$).*?(?=$|/(runs|entry|probes|configuration)(/|$))", "/hosts/X", split.path)
    path = re.sub(r"/(runs|calendar)/[^/]+", r"/\1/X", path)
    return {f"{path}?{part.partition('=')[0]}" for part in split.query.split("&")}


def test_no_link_is_dead_and_none_leaves_the_site(pages: Pages) -> None:
    waiting = [pages.url + address for address in reversed(ADDRESSES.values())]
    seen: Counter[str] = Counter()
    visited: set[str] = set()
    dead = []
    while waiting:
        address = waiting.pop().partition("#")[0]
        # Some links of each kind: there are thousands that differ in a name only.
        kinds = _kinds(address)
        if address in visited or all(seen[kind] >= 2 for kind in kinds) or address.endswith("/servers/events"):
            continue
        visited.add(address)
        seen.update(kinds)
        status, text, headers = get(address)
        if status >= 400 and not address.endswith("no-such-host"):
            dead.append(f"{status} {address}")
        if "text/html" in headers.get("Content-Type", ""):
            links = _Links()
            links.feed(text)
            for link in links.found:
                target = urljoin(address, link)
                assert target.startswith(f"{pages.url}/"), f"{address} links to another site: {link}"
                waiting.append(target)
    assert dead == []
    assert len(visited) > 60
