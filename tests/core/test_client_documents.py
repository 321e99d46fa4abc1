"""Reports: what is left out of them for plugins that do not want to see good entries, and what never is."""

from __future__ import annotations

import contextlib
import gc
import tracemalloc
from pathlib import Path
from typing import Any, ClassVar

import pytest
from lxml import etree

from geventcore.core.client_documents import DocumentError, ProbeReader, ReportLimits, ReportReader
from geventcore.core.methods import CoreMethods
from geventcore.errors import RequestError, RPCError
from geventcore.plugin.base import Plugin
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.context import PluginContext
from geventcore.plugin.interfaces import ResultLimit, Statistics
from geventcore.plugins import PLUGINS
from geventcore.wire.xmlrpc import CallReader
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
def test_good_entries_and_texts_are_skipped(content: str) -> None:
    """The reference is a parser that reads everything, after which the same is removed."""
    expected = etree.fromstring(report(content), etree.XMLParser(remove_comments=True))
    for good in expected.iterfind("Statistics/Good"):
        del good[:]
    for element in expected.iter():
        element.text = element.tail = None
    assert etree.tostring(read(report(content))) == etree.tostring(expected)


def read(text: str, limits: ReportLimits = ReportLimits(), step: int = 7) -> etree._Element:  # noqa: B008 - immutable
    reader = ReportReader(limits)
    for start in range(0, len(text), step):
        reader.feed(text[start : start + step])
    return reader.close()


@pytest.mark.parametrize("step", [1, 5, 10_000])
def test_a_whole_report_is_kept_as_it_is(step: int) -> None:
    text = report(f'<Bad><Path name="/é&lt;">a &amp; b\n</Path></Bad>\n<Good>{GOOD}</Good>')
    assert etree.tostring(read(text, ReportLimits(is_whole=True), step)) == etree.tostring(etree.fromstring(text))


def entries(count: int, attributes: str = "") -> str:
    return "".join(f'<Path name="/f{number}"{attributes}><Prune name="/x"/></Path>' for number in range(count))


def test_entries_over_the_limit_are_counted() -> None:
    root = read(report(f"<Bad>{entries(4)}</Bad><Extra>{entries(5)}</Extra><Modified/>"), ReportLimits(entries=6))
    names = {
        part.tag: [(entry.get("name"), entry.get("left_out"), len(entry)) for entry in part]
        for part in root.iterfind("Statistics/*")
    }
    assert names == {
        "Bad": [(f"/f{number}", None, 1) for number in range(4)],
        "Extra": [("/f0", None, 1), ("/f1", None, 1), ("shortened", "3", 0)],
        "Modified": [],
        "OpStamps": [],
    }


def test_contents_that_do_not_fit_are_left_out() -> None:
    long = "x" * 50_000
    bad = entries(3, ' mode="1" current_bfile="' + long + '"')
    root = read(report(f"<Bad>{bad}</Bad>"), ReportLimits(bytes=300_000))
    assert [
        (entry.get("name"), entry.get("mode"), len(entry.get("current_bfile", "")), entry.get("left_out"))
        for entry in root.iterfind("Statistics/Bad/*")
    ] == [
        ("/f0", "1", 50_000, None),
        ("/f1", "1", 50_000, None),
        ("/f2", "1", 0, "current_bfile"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        report("<Flags>" + "<Flag/>" * 100_000 + "</Flags>"),
        report("<Bad>" + "<Path><Prune/>" * 100_000),
        report("<Bad><Path " + "".join(f'a{number}="x" ' for number in range(100_000)) + "/></Bad>"),
        "<a>" * 100_000,
    ],
    ids=["flags", "depth", "attributes", "anything"],
)
def test_other_elements_are_bounded(text: str) -> None:
    try:
        root = read(text, step=10_000)
    except DocumentError:
        return
    assert len(etree.tostring(root)) < 100_000
    assert root.find(".//OpStamps") is not None


@pytest.mark.parametrize("text", ["", " ", "<a>", "<a/><b/>", "<!DOCTYPE a><a/>", "<a>&b;</a>", "\ud800"])
def test_invalid_documents(text: str) -> None:
    for reader in (ReportReader(), ProbeReader(lambda _: None)):
        reader.feed(text)
        with pytest.raises(DocumentError):
            reader.close()


@pytest.mark.parametrize("ending", ["close", "error", "none"])
@pytest.mark.parametrize("kind", ["probes", "report"])
def test_documents_do_not_wait_for_the_garbage_collector(kind: str, ending: str) -> None:
    """It runs rarely, since a document is few objects for it; two megabytes of each upload would add up."""
    text = "x" * 1_000_000
    tail = {"close": "</b></a>", "error": "</b></c>", "none": ""}[ending]

    def upload() -> None:
        if kind == "probes":
            reader: ProbeReader | ReportReader = ProbeReader({"Probes": ResultLimit(10_000_000, "")}.__getitem__)
            document = f'<a><b source="Probes" name="p">{text}{tail}'
        else:
            reader = ReportReader(ReportLimits(is_whole=True))
            document = f"<a><b>{text}{tail}"
        call = CallReader(readers={"m": lambda: reader})
        escaped = document.replace("<", "&lt;")
        data = f"<methodCall><methodName>m</methodName><params><param><value><string>{escaped}".encode()
        for start in range(0, len(data), 10_000):
            call.feed(data[start : start + 10_000])
        if ending == "error":
            call.feed(b"</wrong>")
        else:
            call.feed(b"</string></value></param></params></methodCall>")
        if ending != "none":
            with contextlib.suppress(RequestError):
                call.close()
            with contextlib.suppress(DocumentError):
                reader.close()

    upload()
    gc.collect()
    gc.disable()
    tracemalloc.start()
    try:
        for _ in range(3):
            upload()
        assert tracemalloc.get_traced_memory()[0] < 500_000
    finally:
        tracemalloc.stop()
        gc.enable()
