"""Encryption of secrets: the same format as the openssl command's, and passphrases by their names."""

from __future__ import annotations

import base64
import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given, settings
from hypothesis import strategies as st

from geventcore import crypt
from geventcore.crypt import ALGORITHM, LAX_DECRYPTION, EncryptionError, Passphrases
from geventcore.errors import ConfigError
from geventcore.options import load_settings

PASSPHRASE = "open sesame"
SECRET = "first secret\né\n".encode() * 5


def openssl(mode: str, algorithm: str, data: bytes, passphrase: str = PASSPHRASE) -> bytes:
    """What the openssl command makes of data; skips the test if it does not have the cipher."""
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl command")
    cipher = f"-{algorithm.replace('_', '-')}"
    command = ["openssl", "enc", mode, cipher, "-salt", "-md", "md5", "-a", "-pass", f"pass:{passphrase}"]
    errors = ""
    for providers in ([], ["-provider", "legacy", "-provider", "default"]):
        done = subprocess.run([*command, *providers], input=data, capture_output=True, check=False)
        if done.returncode == 0:
            return done.stdout
        errors += done.stderr.decode(errors="replace")
    if any(word in errors for word in ("unsupported", "nvalid command", "nknown", "nrecognized")):
        pytest.skip(f"this openssl has no {algorithm}")
    raise AssertionError(errors)


@pytest.mark.parametrize("algorithm", crypt.ALGORITHMS)
def test_openssl_reads_what_is_encrypted(algorithm: str) -> None:
    encrypted = crypt.encrypt(SECRET, PASSPHRASE, algorithm)
    assert openssl("-d", algorithm, encrypted) == SECRET


@pytest.mark.parametrize("algorithm", crypt.ALGORITHMS)
def test_what_openssl_encrypts_is_read(algorithm: str) -> None:
    encrypted = openssl("-e", algorithm, SECRET)
    assert crypt.is_encrypted(encrypted)
    assert crypt.decrypt(encrypted, PASSPHRASE, algorithm) == SECRET


@pytest.mark.parametrize("algorithm", crypt.ALGORITHMS)
def test_every_cipher_gives_back_what_it_got(algorithm: str) -> None:
    assert crypt.decrypt(crypt.encrypt(SECRET, PASSPHRASE, algorithm), PASSPHRASE, algorithm) == SECRET


def test_a_text_of_old_is_read() -> None:
    assert crypt.decrypt(b"U2FsdGVkX18BAgMEBQYHCGobXLmLbYfuQsz7YGWQ2q0=\n", PASSPHRASE) == b"first secret\n"


def test_the_layout_of_an_encrypted_text() -> None:
    lines = crypt.encrypt(b"x" * 200, PASSPHRASE).split(b"\n")
    assert [len(line) for line in lines[:-2]] == [64] * (len(lines) - 2)
    assert lines[-1] == b""
    assert base64.b64decode(b"".join(lines)).startswith(b"Salted__")


def test_the_same_text_is_encrypted_differently_each_time() -> None:
    assert crypt.encrypt(SECRET, PASSPHRASE) != crypt.encrypt(SECRET, PASSPHRASE)


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=200), st.text(max_size=20))
def test_any_bytes_with_any_passphrase(data: bytes, passphrase: str) -> None:
    assert crypt.decrypt(crypt.encrypt(data, passphrase), passphrase) == data


def test_a_vector_as_bcfg2_takes_it_for_a_short_key() -> None:
    salt = b"saltsalt"
    material = digest = b""
    for _ in range(3):
        digest = hashlib.md5(digest + PASSPHRASE.encode() + salt).digest()
        material += digest
    encryptor = Cipher(algorithms.AES(material[:16]), modes.CBC(material[32:48])).encryptor()
    plain = "a secret of old, ünd text\n".encode()
    plain += bytes([16 - len(plain) % 16]) * (16 - len(plain) % 16)
    text = base64.b64encode(b"Salted__" + salt + encryptor.update(plain) + encryptor.finalize()) + b"\n"
    assert crypt.decrypt(text, PASSPHRASE, "aes_128_cbc").decode() == "a secret of old, ünd text\n"


def test_a_wrong_passphrase_is_found_out() -> None:
    # One of 256 wrong passphrases gives proper padding, so one trial proves nothing either way.
    failures = 0
    for number in range(50):
        try:
            assert crypt.decrypt(crypt.encrypt(SECRET, PASSPHRASE), f"wrong {number}") != SECRET
        except EncryptionError:
            failures += 1
    assert failures > 40


