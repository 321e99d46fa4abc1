"""Cfg: what a bound Path looks like: attributes, info.xml, content, verification."""

from __future__ import annotations

import base64
import logging
import time
from pathlib import Path

import pytest
from lxml import etree

from geventcore.errors import PluginExecutionError
from geventcore.options.server import ENCODING, MDATA_MODE, MDATA_OWNER, REPOSITORY
from geventcore.options.settings import default_settings
from geventcore.plugins.cfg import verifier
from geventcore.plugins.cfg.options import VALIDATION
from tests.support.cfg_site import bind, cfg_site, client
from tests.support.plugin_context import METADATA, small_server, write_files

XINCLUDE = "http://www.w3.org/2001/XInclude"
DEFAULTS = {
    "owner": "root",
    "group": "root",
    "mode": "644",
    "secontext": "__default__",
    "important": "false",
    "paranoid": "true",
    "sensitive": "false",
}


def info(*contents: str) -> str:
    return f"<FileInfo>{''.join(contents)}</FileInfo>"


def test_a_plain_file_has_its_text_and_the_default_attributes(tmp_path: Path) -> None:
    with cfg_site(tmp_path, {"etc/motd/motd": "hello\n"}) as server:
        entry = bind(server, "/etc/motd")
    assert dict(entry.attrib) == {"name": "/etc/motd", "type": "file", **DEFAULTS}
    assert entry.text == "hello\n"


def test_defaults_and_info_overwrite_the_bundle_and_other_attributes_stay(tmp_path: Path) -> None:
    files = {"f/f": "x", "f/info.xml": info('<Info mode="0600" shoe="42"/>')}
    with cfg_site(tmp_path, files, {MDATA_OWNER: "svc", MDATA_MODE: "0640"}) as server:
        entry = bind(server, "/f", owner="bundle", mode="0000", type="directory", extra="stays")
    assert entry.get("owner") == "svc"
    assert entry.get("mode") == "0600"
    assert entry.get("type") == "file"
    assert entry.get("extra") == "stays"
    assert entry.get("shoe") == "42"


def test_attributes_may_be_any_text(tmp_path: Path) -> None:
    files = {"f/f": "x", "f/info.xml": info('<Info owner="jürgen"/>')}
    with cfg_site(tmp_path, files, {MDATA_MODE: "☃"}) as server:
        entry = bind(server, "/f")
    assert (entry.get("owner"), entry.get("mode")) == ("jürgen", "☃")


def test_new_settings_count_for_the_next_binding(tmp_path: Path) -> None:
    with cfg_site(tmp_path, {"f/f": "x", "g/g": "x", "g/info.xml": info('<Info group="g"/>')}) as server:
        assert bind(server, "/f").get("owner") == "root"
        assert bind(server, "/g").get("owner") == "root"
        server.core.configuration.settings = default_settings({REPOSITORY: tmp_path, MDATA_OWNER: "new"})
        assert bind(server, "/f").get("owner") == "new"
        assert bind(server, "/g").get("owner") == "new"


# -- info.xml


@pytest.mark.parametrize(
    ("contents", "mode"),
    [
        ('<Info mode="1"/>', "1"),
        ('<Info mode="1"/><Info mode="2"/>', "1"),
        ('<Group name="g"><Info mode="1"/></Group><Info mode="2"/>', "1"),
        ('<Group name="no"><Info mode="1"/></Group><Info mode="2"/>', "2"),
        ('<Group name="no" negate="TRUE"><Info mode="1"/></Group><Info mode="2"/>', "1"),
        ('<Group name="g"><Group name="no"><Info mode="1"/></Group><Info mode="3"/></Group>', "3"),
        ('<Client name="h"><Info mode="1"/></Client>', "1"),
        ('<Client name="H"><Info mode="1"/></Client><Info mode="2"/>', "2"),
        ('<Path name="/f"><Info mode="1"/></Path>', "1"),
        ('<Path name="/f" negate="true"><Info mode="1"/></Path><Info mode="2"/>', "2"),
        ('<!-- Info --><FileInfo><Group name="g"><Info mode="1"/></Group></FileInfo>', "1"),
    ],
)
def test_the_first_info_whose_conditions_hold_is_the_one(tmp_path: Path, contents: str, mode: str) -> None:
    with cfg_site(tmp_path, {"f/f": "x", "f/info.xml": info(contents)}) as server:
        assert bind(server, "/f", client("h", "g")).get("mode") == mode


