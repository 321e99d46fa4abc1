"""Cfg: SSH keys, TLS keys and certificates that are made when a client needs them."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from geventcore import crypt
from geventcore.errors import PluginExecutionError
from geventcore.plugin.client_metadata import ClientMetadata, MetadataQuery
from geventcore.plugins import ssh_keys
from geventcore.render.bind_times import BindTimes
from tests.support.cfg_site import bind, client, paths
from tests.support.concurrent_calls import at_once
from tests.support.encrypted_site import PASSPHRASES, encrypted_site
from tests.support.key_pairs import ssh_keygen_public
from tests.support.plugin_context import SmallServer

KEY = "/root/.ssh/id_rsa"
PRIVATE = "Cfg/root/.ssh/id_rsa"
PUBLIC = "Cfg/root/.ssh/id_rsa.pub"
PAIR = {
    f"{PRIVATE}/privkey.xml": '<PrivateKey><Params type="ed25519"/></PrivateKey>',
    f"{PUBLIC}/pubkey.xml": "<PublicKey/>",
}


def in_category(hostname: str, group: str) -> ClientMetadata:
    """A client in a group of the category ``site``."""
    query = MetadataQuery(
        by_name=client,
        names_by_groups_set=lambda _: [],
        names_by_profiles_set=lambda _: [],
        all_clients=list,
        all_groups=lambda: {group},
        all_groups_in_category=lambda category: {"east", "west"} if category == "site" else set(),
    )
    return ClientMetadata(hostname, groups={group}, query=query)


def files(server: SmallServer, directory: str) -> list[str]:
    """What is in a directory of the repository, the XML files apart; temporary files, too."""
    return sorted(name for name in os.listdir(server.repository / directory) if not name.endswith(".xml"))


def content(server: SmallServer, name: str, metadata: ClientMetadata | None = None) -> str:
    return bind(server, name, metadata).text or ""


# -- pairs of SSH keys


@pytest.mark.parametrize(
    ("parameters", "begin"),
    [
        ("", "ssh-rsa "),
        ('<Params type="rsa" bits="2048"/>', "ssh-rsa "),
        ('<Params type="ecdsa"/>', "ecdsa-sha2-nistp256 "),
        ('<Params type="ecdsa" bits="521"/>', "ecdsa-sha2-nistp521 "),
        ('<Params type="ed25519"/>', "ssh-ed25519 "),
        ('<Params type="dsa"/>', "ssh-dss "),
        (
            '<Group name="no"><Params type="dsa"/></Group><Group name="g"><Params type="ed25519"/></Group>',
            "ssh-ed25519 ",
        ),
    ],
)
def test_a_pair_is_made_that_ssh_keygen_understands(tmp_path: Path, parameters: str, begin: str) -> None:
    site = {f"{PRIVATE}/privkey.xml": f"<PrivateKey>{parameters}</PrivateKey>"}
    with encrypted_site(tmp_path, site) as server:
        private = content(server, KEY, client("h", "g"))
        public = (server.repository / PUBLIC / "id_rsa.pub.H_h").read_text()
        assert public.startswith(begin)
        assert public.split() == [
            *ssh_keygen_public(private, tmp_path).split(),
            f"{server.repository}/{PUBLIC}/id_rsa.pub.H_h",
        ]
        assert (server.repository / PRIVATE / "id_rsa.H_h").read_text() == private


def test_a_new_pair_counts_at_once_and_is_made_once(tmp_path: Path) -> None:
    with encrypted_site(tmp_path, {f"{PRIVATE}/privkey.xml": PAIR[f"{PRIVATE}/privkey.xml"]}) as server:
        private = content(server, KEY)
        assert f"{KEY}.pub" in paths(server)
        public = content(server, f"{KEY}.pub")
        assert public == (server.repository / PUBLIC / "id_rsa.pub.H_h").read_text()
        cfg: Any = server.plugin("Cfg")
        assert (
            type(cfg._tree._directories["root/.ssh/id_rsa"].entry.files["id_rsa.H_h"]).__name__ == "PlaintextGenerator"
        )
        assert content(server, KEY) == private
        assert files(server, PRIVATE) == ["id_rsa.H_h"]
        assert content(server, KEY, client("other")) != private


def test_the_public_key_counts_in_the_configuration_that_has_the_pair_made(tmp_path: Path) -> None:
    with encrypted_site(tmp_path, {f"{PRIVATE}/privkey.xml": PAIR[f"{PRIVATE}/privkey.xml"]}) as server:
        binder = server.core.renderer.binder.with_current_tables()
        for name in (KEY, f"{KEY}.pub"):
            entry = etree.Element("Path", name=name)
            binder.bind(entry, client(), BindTimes())
            assert entry.text


def test_whoever_asks_for_the_public_key_gets_the_pair_made(tmp_path: Path) -> None:
    with encrypted_site(tmp_path, PAIR) as server:
        public = content(server, f"{KEY}.pub")
        assert public.split()[:2] == ssh_keygen_public(content(server, KEY), tmp_path).split()
        assert files(server, PUBLIC) == ["id_rsa.pub.H_h"]


@pytest.mark.parametrize("name", ["id_rsa", "id_rsa.H_h", "id_rsa.G10_g"])
def test_the_public_key_of_a_key_that_was_put_there(tmp_path: Path, name: str) -> None:
    pair = ssh_keys.generate("ed25519")
    with encrypted_site(tmp_path, {f"{PRIVATE}/{name}": pair.private, **PAIR}) as server:
        public = content(server, f"{KEY}.pub", client("h", "g"))
        assert public == f"{pair.public} {server.repository}/{PUBLIC}/{name.replace('id_rsa', 'id_rsa.pub')}\n"
        assert files(server, PUBLIC) == [name.replace("id_rsa", "id_rsa.pub")]
        assert files(server, PRIVATE) == [name]


@pytest.mark.parametrize("asked", [KEY, f"{KEY}.pub"])
def test_many_who_ask_at_once_get_the_same_pair(tmp_path: Path, asked: str) -> None:
    with encrypted_site(tmp_path, PAIR) as server:
        calls = [lambda name=name: content(server, name) for name in (asked, KEY, f"{KEY}.pub") * 4]
        results = at_once(calls)
        assert not [result for result in results if isinstance(result, Exception)]
        assert len(set(results)) == 2
        assert files(server, PRIVATE) == ["id_rsa.H_h"]
        assert files(server, PUBLIC) == ["id_rsa.pub.H_h"]


def test_different_clients_do_not_wait_for_each_other_and_all_files_count(tmp_path: Path) -> None:
    with encrypted_site(tmp_path, PAIR) as server:
        results = at_once([lambda n=n: content(server, KEY, client(f"h{n}")) for n in range(20)])
        assert len(set(results)) == 20
        cfg: Any = server.plugin("Cfg")
        for directory, base in ((PRIVATE, "id_rsa"), (PUBLIC, "id_rsa.pub")):
            known = set(cfg._tree._directories[directory.removeprefix("Cfg/")].entry.files)
            assert {f"{base}.H_h{n}" for n in range(20)} <= known
        assert [content(server, KEY, client(f"h{n}")) for n in range(20)] == results


def test_a_key_that_another_process_has_stored_is_taken(tmp_path: Path) -> None:
    pair = ssh_keys.generate("ed25519")
    with encrypted_site(tmp_path, PAIR) as server:
        (server.repository / PRIVATE / "id_rsa.H_h").write_bytes(pair.private)
        assert content(server, KEY) == pair.private.decode()


def test_a_passphrase_on_the_key(tmp_path: Path) -> None:
    pytest.importorskip("bcrypt")
    word = crypt.encrypt(b"word", PASSPHRASES["alpha"]).decode()
    passphrase = f'<Passphrase encrypted="alpha">{word}</Passphrase>'
    site = {**PAIR, f"{PRIVATE}/privkey.xml": f'<PrivateKey><Params type="ed25519"/>{passphrase}</PrivateKey>'}
    with encrypted_site(tmp_path, site) as server:
        private = content(server, KEY)
        public = content(server, f"{KEY}.pub").split()[:2]
        assert ssh_keygen_public(private, tmp_path, "word").split() == public
        with pytest.raises(subprocess.CalledProcessError):
            ssh_keygen_public(private, tmp_path, "")
        (server.repository / PUBLIC / "id_rsa.pub.H_h").unlink()
    with encrypted_site(tmp_path, {}) as server:
        assert content(server, f"{KEY}.pub").split()[:2] == public


# -- for whom, and how they are stored


@pytest.mark.parametrize(
    ("attributes", "options", "name"),
    [
        ('category="site"', "", "id_rsa.G50_east"),
        ('category="site" priority="7"', "", "id_rsa.G07_east"),
        ('category="site" perhost="true"', "", "id_rsa.H_h"),
        ('category="other"', "", "id_rsa.H_h"),
        ("", "[sshkeys]\ncategory = site\n", "id_rsa.G50_east"),
        ("", "[cfg]\ncategory = site\n", "id_rsa.G50_east"),
        ('category="other"', "[cfg]\ncategory = site\n", "id_rsa.H_h"),
        ("", "[cfg]\ncategory = site\n[sshkeys]\ncategory = other\n", "id_rsa.H_h"),
        ("", "", "id_rsa.H_h"),
    ],
)
def test_for_whom_a_key_is(tmp_path: Path, attributes: str, options: str, name: str) -> None:
    site = {**PAIR, f"{PRIVATE}/privkey.xml": f'<PrivateKey {attributes}><Params type="ed25519"/></PrivateKey>'}
    with encrypted_site(tmp_path, site, options=options) as server:
        private = content(server, KEY, in_category("h", "east"))
        assert files(server, PRIVATE) == [name]
        assert files(server, PUBLIC) == [name.replace("id_rsa", "id_rsa.pub")]
        shared = content(server, KEY, in_category("second", "east"))
        assert (shared == private) == ("east" in name)
        assert content(server, f"{KEY}.pub", in_category("h", "east")).split()[:2] == [
            *ssh_keys.public_key_of(private.encode()).split()
        ]


@pytest.mark.parametrize(
    "options",
    [
        "[sshkeys]\npassphrase = Beta\n",
        "[cfg]\npassphrase = Beta\n",
        "[cfg]\npassphrase = x\n[sshkeys]\npassphrase = beta\n",
    ],
)
def test_private_keys_are_encrypted_with_the_configured_passphrase(tmp_path: Path, options: str) -> None:
    with encrypted_site(tmp_path, PAIR, options=options) as server:
        private = content(server, KEY)
        assert files(server, PRIVATE) == ["id_rsa.H_h.crypt"]
        stored = (server.repository / PRIVATE / "id_rsa.H_h.crypt").read_bytes()
        assert crypt.decrypt(stored, PASSPHRASES["Beta"]).decode() == private
        assert content(server, KEY) == private
        assert files(server, PUBLIC) == ["id_rsa.pub.H_h"]


def test_only_the_server_may_read_private_keys(tmp_path: Path) -> None:
    with encrypted_site(tmp_path, PAIR) as server:
        content(server, KEY)
        assert stat.S_IMODE((server.repository / PRIVATE / "id_rsa.H_h").stat().st_mode) == 0o600


# -- what goes wrong


@pytest.mark.parametrize(
    ("instructions", "options", "reason"),
    [
        ('<PrivateKey><Params type="rot13"/></PrivateKey>', "", r"privkey\.xml: 'rot13' is not a type of SSH key"),
        ('<PrivateKey><Params bits="12"/></PrivateKey>', "", r"privkey\.xml: 12 bits is not a valid length"),
        ('<PrivateKey><Params bits="many"/></PrivateKey>', "", r"privkey\.xml: bits='many'"),
        ("<PrivateKey", "", r"privkey\.xml: there is no usable version"),
        ("<PrivateKey/>", "[sshkeys]\npassphrase = nobody\n", r"privkey\.xml: \[encryption\] has no passphrase nobody"),
    ],
)
def test_what_cannot_be_made_fails_and_leaves_nothing(
    tmp_path: Path, instructions: str, options: str, reason: str
) -> None:
    with encrypted_site(tmp_path, {**PAIR, f"{PRIVATE}/privkey.xml": instructions}, options=options) as server:
        for name in (KEY, f"{KEY}.pub"):
            with pytest.raises(PluginExecutionError, match=reason) as caught:
                content(server, name)
            assert "\n" not in str(caught.value)
        assert files(server, PRIVATE) == files(server, PUBLIC) == []


def test_a_pubkey_in_a_directory_with_another_name(tmp_path: Path) -> None:
    with (
        encrypted_site(tmp_path, {"Cfg/f/pubkey.xml": "<PublicKey/>"}) as server,
        pytest.raises(PluginExecutionError, match=r"must end in \.pub"),
    ):
        content(server, "/f")


def test_a_pubkey_without_a_private_key(tmp_path: Path) -> None:
    with (
        encrypted_site(tmp_path, {f"{PUBLIC}/pubkey.xml": "<PublicKey/>"}) as server,
        pytest.raises(PluginExecutionError, match=r"no matching generator for Path:/root/\.ssh/id_rsa"),
    ):
        content(server, f"{KEY}.pub")


@pytest.mark.parametrize(
    "text", ["no key", "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n"]
)
def test_a_private_key_that_is_none(tmp_path: Path, text: str) -> None:
    with encrypted_site(tmp_path, {**PAIR, f"{PRIVATE}/id_rsa": text}) as server:
        with pytest.raises(PluginExecutionError, match=r"pubkey\.xml: (not a|invalid) private key"):
            content(server, f"{KEY}.pub")
        assert files(server, PUBLIC) == []


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Writing to a file fails when it is to reach the disk, as it does on a full disk."""

    def fsync(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fsync)
    yield
    monkeypatch.undo()


def test_a_public_key_that_cannot_be_stored_leaves_no_private_one(tmp_path: Path) -> None:
    with encrypted_site(tmp_path, {f"{PRIVATE}/privkey.xml": PAIR[f"{PRIVATE}/privkey.xml"]}) as server:
        (server.repository / PUBLIC).write_text("a file where a directory should be")
        with pytest.raises(PluginExecutionError, match=r"id_rsa\.pub\.H_h: cannot be written"):
            content(server, KEY)
        assert files(server, PRIVATE) == []


@pytest.mark.usefixtures("full_disk")
def test_a_full_disk_leaves_nothing_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with encrypted_site(tmp_path, PAIR) as server:
        for name in (KEY, f"{KEY}.pub"):
            with pytest.raises(PluginExecutionError, match=r"id_rsa\.H_h: cannot be written: No space left"):
                content(server, name)
        assert files(server, PRIVATE) == files(server, PUBLIC) == []
        monkeypatch.undo()
        assert content(server, KEY).startswith("-----BEGIN OPENSSH PRIVATE KEY-----")
