"""FileProbes: whom it asks for what, what it believes, and what is in the repository afterwards."""

from __future__ import annotations

import base64
import grp
import os
import pwd
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from xml.sax.saxutils import quoteattr

import pytest
from lxml import etree

from geventcore.errors import PluginExecutionError, PluginInitError
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugins.fileprobes import INTERPRETER, FileProbes
from tests.support.cfg_site import until
from tests.support.plugin_context import METADATA, SmallServer, small_server, write_files
from tests.support.plugin_site import entry_of, messages, metadata_of, plugin_site

PLUGINS = ("Bundler", "Cfg", "FileProbes")
CONFIG = "FileProbes/config.xml"


def site(root: Path, config: str, files: Mapping[str, str | bytes] | None = None) -> dict[str, str | bytes]:
    return {"Bundler/b.xml": '<Bundle><Path name="/etc/x"/></Bundle>', CONFIG: config, **(files or {})}


def wants(*probes: str) -> str:
    return f"<FileProbes>{''.join(probes)}</FileProbes>"


ONCE = wants('<FileProbe name="/etc/x"/>')
ALWAYS = wants('<FileProbe name="/etc/x" update="true"/>')


def fileprobes_of(server: SmallServer) -> FileProbes:
    plugin = server.plugin("FileProbes")
    assert isinstance(plugin, FileProbes)
    return plugin


def asked_for(server: SmallServer, hostname: str = "h") -> list[str]:
    probes = fileprobes_of(server).get_probes(metadata_of(server, hostname))
    return [probe.get("name", "") for probe in probes]


def result(name: str, content: bytes, owner: str = "u", group: str = "g", mode: str = "0644") -> str:
    return (
        f"<ProbedFileData name={quoteattr(name)} owner={quoteattr(owner)} group={quoteattr(group)} "
        f'mode="{mode}">{base64.b64encode(content).decode()}</ProbedFileData>'
    )


def send(server: SmallServer, texts: Mapping[str, str | None], hostname: str = "h") -> None:
    elements = []
    for name, text in texts.items():
        element = etree.Element("probe-data", name=name, source="FileProbes")
        element.text = text
        elements.append(element)
    fileprobes_of(server).receive_data(metadata_of(server, hostname), elements)


def delivered(server: SmallServer, hostname: str = "h") -> bytes | None:
    entry = entry_of(server, "Path", "/etc/x", hostname)
    if entry.get("failure") is not None:
        return None
    return base64.b64decode(entry.text or "") if entry.get("encoding") == "base64" else (entry.text or "").encode()


# -- what is asked for


def test_a_file_is_asked_for_as_long_as_cfg_has_nothing_for_the_client(tmp_path: Path) -> None:
    with plugin_site(tmp_path, PLUGINS, site(tmp_path, ONCE)) as server:
        assert asked_for(server) == ["/etc/x"]
        send(server, {"/etc/x": result("/etc/x", b"one")})
        assert asked_for(server) == []
        assert asked_for(server, "other") == ["/etc/x"]


@pytest.mark.parametrize(
    ("file", "asked"),
    [
        ("x", []),
        ("x.H_h", []),
        ("x.G10_web", []),
        ("x.genshi", []),
        ("x.H_other", ["/etc/x"]),
        ("x.G10_none", ["/etc/x"]),
        ("info.xml", ["/etc/x"]),
        ("stray", ["/etc/x"]),
    ],
)
@pytest.mark.parametrize("config", [ONCE, ALWAYS])
def test_which_files_count_as_data(tmp_path: Path, config: str, file: str, asked: list[str]) -> None:
    files = site(tmp_path, config, {f"Cfg/etc/x/{file}": "<FileInfo/>"})
    with plugin_site(tmp_path, PLUGINS, files) as server:
        assert asked_for(server) == (["/etc/x"] if config is ALWAYS else asked)


def test_conditions_count(tmp_path: Path) -> None:
    config = wants(
        '<Group name="web"><FileProbe name="/etc/a"/></Group>',
        '<Group name="no"><FileProbe name="/etc/b"/></Group>',
        '<Client name="other"><FileProbe name="/etc/c"/></Client>',
    )
    with plugin_site(tmp_path, PLUGINS, site(tmp_path, config)) as server:
        assert asked_for(server) == ["/etc/a"]
        assert asked_for(server, "other") == ["/etc/a", "/etc/c"]