def test_a_path_condition_compares_the_requested_name(tmp_path: Path) -> None:
    contents = '<Path name="/copy"><Info mode="1"/></Path><Info mode="2"/>'
    with cfg_site(tmp_path, {"f/f": "x", "f/info.xml": info(contents)}) as server:
        assert bind(server, "/f").get("mode") == "2"
        copy = bind(server, "/copy", altsrc="/f")
    assert (copy.get("mode"), copy.get("name"), copy.get("realname")) == ("1", "/copy", None)


def test_no_fitting_info_fails_with_the_defaults_set_but_no_type(tmp_path: Path) -> None:
    files = {"f/f": "x", "f/info.xml": info('<Group name="no"><Info mode="1"/></Group>')}
    entry = etree.Element("Path", name="/f")
    with cfg_site(tmp_path, files) as server, pytest.raises(PluginExecutionError, match=r"info\.xml: no Info .* h"):
        server.context.bind_entry(entry, client())
    assert dict(entry.attrib) == {"name": "/f", **DEFAULTS}


def test_several_infos_for_one_client_are_warned_of_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    contents = '<Group name="a"><Info mode="1"/></Group><Group name="b"><Info mode="2"/></Group>'
    with cfg_site(tmp_path, {"f/f": "x", "f/info.xml": info(contents)}) as server:
        bind(server, "/f", client("h", "a"))
        assert "several Info" not in caplog.text
        bind(server, "/f", client("h", "a", "b"))
        bind(server, "/f", client("h", "a", "b"))
    assert caplog.text.count("several Info") == 1


def test_access_control_lists_are_copied_and_may_be_conditional(tmp_path: Path) -> None:
    acls = (
        '<ACL type="access" scope="user" user="u" perms="rw"/>'
        '<Group name="g"><ACL type="default" scope="group" group="w" perms="r"/></Group>'
    )
    with cfg_site(tmp_path, {"f/f": "x", "f/info.xml": info(f'<Info mode="1">{acls}</Info>')}) as server:
        for_one, for_other = bind(server, "/f", client("h", "g")), bind(server, "/f", client("h"))
        again = bind(server, "/f", client("h", "g"))
    assert [acl.get("scope") for acl in for_one] == ["user", "group"]
    assert [acl.get("scope") for acl in for_other] == ["user"]
    assert len(again) == 2
    assert dict(for_one[0].attrib) == {"type": "access", "scope": "user", "user": "u", "perms": "rw"}


def test_an_included_fileinfo_counts_where_it_stands(tmp_path: Path) -> None:
    files = {
        "f/f": "x",
        "f/info.xml": f'<FileInfo xmlns:xi="{XINCLUDE}"><xi:include href="../common.inc"/></FileInfo>',
        "common.inc": info('<Group name="g"><Info mode="7"/></Group>', '<Info mode="8"/>'),
    }
    with cfg_site(tmp_path, files) as server:
        assert bind(server, "/f", client("h", "g")).get("mode") == "7"
        entry = bind(server, "/f")
    assert entry.get("mode") == "8"
    assert not [name for name in entry.attrib if name.startswith("{")]


def test_a_templated_info_is_rendered_for_each_client(tmp_path: Path) -> None:
    text = (
        '<FileInfo xmlns:py="http://genshi.edgewall.org/"><Info owner="$metadata.hostname" py:if="\'g\' in '
        'metadata.groups"/></FileInfo>'
    )
    with cfg_site(tmp_path, {"f/f": "x", "f/info.xml": text}) as server:
        assert bind(server, "/f", client("one", "g")).get("owner") == "one"
        assert bind(server, "/f", client("two", "g")).get("owner") == "two"
        with pytest.raises(PluginExecutionError, match="no Info"):
            bind(server, "/f", client("three"))


