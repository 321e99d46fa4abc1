"""NagiosGen: the definition of a host, the configuration of the server, and what is kept of both."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from lxml import etree

from geventcore.errors import PluginExecutionError
from geventcore.plugin.client_metadata import ClientMetadata
from tests.support.cfg_site import until
from tests.support.plugin_context import SmallServer
from tests.support.plugin_site import entry_of, messages, plugin_site

HOST = "/etc/nagiosgen.status"
SERVER = "/etc/nagios/conf.d/bcfg2.cfg"
PLUGINS = ("Bundler", "NagiosGen")
BUNDLE = {"Bundler/b.xml": f'<Bundle><Path name="{HOST}"/><Path name="{SERVER}"/></Bundle>'}


def line(key: str, value: str) -> str:
    return f"\t{key:<32} {value}"


def host_text(server: SmallServer, hostname: str = "localhost") -> str:
    entry = entry_of(server, "Path", HOST, hostname)
    assert entry.get("failure") is None, entry.get("failure")
    return entry.text or ""


def server_text(server: SmallServer) -> str:
    entry = entry_of(server, "Path", SERVER, "localhost")
    assert entry.get("failure") is None, entry.get("failure")
    return entry.text or ""


def test_a_host_of_its_own(tmp_path: Path) -> None:
    with plugin_site(tmp_path, PLUGINS, BUNDLE) as server:
        entry = entry_of(server, "Path", HOST, "localhost")
    expected = [
        "define host {",
        line("host_name", "localhost"),
        line("alias", "localhost"),
        line("address", "127.0.0.1"),
        line("use", "default"),
        "}",
        "",
    ]
    assert (entry.text or "").split("\n") == expected
    assert (tmp_path / "NagiosGen/localhost-host.cfg").read_text() == entry.text
    assert {name: entry.get(name) for name in ("owner", "group", "mode", "type", "encoding")} == {
        "owner": "root",
        "group": "root",
        "mode": "0400",
        "type": "file",
        "encoding": "ascii",
    }


def test_groups_and_bundles_with_a_file_are_host_groups(tmp_path: Path) -> None:
    files = {
        **BUNDLE,
        "NagiosGen/web-group.cfg": "define hostgroup web",
        "NagiosGen/b-bundle.cfg": "define hostgroup b",
        "NagiosGen/p-bundle.cfg": "a group is no bundle",
        "NagiosGen/b-group.cfg": "a bundle is no group",
        "NagiosGen/other-group.cfg": "nobody is in it",
    }
    with plugin_site(tmp_path, PLUGINS, files) as server:
        assert line("hostgroups", "b,web") in host_text(server).split("\n")


def test_options_depend_on_the_client_and_the_last_counts(tmp_path: Path) -> None:
    config = (
        '<NagiosGen><Option name="use">a</Option><Option name="x"> 1 </Option>'
        '<Group name="web"><Option name="x">2</Option></Group><Group name="no"><Option name="x">3</Option></Group>'
        '<Client name="localhost" negate="true"><Option name="y">4</Option></Client>'
        "<Option>nameless</Option></NagiosGen>"
    )
    with plugin_site(tmp_path, PLUGINS, {**BUNDLE, "NagiosGen/config.xml": config}) as server:
        text = host_text(server).split("\n")
    assert text[4:-2] == [line("use", "a"), line("x", "2")]


def test_the_server_gets_all_hosts_and_the_groups_that_are_used(tmp_path: Path) -> None:
    files = {
        **BUNDLE,
        "NagiosGen/z-host.cfg": f"define host {{\n{line('hostgroups', 'one,two')}\n}}\n",
        "NagiosGen/y-host.cfg": "define host {\n\thostgroups\tthree\n}\n",
        "NagiosGen/one-group.cfg": "group one\n",
        "NagiosGen/two-bundle.cfg": "bundle two\n",
        "NagiosGen/three-group.cfg": "group three\n",
        "NagiosGen/four-group.cfg": "group four\n",
        "NagiosGen/default-group.cfg": "group default\n",
        "Bundler/b.xml": f'<Bundle><Path name="{SERVER}"/></Bundle>',
    }
    with plugin_site(tmp_path, PLUGINS, files) as server:
        entry = entry_of(server, "Path", SERVER, "localhost")
    expected = (
        "group default\n\ngroup one\n\ngroup three\n\nbundle two\n"
        "\n\n"
        f"{files['NagiosGen/y-host.cfg']}\n{files['NagiosGen/z-host.cfg']}"
    )
    assert entry.text == expected
    assert (tmp_path / "NagiosGen/nagiosgen.cfg").read_text() == expected
    assert (entry.get("owner"), entry.get("group"), entry.get("mode")) == ("nagios", "nagios", "0440")


def test_a_file_is_written_only_if_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "NagiosGen/localhost-host.cfg"
    with plugin_site(tmp_path, PLUGINS, BUNDLE) as server:
        host_text(server)
        before = os.stat(path).st_ino
        host_text(server)
        assert os.stat(path).st_ino == before
        path.write_text("edited by hand")
        host_text(server)
        assert path.read_text().startswith("define host {")


def test_a_host_without_an_address_fails(tmp_path: Path) -> None:
    with plugin_site(tmp_path, PLUGINS, BUNDLE) as server:
        failure = entry_of(server, "Path", HOST, "no-such-host.invalid").get("failure") or ""
    assert "cannot resolve the address of no-such-host.invalid" in failure
    assert not (tmp_path / "NagiosGen/no-such-host.invalid-host.cfg").exists()


@pytest.mark.parametrize("name", ["../localhost", "a b", "a\n}", "a;b", "a,b", "a{", ""])
def test_a_name_with_a_meaning_for_nagios_fails(tmp_path: Path, name: str) -> None:
    with (
        plugin_site(tmp_path, PLUGINS, BUNDLE) as server,
        pytest.raises(PluginExecutionError, match="is not a valid name of a Nagios host"),
    ):
        server.context.bind_entry(etree.Element("Path", name=HOST), ClientMetadata(name))


def test_a_place_that_cannot_be_written_fails_the_entry(tmp_path: Path) -> None:
    files = {**BUNDLE, "NagiosGen/localhost-host.cfg/x": ""}
    with plugin_site(tmp_path, PLUGINS, files) as server:
        failure = entry_of(server, "Path", HOST, "localhost").get("failure") or ""
    assert "localhost-host.cfg: cannot be written" in failure


def test_definitions_that_cannot_be_read_are_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    files = {
        **BUNDLE,
        "NagiosGen/a-host.cfg/x": "",
        "NagiosGen/c-host.cfg": b"ok\n\xff",
        "NagiosGen/d-host.cfg": "good",
        "Bundler/b.xml": f'<Bundle><Path name="{SERVER}"/></Bundle>',
    }
    with plugin_site(tmp_path, PLUGINS, files) as server:
        assert server_text(server) == "\n\ngood"
    assert len(messages(caplog, "a-host.cfg: Is a directory")) == 1
    assert len(messages(caplog, "c-host.cfg: line 2: byte 0xff")) == 1


def test_a_missing_config_is_made(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with plugin_site(tmp_path, PLUGINS, BUNDLE):
        assert (tmp_path / "NagiosGen/config.xml").read_text() == "<NagiosGen/>\n"
    assert len(messages(caplog, "NagiosGen/config.xml does not exist; created")) == 1


def test_a_broken_config_leaves_the_last_good_one(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "NagiosGen/config.xml"
    config = '<NagiosGen><Option name="x">1</Option></NagiosGen>'
    with plugin_site(tmp_path, PLUGINS, {**BUNDLE, "NagiosGen/config.xml": config}) as server:
        path.write_text("<NagiosGen>\n<")
        until(server, lambda: bool(messages(caplog, "not well-formed")))
        assert line("x", "1") in host_text(server)
        path.unlink()
        until(server, lambda: bool(messages(caplog, "config.xml: deleted")))
        assert line("x", "1") in host_text(server)
        path.write_text(config.replace("1", "2"))
        until(server, lambda: line("x", "2") in host_text(server))


def test_a_config_that_was_never_good_fails_only_what_needs_it(tmp_path: Path) -> None:
    files = {**BUNDLE, "NagiosGen/config.xml": "broken"}
    with plugin_site(tmp_path, PLUGINS, files) as server:
        assert "config.xml" in (entry_of(server, "Path", HOST, "localhost").get("failure") or "")
        assert server_text(server) == "\n\n"


def test_a_template_error_fails_only_the_host(tmp_path: Path) -> None:
    config = (
        '<NagiosGen xmlns:py="http://genshi.edgewall.org/"><Option name="x">${metadata.nothing}</Option></NagiosGen>'
    )
    with plugin_site(tmp_path, PLUGINS, {**BUNDLE, "NagiosGen/config.xml": config}) as server:
        assert "config.xml" in (entry_of(server, "Path", HOST, "localhost").get("failure") or "")
        assert server_text(server) == "\n\n"


def test_a_thousand_hosts(tmp_path: Path) -> None:
    files = {f"NagiosGen/h{number:04}-host.cfg": f"host {number}" for number in range(1000)}
    bundle = {"Bundler/b.xml": f'<Bundle><Path name="{SERVER}"/></Bundle>'}
    with plugin_site(tmp_path, PLUGINS, {**files, **bundle}) as server:
        assert server_text(server) == "\n\n" + "\n".join(f"host {number}" for number in range(1000))
