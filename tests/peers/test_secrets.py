"""The real 1.3.4 client installs what only a server with passphrases and keys can give it."""

from __future__ import annotations

import grp
import os
import pwd
import stat
from pathlib import Path

import pytest

from geventcore import crypt
from geventcore.testing.certificates import CertificateFiles
from geventcore.testing.site_files import ClientSite, ServerSite
from tests.peers.client import ClientPeer
from tests.peers.environment import python2_environment, python3_environment
from tests.peers.server import GeventcoreServer
from tests.support.key_pairs import ssh_keygen_public
from tests.support.plugin_context import write_files
from tests.support.sample_repository import CLIENT

PASSWORD = "sample-password"
PASSPHRASE = "open sesame"
PLUGINS = ("Bundler", "Cfg", "Metadata", "SSHbase")
ALL_CORRECT = "All entries correct."


def write_repository(repository: Path, root: Path) -> None:
    """A repository with an encrypted file, a pair of keys to be made, and host keys; entries are below `root`."""
    owner, group = pwd.getpwuid(os.getuid()).pw_name, grp.getgrgid(os.getgid()).gr_name
    info = f'<FileInfo><Info owner="{owner}" group="{group}" mode="0600"/></FileInfo>'
    write_files(
        repository,
        {
            "Metadata/clients.xml": f'<Clients><Client name="{CLIENT}" profile="p" address="127.0.0.1"/></Clients>',
            "Metadata/groups.xml": '<Groups><Group name="p" profile="true"><Bundle name="b"/></Group></Groups>',
            "Bundler/b.xml": (
                f'<Bundle><Path name="{root}/secret"/><Path name="{root}/id_rsa"/><Path name="{root}/id_rsa.pub"/>'
                f'<Path name="{root}/host_key" altsrc="/etc/ssh/ssh_host_ed25519_key"/>'
                f'<Path name="{root}/host_key.pub" altsrc="/etc/ssh/ssh_host_ed25519_key.pub"/>'
                f'<Path name="{root}/known_hosts" altsrc="/etc/ssh/ssh_known_hosts"/></Bundle>'
            ),
            f"Cfg{root}/secret/secret.crypt": crypt.encrypt("größer\n".encode(), PASSPHRASE),
            f"Cfg{root}/id_rsa/privkey.xml": "<PrivateKey/>",
            f"Cfg{root}/id_rsa.pub/pubkey.xml": "<PublicKey/>",
            **{f"Cfg{root}/{name}/info.xml": info for name in ("secret", "id_rsa", "id_rsa.pub")},
            "SSHbase/info.xml": f'<FileInfo><Info owner="{owner}" group="{group}"/></FileInfo>',
            "SSHbase/site.static": "git.example.net ssh-ed25519 AAAA\n",
        },
    )


@pytest.mark.parametrize("python", ["python3", "python2"])
def test_secrets_keys_and_known_hosts_are_installed(tmp_path: Path, python: str) -> None:
    built = python3_environment() if python == "python3" else python2_environment()
    if built is None:
        pytest.skip("there is no Python 2.7 here")
    client = ClientPeer(built)
    root = tmp_path / "client" / "root"
    write_repository(tmp_path / "repository", root)
    certificates = CertificateFiles(tmp_path / "certificates")
    server = ServerSite(
        tmp_path / "server",
        tmp_path / "repository",
        certificates.server(),
        certificates.ca,
        PASSWORD,
        plugins=PLUGINS,
        overrides={"encryption": {"site": PASSPHRASE}, "cfg": {"passphrase": "site"}},
    )
    with GeventcoreServer("gevent").serving(server):
        machine = ClientSite(tmp_path / "client", server.url, PASSWORD, ca=certificates.ca)
        first = client.run(machine, "-q", "-v")
        assert first.returncode == 0, first.stderr
        second = client.run(machine, "-q", "-v")
    assert second.returncode == 0, second.stderr
    assert ALL_CORRECT in second.stderr, second.stderr

    files = {path.name: path.read_text() for path in root.iterdir()}
    assert files["secret"] == "größer\n"
    assert stat.S_IMODE((root / "id_rsa").stat().st_mode) == 0o600
    for private in ("id_rsa", "host_key"):
        assert files[f"{private}.pub"].split()[:2] == ssh_keygen_public(files[private], tmp_path).split()
    lines = files["known_hosts"].splitlines()
    key = files["host_key.pub"].strip()
    assert lines[0] == "git.example.net ssh-ed25519 AAAA"
    assert lines[1].startswith("client,client.example.net ")
    assert lines[1].endswith(key)
    assert lines[2:] == [f"localhost,localhost.localdomain,127.0.0.1 {key}"]
    stored = tmp_path / f"repository/Cfg{root}/id_rsa/id_rsa.H_{CLIENT}.crypt"
    assert crypt.decrypt(stored.read_bytes(), PASSPHRASE).decode() == files["id_rsa"]