@pytest.mark.parametrize("text", ["<FileInfo>", "", "\0", "<FileInfo><Info mode='1'></FileInfo>"])
def test_a_broken_info_fails_the_entry_and_names_the_file(tmp_path: Path, text: str) -> None:
    with cfg_site(tmp_path, {"f/f": "x", "f/info.xml": text, "g/g": "y"}) as server:
        with pytest.raises(PluginExecutionError, match=r"Cfg/f/info\.xml"):
            bind(server, "/f")
        assert bind(server, "/g").text == "y"


# -- content


@pytest.mark.parametrize("text", ["a\r\nb\tc", "Füße ≠ ☃ 𝄞\n", "﻿bom", "]]>&<", "\x7f\x85"])
def test_text_is_delivered_exactly(tmp_path: Path, text: str) -> None:
    with cfg_site(tmp_path, {"f/f": text.encode()}) as server:
        entry = bind(server, "/f")
    assert etree.fromstring(etree.tostring(entry)).text == text


@pytest.mark.parametrize("data", [bytes(range(256)), b"caf\xe9", b"ascii\n", "Füße".encode(), "﻿bom".encode()])
def test_base64_delivers_the_bytes_in_one_line(tmp_path: Path, data: bytes) -> None:
    with cfg_site(tmp_path, {"f/f": data, "f/info.xml": info('<Info encoding="base64"/>')}) as server:
        first, second = bind(server, "/f"), bind(server, "/f")
        in_bundle = bind(server, "/f", encoding="base64")
    assert base64.b64decode(first.text or "") == data
    assert "\n" not in (first.text or "")
    assert first.text == second.text == in_bundle.text


def test_one_file_can_be_text_for_some_and_base64_for_others(tmp_path: Path) -> None:
    with cfg_site(tmp_path, {"f/f": "text"}) as server:
        assert bind(server, "/f").text == "text"
        assert bind(server, "/f", encoding="base64").text == "dGV4dA=="
        assert bind(server, "/f").text == "text"


@pytest.mark.parametrize("encoding", ["", "base64"])
def test_an_empty_file_is_marked_and_has_no_text(tmp_path: Path, encoding: str) -> None:
    with cfg_site(tmp_path, {"f/f": ""}) as server:
        entry = etree.Element("Path", name="/f", encoding=encoding)
        entry.text = "from the bundle"
        server.context.bind_entry(entry, client())
    assert entry.get("empty") == "true"
    assert entry.text is None


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"ok\ncaf\xe9\n", "line 2: byte 0xe9 is not valid UTF-8"),
        (b"ok\nok\na\x01b", r"line 3: XML does not allow the character U\+0001"),
        (b"\0", r"line 1: .* U\+0000"),
        ("a￾".encode(), r"U\+FFFE"),
    ],
)
def test_what_xml_cannot_hold_fails_with_file_line_and_advice(tmp_path: Path, data: bytes, reason: str) -> None:
    with cfg_site(tmp_path, {"f/f": data}) as server, pytest.raises(PluginExecutionError) as caught:
        bind(server, "/f")
    caught.match(rf"Cfg/f/f: .*{reason}.*base64")


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16", "utf-8-sig", "shift_jis"])
def test_other_encodings(tmp_path: Path, encoding: str) -> None:
    data = "tja\n".encode(encoding)
    with cfg_site(tmp_path, {"f/f": data}, {ENCODING: encoding}) as server:
        assert bind(server, "/f").text == "tja\n"
        assert base64.b64decode(bind(server, "/f", encoding="base64").text or "") == data


def test_no_file_for_a_client_fails_and_says_so(tmp_path: Path) -> None:
    entry = etree.Element("Path", name="/f")
    with cfg_site(tmp_path, {"f/f.H_other": "x"}) as server, pytest.raises(PluginExecutionError, match=r"Cfg/f .* h"):
        server.context.bind_entry(entry, client())
    assert entry.get("type") == "file"


# -- verification


def script(path: Path, text: str, mode: int = 0o755) -> None:
    write_files(path.parent, {path.name: text})
    path.chmod(mode)


