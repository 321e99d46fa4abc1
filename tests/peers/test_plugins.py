"""The real 1.3.4 client runs against our server with plugins that ask it, watch it, or ask others about it."""

from __future__ import annotations

import base64
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from geventcore.testing.certificates import CertificateFiles
from geventcore.testing.site_files import ClientSite, ServerSite
from tests.peers.client import ClientPeer
from tests.peers.environment import python2_environment, python3_environment
from tests.peers.server import GeventcoreServer, ServerProcess
from tests.support.plugin_context import write_files

pytest.importorskip("ldap3", reason="ldap3 is not installed on this machine")

from tests.support.directory_server import DirectoryServer, directory_server

PASSWORD = "password"
PLUGINS = ("Bundler", "Cfg", "FileProbes", "Ldap", "Metadata", "Ohai", "PuppetENC", "SEModules", "Trigger")
PATIENCE = 20.0
#: The server knows callers from 127.0.0.1 by this name.
HOST = "localhost"

GROUPS = """<Groups>
  <Group name="all" profile="true" public="true" default="true"><Bundle name="b"/></Group>
  <Group name="classified"><Bundle name="classified"/></Group>
</Groups>"""
LDAP = """from geventcore.plugins.ldap import LdapConnection, LdapQuery
__queries__ = ["Admin"]
class Admin(LdapQuery):
    name = "admin"
    base = "dc=x"
    connection = LdapConnection("127.0.0.1", {port})
    def prepare_query(self, metadata):
        self.filter = f"(host={{metadata.hostname}})"
"""
CLASSIFIER = """#!/bin/sh
echo "classes: [classified]"
echo "parameters: {word: $1-known}"
"""
#: No text, and no XML.
MODULE = b"\xff\x00module"


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


def path_entry(path: Path) -> str:
    return f'<Path name="{path}"/>'


def info() -> str:
    return f'<FileInfo><Info owner="{os.getuid()}" group="{os.getgid()}" mode="0644"/></FileInfo>'


@dataclass
class Site:
    """A server that runs, and a client's machine.

    Attributes:
        probed: a file of the client's that the server wants to have.
    """

    server: ServerProcess
    repository: Path
    directory: DirectoryServer
    machine: ClientSite
    probed: Path


@pytest.fixture(params=["gevent", "builtin"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    certificates = CertificateFiles(tmp_path / "certificates")
    repository = tmp_path / "repository"
    root = tmp_path / "client/root"
    probed = root / "etc/probed"
    write_files(root, {"etc/probed": "what the client has\n"})
    with directory_server({"uid=a,dc=x": {"cn": ["Änne".encode()]}}) as directory:
        bundle = "".join(path_entry(path) for path in (probed, root / "etc/admin"))
        classifier = repository / "PuppetENC/classify"
        trigger = repository / "Trigger/told"
        write_files(
            repository,
            {
                "Metadata/groups.xml": GROUPS,
                "Metadata/clients.xml": f'<Clients><Client name="{HOST}" profile="all"/></Clients>',
                "Bundler/b.xml": f'<Bundle>{bundle}<SEModule name="m"/></Bundle>',
                "Bundler/classified.xml": f"<Bundle>{path_entry(root / 'etc/classified')}</Bundle>",
                f"Cfg{root}/etc/classified/classified.jinja2": "{{ metadata.PuppetENC.word }}\n",
                f"Cfg{root}/etc/classified/info.xml": info(),
                f"Cfg{root}/etc/admin/admin.jinja2": '{{ metadata.Ldap["admin"][0][1]["cn"][0] }}\n',
                f"Cfg{root}/etc/admin/info.xml": info(),
                "FileProbes/config.xml": f'<FileProbes><FileProbe name="{probed}" update="true"/></FileProbes>',
                "Ldap/config.py": LDAP.format(port=directory.port),
                "PuppetENC/classify": CLASSIFIER,
                "SEModules/m.pp/m.pp": MODULE,
                "Trigger/told": f'#!/bin/sh\nprintf "%s|" "$@" >> {tmp_path}/told\n',
            },
        )
        for program in (classifier, trigger):
            program.chmod(0o755)
        server_site = ServerSite(
            tmp_path / "server",
            repository,
            certificates.server(),
            certificates.ca,
            PASSWORD,
            plugins=PLUGINS,
            overrides={"fileprobes": {"interpreter": sys.executable}},
        )
        machine = ClientSite(tmp_path / "client", server_site.url, PASSWORD, ca=certificates.ca)
        with GeventcoreServer(request.param).serving(server_site) as server:
            yield Site(server, repository, directory, machine, probed)


def delivered(client: ClientPeer, site: Site, kept: Path) -> str:
    """The configuration that the client gets now; it changes nothing."""
    run = client.run(site.machine, "-q", "-n", "-c", str(kept))
    assert run.returncode == 0, run.stderr
    return kept.read_text(encoding="utf-8")


@pytest.mark.parametrize("python", ["python3", "python2"])
def test_a_client_runs_with_all_of_them(site: Site, python: str, tmp_path: Path) -> None:
    environment = python3_environment() if python == "python3" else python2_environment()
    if environment is None:
        pytest.skip("there is no Python 2.7 here")
    client = ClientPeer(environment)
    root = site.machine.root

    first = client.run(site.machine, "-q", "-v")
    assert first.returncode == 0, first.stderr
    assert (root / "etc/classified").read_text() == f"{HOST}-known\n"
    assert (root / "etc/admin").read_text(encoding="utf-8") == "Änne\n"
    assert site.directory.searches[0][2] == f"host={HOST}"
    assert json.loads((site.repository / f"Ohai/{HOST}.json").read_text()) == {}
    wait_until(lambda: (tmp_path / "told").exists())
    assert (tmp_path / "told").read_text() == f"{HOST}|-p|all|-g|all:classified|"

    taken = site.repository / f"Cfg{site.probed}/probed.H_{HOST}"
    assert taken.read_text() == "what the client has\n"
    site.probed.write_text("changed on the client\n")
    second = client.run(site.machine, "-q", "-v")
    assert second.returncode == 0, second.stderr
    assert taken.read_text() == "changed on the client\n"
    # What was taken over is delivered from now on; before that the client could not be told what its file shall be.
    kept = tmp_path / "configuration.xml"
    wait_until(lambda: "changed on the client" in delivered(client, site, kept))
    assert base64.b64encode(MODULE).decode() in kept.read_text(encoding="utf-8")
    assert site.probed.read_text() == "changed on the client\n"
    assert not [line for line in site.server.log_tail(100_000).splitlines() if "Traceback" in line]
