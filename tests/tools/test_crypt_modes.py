"""``geventcore crypt encrypt``, ``decrypt``, ``edit`` and ``rekey``."""

from __future__ import annotations

from pathlib import Path

import pytest

from geventcore import crypt
from geventcore.cli.main import main
from tests.support.encrypted_site import foreign

WORDS = {"site": "open sesame", "other": "swordfish 42"}


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    path = tmp_path / "bcfg2.conf"
    lines = "".join(f"{name} = {word}\n" for name, word in WORDS.items())
    (tmp_path / "repo").mkdir()
    path.write_text(f"[server]\nrepository = {tmp_path}/repo\nplugins =\n[encryption]\n{lines}")
    return path


@pytest.fixture
def plain(tmp_path: Path, conf: Path) -> Path:
    path = tmp_path / "repo" / "key"
    path.write_text("secret\n")
    return path


def _encrypted(path: Path, text: str, name: str) -> Path:
    path.write_bytes(crypt.encrypt(text.encode(), WORDS[name]))
    return path


def test_plain_text_stays_only_if_told(conf: Path, plain: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["crypt", "encrypt", "-C", str(conf), "-p", "site", str(plain)]) == 1
    assert "pass --remove or --keep" in capsys.readouterr().err
    assert not plain.with_name("key.crypt").exists()
    assert main(["crypt", "encrypt", "-C", str(conf), "-p", "site", "--remove", str(plain)]) == 0
    assert "encrypted to key.crypt, and removed the plain file" in capsys.readouterr().err
    assert not plain.exists()


def test_a_file_alone_is_no_mode(conf: Path, plain: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["crypt", "-C", str(conf), str(plain)]) == 2
    assert f"geventcore crypt encrypt, decrypt or edit {plain}" in capsys.readouterr().err
    assert plain.read_text() == "secret\n"


def test_what_cannot_be_encrypted_says_why(conf: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = _encrypted(tmp_path / "repo" / "done.crypt", "x", "site")
    for path, message in ((done, "is encrypted already"), (tmp_path / "none", "No such file")):
        assert main(["crypt", "encrypt", "-C", str(conf), "-p", "site", str(path)]) == 1
        assert message in capsys.readouterr().err


def test_a_mode_never_toggles(conf: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = _encrypted(tmp_path / "repo" / "key.crypt", "secret\n", "site")
    before = path.read_bytes()
    assert main(["crypt", "encrypt", "-C", str(conf), "-p", "site", "--keep", str(path)]) == 1
    assert "encrypted already" in capsys.readouterr().err
    assert main(["crypt", "decrypt", "-C", str(conf), str(path)]) == 0
    assert capsys.readouterr().out == "secret\n"
    assert path.read_bytes() == before
    assert not (tmp_path / "repo" / "key").exists()
    assert main(["crypt", "decrypt", "-C", str(conf), "--write", str(path)]) == 0
    assert (tmp_path / "repo" / "key").read_text() == "secret\n"


def _editor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> Path:
    log = tmp_path / "log"
    path = tmp_path / "editor"
    path.write_text(f'#!/bin/sh\nstat -c %a "$1" > {log}; cat "$1" >> {log}\n{script}\n')
    path.chmod(0o755)
    monkeypatch.setenv("VISUAL", str(path))
    return log


def test_edit_keeps_the_passphrase(conf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _encrypted(tmp_path / "repo" / "key.crypt", "secret\n", "other")
    log = _editor(tmp_path, monkeypatch, 'echo more >> "$1"')
    assert main(["crypt", "edit", "-C", str(conf), str(path)]) == 0
    assert log.read_text() == "600\nsecret\n"
    assert crypt.decrypt(path.read_bytes(), WORDS["other"]) == b"secret\nmore\n"


@pytest.mark.parametrize("script", ["true", "echo lost > $1; exit 1"])
def test_edit_without_a_change_writes_nothing(
    script: str, conf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = _encrypted(tmp_path / "repo" / "key.crypt", "secret\n", "site")
    before = path.read_bytes()
    _editor(tmp_path, monkeypatch, script)
    assert main(["crypt", "edit", "-C", str(conf), str(path)]) == ("exit 1" in script)
    assert path.read_bytes() == before


def test_edit_of_properties_encrypts_marked_elements(
    conf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "repo" / "p.xml"
    secret = crypt.encrypt(b"pearl", WORDS["site"]).decode()
    path.write_text(f'<Properties>\n  <!-- c -->\n  <a encrypted="site">{secret}</a>\n</Properties>\n')
    log = _editor(tmp_path, monkeypatch, 'sed -i s/pearl/ruby/ "$1"')
    assert main(["crypt", "edit", "-C", str(conf), str(path)]) == 0
    assert "pearl" in log.read_text()
    text = path.read_text()
    assert "ruby" not in text
    assert "<!-- c -->" in text
    encrypted = text.partition('encrypted="site">')[2].partition("<")[0]
    assert crypt.decrypt(encrypted.encode(), WORDS["site"]) == b"ruby"


def test_rekey_changes_every_secret_of_a_passphrase(conf: Path, tmp_path: Path) -> None:
    one = _encrypted(tmp_path / "repo" / "one.crypt", "1", "site")
    two = _encrypted(tmp_path / "repo" / "two.crypt", "2", "other")
    before = two.read_bytes()
    secret = crypt.encrypt(b"pearl", WORDS["site"]).decode()
    properties = tmp_path / "repo" / "p.xml"
    properties.write_text(f'<Properties>\n  <a encrypted="site">{secret}</a> <!-- c -->\n</Properties>\n')
    assert main(["crypt", "rekey", "-C", str(conf), "--dry-run", "site", "other"]) == 0
    assert 'encrypted="site"' in properties.read_text()
    assert main(["crypt", "rekey", "-C", str(conf), "site", "other"]) == 0
    assert crypt.decrypt(one.read_bytes(), WORDS["other"]) == b"1"
    assert two.read_bytes() == before
    assert 'encrypted="other"' in properties.read_text()
    assert "<!-- c -->" in properties.read_text()


def test_rekey_writes_nothing_if_a_secret_cannot_be_decrypted(
    conf: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = _encrypted(tmp_path / "repo" / "one.crypt", "1", "site")
    before = one.read_bytes()
    (tmp_path / "repo" / "z.crypt").write_text(foreign("x", WORDS.values()))
    assert main(["crypt", "rekey", "-C", str(conf), "site", "other"]) == 1
    assert "z.crypt" in capsys.readouterr().err
    assert one.read_bytes() == before
