"""``geventcore init``: a whole site or nothing, secrets for nobody else, and files that the server and clients read."""

from __future__ import annotations

import configparser
import json
import os
import re
import ssl
from pathlib import Path

import pytest

from geventcore import sample_site
from geventcore.cli.init import SiteAddress, create_site
from geventcore.cli.main import main
from geventcore.errors import ConfigError, GeventcoreError
from geventcore.options import load_settings
from geventcore.options.server import CA, CERTIFICATE, KEY, PASSWORD, PLUGINS, REPOSITORY, SERVER_URL, STATE_DIRECTORY

LOCALHOST = SiteAddress("localhost", "localhost", 6789)


def tree(directory: Path) -> set[str]:
    return {str(path.relative_to(directory)) for path in directory.rglob("*")}


@pytest.mark.parametrize("added", ["", ", Reporting"])
def test_lint_finds_nothing_in_a_new_site(added: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site = tmp_path / "site"
    create_site(site, LOCALHOST)
    config = site / "bcfg2.conf"
    config.write_text(re.sub("(?m)^plugins = .*", rf"\g<0>{added}", config.read_text()))
    before = tree(site)
    assert main(["lint", "-C", str(config), "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == []
    assert tree(site) == before


def test_a_site_is_complete_and_readable_for_its_owner_only(tmp_path: Path) -> None:
    site = tmp_path / "site"
    create_site(site, LOCALHOST)
    assert {path.name for path in site.iterdir()} == {"bcfg2.conf", "client-bcfg2.conf", "repository", "state", "tls"}
    assert {path.name for path in (site / "tls").iterdir()} == {"ca.crt", "ca.key", "server.crt", "server.key"}
    for secret in ("", "bcfg2.conf", "client-bcfg2.conf", "tls/ca.key", "tls/server.key"):
        assert (site / secret).stat().st_mode & 0o077 == 0, secret
    assert list(tmp_path.iterdir()) == [site], "nothing else is left"
    shipped = Path(sample_site.__file__).parent / "repository"
    assert tree(site / "repository") == tree(shipped) | {".gitignore"}
    for path in shipped.rglob("*"):
        if path.is_file():
            assert (site / "repository" / path.relative_to(shipped)).read_bytes() == path.read_bytes()
    assert (site / "repository/Cfg/etc/cron.allow/cron.allow").read_bytes() == b""


def test_the_server_finds_everything_by_its_configuration(tmp_path: Path) -> None:
    site = tmp_path / "100% our site"
    create_site(site, SiteAddress("bcfg2.example.com", "127.0.0.1", 7000), "p%s$1;#x")
    settings = load_settings(config_file=site / "bcfg2.conf", environ={}, supplements=())
    assert settings[REPOSITORY] == site / "repository"
    assert settings[STATE_DIRECTORY] == site / "state"
    assert (site / "state").is_dir()
    assert settings[PLUGINS] == sample_site.PLUGINS
    assert str(settings[SERVER_URL]) == "https://127.0.0.1:7000"
    assert settings[PASSWORD] == "p%s$1;#x"
    for option in (CA, CERTIFICATE, KEY):
        path = settings[option]
        assert path is not None
        assert path.is_file()


def test_a_client_finds_everything_by_its_configuration(tmp_path: Path) -> None:
    site = tmp_path / "site"
    create_site(site, SiteAddress("bcfg2.example.com", "::", 7000), "100%")
    client = configparser.ConfigParser()
    client.read(site / "client-bcfg2.conf")
    assert client["components"]["bcfg2"] == "https://bcfg2.example.com:7000"
    assert client["communication"]["password"] == "100%"
    assert client["communication"]["serverCommonNames"] == "bcfg2.example.com"
    assert Path(client["communication"]["ca"]).read_bytes().startswith(b"-----BEGIN CERTIFICATE-----")


@pytest.mark.parametrize("name", ["bcfg2.example.com", "192.0.2.7", "localhost", "127.0.0.1"])
def test_the_servers_certificate_is_good_for_its_name_and_address(tmp_path: Path, name: str) -> None:
    site = tmp_path / "site"
    create_site(site, SiteAddress("bcfg2.example.com", "192.0.2.7", 6789))
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_context.load_cert_chain(site / "tls/server.crt", site / "tls/server.key")
    client_context = ssl.create_default_context(cafile=site / "tls/ca.crt")
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = server_context.wrap_bio(to_server, to_client, server_side=True)
    client = client_context.wrap_bio(to_client, to_server, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    with pytest.raises(ssl.SSLWantReadError):
        server.do_handshake()
    client.do_handshake()
    names = [value for part in client.getpeercert()["subject"] for key, value in part if key == "commonName"]
    assert names == ["bcfg2.example.com"], "clients look at the common name only"


def test_every_site_has_its_own_password_and_authority(tmp_path: Path) -> None:
    create_site(tmp_path / "a", LOCALHOST)
    create_site(tmp_path / "b", LOCALHOST)
    first, second = (
        load_settings(config_file=tmp_path / name / "bcfg2.conf", environ={}, supplements=())[PASSWORD] or ""
        for name in ("a", "b")
    )
    assert first != second
    assert len(first) == len(second) == 32
    assert (tmp_path / "a/tls/ca.key").read_bytes() != (tmp_path / "b/tls/ca.key").read_bytes()


def test_what_exists_is_not_overwritten(tmp_path: Path) -> None:
    file, full, dangling = tmp_path / "file", tmp_path / "full", tmp_path / "dangling"
    file.write_text("precious")
    full.mkdir()
    (full / "bcfg2.conf").write_text("precious")
    dangling.symlink_to(tmp_path / "nowhere")
    before = tree(tmp_path)
    for existing in (file, full, dangling):
        with pytest.raises(ConfigError, match="exists already"):
            create_site(existing, LOCALHOST)
    assert tree(tmp_path) == before
    assert file.read_text() == (full / "bcfg2.conf").read_text() == "precious"
    assert os.readlink(dangling) == str(tmp_path / "nowhere")


def test_a_failure_leaves_nothing_behind(tmp_path: Path) -> None:
    too_long = "x" * 63 + ".example.com"
    with pytest.raises(GeventcoreError, match="common name"):
        create_site(tmp_path / "site", SiteAddress(too_long, "localhost", 6789))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("directory", "password", "message"),
    [
        ("site", "with blank", "password"),
        ("site", "pässword", "password"),
        ("site", "", "password"),
        ("site\nx", None, "cannot contain this path"),
        ("missing/site", None, "No such file or directory"),
    ],
)
def test_what_cannot_work_is_refused(tmp_path: Path, directory: str, password: str | None, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        create_site(tmp_path / directory, LOCALHOST, password)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("hostname", "address", "parsed"),
    [
        (None, None, SiteAddress("localhost", "localhost", 6789)),
        ("bcfg2.example.com", None, SiteAddress("bcfg2.example.com", "bcfg2.example.com", 6789)),
        (None, "bcfg2.example.com:7000", SiteAddress("bcfg2.example.com", "bcfg2.example.com", 7000)),
        (None, "127.0.0.1", SiteAddress("127.0.0.1", "127.0.0.1", 6789)),
        ("b.example.com", "0.0.0.0:7000", SiteAddress("b.example.com", "0.0.0.0", 7000)),
        ("b.example.com", "[::1]:7000", SiteAddress("b.example.com", "::1", 7000)),
    ],
)
def test_addresses_are_understood(hostname: str | None, address: str | None, parsed: SiteAddress) -> None:
    assert SiteAddress.parse(hostname, address) == parsed


@pytest.mark.parametrize(
    ("hostname", "address"),
    [
        (None, "0.0.0.0:6789"),
        (None, "[::1]:6789"),
        (None, ":6789"),
        (None, "host:port"),
        (None, "host:0"),
        (None, "host:70000"),
        (None, "https://host:6789"),
        (None, "user@host:6789"),
        ("::1", None),
        ("a b", None),
        ("a:b", "localhost:6789"),
        ("a\nb", None),
    ],
)
def test_addresses_that_make_no_sense_are_refused(hostname: str | None, address: str | None) -> None:
    with pytest.raises(ConfigError):
        SiteAddress.parse(hostname, address)


def test_the_command_says_what_to_do_next(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site = tmp_path / "my site"
    assert main(["init", str(site), "--address", "127.0.0.1:7000"]) == 0
    said = capsys.readouterr().out
    assert f"geventcore server -C '{site}/bcfg2.conf'" in said
    assert f"geventcore simulate -C '{site}/client-bcfg2.conf'" in said
    assert main(["init", str(site)]) == 1
    assert capsys.readouterr().err == f"geventcore: error: {site} exists already and is not overwritten\n"