@pytest.mark.parametrize(
    "data",
    [b"", b"plain text", b"U2FsdGVkX1", b"U2FsdGVkX18=", b"U2FsdGVkX18BAgMEBQYHCA==!", b"\xff\x00", b"aGVsbG8="],
)
def test_what_is_not_encrypted(data: bytes) -> None:
    assert not crypt.is_encrypted(data)
    with pytest.raises(EncryptionError) as caught:
        crypt.decrypt(data, PASSPHRASE)
    assert "\n" not in str(caught.value)


def test_a_cut_text_is_refused() -> None:
    raw = base64.b64decode(crypt.encrypt(SECRET, PASSPHRASE))
    with pytest.raises(EncryptionError):
        crypt.decrypt(base64.b64encode(raw[:-3]), PASSPHRASE)
    with pytest.raises(EncryptionError):
        crypt.decrypt(base64.b64encode(raw[:16]), PASSPHRASE)


def test_white_space_in_a_text_means_nothing() -> None:
    encrypted = crypt.encrypt(SECRET, PASSPHRASE)
    indented = b"\n    " + encrypted.replace(b"\n", b"\r\n    ")
    assert crypt.is_encrypted(indented)
    assert crypt.decrypt(indented, PASSPHRASE) == SECRET


# -- the section of the configuration


def passphrases(tmp_path: Path, section: str) -> Passphrases:
    path = tmp_path / "bcfg2.conf"
    path.write_text(f"[encryption]\n{section}")
    return Passphrases.of(load_settings(config_file=path, environ={}, options=[ALGORITHM, LAX_DECRYPTION]))


def test_every_other_key_is_a_passphrase(tmp_path: Path) -> None:
    found = passphrases(tmp_path, "lax_decryption = yes\nAlgorithm = AES-128-CBC\nSite = one\nother=two %% three\n")
    assert (found.lax, found.algorithm) == (True, "aes_128_cbc")
    assert dict(found.by_name) == {"Site": "one", "other": "two % three"}


def test_a_passphrase_is_found_as_spelled_and_in_lower_case(tmp_path: Path) -> None:
    found = passphrases(tmp_path, "Site = one\n")
    assert (found["Site"], found["site"]) == ("one", "one")
    with pytest.raises(EncryptionError, match="has no passphrase other"):
        found["other"]


def test_any_passphrase_that_fits_decrypts(tmp_path: Path) -> None:
    found = passphrases(tmp_path, "".join(f"p{number} = word {number}\n" for number in range(30)))
    for number in range(30):
        assert found.decrypt_any(found.encrypt(SECRET, f"p{number}")) == SECRET


@pytest.mark.parametrize("secret", [b"the secret", b"binary \xff"])
def test_the_right_passphrase_is_found_where_a_wrong_one_seems_to_fit(secret: bytes) -> None:
    encrypted = crypt.encrypt(secret, "right")
    for number in range(5000):
        wrong = f"wrong {number}"
        try:
            crypt.decrypt(encrypted, wrong)
        except EncryptionError:
            continue
        break
    else:
        pytest.fail("no wrong passphrase seems to fit")
    assert Passphrases({"a": wrong, "b": "right"}).decrypt_any(encrypted) == secret


def test_ciphers_without_padding_find_the_passphrase_by_its_text() -> None:
    keys = Passphrases({"a": "wrong", "b": "right"}, "aes_256_ctr")
    assert keys.decrypt_any(keys.encrypt(SECRET, "b")) == SECRET


@pytest.mark.parametrize(
    ("section", "reason"),
    [("", "has no passphrases"), ("a = b\n", "no passphrase in .encryption. decrypts it")],
    ids=["none", "wrong"],
)
def test_no_passphrase_that_fits(tmp_path: Path, section: str, reason: str) -> None:
    with pytest.raises(EncryptionError, match=reason):
        passphrases(tmp_path, section).decrypt_any(b"U2FsdGVkX18hIiMkJSYnKEVSC9y/V1RSSz9Rs0CCcjY=\n")


@pytest.mark.parametrize("name", ["AES-256-CBC", "aes256", "des3", " aes_256_cbc "])
def test_names_of_ciphers(tmp_path: Path, name: str) -> None:
    assert passphrases(tmp_path, f"algorithm = {name}\n").algorithm in crypt.ALGORITHMS


def test_a_cipher_that_does_not_exist_is_a_mistake_in_the_configuration(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"bcfg2.conf:2.*algorithm.*rot13.*such as aes_256_cbc"):
        passphrases(tmp_path, "algorithm = rot13\n")
    with pytest.raises(EncryptionError, match="rot13"):
        crypt.encrypt(b"", "", "rot13")
