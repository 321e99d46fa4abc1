"""``geventcore certificate``: what it shows, and renewal."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from geventcore.cli.main import main
from geventcore.tls.authority import Authority


@pytest.fixture
def site(tmp_path: Path) -> Path:
    assert main(["init", str(tmp_path / "site"), "--hostname", "bcfg2.example.com"]) == 0
    return tmp_path / "site"


def shown(site: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, list[dict[str, object]]]:
    capsys.readouterr()
    status = main(["certificate", "show", "-C", str(site / "bcfg2.conf"), "--json"])
    return status, json.loads(capsys.readouterr().out)


def load(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def test_certificates_of_a_new_site(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, (server, ca) = shown(site, capsys)
    assert status == 0
    assert (server["name"], ca["name"]) == ("server", "ca")
    assert "bcfg2.example.com" in str(server["names"])
    assert server["subject"] == "CN=bcfg2.example.com"
    assert 820 < float(str(server["days_left"])) < 826
    assert main(["certificate", "show", "-C", str(site / "bcfg2.conf")]) == 0
    assert "824 days left" in capsys.readouterr().out


def test_renewal_keeps_names_and_mode_and_the_old_files(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tls = site / "tls"
    before, old_key = load(tls / "server.crt"), (tls / "server.key").read_bytes()
    assert main(["certificate", "renew", "-C", str(site / "bcfg2.conf"), "--days", "90"]) == 0
    after = load(tls / "server.crt")
    assert after.serial_number != before.serial_number
    assert after.public_key() != before.public_key()
    extension = x509.SubjectAlternativeName
    assert (
        after.extensions.get_extension_for_class(extension).value
        == before.extensions.get_extension_for_class(extension).value
    )
    assert load(tls / "server.crt.old") == before
    assert (tls / "server.key.old").read_bytes() == old_key
    assert stat.S_IMODE((tls / "server.key").stat().st_mode) == 0o600
    status, (server, _) = shown(site, capsys)
    assert status == 0
    assert 88 < float(str(server["days_left"])) < 90
    after.verify_directly_issued_by(load(tls / "ca.crt"))


def test_an_authority_that_does_not_match_changes_nothing(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tls = site / "tls"
    before = (tls / "server.crt").read_bytes()
    other = Authority.create("another")
    (tls / "other.key").write_bytes(other.key_pem)
    arguments = ["certificate", "renew", "-C", str(site / "bcfg2.conf"), "--ca-key", str(tls / "other.key")]
    assert main(arguments) == 1
    assert "does not belong to the certificate" in capsys.readouterr().err
    assert (tls / "server.crt").read_bytes() == before
    assert not (tls / "server.crt.old").exists()


def test_a_pair_that_does_not_match_is_shown(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tls = site / "tls"
    (tls / "server.key").write_bytes((tls / "ca.key").read_bytes())
    status, (server, _) = shown(site, capsys)
    assert status == 1
    assert "does not belong to it" in str(server["problem"])
    assert load(tls / "server.crt").subject.get_attributes_for_oid(NameOID.COMMON_NAME)
