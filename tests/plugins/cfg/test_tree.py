"""Cfg: files and directories that come, change and go."""

from __future__ import annotations

import logging
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from geventcore.errors import PluginExecutionError
from geventcore.filemonitor import FileAction, FileEvent
from geventcore.regular_files import read_file
from geventcore.templating.base import ENGINES
from tests.support.cfg_site import bind, cfg_site, client, paths, until
from tests.support.plugin_context import SmallServer, write_files


def text(server: SmallServer, name: str) -> str | None:
    """The content that a client gets, or None if it gets a failure."""
    try:
        return bind(server, name).text
    except PluginExecutionError:
        return None


def test_every_directory_with_a_file_is_an_entry(tmp_path: Path) -> None:
    files = {"a/a": "1", "a/b/c/c": "2", "only/README": "x", "empty/deep/~ignored~": "x", "top": "x"}
    with cfg_site(tmp_path, files) as server:
        assert paths(server) == {"/a", "/a/b/c", "/only"}
        with pytest.raises(PluginExecutionError, match="no file in Cfg/only"):
            bind(server, "/only")


def test_a_file_changes_goes_and_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "Cfg/a/a"
    with cfg_site(tmp_path, {"a/a": "one"}, watched=True) as server:
        path.write_text("two")
        until(server, lambda: text(server, "/a") == "two")
        path.unlink()
        until(server, lambda: not paths(server))
        path.write_text("three")
        until(server, lambda: text(server, "/a") == "three")


def test_a_more_specific_file_comes_and_goes(tmp_path: Path) -> None:
    with cfg_site(tmp_path, {"a/a": "all"}, watched=True) as server:
        write_files(tmp_path, {"Cfg/a/a.H_h": "host"})
        until(server, lambda: text(server, "/a") == "host")
        (tmp_path / "Cfg/a/a.H_h").unlink()
        until(server, lambda: text(server, "/a") == "all")


def test_a_file_that_is_renamed_over_another(tmp_path: Path) -> None:
    with cfg_site(tmp_path, {"a/a": "old"}, watched=True) as server:
        write_files(tmp_path, {"new": "new"})
        os.replace(tmp_path / "new", tmp_path / "Cfg/a/a")
        until(server, lambda: text(server, "/a") == "new")


def test_new_directories_are_found_at_any_depth(tmp_path: Path) -> None:
    with cfg_site(tmp_path, {"a/a": "x"}, watched=True) as server:
        write_files(tmp_path, {"Cfg/x/y/z/z": "deep", "Cfg/x/y/y": "less"})
        until(server, lambda: paths(server) == {"/a", "/x/y", "/x/y/z"})
        assert text(server, "/x/y/z") == "deep"


def test_a_directory_tree_goes_and_comes_back_with_other_files(tmp_path: Path) -> None:
    with cfg_site(tmp_path, {"a/b/b": "1", "a/c/c": "2", "z/z": "3"}, watched=True) as server:
        shutil.rmtree(tmp_path / "Cfg/a")
        until(server, lambda: paths(server) == {"/z"})
        write_files(tmp_path, {"Cfg/a/b/b": "new", "Cfg/a/d/d": "4"})
        until(server, lambda: paths(server) == {"/a/b", "/a/d", "/z"})
        assert text(server, "/a/b") == "new"
        (tmp_path / "Cfg/a/b/b").write_text("newer")
        until(server, lambda: text(server, "/a/b") == "newer")


def test_a_tree_that_is_renamed_over_another(tmp_path: Path) -> None:
    with cfg_site(tmp_path, {"a/b/b": "old", "a/gone/gone": "x"}, watched=True) as server:
        write_files(tmp_path, {"next/b/b": "new", "next/c/c": "y"})
        os.rename(tmp_path / "Cfg/a", tmp_path / "before")
        os.rename(tmp_path / "next", tmp_path / "Cfg/a")
        until(server, lambda: paths(server) == {"/a/b", "/a/c"} and text(server, "/a/b") == "new")


