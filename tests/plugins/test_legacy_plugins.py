"""Plugins of Bcfg2 1.3 and older that generate files and structures."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from geventcore.core.base import Core
from geventcore.errors import PluginExecutionError
from geventcore.options import load_settings
from tests.support.cfg_site import bind, client
from tests.support.openssl_ca import make_openssl_ca
from tests.support.plugin_context import METADATA, SmallServer, small_server, write_files


def site(root: Path, plugin: str, files: Mapping[str, str]) -> AbstractContextManager[SmallServer]:
    """A server with one plugin, whose directory has `files`."""
    write_files(root, {**METADATA, **{f"{plugin}/{name}": text for name, text in files.items()}})
    return small_server(root, ["Metadata", plugin])


def structures(server: SmallServer, plugin: str, *groups: str) -> list[str]:
    """The structures for a client, as texts."""
    found: Any = server.plugin(plugin)
    return [etree.tostring(each, encoding="unicode") for each in found.build_structures(client("h", *groups))]


def test_base(tmp_path: Path) -> None:
    files = {
        "a.xml": '<Base><Path name="/a"/><Group name="g"><Package name="p"/></Group></Base>',
        "b.xml": '<Base><Client name="h"><Service name="s"/></Client></Base>',
        "c.xml": "<Base>",
    }
    with site(tmp_path, "Base", files) as server:
        one = '<Independent version="2.0"><Path name="/a"/>{}<Service name="s"/></Independent>'
        assert structures(server, "Base") == [one.format("")]
        assert structures(server, "Base", "g") == [one.format('<Package name="p"/>')]


def test_sgenshi(tmp_path: Path) -> None:
    template = (
        '<SGenshi xmlns:py="http://genshi.edgewall.org/"><Path py:for="g in sorted(metadata.groups)" name="/${g}"/>'
        '<Group name="b"><Package name="p"/></Group></SGenshi>'
    )
    files = {"one.xml": template, "two.xml.G10_b": '<X><Path name="/b"/></X>', "three.xml.H_other": "<X/>"}
    with site(tmp_path, "SGenshi", files) as server:
        assert structures(server, "SGenshi", "a") == ['<Bundle name="one"><Path name="/a"/></Bundle>']
        assert structures(server, "SGenshi", "a", "b") == [
            '<Bundle name="one"><Path name="/a"/><Path name="/b"/><Package name="p"/></Bundle>',
            '<Bundle name="two"><Path name="/b"/></Bundle>',
        ]


def test_svcmgr(tmp_path: Path) -> None:
    files = {
        "a.xml": '<Services priority="0"><Service name="s" status="on" type="x"/></Services>',
        "b.xml": (
            '<Services priority="5"><Group name="g"><Service name="s" status="off" type="x"/></Group></Services>'
        ),
    }
    with site(tmp_path, "Svcmgr", files) as server:
        for groups, status in (((), "on"), (("g",), "off")):
            entry = etree.Element("Service", name="s")
            server.context.bind_entry(entry, client("h", *groups))
            assert (entry.get("status"), entry.get("type")) == (status, "x")


def test_tgenshi(tmp_path: Path) -> None:
    files = {
        "new/template.newtxt": "{% for g in sorted(metadata.groups) %}${g} {% end %}${name}\n",
        "new/template.newtxt.H_other": "other",
        "new/info.xml": '<FileInfo><Info mode="0600"/></FileInfo>',
        "old/template.txt": "#for g in sorted(metadata.groups)\n$g\n#end\n$name\n",
        "xml/template.xml.G10_a": '<x xmlns:py="http://genshi.edgewall.org/"><!--c--><y py:if="True">${name}</y></x>',
        "bad/template.newtxt": "${",
    }
    with site(tmp_path, "TGenshi", files) as server:
        metadata = client("h", "a", "b")
        new = bind(server, "/new", metadata)
        assert (new.text, new.get("mode"), new.get("type")) == ("a b /new\n", "0600", "file")
        assert bind(server, "/new", client("other")).text == "other"
        assert bind(server, "/old", metadata).text == "a\nb\n/old\n"
        assert bind(server, "/xml", metadata).text == "<x><y>/xml</y></x>"
        with pytest.raises(PluginExecutionError, match=r"bad/template\.newtxt"):
            bind(server, "/bad", metadata)


def test_tcheetah(tmp_path: Path) -> None:
    pytest.importorskip("Cheetah")
    files = {
        "f/template": "#for $g in sorted($metadata.groups)\n$g\n#end for\n$path\n",
        "f/template.G10_z": "z $self.metadata.hostname\n",
        "f/:info": "mode: 0600\n",
    }
    with site(tmp_path, "TCheetah", files) as server:
        entry = bind(server, "/f", client("h", "a"))
        assert (entry.text, entry.get("mode")) == ("a\n/f\n", "0600")
        assert bind(server, "/f", client("h", "z")).text == "z h\n"


def test_sslca(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = make_openssl_ca(tmp_path / "ca")
    conf = tmp_path / "bcfg2.conf"
    repository = tmp_path / "repository"
    files = {
        "SSLCA/k/key.xml": '<KeyInfo><Key bits="2048"/></KeyInfo>',
        "SSLCA/c/cert.xml": '<CertInfo><Cert key="/k" append_chain="false" o="Us"/></CertInfo>',
        "SSLCA/c/info": "mode: 0644\n",
        "SSLCA/s/s.H_h": "static",
    }
    write_files(repository, {**METADATA, **files})
    conf.write_text(
        f"[server]\nrepository = {repository}\nplugins = Metadata, SSLCA\nfilemonitor = pseudo\n"
        f"[sslca_default]\nconfig = {authority.config}\n"
    )
    core = Core(load_settings(config_file=conf))
    try:
        core.load()
        server = SmallServer(core)
        assert (bind(server, "/k").text or "").startswith("-----BEGIN")
        certificate = bind(server, "/c")
        assert (certificate.text or "").count("-----BEGIN CERTIFICATE") == 1
        assert certificate.get("mode") == "0644"
        assert bind(server, "/c").text == certificate.text
        assert bind(server, "/s").text == "static"
    finally:
        core.shutdown()
    assert (repository / "SSLCA/k/k.H_h").is_file()
    assert (repository / "SSLCA/c/c.H_h").is_file()


ACCOUNT = {
    "static.passwd": "root\n",
    "dyn.passwd": "ann\n",
    "static.limits.conf": "# limits\n",
    "superusers": "ann bob\n",
    "useraccess": "cid:h dan:other\n",
    "rootlike": "cid:h\n",
    "ann.key": "key of ann\n",
    "cid.key": "key of cid\n",
    "static.sudoers": "# sudo\n",
}


def test_account(tmp_path: Path) -> None:
    with site(tmp_path, "Account", ACCOUNT) as server:
        metadata = client("h.example.com")
        passwd = bind(server, "/etc/passwd", metadata)
        rights = {"owner": "root", "group": "root", "mode": "0644"}
        assert dict(passwd.attrib) == {"name": "/etc/passwd", "type": "file", **rights}
        assert passwd.text == "root\nann\n"
        limits = "".join(f"{user} hard maxlogins 1024\n" for user in ("ann", "bob", "cid"))
        assert bind(server, "/etc/security/limits.conf", metadata).text == f"# limits\n{limits}* hard maxlogins 0\n"
        assert bind(server, "/root/.ssh/authorized_keys", metadata).text == "key of ann\nkey of cid\n"
        sudoers = bind(server, "/etc/sudoers", metadata)
        assert sudoers.get("mode") == "0440"
        assert sudoers.text == "# sudo\nann ALL=(ALL) ALL\nbob ALL=(ALL) ALL\ncid ALL=(ALL) ALL\n"
        with pytest.raises(PluginExecutionError):
            bind(server, "/etc/group", metadata)


def test_editor(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    files = {"etc/f/edits": "^a(.),b\\1\nx,y\n", "etc/f/edits.H_own": "a,z\n", "etc/bad/edits": "no comma\n"}
    with site(tmp_path, "Editor", files) as server:
        editor: Any = server.plugin("Editor")
        probe = editor.get_probes(client("h"))[1]
        assert (probe.get("name"), probe.get("source"), probe.text) == ("/etc/f", "Editor", "cat /etc/f")
        with pytest.raises(PluginExecutionError, match="h has not uploaded its /etc/f yet"):
            bind(server, "/etc/f")
        for host in ("h", "own"):
            data = etree.Element("probe-data", name="/etc/f", source="Editor")
            data.text = "a1\nca2\nxx\n"
            editor.receive_data(client(host), [data])
        assert bind(server, "/etc/f").text == "b1\nca2\nyy\n"
        assert bind(server, "/etc/f", client("own")).text == "z1\ncz2\nxx\n"
        with pytest.raises(PluginExecutionError, match="no version of this file is valid"):
            bind(server, "/etc/bad")
        editor.receive_data(client("h"), [etree.Element("probe-data", name="/etc/../../evil")])
    assert "etc/bad/edits: line 1: expected pattern,replacement" in caplog.text
    assert "ignoring the upload" in caplog.text
