"""The page is valid HTML, needs nothing from elsewhere, and shows what was measured."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import pytest
from lxml import etree

from geventcore.simulation.charts import Axis, Line, line_chart
from geventcore.simulation.measurement import Measurement
from geventcore.simulation.report_page import Section, Table, html_page
from tests.support.measurements import measurement, turn

_VOID = frozenset({"meta", "br", "link", "img", "input", "hr"})


class Balance(HTMLParser):
    """Fails for a tag that is not closed in its place, and keeps what is needed from elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.references: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.references += [f"{name}={value}" for name, value in attrs if name in ("src", "href", "srcset", "data")]
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open
        assert self.open.pop() == tag


def one(label: str = "a <server> & co") -> Measurement:
    return measurement(
        turn(4.0, [0.5] * 8, reasons=["GetConfig: <oh>"], cpu_seconds=2.0, memory=[1_000_000, 2_000_000, 2_500_000]),
        label=label,
    )


def page(*sections: Section) -> str:
    return html_page("A title & more", "A note.", sections, {"system": "Linux"})


ALONE = page(Section("Load", "A <note>", [one()], [Table("Own", ["x", "y"], [["<1>", "2"]])]))
COMPARED = page(Section("64", "", [one("first"), one("second")]), Section("1000", "", [one("first"), one("second")]))
EMPTY = page(Section("Nothing", "", [measurement(turn(0.1, []))]))


@pytest.mark.parametrize("text", [ALONE, COMPARED, EMPTY], ids=["alone", "compared", "empty"])
def test_the_page_is_valid_and_needs_nothing_else(text: str) -> None:
    balance = Balance()
    balance.feed(text)
    balance.close()
    assert balance.open == []
    assert balance.references == []
    assert not re.search(r"https?:|//[\w.]+/|url\(|@import|fetch\(|XMLHttpRequest", text)
    for picture in re.findall(r"<svg.*?</svg>", text, re.DOTALL):
        etree.fromstring(picture)


@pytest.mark.parametrize("text", [ALONE, COMPARED, EMPTY], ids=["alone", "compared", "empty"])
def test_lines_stay_within_their_chart(text: str) -> None:
    for picture in re.findall(r"<svg.*?</svg>", text, re.DOTALL):
        width, height = map(int, re.findall(r'viewBox="0 0 (\d+) (\d+)"', picture)[0])
        for path in re.findall(r'class="line[^"]*" d="([^"]+)"', picture):
            for across, up in re.findall(r"[ML]([\d.-]+) ([\d.-]+)", path):
                assert 0 <= float(across) <= width
                assert 0 <= float(up) <= height


def test_texts_of_servers_are_texts() -> None:
    assert "<server>" not in ALONE
    assert "a &lt;server&gt; &amp; co" in COMPARED.replace("first", "a &lt;server&gt; &amp; co")
    assert "GetConfig: &lt;oh&gt;" in ALONE
    assert "<td>2</td>" in ALONE


def test_all_plots_are_there() -> None:
    titles = re.findall(r"<figcaption><b>([^<]+)</b>", ALONE)
    assert titles == [
        "How long calls take",
        "Throughput",
        "Whole runs over time",
        "Failed calls",
        "Memory",
        "Processors busy",
        "Open descriptors",
        "Threads",
    ]


def test_a_comparison_shows_ratios() -> None:
    assert COMPARED.count("first / this") == 2
    assert "x1.00" in COMPARED


def test_an_interrupted_load_says_so() -> None:
    cut = one()
    cut.interrupted = True
    assert "interrupted after 4.00 s" in page(Section("", "", [cut]))


def test_a_chart_carries_its_values() -> None:
    seconds, count = Axis("seconds", "{:g}".format), Axis("runs", "{:g} runs".format)
    chart = line_chart("Runs", "", [Line("a", [(0, 1), (1, None), (2, 4)])], seconds, count)
    points = json.loads(chart.data)["lines"][0]["points"]
    assert [point[1:] for point in points] == [["0", "1 runs"], ["1", None], ["2", "4 runs"]]


def test_the_page_carries_the_values_of_its_charts() -> None:
    figures = etree.HTML(ALONE).findall(".//figure[@data-chart]")
    assert len(figures) == 8
    for figure in figures:
        assert json.loads(figure.attrib["data-chart"])["lines"]


@pytest.mark.parametrize("value", [0.0, 1e-6, 3.0, 12345678.0])
def test_a_chart_of_one_value_is_drawn(value: float) -> None:
    axis = Axis("", "{:g}".format)
    assert line_chart("One", "", [Line("a", [(5, value)])], axis, axis).paths
    on_log_scale = line_chart("One", "", [Line("a", [(5, value)])], axis, Axis("", "{:g}".format, is_log=True))
    assert bool(on_log_scale.paths) == (value > 0)
