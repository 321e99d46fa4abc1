"""Reports: what is left out of them for plugins that do not want to see good entries, and what never is."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import pytest
from lxml import etree

from geventcore.core.methods import CoreMethods
from geventcore.core.uploads import without_good_entries
from geventcore.errors import RPCError
from geventcore.plugin.base import Plugin
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.context import PluginContext
from geventcore.plugin.interfaces import Statistics
from geventcore.plugins import PLUGINS
from tests.support.plugin_context import SmallServer
from tests.support.plugin_site import plugin_site

ADDRESS = ("192.0.2.1", 4000)
GOOD = '<Path name="/good">text</Path>' * 3


def report(content: str) -> str:
    return (
        '<upload-statistics><Statistics version="2.0" state="clean" total="3" good="3">'
        f'{content}<OpStamps start="1"/></Statistics></upload-statistics>'
    )


class AllEntries(Plugin, Statistics):
    """Wants to see everything, as plugins do that do not say."""

    creates_directory = False

    def __init__(self, context: PluginContext) -> None:
        super().__init__(context)
        self.seen: list[str] = []

    def process_statistics(self, metadata: ClientMetadata, data: etree._Element) -> None:
        self.seen.append(etree.tostring(data, encoding="unicode"))


class OtherEntries(AllEntries):
    needs_good_entries: ClassVar[bool] = False

    def process_statistics(self, metadata: ClientMetadata, data: etree._Element) -> None:
        super().process_statistics(metadata, data)


class Derived(OtherEntries):
    """Does not say, either."""

    def process_statistics(self, metadata: ClientMetadata, data: etree._Element) -> None:
        super().process_statistics(metadata, data)


@pytest.fixture
def statistics_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    for each in (AllEntries, OtherEntries, Derived):
        monkeypatch.setitem(PLUGINS, each.__name__, f"{__name__}:{each.__name__}")


class _Methods(CoreMethods):
    def resolve_client(self, address: tuple[Any, ...], cleanup_cache: bool = False) -> str:
        return "h"


def send(server: SmallServer, text: str) -> bool:
    return _Methods(server.core).receive_statistics(ADDRESS, text)


@pytest.mark.parametrize(
    ("plugins", "whole"),
    [
        (["OtherEntries"], False),
        (["AllEntries"], True),
        (["AllEntries", "OtherEntries"], True),
        (["Derived"], True),
    ],
)
def test_good_entries_are_read_if_a_plugin_wants_them(
    tmp_path: Path, statistics_plugins: None, plugins: list[str], whole: bool
) -> None:
    sent = report(f'<Modified/><Good>{GOOD}</Good><Bad><Path name="/bad"/></Bad>')
    with plugin_site(tmp_path, plugins, {}) as server:
        assert send(server, sent)
        for name in plugins:
            plugin: Any = server.plugin(name)
            assert plugin.seen == [sent if whole else sent.replace(f"<Good>{GOOD}</Good>", "<Good/>")]


def test_a_report_is_checked_though_nobody_reads_it(tmp_path: Path) -> None:
    with plugin_site(tmp_path, [], {}) as server:
        assert send(server, report(f"<Good>{GOOD}</Good>"))
        for broken in (report(f"<Good>{GOOD}"), report(f"<Good>{GOOD}</Good><Bad>"), "<other/>", ""):
            with pytest.raises(RPCError):
                send(server, broken)


@pytest.mark.parametrize(
    "content",
    [
        f"<Good>{GOOD}</Good><Good>{GOOD}</Good>",
        f"<Bad><Good>{GOOD}</Good></Bad>",
        f'<Bad a="1"><Good>{GOOD}</Good></Bad>',
        f"<Bad/><Bad><Good>{GOOD}</Good></Bad>",
        f"<Good><Good>{GOOD}</Good></Good>",
        f"<!-- <Good> -->{GOOD}<!-- </Good> -->",
        f"<Bad><![CDATA[<Good>]]>{GOOD}<![CDATA[</Good>]]></Bad>",
        f"<Good >{GOOD}</Good >",
        f"<Good>{GOOD}</Good >",
        f"<Good a='1'>{GOOD}</Good>",
        "<Good/>",
        "",
    ],
)
def test_what_clients_do_not_write_is_left_alone(content: str) -> None:
    assert without_good_entries(report(content)) == report(content)


@pytest.mark.parametrize("before", ["", "<Bad/>", "<Bad />", "<Extra><Path/></Extra><Modified><Bad/></Modified>"])
def test_the_rest_of_a_report_stays(before: str) -> None:
    after = '<Bad><Path name="Good"/></Bad>'
    assert without_good_entries(report(f"{before}<Good>{GOOD}</Good>{after}")) == report(
        f"{before}<Good></Good>{after}"
    )
