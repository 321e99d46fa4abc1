"""Files of Cfg that Bcfg2 1.3 has: ``:info`` and ``info``, deltas, and names that Cfg cannot use."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from geventcore.errors import PluginExecutionError
from geventcore.plugins.cfg.options import HANDLERS as HANDLERS_OPTION
from tests.support.cfg_site import bind, cfg_site, client, until
from tests.support.metric_values import values_here


def broken_files() -> float:
    """The count of files that could not be used."""
    return values_here()("geventcore_file_event_failures_total")


# -- :info and info


@pytest.mark.parametrize("name", [":info", "info"])
def test_info_gives_the_attributes(tmp_path: Path, name: str) -> None:
    text = "owner: app\ngroup:app\nmode: 0600\nsensitive: true\n\n# a comment\nimportant:\n  encoding: base64  \n"
    with cfg_site(tmp_path, {"k/k": "x", f"k/{name}": text}) as server:
        entry = bind(server, "/k")
    given = {"owner": "app", "group": "app", "mode": "0600", "sensitive": "true", "encoding": "base64"}
    default = {"important": "false", "paranoid": "true", "secontext": "__default__"}
    assert dict(entry.attrib) == {"name": "/k", "type": "file", **given, **default}
    assert entry.text == "eA=="


def test_a_short_mode_gets_a_zero_and_perms_is_the_mode(tmp_path: Path) -> None:
    with cfg_site(tmp_path, {"k/k": "x", "k/:info": "mode: 640\n", "l/l": "x", "l/info": "perms: 0600\n"}) as server:
        assert bind(server, "/k").get("mode") == "0640"
        assert bind(server, "/l").get("mode") == "0600"


@pytest.mark.parametrize("line", ["mod: 0600", "mode 0600", "owner=app", "x"])
def test_a_line_that_is_not_understood_fails_the_entry(
    tmp_path: Path, line: str, caplog: pytest.LogCaptureFixture
) -> None:
    before = broken_files()
    with (
        cfg_site(tmp_path, {"k/k": "x", "k/:info": f"owner: app\n{line}\n"}) as server,
        pytest.raises(PluginExecutionError, match=r"k/:info: line 2: "),
    ):
        bind(server, "/k")
    assert "k/:info: line 2: " in caplog.text
    assert broken_files() == before + 1


def test_info_xml_overrides_info(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    files = {"k/k": "x", "k/:info": "mode: 0600\n", "k/info.xml": '<FileInfo><Info mode="0640"/></FileInfo>'}
    with cfg_site(tmp_path, files) as server:
        assert bind(server, "/k").get("mode") == "0640"
    assert "k/:info: ignoring this file" in caplog.text


def test_a_file_called_info_is_content(tmp_path: Path) -> None:
    with cfg_site(tmp_path, {"info/info": "x", "info/:info": "mode: 0600\n"}) as server:
        entry = bind(server, "/info")
    assert (entry.text, entry.get("mode")) == ("x", "0600")


def test_a_change_of_info_is_used(tmp_path: Path) -> None:
    with cfg_site(tmp_path, {"k/k": "x", "k/:info": "mode: 0600\n"}, watched=True) as server:
        assert bind(server, "/k").get("mode") == "0600"
        (tmp_path / "Cfg/k/:info").write_text("mode: 0640\n")
        until(server, lambda: bind(server, "/k").get("mode") == "0640")
        (tmp_path / "Cfg/k/:info").unlink()
        until(server, lambda: bind(server, "/k").get("mode") == "644")


@pytest.mark.parametrize(
    "info", [{"k/:info": "mode: inherit\n"}, {"k/info.xml": '<FileInfo><Info mode="inherit"/></FileInfo>'}]
)
def test_an_inherited_mode_is_that_of_the_file(tmp_path: Path, info: dict[str, str]) -> None:
    with cfg_site(tmp_path, {"k/k": "x", **info}) as server:
        (tmp_path / "Cfg/k/k").chmod(0o711)
        assert bind(server, "/k").get("mode") == "0711"


# -- deltas


def test_cat_adds_and_removes_lines(tmp_path: Path) -> None:
    files = {"m/m": "one\ntwo\none\n", "m/m.G10_g.cat": "+three\n-one\n-absent\n\n"}
    with cfg_site(tmp_path, files) as server:
        assert bind(server, "/m", client("h", "g")).text == "two\none\nthree\n"
        assert bind(server, "/m", client("h")).text == "one\ntwo\none\n"


DIFF = "--- d\n+++ d\n@@ -1,2 +1,2 @@\n-one\n+ONE\n two\n"


def test_diff_is_applied_and_a_change_is_used(tmp_path: Path) -> None:
    with cfg_site(tmp_path, {"d/d": "one\ntwo\n", "d/d.H_h.diff": DIFF}, watched=True) as server:
        assert bind(server, "/d").text == "ONE\ntwo\n"
        assert bind(server, "/d", client("other")).text == "one\ntwo\n"
        (tmp_path / "Cfg/d/d.H_h.diff").write_text(DIFF.replace("ONE", "uno"))
        until(server, lambda: bind(server, "/d").text == "uno\ntwo\n")
        (tmp_path / "Cfg/d/d").write_text("zero\none\ntwo\n")
        until(server, lambda: bind(server, "/d").text == "zero\nuno\ntwo\n")


def test_a_diff_may_remove_everything(tmp_path: Path) -> None:
    files = {"d/d": "one\n", "d/d.diff": "--- d\n+++ d\n@@ -1 +0,0 @@\n-one\n"}
    with cfg_site(tmp_path, files) as server:
        assert bind(server, "/d").get("empty") == "true"


@pytest.mark.parametrize("diff", [DIFF.replace("one", "absent"), "not a diff\n"])
def test_a_diff_that_does_not_apply_fails_the_entry(tmp_path: Path, diff: str) -> None:
    with (
        cfg_site(tmp_path, {"d/d": "one\ntwo\n", "d/d.G1_g.diff": diff}) as server,
        pytest.raises(PluginExecutionError, match=r"d\.G1_g\.diff: does not apply to the content"),
    ):
        bind(server, "/d", client("h", "g"))


def test_a_delta_changes_only_content_that_is_no_more_specific(tmp_path: Path) -> None:
    files = {
        "m/m": "all\n",
        "m/m.H_h": "host\n",
        "m/m.G10_g.cat": "+group\n",
        "m/m.H_h.cat": "+own\n",
        "m/m.cat": "+any",
    }
    with cfg_site(tmp_path, files) as server:
        assert bind(server, "/m", client("h", "g")).text == "host\nown\n"
        assert bind(server, "/m", client("i", "g")).text == "all\nany\ngroup\n"


def test_the_least_specific_delta_is_applied_first(tmp_path: Path) -> None:
    # Each one removes the line of the one before, which has to be there.
    files = {
        "m/m": "base\n",
        "m/m.H_h.cat": "+host\n-b30\n",
        "m/m.G30_b.cat": "+b30\n-g20\n",
        "m/m.G20_g.cat": "+g20\n-a20\n",
        "m/m.G20_a.cat": "+a20\n-b05\n",
        "m/m.G05_b.cat": "+b05\n-all\n",
        "m/m.cat": "+all\n-base\n",
    }
    with cfg_site(tmp_path, files) as server:
        assert bind(server, "/m", client("h", "g", "a", "b")).text == "host\n"


def test_a_host_whose_name_ends_like_a_delta_has_its_own_content(tmp_path: Path) -> None:
    files = {"m/m": "all\n", "m/m.H_www.example.cat": "+own\n", "m/m.G10_g.diff": "content of g.diff\n"}
    with cfg_site(tmp_path, files) as server:
        assert bind(server, "/m", client("www.example.cat")).text == "+own\n"
        assert bind(server, "/m", client("www.example")).text == "all\nown\n"
        assert bind(server, "/m", client("h", "g.diff")).text == "content of g.diff\n"


def test_a_client_cannot_change_the_files_of_another_one_by_its_name(tmp_path: Path) -> None:
    files = {"m/m": "all\n", "m/m.H_victim.cat": "+evil\n"}
    with cfg_site(tmp_path, files) as server:
        server.plugin("Metadata").add_client("victim.cat", {"profile": "p"})  # type: ignore[attr-defined]
        assert bind(server, "/m", client("victim")).text == "all\n"
        assert bind(server, "/m", client("victim.cat")).text == "+evil\n"


def test_deltas_change_templates_and_can_be_verified(tmp_path: Path) -> None:
    files = {"m/m.genshi": "${name}\n", "m/m.cat": "+x\n", "m/:test": "#!/bin/sh\ngrep -q x\n"}
    with cfg_site(tmp_path, files) as server:
        assert bind(server, "/m").text == "/m\nx\n"


# -- files that cannot be used


@pytest.mark.parametrize(
    ("name", "failing"),
    [
        ("info.xml.H_h", "h"),
        (":info.G10_g", "h"),
        ("info.H_h", "h"),
        ("m.genshi.H_h", "h"),
        ("m.jinja2.G10_g", "h"),
        ("m.genshi.cat", "i"),
        ("m.cat.genshi", "i"),
    ],
)
def test_a_misnamed_file_fails_the_entry(
    tmp_path: Path, name: str, failing: str, caplog: pytest.LogCaptureFixture
) -> None:
    before = broken_files()
    with cfg_site(tmp_path, {"m/m": "x", f"m/{name}": "mode: 0600\n"}) as server:
        with pytest.raises(PluginExecutionError, match="no Cfg handler accepts a file with this name: "):
            bind(server, "/m", client(failing, *(["g"] if failing == "h" else [])))
        if failing == "h":
            assert bind(server, "/m", client("other")).text == "x"
    assert f"m/{name}: no Cfg handler accepts a file with this name" in caplog.text
    assert broken_files() == before + 1


def test_more_specific_content_is_not_affected_by_a_misnamed_file(tmp_path: Path) -> None:
    with cfg_site(tmp_path, {"m/m.H_h": "x", "m/m.genshi.G10_g": "y"}) as server:
        assert bind(server, "/m", client("h", "g")).text == "x"


@pytest.mark.parametrize("name", ["README", "m.txt", "m.genshi.orig", "m.bak.G10_g"])
def test_other_files_do_not_matter_but_are_counted(tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture) -> None:
    before = broken_files()
    with cfg_site(tmp_path, {"m/m": "x", f"m/{name}": "y"}) as server:
        assert bind(server, "/m", client("h", "g")).text == "x"
    assert f"m/{name}: no Cfg handler accepts a file with this name; ignored" in caplog.text
    assert broken_files() == before + 1


@pytest.mark.parametrize("name", ["m.G10_g.jinja2", "info.xml", ":info", "m.G10_g.cat"])
def test_a_file_whose_handler_is_left_out_fails_the_entry(tmp_path: Path, name: str) -> None:
    options = {HANDLERS_OPTION: ("PlaintextGenerator",)}
    with (
        cfg_site(tmp_path, {"m/m": "x", f"m/{name}": "y"}, options) as server,
        pytest.raises(PluginExecutionError, match=r"its handler is not in use \(\[cfg\] handlers leaves it out\)"),
    ):
        bind(server, "/m", client("h", "g"))


# -- Cheetah


def test_cheetah_templates(tmp_path: Path) -> None:
    pytest.importorskip("Cheetah")
    text = "#for $g in sorted($self.metadata.groups)\n$g\n#end for\n$name $path $repo\n#include 'part'\n"
    with cfg_site(tmp_path, {"c/c.cheetah": text, "c/part": "in $metadata.hostname\n"}) as server:
        assert bind(server, "/c", client("h", "g", "f")).text == f"f\ng\n/c /c {tmp_path}\nin h\n"


def test_a_cheetah_template_names_the_line_that_fails(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    pytest.importorskip("Cheetah")
    files = {
        "c/c.cheetah": "a\n$nothing.here\n",
        "d/d.cheetah": "a\n#if 1\n",
        "e/e.cheetah": "#import no_such_module\n",
        "f/f.cheetah": "#def f($x=$nothing)\n#end def\n",
    }
    with cfg_site(tmp_path, files) as server:
        with pytest.raises(PluginExecutionError, match=r"c\.cheetah: line 2: cannot find 'nothing'"):
            bind(server, "/c")
        with pytest.raises(PluginExecutionError, match=r"d\.cheetah: line \d+: .*missing .*#end"):
            bind(server, "/d")
        with pytest.raises(PluginExecutionError, match=r"e\.cheetah: ModuleNotFoundError: .*no_such_module"):
            bind(server, "/e")
        with pytest.raises(PluginExecutionError, match=r"f\.cheetah: NameError: .*nothing"):
            bind(server, "/f")
    assert any("d.cheetah" in record.getMessage() for record in caplog.records if record.levelno == logging.ERROR)
