"""SEModules: which file is a module for whom, its names, its attributes, and what happens to bad files."""

from __future__ import annotations

import base64
import shutil
from pathlib import Path

import pytest

from geventcore.options.server import MDATA_OWNER, REPOSITORY
from geventcore.options.settings import default_settings
from tests.support.cfg_site import until
from tests.support.plugin_context import SmallServer, write_files
from tests.support.plugin_site import configuration, entry_of, messages, plugin_site

BUNDLE = {"Bundler/b.xml": '<Bundle><SEModule name="alpha"/></Bundle>'}
PLUGINS = ("Bundler", "SEModules")


def content(server: SmallServer, name: str = "alpha", hostname: str = "h") -> bytes:
    entry = entry_of(server, "SEModule", name, hostname)
    assert entry.get("failure") is None
    return base64.b64decode(entry.text or "")


@pytest.mark.parametrize("name", ["alpha", "alpha.pp", "/alpha.pp"])
def test_a_module_has_two_names_and_is_delivered_under_the_short_one(tmp_path: Path, name: str) -> None:
    files = {
        "Bundler/b.xml": f'<Bundle><SEModule name="{name}"/></Bundle>',
        "SEModules/alpha.pp/alpha.pp": b"\xf9|\x8f",
    }
    with plugin_site(tmp_path, PLUGINS, files) as server:
        entry = entry_of(server, "SEModule", "alpha")
    assert base64.b64decode(entry.text or "") == b"\xf9|\x8f"
    assert entry.get("encoding") == "base64"
    assert entry.get("owner") == "root"
    assert entry.get("type") is None


def test_text_is_base64_too_whatever_info_xml_says(tmp_path: Path) -> None:
    files = {
        **BUNDLE,
        "SEModules/alpha.pp/alpha.pp": "plain",
        "SEModules/alpha.pp/info.xml": '<FileInfo><Info owner="se" encoding="ascii" type="x"/></FileInfo>',
    }
    with plugin_site(tmp_path, PLUGINS, files) as server:
        assert content(server) == b"plain"
        entry = entry_of(server, "SEModule", "alpha")
    assert (entry.get("owner"), entry.get("encoding"), entry.get("type")) == ("se", "base64", None)


def test_the_most_specific_file_counts(tmp_path: Path) -> None:
    files = {
        **BUNDLE,
        "SEModules/alpha.pp/alpha.pp": "all",
        "SEModules/alpha.pp/alpha.pp.G10_web": "web",
        "SEModules/alpha.pp/alpha.pp.G90_other": "other",
        "SEModules/alpha.pp/alpha.pp.H_x": "x",
    }
    with plugin_site(tmp_path, PLUGINS, files) as server:
        assert content(server) == b"web"
        assert content(server, hostname="x") == b"x"


def test_an_empty_module_is_said_to_be_empty(tmp_path: Path) -> None:
    with plugin_site(tmp_path, PLUGINS, {**BUNDLE, "SEModules/alpha.pp/alpha.pp": ""}) as server:
        assert entry_of(server, "SEModule", "alpha").get("empty") == "true"


def test_a_module_for_others_fails_and_only_that_entry(tmp_path: Path) -> None:
    files = {
        "Bundler/b.xml": '<Bundle><SEModule name="alpha"/><SEModule name="beta"/><SEModule name="none"/></Bundle>',
        "SEModules/alpha.pp/alpha.pp.H_x": "x",
        "SEModules/beta.pp/beta.pp": "all",
    }
    with plugin_site(tmp_path, PLUGINS, files) as server:
        assert content(server, "beta") == b"all"
        assert "no file in SEModules/alpha.pp applies to h" in (
            entry_of(server, "SEModule", "alpha").get("failure") or ""
        )
        assert entry_of(server, "SEModule", "none").get("failure") == "no matching generator"


def test_altsrc_takes_another_module(tmp_path: Path) -> None:
    files = {
        "Bundler/b.xml": '<Bundle><SEModule name="mine" altsrc="alpha"/></Bundle>',
        "SEModules/alpha.pp/alpha.pp": "a",
    }
    with plugin_site(tmp_path, PLUGINS, files) as server:
        assert content(server, "mine") == b"a"


def test_changes_deletion_and_new_settings_count(tmp_path: Path) -> None:
    module = tmp_path / "SEModules/alpha.pp/alpha.pp"
    with plugin_site(tmp_path, PLUGINS, {**BUNDLE, "SEModules/alpha.pp/alpha.pp": "one"}) as server:
        module.write_text("two")
        until(server, lambda: content(server) == b"two")
        server.core.configuration.settings = default_settings({REPOSITORY: tmp_path, MDATA_OWNER: "new"})
        assert entry_of(server, "SEModule", "alpha").get("owner") == "new"
        shutil.rmtree(module.parent)
        until(server, lambda: entry_of(server, "SEModule", "alpha").get("failure") is not None)
        write_files(tmp_path, {"SEModules/alpha.pp/alpha.pp": "three"})
        until(server, lambda: entry_of(server, "SEModule", "alpha").get("failure") is None)
        assert content(server) == b"three"


def test_a_broken_info_xml_is_told_and_the_last_good_one_stays(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    info = tmp_path / "SEModules/alpha.pp/info.xml"
    files = {
        **BUNDLE,
        "SEModules/alpha.pp/alpha.pp": "x",
        "SEModules/alpha.pp/info.xml": '<FileInfo><Info mode="0600"/></FileInfo>',
    }
    with plugin_site(tmp_path, PLUGINS, files) as server:
        info.write_text("<FileInfo>\n<Info")
        until(server, lambda: bool(messages(caplog, str(info))))
        assert entry_of(server, "SEModule", "alpha").get("mode") == "0600"
    (line,) = set(messages(caplog, "not well-formed"))
    assert "line 2" in line


def test_a_file_that_is_no_part_of_a_module_is_told_and_left_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    files = {**BUNDLE, "SEModules/alpha.pp/alpha.pp": "x", "SEModules/alpha.pp/README": "?", "SEModules/stray": "?"}
    with plugin_site(tmp_path, PLUGINS, files) as server:
        assert content(server) == b"x"
    assert len(set(messages(caplog, "README"))) == 1
    assert len(set(messages(caplog, "SEModules/stray"))) == 1


def test_a_thousand_modules(tmp_path: Path) -> None:
    names = [f"m{number}" for number in range(1000)]
    files = {f"SEModules/{name}.pp/{name}.pp": name for name in names}
    bundle = "".join(f'<SEModule name="{name}"/>' for name in names)
    with plugin_site(tmp_path, PLUGINS, {**files, "Bundler/b.xml": f"<Bundle>{bundle}</Bundle>"}) as server:
        entries = list(configuration(server).iter("SEModule"))
    assert len(entries) == 1000
    assert all(base64.b64decode(entry.text or "").decode() == entry.get("name") for entry in entries)
