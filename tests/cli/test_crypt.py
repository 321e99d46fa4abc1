"""``bcfg2-crypt``: what it writes is what the server reads, and a mistake loses nothing."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from lxml import etree

from geventcore import crypt
from geventcore.cli.aliases.main import main
from tests.support.encrypted_site import foreign

WORDS = {"alpha": "open sesame", "Beta": "swordfish 42"}
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the command with passphrases: arguments -> exit status, output, errors."""

    def call(*arguments: str | Path, words: dict[str, str] = WORDS) -> tuple[int, str, str]:
        conf = tmp_path / "bcfg2.conf"
        lines = [f"{name} = {word}\n" for name, word in words.items()]
        conf.write_text(f"[server]\nrepository = {tmp_path}\nplugins =\n[encryption]\n{''.join(lines)}")
        status = main("bcfg2-crypt", ["-C", str(conf), *map(str, arguments)])
        output = capsys.readouterr()
        return status, output.out, output.err

    return call


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    path = tmp_path / "motd"
    path.write_bytes(b"secret \xff\n")
    return path


def encrypted(path: Path) -> Path:
    return path.with_name(f"{path.name}.crypt")


def properties(tmp_path: Path, contents: str) -> Path:
    path = tmp_path / "p.xml"
    path.write_text(f"<Properties>{contents}</Properties>")
    return path


def texts(path: Path) -> list[tuple[str | None, str]]:
    """Passphrase and decrypted text of each element; the text as it is where there is no passphrase."""
    found = []
    for element in etree.parse(path).getroot():
        text, name = (element.text or "").strip(), element.get("encrypted")
        if crypt.is_encrypted(text.encode()):
            text = f"decrypted {crypt.decrypt(text.encode(), WORDS[name or '']).decode()}"
        found.append((name, text))
    return found


# -- files


@pytest.mark.parametrize("flags", [(), ("--encrypt",), ("--encrypt", "--cfg")])
def test_a_file_is_encrypted_beside_itself(run: Run, plain: Path, flags: tuple[str, ...]) -> None:
    assert run("-p", "Beta", *flags, plain) == (0, "", "")
    assert crypt.decrypt(encrypted(plain).read_bytes(), WORDS["Beta"]) == plain.read_bytes()


@pytest.mark.parametrize("flags", [(), ("--decrypt",), ("-p", "Beta")])
def test_a_file_is_decrypted_again(run: Run, plain: Path, flags: tuple[str, ...]) -> None:
    assert run("-p", "Beta", "--remove", plain) == (0, "", "")
    assert not plain.exists()
    assert run(*flags, encrypted(plain)) == (0, "", "")
    assert plain.read_bytes() == b"secret \xff\n"
    assert stat.S_IMODE(plain.stat().st_mode) & 0o077 == 0


def test_the_only_passphrase_need_not_be_named(run: Run, plain: Path) -> None:
    assert run(plain, words={"alpha": "x"}) == (0, "", "")
    assert crypt.decrypt(encrypted(plain).read_bytes(), "x") == plain.read_bytes()


