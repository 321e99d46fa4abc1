"""Configurations and lists of probes as a simulated client sees them, and the documents that it sends."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from geventcore.simulation.observation import observe, statistics_document
from geventcore.simulation.probes import Probe, plausible_answer, probe_data, read_probes


def configuration(entries: str) -> str:
    return f'<Configuration version="2.0" revision="-1"><Bundle name="b">{entries}</Bundle></Configuration>'


GOOD = [
    '<Path name="/f" type="file" owner="root" group="root" mode="644">text</Path>',
    '<Path name="/f" type="file" owner="root" group="root" mode="644" empty="true"/>',
    '<Path name="/d" type="directory" owner="0" group="0" mode="0755"/>',
    '<Path name="/l" type="symlink" to="/f"/>',
    '<Path name="/n" type="nonexistent"/>',
    '<Package name="p" version="auto" type="deb"/>',
    '<Package name="p" type="yum"/>',
    '<Service name="s" status="on" type="systemd"/>',
    '<Action name="a" timing="post" when="modified" command="true" status="check"/>',
    '<POSIXUser name="u"/>',
]
BAD = [
    ('<Path name="/f" failure="no matching generator"/>', "no matching generator"),
    ('<Path name="/f"/>', "lacks type"),
    ('<Path name="/f" type="file" owner="root" group="" mode="644">text</Path>', "lacks group"),
    ('<Path name="/f" type="file" owner="root" group="root" mode="644"/>', "lacks its content"),
    ('<Path name="/f" type="hologram"/>', "no tool handles the type 'hologram'"),
    ('<Path name="/l" type="symlink"/>', "lacks to"),
    ('<Package name="p" type="deb"/>', "lacks version"),
    ('<Service name="s" status="on"/>', "lacks type"),
    ('<Action name="a" timing="post" when="modified" command="true"/>', "lacks status"),
]


@pytest.mark.parametrize("entry", GOOD)
def test_an_entry_that_a_client_can_work_with_is_good(entry: str) -> None:
    seen = observe(configuration(entry))
    assert (seen.total, seen.good, seen.problems) == (1, 1, ())


@pytest.mark.parametrize(("entry", "problem"), BAD)
def test_an_entry_that_no_client_can_work_with_is_bad(entry: str, problem: str) -> None:
    seen = observe(configuration(entry))
    assert (seen.total, seen.good) == (1, 0)
    name = ElementTree.fromstring(entry).attrib["name"]
    assert seen.problems == (f"{ElementTree.fromstring(entry).tag} {name}: {problem}",)


def test_entries_are_counted_by_type_in_all_structures() -> None:
    seen = observe(
        '<Configuration version="2.0" revision="3"><!-- c --><Bundle name="b"><!-- c --><Bundle name="inherited"/>'
        f"{GOOD[0]}{GOOD[5]}</Bundle><Independent name='i'>{GOOD[2]}{GOOD[5]}</Independent></Configuration>"
    )
    assert seen.entries == {"Package": 2, "Path/directory": 1, "Path/file": 1}
    assert seen.revision == "3"


def test_statistics_list_the_entries_with_their_content_as_bcfg2s_client_does() -> None:
    text = statistics_document(observe(configuration(GOOD[0] + BAD[0][0])), {"start": 1.5, "finished": 2.25})
    assert text.isascii()
    statistics = ElementTree.fromstring(text).find("Statistics")
    assert statistics is not None
    assert statistics.attrib == {"version": "2.0", "revision": "-1", "total": "2", "good": "1", "state": "dirty"}
    assert [child.tag for child in statistics] == ["Flags", "Modified", "Extra", "Good", "Bad", "OpStamps"]
    (good,) = statistics.findall("Good/*")
    assert good.text == "text"
    assert good.attrib["qtext"] == ""
    assert good.attrib["mode"] == good.attrib["current_mode"] == "644"
    (bad,) = statistics.findall("Bad/*")
    assert bad.attrib["failure"] == "no matching generator"
    stamps = statistics.find("OpStamps")
    assert stamps is not None
    assert stamps.attrib == {"start": "1.5", "finished": "2.25"}


def test_statistics_are_ascii_whatever_the_site_is_called() -> None:
    odd = (
        '<Configuration version="2.0" revision="r&quot;é"><Bundle name="b"><Package name="é"/></Bundle></Configuration>'
    )
    text = statistics_document(observe(odd), {"start": 1.0})
    assert text.isascii()
    statistics = ElementTree.fromstring(text).find("Statistics")
    assert statistics is not None
    assert statistics.attrib["revision"] == 'r"é'


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("<error>you are not known</error>", "the server says: you are not known"),
        ("<Configuration>", "is not XML"),
        ("<html/>", "is a <html>"),
    ],
)
def test_what_is_no_configuration_is_refused(document: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        observe(document)


def test_probes_are_read_and_answered() -> None:
    probes = read_probes(
        '<probes><probe name="os" source="Probes" interpreter="/usr/bin/env python3">print()</probe>'
        '<probe name="x" source="Other"/></probes>'
    )
    assert probes == [Probe("os", "Probes", "/usr/bin/env python3", "print()"), Probe("x", "Other", "/bin/sh", "")]
    document = probe_data([(probes[0], "group:é\n<&"), (probes[1], "")])
    assert document.isascii()
    answers = list(ElementTree.fromstring(document))
    assert [answer.attrib["source"] for answer in answers] == ["Probes", "Other"]
    assert answers[0].text == "group:é\n<&"


def test_a_plausible_answer_is_one_of_the_groups_of_the_script() -> None:
    probe = Probe("os", "Probes", "/bin/sh", '# "group:NAME" sets one\necho "group:debian"\necho group: redhat\n')
    answers = {host: plausible_answer(host, probe) for host in (f"c{n}.example.com" for n in range(50))}
    assert 10 < list(answers.values()).count("group:debian\n") < 40
    assert set(answers.values()) == {"group:debian\n", "group:redhat\n"}
    assert answers == {host: plausible_answer(host, probe) for host in answers}
    assert plausible_answer("c1", Probe("mem", "Probes", "/bin/sh", "free")).strip().isdigit()
