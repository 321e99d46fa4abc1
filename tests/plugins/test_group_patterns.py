"""GroupPatterns: which names get which groups, and files that are missing, broken or edited."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from geventcore.options.server import CACHE_MODE
from geventcore.plugins.group_patterns import Range
from tests.support.cfg_site import until
from tests.support.plugin_context import SmallServer
from tests.support.plugin_site import messages, metadata_of, plugin_site

CONFIG = "GroupPatterns/config.xml"


def pattern(*children: tuple[str, str]) -> str:
    return f"<GroupPattern>{''.join(f'<{tag}>{text}</{tag}>' for tag, text in children)}</GroupPattern>"


def file_of(*patterns: str) -> dict[str, str | bytes]:
    return {CONFIG: f"<GroupPatterns>{''.join(patterns)}</GroupPatterns>"}


def groups_of(server: SmallServer, hostname: str) -> set[str]:
    return metadata_of(server, hostname).groups - {"p", "web"}


@pytest.mark.parametrize(
    ("expression", "group", "hostname", "expected"),
    [
        ("^web", "w", "web1", {"w"}),
        ("eb", "w", "web1", {"w"}),
        ("^eb", "w", "web1", set()),
        (r"^(\w+?)(\d+)\.(\w+)", "$1-$3-n$2", "web12.site.x", {"web-site-n12"}),
        (r"^(\w)", "$2-$0-$1", "web", {"$2-$0-w"}),
        (r"^(w)(x)?", "a$1b$2c", "web", {"awbc"}),
        (r"^(w)(x)?", "$2", "web", {""}),
        (r"^(..........)(.)", "$1$10", "abcdefghijk", {"abcdefghij$10"}),
        ("&lt;|x$", "g", "vx", {"g"}),
    ],
)
def test_name_patterns(tmp_path: Path, expression: str, group: str, hostname: str, expected: set[str]) -> None:
    files = file_of(pattern(("NamePattern", expression), ("Group", group)))
    with plugin_site(tmp_path, ["GroupPatterns"], files) as server:
        assert groups_of(server, hostname) == {name for name in expected if name}


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("node[[1-4]]", "node1 node4 node04 node2.example.com node3x", "node0 node5 node14 xnode1 node"),
        ("node[[1-4,9]]", "node9", "node8 node90"),
        ("node[[5-]]", "node5 node123456", "node4"),
        ("r[[1-2]]n[[10-20]].x", "r1n10.x r2n20.x", "r3n10.x r1n9.x r1n10"),
        ("[[7]]", "7 7x 007", "8 x7"),
        ("(node)[[1]]", "", "node1"),
    ],
)
def test_name_ranges(text: str, inside: str, outside: str) -> None:
    numbers = Range(text)
    assert [name for name in inside.split() if not numbers.matches(name)] == []
    assert [name for name in outside.split() if numbers.matches(name)] == []


@pytest.mark.parametrize("text", ["n[[-3]]", "n[[1,,2]]", "n[[1-2-3]]", "n[[a-c]]", "n[[]]", "n[[1]](", "n[[1"])
def test_a_range_that_is_none(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        Range(text)


def test_all_matches_add_up_and_a_range_gives_groups_as_they_stand(tmp_path: Path) -> None:
    files = file_of(
        pattern(("NamePattern", "^(n)"), ("NamePattern", "(x)$"), ("NameRange", "n[[1]]"), ("Group", "a$1")),
        pattern(("NamePattern", "^n"), ("Group", "b"), ("Group", " c "), ("Group", "")),
        f"<Site>{pattern(('NamePattern', '^n'), ('Group', 'nested'))}</Site>",
    )
    with plugin_site(tmp_path, ["GroupPatterns"], files) as server:
        assert groups_of(server, "n1x") == {"an", "ax", "a$1", "b", "c", "nested"}


def test_what_is_behind_a_bad_pattern_does_not_count_and_other_elements_do(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    files = file_of(
        pattern(("NamePattern", "^n"), ("NamePattern", "("), ("NamePattern", "1$"), ("Group", "a$1")),
        "\n" + pattern(("NameRange", "[[x]]"), ("NamePattern", "^n"), ("Group", "b")),
        "\n" + pattern(("NamePattern", ""), ("Group", "everybody")),
        pattern(("NamePattern", "^n"), ("Group", "d")),
    )
    with plugin_site(tmp_path, ["GroupPatterns"], files) as server:
        assert groups_of(server, "n1") == {"a$1", "d"}
    lines = dict.fromkeys(messages(caplog, "and the patterns after it"))
    assert [line.partition("config.xml: ")[2].partition(":")[0] for line in lines] == ["line 1", "line 2", "line 3"]


def test_a_missing_file_is_made(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with plugin_site(tmp_path, ["GroupPatterns"], {}) as server:
        assert groups_of(server, "n1") == set()
    assert (tmp_path / CONFIG).read_text() == "<GroupPatterns/>\n"
    assert len(messages(caplog, f"{CONFIG} does not exist; created")) == 1


@pytest.mark.parametrize("mode", ["off", "aggressive"])
def test_an_edit_counts_at_once_and_what_is_broken_leaves_the_last_good_version(
    tmp_path: Path, mode: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / CONFIG
    one = pattern(("NamePattern", "^n"), ("Group", "one"))
    with plugin_site(tmp_path, ["GroupPatterns"], file_of(one), {CACHE_MODE: mode}) as server:
        assert groups_of(server, "n1") == {"one"}
        path.write_text(f"<GroupPatterns>{one.replace('one', 'two')}</GroupPatterns>")
        until(server, lambda: groups_of(server, "n1") == {"two"})
        for broken in (b"<GroupPatterns>\n<Group", b"", b"<GroupPatterns>\xff</GroupPatterns>"):
            caplog.clear()
            path.write_bytes(broken)
            until(server, lambda: bool(messages(caplog, "not well-formed")))
            assert all(str(path) in line for line in messages(caplog, "not well-formed"))
        assert groups_of(server, "n1") == {"two"}
        path.unlink()
        until(server, lambda: bool(messages(caplog, "config.xml: deleted; the last good version stays in use")))
        assert groups_of(server, "n1") == {"two"}
        path.mkdir()
        until(server, lambda: bool(messages(caplog, "Is a directory")))
        assert groups_of(server, "n1") == {"two"}
        shutil.rmtree(path)
        path.write_text(f"<GroupPatterns>{one.replace('one', 'three')}</GroupPatterns>")
        until(server, lambda: groups_of(server, "n1") == {"three"})


def test_a_file_that_was_never_good_gives_no_groups(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with plugin_site(tmp_path, ["GroupPatterns"], {CONFIG: "<GroupPatterns>"}) as server:
        assert groups_of(server, "n1") == set()
    assert messages(caplog, "config.xml: not well-formed")


def test_includes_count_and_are_watched(tmp_path: Path) -> None:
    include = '<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="more/*.xml"/>'
    files = {
        **file_of(include),
        "GroupPatterns/more/a.xml": pattern(("NamePattern", "^n"), ("Group", "a")),
    }
    with plugin_site(tmp_path, ["GroupPatterns"], files) as server:
        assert groups_of(server, "n1") == {"a"}
        (tmp_path / "GroupPatterns/more/b.xml").write_text(pattern(("NamePattern", "^n"), ("Group", "b")))
        until(server, lambda: groups_of(server, "n1") == {"a", "b"})


def test_a_thousand_patterns(tmp_path: Path) -> None:
    files = file_of(*(pattern(("NamePattern", f"^n{n}$"), ("Group", f"g{n}")) for n in range(1000)))
    with plugin_site(tmp_path, ["GroupPatterns"], files) as server:
        assert groups_of(server, "n999") == {"g999"}