def test_a_verifier_gets_the_bytes_and_decides(tmp_path: Path) -> None:
    script(tmp_path / "Cfg/f/:test", "#!/bin/sh\ngrep -q fine\n")
    with cfg_site(tmp_path, {"f/f.H_good": "fine\n", "f/f": b"\xff bad"}) as server:
        assert bind(server, "/f", client("good")).text == "fine\n"
        with pytest.raises(PluginExecutionError, match=r":test rejects the content: .*exit status 1"):
            bind(server, "/f", encoding="base64")


def test_a_verifier_that_is_not_executable_runs_in_its_interpreter(tmp_path: Path) -> None:
    script(tmp_path / "Cfg/f/:test", "#!/bin/sh -e\ncat >/dev/null\necho out\necho 'too  bad' >&2\nexit 3\n", 0o644)
    reason = r"too bad \(exit status 3\)"
    with cfg_site(tmp_path, {"f/f": "x"}) as server, pytest.raises(PluginExecutionError, match=reason):
        bind(server, "/f")


@pytest.mark.parametrize(
    ("text", "mode", "reason"),
    [
        ("exit 0\n", 0o644, "not executable and has no #! line"),
        ("#!\n", 0o644, "not executable and has no #! line"),
        ("#!/bin/sh 'x\n", 0o644, "No closing quotation"),
        ("#!/no/such/interpreter\n", 0o755, "No such file"),
    ],
)
def test_a_verifier_that_cannot_run_fails_the_entry(tmp_path: Path, text: str, mode: int, reason: str) -> None:
    script(tmp_path / "Cfg/f/:test", text, mode)
    with cfg_site(tmp_path, {"f/f": "x"}) as server, pytest.raises(PluginExecutionError, match=reason):
        bind(server, "/f")


def test_the_most_specific_verifier_is_asked(tmp_path: Path) -> None:
    script(tmp_path / "Cfg/f/:test", "#!/bin/sh\nexit 1\n")
    script(tmp_path / "Cfg/f/:test.G10_g", "#!/bin/sh\nexit 0\n")
    script(tmp_path / "Cfg/f/:test.H_h", "#!/bin/sh\nexit 7\n")
    with cfg_site(tmp_path, {"f/f": "x"}) as server:
        assert bind(server, "/f", client("other", "g")).text == "x"
        with pytest.raises(PluginExecutionError, match="exit status 7"):
            bind(server, "/f", client("h", "g"))


def test_no_verification_if_it_is_off(tmp_path: Path) -> None:
    script(tmp_path / "Cfg/f/:test", "#!/bin/sh\nexit 1\n")
    with cfg_site(tmp_path, {"f/f": "x"}, {VALIDATION: False}) as server:
        assert bind(server, "/f").text == "x"


def test_a_verifier_that_reads_nothing_may_accept(tmp_path: Path) -> None:
    script(tmp_path / "Cfg/f/:test", "#!/bin/sh\nexit 0\n")
    with cfg_site(tmp_path, {"f/f": "x" * 1_000_000}) as server:
        assert len(bind(server, "/f").text or "") == 1_000_000


def test_a_verifier_that_takes_too_long_is_ended_with_what_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verifier, "TIMEOUT_SECONDS", 0.3)
    pid_file = tmp_path / "pid"
    script(tmp_path / "Cfg/f/:test", f"#!/bin/sh\nsleep 600 & echo $! > {pid_file}\nwait\n")
    with (
        cfg_site(tmp_path, {"f/f": "x"}) as server,
        pytest.raises(PluginExecutionError, match=r"timeout after 0\.3 seconds"),
    ):
        bind(server, "/f")
    child = Path(f"/proc/{int(pid_file.read_text())}/stat")
    deadline = time.monotonic() + 20
    while child.exists() and child.read_text().split()[2] != "Z":
        assert time.monotonic() < deadline, "the verifier's child still runs"
        time.sleep(0.01)


# -- templates


