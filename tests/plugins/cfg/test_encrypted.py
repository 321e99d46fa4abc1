"""Encrypted files and elements: what clients get of them, and what happens if they cannot be decrypted."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from geventcore import crypt
from geventcore.crypt import EncryptionError
from geventcore.errors import ConfigError, PluginExecutionError, RepositoryError
from geventcore.specfiles.structfile import StructFile
from tests.support.cfg_site import bind, client
from tests.support.encrypted_site import PASSPHRASES, encrypted_site, foreign, secret
from tests.support.plugin_context import SmallServer

LAX = "lax_decryption = true\n"
FOREIGN = foreign("foreign")
GENSHI = 'xmlns:py="http://genshi.edgewall.org/"'


def content(server: SmallServer, name: str, **attributes: str) -> str | None:
    return bind(server, name, client("h", "g"), **attributes).text


# -- files of Cfg


@pytest.mark.parametrize("name", list(PASSPHRASES))
def test_a_file_is_decrypted_with_whichever_passphrase_fits(tmp_path: Path, name: str) -> None:
    with encrypted_site(tmp_path, {"Cfg/f/f.crypt": secret("a secret\né\n", name)}) as server:
        assert content(server, "/f") == "a secret\né\n"


def test_encrypted_and_plain_files_compete_by_specificity(tmp_path: Path) -> None:
    files = {"Cfg/f/f": "for all", "Cfg/f/f.G10_g.crypt": secret("for g"), "Cfg/f/f.H_other.crypt": secret("for other")}
    with encrypted_site(tmp_path, files) as server:
        assert content(server, "/f") == "for g"
        assert bind(server, "/f", client("other", "g")).text == "for other"
        assert bind(server, "/f", client("third")).text == "for all"


def test_bytes_that_are_no_text_go_to_clients_in_base64(tmp_path: Path) -> None:
    files = {"Cfg/f/f.crypt": secret(b"\x00\xff"), "Cfg/f/info.xml": '<FileInfo><Info encoding="base64"/></FileInfo>'}
    with encrypted_site(tmp_path, files) as server:
        assert content(server, "/f") == "AP8="


@pytest.mark.parametrize("extension", ["genshi", "jinja2", "cheetah"])
@pytest.mark.parametrize("form", ["{}.crypt", "crypt.{}"])
def test_templates_are_decrypted_and_rendered(tmp_path: Path, extension: str, form: str) -> None:
    expression = "{{ metadata.hostname }}" if extension == "jinja2" else "${metadata.hostname}"
    extension = form.format(extension)
    with encrypted_site(tmp_path, {f"Cfg/f/f.{extension}": secret(f"secret of {expression}\n")}) as server:
        assert content(server, "/f") == "secret of h\n"


@pytest.mark.parametrize("text", [FOREIGN, "not encrypted\n", ""], ids=["foreign", "plain", "empty"])
@pytest.mark.parametrize("extension", ["crypt", "genshi.crypt"])
def test_a_file_that_cannot_be_decrypted_fails_alone(
    tmp_path: Path, text: str, extension: str, caplog: pytest.LogCaptureFixture
) -> None:
    with encrypted_site(tmp_path, {f"Cfg/f/f.{extension}": text, "Cfg/f/f.H_h2": "x", "Cfg/g/g": "fine"}) as server:
        with pytest.raises(PluginExecutionError, match=rf"f\.{extension}: .*cannot be decrypted") as caught:
            content(server, "/f")
        assert "\n" not in str(caught.value)
        assert content(server, "/g") == "fine"
    assert f"f.{extension}: cannot be decrypted" in caplog.text
    assert not any(word in caplog.text for word in PASSPHRASES.values())


def test_lax_decryption_delivers_it_as_it_is(tmp_path: Path) -> None:
    with encrypted_site(tmp_path, {"Cfg/f/f.crypt": FOREIGN}, options=LAX) as server:
        assert content(server, "/f") == FOREIGN


def test_a_changed_file_is_decrypted_again_and_a_bad_one_leaves_the_last_good(tmp_path: Path) -> None:
    with encrypted_site(tmp_path, {"Cfg/f/f.crypt": secret("old")}) as server:
        cfg: Any = server.plugin("Cfg")
        handler = cfg._tree._directories["f"].entry.files["f.crypt"]
        path = server.repository / "Cfg/f/f.crypt"
        path.write_text(secret("new"))
        server.changed(handler, path)
        assert content(server, "/f") == "new"
        path.write_text(FOREIGN)
        with pytest.raises(EncryptionError):
            server.changed(handler, path)
        assert content(server, "/f") == "new"


def test_another_cipher(tmp_path: Path) -> None:
    text = secret("a secret", algorithm="camellia_128_cbc")
    with encrypted_site(tmp_path, {"Cfg/f/f.crypt": text}, options="algorithm = CAMELLIA-128-CBC\n") as server:
        assert content(server, "/f") == "a secret"


def test_a_cipher_that_does_not_exist_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="algorithm"), encrypted_site(tmp_path, {}, options="algorithm = rot13\n"):
        pass


# -- elements of XML files


def structfile(server: SmallServer, text: str) -> StructFile:
    path = server.repository / "structured.xml"
    path.write_text(text)
    file = StructFile(path, server.context, monitor_self=False)
    file.load()
    return file


def texts(root: etree._Element) -> Mapping[str, str | None]:
    return {str(element.tag): element.text for element in root}


@pytest.mark.parametrize("attributes", ["", GENSHI], ids=["static", "template"])
def test_elements_are_decrypted_with_the_passphrase_they_name(tmp_path: Path, attributes: str) -> None:
    with encrypted_site(tmp_path, {}) as server:
        file = structfile(
            server,
            f"<R {attributes}><!-- comment --><a encrypted='alpha'>{secret('one é')}</a>"
            f"<Group name='g'><b encrypted='Beta'>\n  {secret('two', 'Beta')}\n</b></Group>"
            f"<Group name='no'><n encrypted='alpha'>{secret('three')}</n></Group>"
            f"<c encrypted='beta'>{secret('four', 'Beta')}</c><d encrypted='alpha'/><e>clear</e></R>",
        )
        found = texts(file.xml_match(client("h", "g")))
        assert found == {"a": "one é", "c": "four", "d": None, "e": "clear", "b": "two"}
        assert [element.text for element in file.match(client())] == ["one é", "four", None, "clear"]
        assert file.root.find("a").text == "one é"  # type: ignore[union-attr]


def test_a_template_may_choose_the_secret(tmp_path: Path) -> None:
    with encrypted_site(tmp_path, {}) as server:
        file = structfile(
            server,
            f"<R {GENSHI}><?python cipher = '{secret('chosen').strip()}' ?>"
            f"<a py:for='i in range(2)' encrypted='alpha'>${{cipher}}</a></R>",
        )
        assert [element.text for element in file.match(client())] == ["chosen", "chosen"]


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("alpha", FOREIGN, "passphrase alpha: wrong passphrase"),
        ("nobody", secret("x"), "has no passphrase nobody"),
        ("alpha", "in clear", "invalid base64|does not begin"),
        ("alpha", secret("\x07"), "does not allow"),
        ("alpha", secret(b"\xff\xfe"), "is not valid UTF-8"),
    ],
    ids=["foreign", "unknown", "plain", "control", "binary"],
)
def test_a_file_with_an_element_that_cannot_be_decrypted_is_not_used(
    tmp_path: Path, name: str, text: str, reason: str
) -> None:
    document = f"<R>\n  <a>clear</a>\n  <pw encrypted='{name}'>{text}</pw>\n</R>"
    with encrypted_site(tmp_path, {}) as server:
        with pytest.raises(RepositoryError, match=rf"structured.xml: line 3: pw.*({reason})") as caught:
            structfile(server, document)
        assert "\n" not in str(caught.value)


def test_a_template_that_cannot_be_decrypted_is_found_out_at_load(tmp_path: Path) -> None:
    with encrypted_site(tmp_path, {}) as server, pytest.raises(RepositoryError, match="line 1: pw"):
        structfile(server, f"<R {GENSHI}><pw encrypted='alpha'>{FOREIGN}</pw></R>")


@pytest.mark.parametrize(
    ("option", "attribute", "kept"),
    [(LAX, "", True), ("", "lax_decryption='true'", True), (LAX, "lax_decryption='false'", False), ("", "", False)],
)
@pytest.mark.parametrize("template", ["", GENSHI], ids=["static", "template"])
def test_lax_decryption_keeps_what_cannot_be_decrypted(
    tmp_path: Path, option: str, attribute: str, kept: bool, template: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    document = f"<R {attribute} {template}><a encrypted='alpha'>{FOREIGN}</a><b encrypted='alpha'>{secret('b')}</b></R>"
    with encrypted_site(tmp_path, {}, options=option) as server:
        if kept:
            assert texts(structfile(server, document).xml_match(client())) == {"a": FOREIGN, "b": "b"}
            assert "the text stays encrypted" in caplog.text
        else:
            with pytest.raises(RepositoryError):
                structfile(server, document)


# -- Properties


PROPERTIES = ("Metadata", "Properties")


def properties(server: SmallServer, name: str = "s.xml") -> Any:
    return server.core.build_metadata("h").Properties[name]


CLIENT = {"Metadata/clients.xml": '<Clients><Client name="h" profile="p"/></Clients>'}


def test_properties_are_encrypted_again_when_they_are_written(tmp_path: Path) -> None:
    cipher = secret("one")
    files = {**CLIENT, "Properties/s.xml": f"<Properties><a encrypted='alpha'>{cipher}</a><b>x</b></Properties>"}
    with encrypted_site(tmp_path, files, PROPERTIES, "[properties]\nwrites_enabled = true\n") as server:
        found = properties(server)
        assert found.xdata.findtext("a") == "one"
        found.xdata.find("b").text = "changed"
        found.xdata.find("a").text = "two"
        assert found.write()
        assert found.xdata.findtext("a") == "two"
        written = etree.parse(server.repository / "Properties/s.xml").getroot()
        assert written.findtext("b") == "changed"
        assert crypt.decrypt((written.findtext("a") or "").encode(), PASSPHRASES["alpha"]) == b"two"


def test_properties_with_an_unknown_passphrase_are_not_written_in_clear(tmp_path: Path) -> None:
    files = {**CLIENT, "Properties/s.xml": "<Properties><a>x</a></Properties>"}
    with encrypted_site(tmp_path, files, PROPERTIES, "[properties]\nwrites_enabled = true\n") as server:
        found = properties(server)
        found.xdata.find("a").set("encrypted", "nobody")
        with pytest.raises(PluginExecutionError, match=r"s\.xml: not written: .*nobody"):
            found.write()
        assert (server.repository / "Properties/s.xml").read_text() == "<Properties><a>x</a></Properties>"
