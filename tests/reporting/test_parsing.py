"""What is read from uploads, and what is not."""

from __future__ import annotations

import base64
import hashlib

import pytest
from lxml import etree

from geventcore.errors import PluginExecutionError
from geventcore.reporting.parsing import MAX_TEXT, parse_interaction
from geventcore.storage.report_model import EntryKind, FileContent, Interaction
from tests.support.uploads import metadata_of, real_upload, report


def parsed(root: etree._Element, file_limit: int = 1 << 20) -> Interaction:
    return parse_interaction(metadata_of("h"), root, timestamp=1, server="s", file_limit=file_limit)


def test_a_real_dry_run() -> None:
    interaction = parsed(real_upload("dry-run"))
    assert (interaction.state, interaction.total, interaction.good) == ("dirty", 11, 2)
    assert interaction.revision == "-1"
    assert [kind for kind, _ in interaction.entries] == [EntryKind.BAD] * 9
    states = {state.name: state for _, state in interaction.entries}
    assert all(state.tag == "Path" for state in states.values())
    allow = states["/sample/etc/hosts.allow"]
    assert allow.content == FileContent("diff", "+ ALL: 192.0.2.0/24\n  ", 22)
    assert allow.is_missing
    assert dict(allow.attributes)["owner"] == "root"
    assert "qtext" not in dict(allow.attributes)
    assert states["/sample/srv"].content is None
    assert interaction.stamps[0][0] == "start"
    assert dict(interaction.stamps)["finished"] == max(at for _, at in interaction.stamps)
    assert len(interaction.stamps) == 10


def test_a_real_installation_modifies() -> None:
    interaction = parsed(real_upload("install"))
    assert (interaction.state, interaction.total, interaction.good) == ("clean", 11, 11)
    assert len(interaction.of_kind(EntryKind.MODIFIED)) == 9
    assert not interaction.of_kind(EntryKind.BAD)


def test_good_entries_and_texts_are_not_kept() -> None:
    interaction = parsed(real_upload("clean"))
    assert interaction.entries == ()
    assert "Welcome" not in str(interaction)
    assert "Welcome to client" not in str([s.attributes for _, s in parsed(real_upload("dry-run")).entries])


def test_flags() -> None:
    flags = '<Flags><Flag name="dry_run" value="True"/><Flag name="only_important" value="False"/></Flags>'
    assert (report("h", flags=flags).dry_run, report("h", flags=flags).only_important) == (True, False)
    assert report("h").dry_run is False


def entry(attributes: str) -> str:
    return f'<Path name="/f" type="file" {attributes}/>'


def content(attributes: str, file_limit: int = 1 << 20) -> FileContent | None:
    ((_, state),) = report("h", bad=entry(attributes), file_limit=file_limit).entries
    return state.content


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def test_differences_of_files() -> None:
    assert content(f'current_bdiff="{encoded(b"- a")}"') == FileContent("diff", "- a", 3)
    assert content(f'current_bfile="{encoded(bytes(range(256)))}"') == FileContent(
        "content", encoded(bytes(range(256))), 256
    )
    assert content('current_bfile=""') is None
    assert content('current_bdiff="no base64 at all"') is None


def test_a_difference_that_is_no_text_is_marked() -> None:
    latin = encoded(b"- \xe9 \0")
    assert content(f'current_bdiff="{latin}"') == FileContent("inexact diff", "- \ufffd \ufffd", 5)


def test_a_large_difference_becomes_a_hash() -> None:
    data = b"+" * 101
    assert content(f'current_bdiff="{encoded(data)}"', file_limit=100) == FileContent(
        "too large", hashlib.sha256(data).hexdigest(), 101
    )
    assert content(f'current_bdiff="{encoded(data)}"', file_limit=101) == FileContent("diff", data.decode(), 101)


def test_nothing_is_kept_of_sensitive_files() -> None:
    secret = encoded(b"+ password")
    ((_, state),) = report("h", bad=entry(f'sensitive="true" current_bdiff="{secret}"')).entries
    assert state.content is None
    assert secret not in str(state)


def test_children_that_tell_something_are_kept() -> None:
    bad = '<Path name="/d" type="directory"><Prune name="/d/x"/><ACL type="default"/></Path>'
    ((_, state),) = report("h", bad=bad).entries
    assert state.children == (("Prune", (("name", "/d/x"),)),)


def test_what_differs() -> None:
    bad = entry('owner="root" current_owner="0" mode="0644" current_mode="0600" current_exists="true"')
    ((_, state),) = report("h", bad=bad).entries
    assert sorted(state.differences()) == [("mode", "0644", "0600"), ("owner", "root", "0")]


@pytest.mark.parametrize("text", ["", "-5", "many", "9" * 30, "9" * 5000])
def test_numbers_that_are_none(text: str) -> None:
    root = real_upload("clean")
    root[0].set("total", text)
    root[0].set("good", text)
    root.find(".//OpStamps").set("start", text)
    interaction = parsed(root)
    assert 0 <= interaction.total < 2**31
    assert all(0 <= at < 2**63 for _, at in interaction.stamps)


@pytest.mark.parametrize("text", ["nan", "inf", "-1", "1e300", "x"])
def test_times_that_are_none_are_left_out(text: str) -> None:
    root = real_upload("clean")
    root.find(".//OpStamps").set("start", text)
    assert "start" not in dict(parsed(root).stamps)
    assert "finished" in dict(parsed(root).stamps)


def test_endless_names_are_cut() -> None:
    ((_, state),) = report("h", bad=f'<Path name="/{"x" * 10_000}" type="file"/>').entries
    assert len(state.name) == MAX_TEXT


def test_statistics_stand_below_the_root() -> None:
    with pytest.raises(PluginExecutionError, match="no Statistics"):
        parsed(etree.fromstring("<a><b><Statistics/></b></a>"))