def test_to_standard_output(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_text("text\n")
    status, output, _ = run("-p", "alpha", "--stdout", path)
    assert (status, crypt.decrypt(output.encode(), WORDS["alpha"])) == (0, b"text\n")
    path.write_text(output)
    assert run("--stdout", path) == (0, "text\n", "")
    assert not encrypted(path).exists()


@pytest.mark.parametrize(
    ("flags", "words", "reason"),
    [
        (("--encrypt",), WORDS, "name the passphrase: one of alpha, Beta with -p"),
        (("--encrypt",), {}, "name the passphrase: there are none"),
        (("-p", "nobody"), WORDS, "has no passphrase nobody"),
        (("--decrypt",), WORDS, "not an encrypted text"),
    ],
)
def test_what_cannot_be_done(run: Run, plain: Path, flags: tuple[str, ...], words: dict[str, str], reason: str) -> None:
    status, output, errors = run("--remove", *flags, plain, words=words)
    assert (status, output) == (1, "")
    assert errors.startswith(f"{plain}: ")
    assert reason in errors
    assert plain.exists()
    assert not encrypted(plain).exists()


def test_encrypted_data_are_not_encrypted_again(run: Run, plain: Path) -> None:
    run("-p", "alpha", plain)
    status, _, errors = run("-p", "alpha", "--encrypt", encrypted(plain))
    assert (status, "encrypted already" in errors) == (1, True)


def test_a_changed_file_is_not_overwritten_by_decrypting(run: Run, plain: Path) -> None:
    run("-p", "alpha", plain)
    assert run(encrypted(plain))[0] == 0
    plain.write_text("changed")
    status, _, errors = run(encrypted(plain))
    assert (status, "exists with other contents" in errors) == (1, True)
    assert plain.read_text() == "changed"


def test_a_bad_file_does_not_keep_others_from_being_done(run: Run, plain: Path, tmp_path: Path) -> None:
    status, _, errors = run("-p", "alpha", tmp_path / "missing", plain)
    assert (status, errors) == (1, f"{tmp_path / 'missing'}: cannot be read: No such file or directory\n")
    assert encrypted(plain).exists()


# -- elements


def test_elements_are_encrypted_and_decrypted_where_they_stand(run: Run, tmp_path: Path) -> None:
    path = properties(tmp_path, "<a>one é</a><b><c/></b>")
    assert run("-p", "alpha", path) == (0, "", "")
    assert texts(path) == [("alpha", "decrypted one é"), (None, "")]
    assert run(path) == (0, "", "")
    assert texts(path) == [("alpha", "one é"), (None, "")]
    # The attribute says which elements are meant from now on, and with which passphrase.
    assert run(path) == (0, "", "")
    assert texts(path) == [("alpha", "decrypted one é"), (None, "")]


def test_only_the_elements_that_are_meant(run: Run, tmp_path: Path) -> None:
    path = properties(tmp_path, "<a>one</a><b>two</b><b>three</b>")
    assert run("-p", "Beta", "--xpath", "//b[1]", path) == (0, "", "")
    assert texts(path) == [(None, "one"), ("Beta", "decrypted two"), (None, "three")]
    status, _, errors = run("-p", "alpha", "--xpath", "//b", path)
    assert (status, "pass --encrypt or --decrypt" in errors) == (1, True)
    assert run("-p", "alpha", "--encrypt", "--xpath", "//b", path) == (0, "", "")
    assert texts(path) == [(None, "one"), ("Beta", "decrypted two"), ("alpha", "decrypted three")]


def test_other_files_are_property_files_if_that_is_said(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "clients.xml"
    path.write_text("<Clients><a>one</a></Clients>")
    assert run("-p", "alpha", "--properties", path) == (0, "", "")
    assert texts(path) == [("alpha", "decrypted one")]


def test_asking_before_each_element(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = properties(tmp_path, "<a>one</a><b>two</b>")
    answers = iter([False, True])
    monkeypatch.setattr("click.confirm", lambda *_, **__: next(answers))
    assert run("-p", "alpha", "-I", path)[0] == 0
    assert texts(path) == [(None, "one"), ("alpha", "decrypted two")]


@pytest.mark.parametrize(
    ("contents", "flags", "reason"),
    [
        ("<a>", (), "not well-formed"),
        ("<a/>", (), "no elements with text"),
        ("<a>x</a>", ("--xpath", "//["), "--xpath //["),
        ("<a>x</a>", ("--xpath", "1 + 1"), "no element matches"),
        (f"<a encrypted='alpha'>{foreign('x')}</a>", (), "alpha"),
        (f"<a encrypted='alpha'>{crypt.encrypt(bytes([7]), 'open sesame').decode()}</a>", (), "XML cannot represent"),
    ],
    ids=["broken", "no text", "bad expression", "nothing found", "foreign passphrase", "control character"],
)
def test_a_property_file_that_fails_stays_as_it_is(
    run: Run, tmp_path: Path, contents: str, flags: tuple[str, ...], reason: str
) -> None:
    path = properties(tmp_path, contents)
    before = path.read_bytes()
    status, _, errors = run("--properties", *flags, path)
    assert status == 1
    assert reason in errors
    assert errors.count("\n") == 1
    assert path.read_bytes() == before