@pytest.mark.parametrize("name", ["", "etc/x", "/etc/../x", "/etc/./x", "//etc/x", "/etc/x/", "/"])
def test_a_name_that_is_no_plain_path_is_told_and_ignored(
    tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    with plugin_site(tmp_path, PLUGINS, site(tmp_path, wants(f'<FileProbe name="{name}"/>'))) as server:
        assert asked_for(server) == []
    assert len(messages(caplog, f"config.xml: ignoring {name!r}, which is not a plain absolute path")) == 1


# -- the script


@pytest.mark.parametrize("name", ["plain", "sp ace", "ümläut", "quote'\"<&>%s", "new\\nline"])
def test_the_script_tells_everything_about_a_file(tmp_path: Path, name: str) -> None:
    content = b"\x00\xff" * 1000
    path = tmp_path / name
    path.write_bytes(content)
    path.chmod(0o4750)
    config = wants(f"<FileProbe name={quoteattr(str(path))}/>")
    with plugin_site(tmp_path / "repository", PLUGINS, site(tmp_path, config)) as server:
        (probe,) = fileprobes_of(server).get_probes(metadata_of(server))
        assert (probe.get("name"), probe.get("source")) == (str(path), "FileProbes")
        assert probe.get("interpreter") == "/usr/bin/env python"
        script = tmp_path / "script"
        script.write_text(probe.text or "", encoding="utf-8")
        done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
        element = etree.fromstring(done.stdout)
        assert element.get("name") == str(path)
        assert element.get("owner") == pwd.getpwuid(os.getuid())[0]
        assert element.get("group") == grp.getgrgid(os.stat(path).st_gid)[0]
        assert element.get("mode") == "4750"
        assert base64.b64decode(element.text or "") == content


def test_the_script_prints_nothing_about_a_missing_file(tmp_path: Path) -> None:
    config = wants('<FileProbe name="/no/such/file"/>')
    with plugin_site(tmp_path, PLUGINS, site(tmp_path, config)) as server:
        (probe,) = fileprobes_of(server).get_probes(metadata_of(server))
    done = subprocess.run([sys.executable, "-c", probe.text or ""], capture_output=True, text=True, check=True)
    assert done.stdout == ""
    assert "No such file" in done.stderr


def test_the_interpreter_can_be_set(tmp_path: Path) -> None:
    write_files(tmp_path, {**METADATA, **site(tmp_path, ONCE)})
    with small_server(tmp_path, ["Metadata", "Cfg", "FileProbes"], {INTERPRETER: "/opt/python"}) as server:
        (probe,) = fileprobes_of(server).get_probes(metadata_of(server))
    assert probe.get("interpreter") == "/opt/python"


# -- what is taken


def test_a_new_file_is_stored_for_the_host_with_the_owner_of_the_rule_and_delivered(tmp_path: Path) -> None:
    config = wants('<FileProbe name="/etc/x" owner="u" group="g" mode="0640"/>')
    with plugin_site(tmp_path, PLUGINS, site(tmp_path, config)) as server:
        send(server, {"/etc/x": result("/etc/x", b"one\n", "evil", "evil", "06777")})
        assert (tmp_path / "Cfg/etc/x/x.H_h").read_bytes() == b"one\n"
        until(server, lambda: delivered(server) == b"one\n")
        entry = entry_of(server, "Path", "/etc/x")
        assert (entry.get("owner"), entry.get("group"), entry.get("mode")) == ("u", "g", "0640")
        assert entry.get("encoding") is None
        assert delivered(server, "other") is None
    assert sorted(path.name for path in (tmp_path / "Cfg/etc/x").iterdir()) == ["info.xml", "x.H_h"]


def test_nothing_that_a_client_says_of_owner_and_mode_reaches_others(tmp_path: Path) -> None:
    with plugin_site(tmp_path, PLUGINS, site(tmp_path, ONCE)) as server:
        send(server, {"/etc/x": result("/etc/x", b"one", "evil", "evil", "06777")})
        until(server, lambda: delivered(server) == b"one")
        entry = entry_of(server, "Path", "/etc/x")
        assert (entry.get("owner"), entry.get("group"), entry.get("mode")) == ("root", "root", "644")
    assert sorted(path.name for path in (tmp_path / "Cfg/etc/x").iterdir()) == ["x.H_h"]


@pytest.mark.parametrize("mode", ["0640", "0600", "06770"])
def test_a_private_file_needs_a_mode_in_the_repository(
    tmp_path: Path, mode: str, caplog: pytest.LogCaptureFixture
) -> None:
    with plugin_site(tmp_path, PLUGINS, site(tmp_path, ONCE)) as server:
        send(server, {"/etc/x": result("/etc/x", b"secret", mode=mode)})
        assert messages(caplog, "h: ignoring /etc/x: not everybody may read this file on the client")
    assert not (tmp_path / "Cfg/etc/x").exists()


@pytest.mark.parametrize(
    ("host", "path"),
    [
        *((f"h.{tail}", "/etc/x") for tail in ("genshi", "jinja2", "cheetah", "crypt", "genshi.crypt", "cat", "diff")),
        ("h", "/etc/:test"),
    ],
)
def test_nothing_is_stored_that_would_be_read_as_something_else(
    tmp_path: Path, host: str, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    config = wants(f'<FileProbe name="{path}"/>')
    with plugin_site(tmp_path, PLUGINS, site(tmp_path, config)) as server:
        plugin = fileprobes_of(server)
        element = etree.Element("probe-data", name=path, source="FileProbes")
        element.text = result(path, b"${open('/etc/passwd').read()}")
        assert plugin.get_probes(ClientMetadata(host)) == []
        plugin.receive_data(ClientMetadata(host), [element])
    assert len(messages(caplog, f"{host}: ignoring the probe for {path}: cannot store the file")) == 1
    assert not (tmp_path / f"Cfg{path}").exists()


@pytest.mark.parametrize(
    ("attribute", "content", "encoding"),
    [
        ("", b"text", None),
        ("", b"\xff", "base64"),
        ("", b"\x00", "base64"),
        ('encoding="base64"', b"text", "base64"),
        ('encoding="ascii"', b"text", "ascii"),
    ],
)
def test_the_encoding_of_a_new_file(tmp_path: Path, attribute: str, content: bytes, encoding: str | None) -> None:
    config = wants(f'<FileProbe name="/etc/x" {attribute}/>')
    with plugin_site(tmp_path, PLUGINS, site(tmp_path, config)) as server:
        send(server, {"/etc/x": result("/etc/x", content)})
        until(server, lambda: delivered(server) == content)
        assert entry_of(server, "Path", "/etc/x").get("encoding") == encoding


def test_an_info_xml_that_is_there_stays(tmp_path: Path) -> None:
    info = '<FileInfo><Info owner="mine"/></FileInfo>'
    with plugin_site(tmp_path, PLUGINS, site(tmp_path, ONCE, {"Cfg/etc/x/info.xml": info})) as server:
        send(server, {"/etc/x": result("/etc/x", b"one")})
    assert (tmp_path / "Cfg/etc/x/info.xml").read_text() == info


def test_a_file_that_cfg_has_is_replaced_only_with_update(tmp_path: Path) -> None:
    files = {"Cfg/etc/x/x": "for all"}
    with plugin_site(tmp_path, PLUGINS, site(tmp_path, ONCE, files)) as server:
        send(server, {"/etc/x": result("/etc/x", b"from the client")})
        assert not (tmp_path / "Cfg/etc/x/x.H_h").exists()
        (tmp_path / CONFIG).write_text(ALWAYS)
        (tmp_path / "FileProbes").touch()
        until(server, lambda: asked_for(server) == ["/etc/x"])
        send(server, {"/etc/x": result("/etc/x", b"for all")})
        assert not (tmp_path / "Cfg/etc/x/x.H_h").exists()
        send(server, {"/etc/x": result("/etc/x", b"from the client")})
        until(server, lambda: delivered(server) == b"from the client")
        assert (tmp_path / "Cfg/etc/x/x").read_text() == "for all"


def test_binary_content_is_compared_as_it_is(tmp_path: Path) -> None:
    with plugin_site(tmp_path, PLUGINS, site(tmp_path, ALWAYS)) as server:
        send(server, {"/etc/x": result("/etc/x", b"\xff\x00")})
        until(server, lambda: delivered(server) == b"\xff\x00")
        before = os.stat(tmp_path / "Cfg/etc/x/x.H_h").st_ino
        send(server, {"/etc/x": result("/etc/x", b"\xff\x00")})
        assert os.stat(tmp_path / "Cfg/etc/x/x.H_h").st_ino == before
        send(server, {"/etc/x": result("/etc/x", b"\xff\x01")})
        assert (tmp_path / "Cfg/etc/x/x.H_h").read_bytes() == b"\xff\x01"


def test_content_that_cannot_be_compared_is_not_replaced(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    files = {"Cfg/etc/x/x.genshi": "${metadata.nothing}"}
    with plugin_site(tmp_path, PLUGINS, site(tmp_path, ALWAYS, files)) as server:
        send(server, {"/etc/x": result("/etc/x", b"from the client")})
    assert not (tmp_path / "Cfg/etc/x/x.H_h").exists()
    assert len(messages(caplog, "h: cannot update /etc/x, because its current content cannot be determined")) == 1


def test_only_what_was_asked_for_is_believed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with plugin_site(tmp_path, PLUGINS, site(tmp_path, ONCE)) as server:
        for name in ("/etc/shadow", "/../../etc/x", "", "/etc/x/"):
            send(server, {name: result(name, b"evil")})
        # What the element inside claims to be does not count.
        send(server, {"/etc/x": result("/etc/shadow", b"good")})
    assert len(messages(caplog, "files that were not requested")) == 4
    assert [path.name for path in sorted((tmp_path / "Cfg").rglob("*.H_h"))] == ["x.H_h"]
    assert (tmp_path / "Cfg/etc/x/x.H_h").read_bytes() == b"good"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("no XML", "not well-formed"),
        ("<ProbedFileData", "not well-formed"),
        ("<Other/>", "the element is Other"),
        ("<ProbedFileData>***</ProbedFileData>", "not base64"),
        ("<ProbedFileData>YQ</ProbedFileData>", "not base64"),
        ('<!DOCTYPE x [<!ENTITY e SYSTEM "/etc/passwd">]><ProbedFileData>&e;</ProbedFileData>', ""),
    ],
)
def test_an_answer_of_no_use_is_told_and_the_others_are_taken(
    tmp_path: Path, text: str, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    config = wants('<FileProbe name="/etc/x"/>', '<FileProbe name="/etc/y"/>')
    with plugin_site(tmp_path, PLUGINS, site(tmp_path, config)) as server:
        send(server, {"/etc/x": text, "/etc/y": result("/etc/y", b"y")})
        assert (tmp_path / "Cfg/etc/y/y.H_h").read_bytes() == b"y"
    if reason:
        assert len(messages(caplog, f"h: ignoring the invalid answer for /etc/x: {reason}")) == 1
        assert not (tmp_path / "Cfg/etc/x").exists()
    for path in (tmp_path / "Cfg").rglob("x.H_h"):
        assert b"root:" not in path.read_bytes()


@pytest.mark.parametrize("text", [None, "", " \n"])
def test_a_file_that_the_client_does_not_have_stays_wanted(tmp_path: Path, text: str | None) -> None:
    with plugin_site(tmp_path, PLUGINS, site(tmp_path, ONCE)) as server:
        send(server, {"/etc/x": text})
        assert asked_for(server) == ["/etc/x"]


def test_an_empty_file_is_a_file(tmp_path: Path) -> None:
    with plugin_site(tmp_path, PLUGINS, site(tmp_path, ONCE)) as server:
        send(server, {"/etc/x": result("/etc/x", b"")})
        assert (tmp_path / "Cfg/etc/x/x.H_h").read_bytes() == b""
        assert asked_for(server) == []


def test_a_place_that_cannot_be_written_is_an_error_after_the_others_are_stored(tmp_path: Path) -> None:
    config = wants('<FileProbe name="/etc/x/y"/>', '<FileProbe name="/etc/z"/>')
    with plugin_site(tmp_path, PLUGINS, site(tmp_path, config, {"Cfg/etc/x": "a file"})) as server:
        with pytest.raises(PluginExecutionError, match=r"Cfg/etc/x/y/y\.H_h: cannot be written"):
            send(server, {"/etc/x/y": result("", b"y"), "/etc/z": result("", b"z")})
        assert (tmp_path / "Cfg/etc/z/z.H_h").read_bytes() == b"z"


def test_a_thousand_clients_send_a_file(tmp_path: Path) -> None:
    with plugin_site(tmp_path, PLUGINS, site(tmp_path, ONCE)) as server:
        for number in range(1000):
            send(server, {"/etc/x": result("/etc/x", b"%d" % number)}, f"h{number}")
        until(server, lambda: delivered(server, "h999") == b"999")
        assert delivered(server, "h0") == b"0"
        assert asked_for(server, "h500") == []


# -- the configuration


def test_without_cfg_the_server_does_not_start(tmp_path: Path) -> None:
    write_files(tmp_path, METADATA)
    with (
        pytest.raises(PluginInitError, match=r"FileProbes cannot be loaded: it stores files in Cfg; add Cfg to"),
        small_server(tmp_path, ["Metadata", "FileProbes"]),
    ):
        pass


def test_cfg_may_be_loaded_later(tmp_path: Path) -> None:
    write_files(tmp_path, {**METADATA, **site(tmp_path, ONCE)})
    with small_server(tmp_path, ["FileProbes", "Metadata", "Cfg"]) as server:
        assert asked_for(server) == ["/etc/x"]


def test_a_broken_configuration_leaves_the_last_good_one(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with plugin_site(tmp_path, PLUGINS, site(tmp_path, ONCE)) as server:
        (tmp_path / CONFIG).write_text("<FileProbes>\n<FileProbe")
        until(server, lambda: bool(messages(caplog, "not well-formed")))
        assert asked_for(server) == ["/etc/x"]
        (tmp_path / CONFIG).unlink()
        until(server, lambda: bool(messages(caplog, "config.xml: deleted")))
        assert asked_for(server) == ["/etc/x"]


def test_a_missing_configuration_is_made_and_asks_for_nothing(tmp_path: Path) -> None:
    write_files(tmp_path, METADATA)
    with small_server(tmp_path, ["Metadata", "Cfg", "FileProbes"]) as server:
        assert asked_for(server) == []
        assert (tmp_path / CONFIG).read_text() == "<FileProbes/>\n"