def test_the_whole_directory_goes_and_comes_back(tmp_path: Path) -> None:
    with cfg_site(tmp_path, {"a/a": "x"}, watched=True) as server:
        os.rename(tmp_path / "Cfg", tmp_path / "away")
        write_files(tmp_path, {"away/b/b": "y"})
        until(server, lambda: server.core.repository.why_not_ready() != "")
        assert paths(server) == {"/a"}
        os.rename(tmp_path / "away", tmp_path / "Cfg")
        until(server, lambda: paths(server) == {"/a", "/b"})


def test_a_file_becomes_a_directory_and_a_directory_a_file(tmp_path: Path) -> None:
    with cfg_site(tmp_path, {"a/a": "file", "b/b": "x", "b/sub/sub": "y"}, watched=True) as server:
        (tmp_path / "Cfg/a/a").unlink()
        write_files(tmp_path, {"Cfg/a/a/a": "deeper"})
        shutil.rmtree(tmp_path / "Cfg/b/sub")
        write_files(tmp_path, {"Cfg/b/sub": "no handler knows this"})
        until(server, lambda: paths(server) == {"/a/a", "/b"})
        assert text(server, "/a/a") == "deeper"


def test_links_are_followed_but_not_in_circles(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_files(tmp_path, {"elsewhere/f/f": "linked", "plain": "p"})
    (tmp_path / "Cfg/d").mkdir(parents=True)
    (tmp_path / "Cfg/linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "Cfg/d/d").symlink_to(tmp_path / "plain")
    (tmp_path / "Cfg/d/up").symlink_to("..")
    with cfg_site(tmp_path, {}) as server:
        assert paths(server) == {"/linked/f", "/d"}
        assert text(server, "/linked/f") == "linked"
        assert text(server, "/d") == "p"
    assert "Cfg/d/up" in caplog.text


def test_what_is_no_file_is_reported_and_never_opened(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "Cfg/f").mkdir(parents=True)
    os.mkfifo(tmp_path / "Cfg/f/f.H_h")
    with cfg_site(tmp_path, {"f/f": "x"}) as server:
        assert text(server, "/f") == "x"
    assert "Cfg/f/f.H_h: ignoring this path: it is neither a file nor a directory" in caplog.text


def test_a_file_that_cannot_be_read_fails_its_clients_and_no_others(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(path: Path) -> bytes:
        if path.name == "f.H_h":
            raise PermissionError(13, "Permission denied")
        return read_file(path)

    monkeypatch.setattr("geventcore.plugins.cfg.handlers.read_file", read)
    with cfg_site(tmp_path, {"f/f": "x", "f/f.H_h": "secret"}) as server:
        with pytest.raises(PluginExecutionError, match=r"f\.H_h: the file could not be read"):
            bind(server, "/f")
        assert bind(server, "/f", client("other")).text == "x"
    assert "f.H_h: cannot be read: Permission denied" in caplog.text


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("f.genshi", "${1 + 1}", "${1 +}"),
        ("f.jinja2", "{{ 1 + 1 }}", "{% if %}"),
        ("authorizedkeys.xml", "<AuthorizedKeys><Allow>2</Allow></AuthorizedKeys>", "<AuthorizedKeys>"),
    ],
)
def test_the_last_good_version_stays(tmp_path: Path, name: str, good: str, bad: str) -> None:
    path = tmp_path / "Cfg/f" / name
    with cfg_site(tmp_path, {f"f/{name}": good, "marker/marker": "1"}, watched=True) as server:
        assert text(server, "/f") == "2"
        path.write_text(bad)
        (tmp_path / "Cfg/marker/marker").write_text("2")
        until(server, lambda: text(server, "/marker") == "2")
        assert text(server, "/f") == "2"
        path.write_text(good.replace("1 + 1", "1 + 2").replace(">2<", ">3<"))
        until(server, lambda: text(server, "/f") == "3")


def test_a_broken_info_keeps_the_last_good_one_and_is_used_once_it_is_mended(tmp_path: Path) -> None:
    path = tmp_path / "Cfg/f/info.xml"
    files = {"f/f": "x", "f/info.xml": '<FileInfo><Info mode="1"/></FileInfo>', "marker/marker": "1"}
    with cfg_site(tmp_path, files, watched=True) as server:
        path.write_text("<FileInfo>")
        (tmp_path / "Cfg/marker/marker").write_text("2")
        until(server, lambda: text(server, "/marker") == "2")
        assert bind(server, "/f").get("mode") == "1"
        path.write_text('<FileInfo><Info mode="2"/></FileInfo>')
        until(server, lambda: bind(server, "/f").get("mode") == "2")
        path.unlink()
        until(server, lambda: bind(server, "/f").get("mode") == "644")


def test_a_changed_include_of_an_info_counts(tmp_path: Path) -> None:
    xinclude = "http://www.w3.org/2001/XInclude"
    files = {
        "f/f": "x",
        "f/info.xml": f'<FileInfo xmlns:xi="{xinclude}"><xi:include href="../common.inc"/></FileInfo>',
        "common.inc": '<FileInfo><Info mode="1"/></FileInfo>',
    }
    with cfg_site(tmp_path, files, watched=True) as server:
        assert bind(server, "/f").get("mode") == "1"
        (tmp_path / "Cfg/common.inc").write_text('<FileInfo><Info mode="2"/></FileInfo>')
        until(server, lambda: bind(server, "/f").get("mode") == "2")


def test_who_has_taken_the_table_keeps_it_as_it_was(tmp_path: Path) -> None:
    with cfg_site(tmp_path, {"a/a": "x"}) as server:
        plugin: Any = server.plugin("Cfg")
        before = plugin.entries["Path"]
        write_files(tmp_path, {"Cfg/b/b": "y"})
        server.changed(plugin._tree, tmp_path / "Cfg", FileAction.CREATED)
        assert set(before) == {"/a"}
        assert paths(server) == {"/a", "/b"}


def test_events_are_only_hints(tmp_path: Path) -> None:
    with cfg_site(tmp_path, {"a/a": "x", "b/b": "y"}) as server:
        tree: Any = server.plugin("Cfg")._tree  # type: ignore[attr-defined]
        (tmp_path / "Cfg/b/b").unlink()
        directory = str(tmp_path / "Cfg/a")
        tree.handle_event(FileEvent(directory, "a", FileAction.DELETED))
        tree.handle_event(FileEvent(directory, "never-was", FileAction.CHANGED))
        tree.handle_event(FileEvent("/nobody/watches/this", "x", FileAction.CREATED))
        tree.handle_event(FileEvent(str(tmp_path / "Cfg/b"), "b", FileAction.CHANGED))
        assert paths(server) == {"/a"}
        assert text(server, "/a") == "x"


def test_names_that_are_no_unicode_harm_nobody(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    directory = os.fsencode(tmp_path / "Cfg") + b"/caf\xe9"
    os.makedirs(directory)
    with open(directory + b"/caf\xe9", "wb") as stream:
        stream.write(b"x")
    with cfg_site(tmp_path, {"f/f": "y"}) as server:
        assert len(paths(server)) == 2
        assert text(server, "/f") == "y"


def test_a_thousand_files_in_one_directory(tmp_path: Path) -> None:
    files = {f"f/f.H_host{number}": str(number) for number in range(1000)}
    files |= {f"f/f.G{number:04d}_group{number}": f"g{number}" for number in range(1000)}
    with cfg_site(tmp_path, files) as server:
        assert bind(server, "/f", client("host7", "group900")).text == "7"
        assert bind(server, "/f", client("x", "group3", "group900", "group12")).text == "g900"


def test_loading_makes_no_table_for_each_file(tmp_path: Path) -> None:
    with cfg_site(tmp_path, {f"f{number}/f{number}": "x" for number in range(50)}) as server:
        tree: Any = server.plugin("Cfg")._tree  # type: ignore[attr-defined]
        assert tree._snapshot is None, "a table was made before anybody asked for one"
        assert len(tree.binders) == 50
        assert tree.binders is tree.binders


def test_one_line_says_that_an_engine_is_missing_and_its_client_gets_no_other_file(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ENGINES, "cheetah", "geventcore.templating.no_such_module")
    with caplog.at_level(logging.WARNING), cfg_site(tmp_path, {"f/f": "all", "f/f.H_h.cheetah": "$x"}) as server:
        assert bind(server, "/f", client("other")).text == "all"
        with pytest.raises(PluginExecutionError, match=r"f\.H_h\.cheetah: .*engine cheetah is not installed"):
            bind(server, "/f")
    assert sum("f.H_h.cheetah" in record.getMessage() for record in caplog.records) == 1
