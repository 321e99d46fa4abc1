"""Cfg: which handler takes a file, and for whom the file is."""

from __future__ import annotations

from pathlib import Path

import pytest

from geventcore.errors import PluginInitError, RepositoryError
from geventcore.plugin.specificity import Specificity
from geventcore.plugins.cfg import handlers as handlers_module
from geventcore.plugins.cfg.content import Content
from geventcore.plugins.cfg.handlers import HANDLERS, CfgCreator, HandlerTable
from geventcore.plugins.cfg.options import HANDLERS as HANDLERS_OPTION
from tests.support.cfg_site import bind, cfg_site, client

ALL = Specificity()


@pytest.mark.parametrize(
    ("filename", "base", "handler", "specificity"),
    [
        ("motd", "motd", "PlaintextGenerator", ALL),
        ("motd.H_www.example.com", "motd", "PlaintextGenerator", Specificity("www.example.com")),
        ("motd.G10_web", "motd", "PlaintextGenerator", Specificity(None, "web", 10)),
        ("motd.G5_web", "motd", "PlaintextGenerator", Specificity(None, "web", 5)),
        ("motd.G080_a.b-c", "motd", "PlaintextGenerator", Specificity(None, "a.b-c", 80)),
        ("a.b.c", "a.b.c", "PlaintextGenerator", ALL),
        ("job.H_x", "job.H_x", "PlaintextGenerator", ALL),
        ("job.H_x.H_y", "job.H_x", "PlaintextGenerator", Specificity("y")),
        ("a+(b", "a+(b", "PlaintextGenerator", ALL),
        ("motd.genshi", "motd", "GenshiGenerator", ALL),
        ("motd.jinja2", "motd", "Jinja2Generator", ALL),
        ("motd.H_h.genshi", "motd", "GenshiGenerator", Specificity("h")),
        ("motd.G10_g.jinja2", "motd", "Jinja2Generator", Specificity(None, "g", 10)),
        ("x.genshi", "x.genshi", "PlaintextGenerator", ALL),
        ("x.genshi.genshi", "x.genshi", "GenshiGenerator", ALL),
        ("motd.cheetah", "motd", "CheetahGenerator", ALL),
        ("motd.crypt", "motd", "EncryptedGenerator", ALL),
        ("motd.genshi.crypt", "motd", "EncryptedGenshiGenerator", ALL),
        ("motd.crypt.genshi", "motd", "EncryptedGenshiGenerator", ALL),
        ("motd.H_h.jinja2.crypt", "motd", "EncryptedJinja2Generator", Specificity("h")),
        ("motd.cheetah.crypt", "motd", "EncryptedCheetahGenerator", ALL),
        ("info.xml", "motd", "InfoXML", ALL),
        (":test", "motd", "ExternalCommandVerifier", ALL),
        (":test.H_h", "motd", "ExternalCommandVerifier", Specificity("h")),
        (":test.G10_g", "motd", "ExternalCommandVerifier", Specificity(None, "g", 10)),
        ("authorizedkeys.xml", "authorized_keys", "AuthorizedKeysGenerator", ALL),
        ("authorized_keys.xml", "authorized_keys", "AuthorizedKeysGenerator", ALL),
        ("privkey.xml", "id_rsa", "PrivateKeyCreator", ALL),
        ("pubkey.xml", "id_rsa.pub", "PublicKeyCreator", ALL),
        ("sslkey.xml", "k.pem", "SSLCAKeyCreator", ALL),
        ("sslcert.xml", "c.pem", "SSLCACertCreator", ALL),
        ("info.xml", "info.xml", "InfoXML", ALL),
    ],
)
def test_the_handler_of_a_file(filename: str, base: str, handler: str, specificity: Specificity) -> None:
    found = HandlerTable().find(filename, base)
    assert found is not None
    assert (found[0].__name__, found[1]) == (handler, specificity)


@pytest.mark.parametrize("filename", ["motd.genshi_include", "anything.jinja2_include", "motd.H_h.genshi_include"])
def test_parts_that_templates_include_are_left_alone(filename: str) -> None:
    assert HandlerTable().find(filename, "motd") is None


@pytest.mark.parametrize(
    "filename",
    [
        "README",
        "motd.txt",
        "motd.orig.G10_g",
        "motd2",
        "Motd",
        "motd.G_web",
        "motd.Gx_web",
        "motd.G10_",
        "motd.H_",
        "motd.H_a b",
        "info.xml.H_h",
        "privkey.xml.G10_g",
        "motd.",
        "motd\n",
        "otd",
    ],
)
def test_a_file_that_nobody_knows(filename: str) -> None:
    with pytest.raises(RepositoryError, match="no Cfg handler accepts"):
        HandlerTable().find(filename, "motd")


@pytest.mark.parametrize("name", ["CfgPlaintextGenerator", "PlaintextGenerator"])
def test_only_the_handlers_that_are_named_are_used(name: str) -> None:
    table = HandlerTable([name])
    assert table.find("motd", "motd") is not None
    with pytest.raises(RepositoryError):
        table.find("motd.genshi", "motd")


def test_a_handler_that_does_not_exist_stops_the_start(tmp_path: Path) -> None:
    reason = r"\[cfg\] handlers: .*CfgNothing.*CfgPlaintextGenerator"
    options = {HANDLERS_OPTION: ("CfgNothing",)}
    with pytest.raises(PluginInitError, match=reason), cfg_site(tmp_path, {}, options):
        pass


def test_the_option_reaches_the_plugin(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    files = {"f/f": "x", "f/f.genshi": "y"}
    with cfg_site(tmp_path, files, {HANDLERS_OPTION: ("PlaintextGenerator",)}) as server:
        assert bind(server, "/f").text == "x"
    assert "f.genshi: no Cfg handler accepts" in caplog.text


class _Creator(CfgCreator):
    """Creates the host's name, or nothing if that fails."""

    basenames = ("create.xml",)
    is_specific = False
    priority = 0

    def handle_event(self, event: object) -> None:
        pass

    def create_content(self, entry: object, metadata: object) -> Content:
        hostname = str(getattr(metadata, "hostname", ""))
        if hostname == "bad":
            raise ValueError("cannot\ncreate")
        return Content.of_text(hostname, "UTF-8", self.path)


def test_a_creator_is_asked_if_nothing_generates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(HANDLERS, "CfgTestCreator", "geventcore.plugins.cfg.handlers:TestCreator")
    monkeypatch.setattr(handlers_module, "TestCreator", _Creator, raising=False)
    with cfg_site(tmp_path, {"f/create.xml": "<x/>", "f/f.H_known": "there"}) as server:
        assert bind(server, "/f", client("known")).text == "there"
        assert bind(server, "/f", client("new")).text == "new"
        with pytest.raises(Exception, match=r"create\.xml: ValueError: cannot create"):
            bind(server, "/f", client("bad"))