def test_template_variables(tmp_path: Path) -> None:
    text = "{} {} {} {} {}"
    genshi = text.format("${metadata.hostname}", "$name", "$path", "$source_path", "$repo")
    jinja = text.format(*(f"{{{{ {name} }}}}" for name in ("metadata.hostname", "name", "path", "source_path", "repo")))
    with cfg_site(tmp_path, {"g/g.genshi": genshi, "j/j.jinja2": jinja}) as server:
        source = f"{tmp_path}/Cfg/g/g.genshi"
        assert bind(server, "/alias", altsrc="/g").text == f"h /alias {source} {source} {tmp_path}"
        assert bind(server, "/alias", altsrc="/j").text == f"h /alias /alias {tmp_path}/Cfg/j/j.jinja2 {tmp_path}"


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("f.genshi", "one\n\n${1/0}\n", r"f\.genshi: line 3: ZeroDivisionError"),
        ("f.jinja2", "one\n\n{{ 1/0 }}\n", r"f\.jinja2: line 3: ZeroDivisionError"),
        ("f.genshi", "one\n${nothing.at.all}\n", r"f\.genshi: line 2: .*not defined"),
        ("f.jinja2", "one\n{{ nothing.at.all }}\n", r"f\.jinja2: line 2: .*undefined"),
        ("f.genshi", "one\n${1 +}\n", r"f\.genshi: line 2: invalid syntax"),
        ("f.jinja2", "one\n{% if %}\n", r"f\.jinja2: line 2: Expected"),
        ("f.genshi", "one\n{% python\nraise ValueError('two\\nlines')\n%}", "two lines"),
        ("f.genshi", b"caf\xe9", "can't decode byte 0xe9"),
        ("f.jinja2", b"caf\xe9", "can't decode byte 0xe9"),
        ("f.jinja2", "one\n{{ '\\x01' }}", r"line 2: XML does not allow the character U\+0001"),
    ],
)
def test_a_broken_template_fails_its_entry_with_one_line(
    tmp_path: Path, name: str, text: str | bytes, reason: str
) -> None:
    with cfg_site(tmp_path, {f"f/{name}": text, "g/g": "y"}) as server:
        with pytest.raises(PluginExecutionError, match=reason) as caught:
            bind(server, "/f")
        assert bind(server, "/g").text == "y"
    assert "\n" not in str(caught.value)


def test_a_template_may_make_what_only_base64_can_carry(tmp_path: Path) -> None:
    with cfg_site(tmp_path, {"f/f.jinja2": "{{ '\\x01' }}"}) as server:
        assert bind(server, "/f", encoding="base64").text == base64.b64encode(b"\x01").decode()


def test_a_template_that_is_empty_for_a_client_marks_the_entry(tmp_path: Path) -> None:
    with cfg_site(tmp_path, {"f/f.genshi": "{% if 'g' in metadata.groups %}x{% end %}"}) as server:
        assert bind(server, "/f").get("empty") == "true"
        assert bind(server, "/f", client("h", "g")).text == "x"


def test_providers_add_variables_but_replace_none(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    files = {
        **METADATA,
        "Cfg/f/f.jinja2": "{{ name }} {{ greeting }}",
        "TemplateHelper/a.py": "__export__ = []\n__default__ = ['greeting', 'name']\ngreeting, name = 'hi', 'wrong'\n",
    }
    write_files(tmp_path, files)
    with small_server(tmp_path, ["Metadata", "Cfg", "TemplateHelper"]) as server:
        assert bind(server, "/f").text == "/f hi"
        assert bind(server, "/f").text == "/f hi"
    twice = [record for record in caplog.records if "plugins provide the template variable name" in record.getMessage()]
    assert len(twice) == 1


def test_the_log_tells_file_line_and_client_of_a_template_error(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_files(
        tmp_path,
        {
            "Metadata/groups.xml": '<Groups><Group name="p" profile="true"><Bundle name="b"/></Group></Groups>',
            "Metadata/clients.xml": '<Clients><Client name="web1" profile="p"/></Clients>',
            "Bundler/b.xml": '<Bundle><Path name="/f"/></Bundle>',
            "Cfg/f/f.genshi": "\n${oops}\n",
        },
    )
    with small_server(tmp_path, ["Metadata", "Bundler", "Cfg"]) as server, caplog.at_level(logging.ERROR):
        entry = server.core.build_configuration("web1").find(".//Path")
    assert entry is not None
    assert "f.genshi: line 2" in entry.get("failure", "")
    message = next(record.getMessage() for record in caplog.records if "f.genshi" in record.getMessage())
    assert "web1" in message
    assert "line 2" in message
