"""The real 1.3.4 client makes a dry run with packages and the files that tell its package manager about sources."""

from __future__ import annotations

from pathlib import Path

import pytest
from lxml import etree

from geventcore.testing.certificates import CertificateFiles
from geventcore.testing.site_files import ClientSite, ServerSite
from tests.peers.client import ClientPeer
from tests.peers.environment import python2_environment, python3_environment
from tests.peers.server import GeventcoreServer
from tests.support.package_repositories import rpm_repository
from tests.support.package_sites import apt_repository, apt_source, stanza
from tests.support.plugin_context import write_files

PASSWORD = "password"
#: The server knows callers from 127.0.0.1 by this name.
HOST = "localhost"


@pytest.mark.parametrize("python", ["python3", "python2"])
@pytest.mark.parametrize("kind", ["apt", "yum"])
@pytest.mark.parametrize("core", ["gevent", "builtin"])
def test_a_client_makes_a_dry_run(core: str, kind: str, python: str, tmp_path: Path) -> None:
    environment = python3_environment() if python == "python3" else python2_environment()
    if environment is None:
        pytest.skip("there is no Python 2.7 here")
    certificates = CertificateFiles(tmp_path / "certificates")
    repository, list_file = tmp_path / "repository", tmp_path / "client/root/etc/sources"
    data = tmp_path / "data"
    if kind == "apt":
        apt_repository(data, stanza("editor", Depends="library"), stanza("library"))
        source, package_type = apt_source(f"file://{data}"), "deb"
        config = f"deb file://{data}/ one main\n"
    else:
        rpm_repository(data / "9/base/amd64", {"editor": {"requires": ["library"]}, "library": {}})
        source, package_type = f'<Source type="yum" url="file://{data}" version="9">', "yum"
        source += "<Component>base</Component><Arch>amd64</Arch></Source>"
        config = f"[base]\nname = base\nbaseurl = file://{data}/9/base/amd64/\nenabled = 1\ngpgcheck = 0\n"
    groups = '<Group name="all" profile="true" public="true" default="true"><Bundle name="b"/><Group name="amd64"/>'
    write_files(
        repository,
        {
            "Metadata/groups.xml": f"<Groups>{groups}</Group></Groups>",
            "Metadata/clients.xml": f'<Clients><Client name="{HOST}" profile="all"/></Clients>',
            "Bundler/b.xml": f'<Bundle><Package name="editor"/><Path name="{list_file}"/></Bundle>',
            "Packages/sources.xml": f"<Sources>{source}</Sources>",
        },
    )
    server_site = ServerSite(
        tmp_path / "server",
        repository,
        certificates.server(),
        certificates.ca,
        PASSWORD,
        plugins=("Bundler", "Metadata", "Packages"),
        overrides={"packages": {f"{kind}_config": str(list_file)}},
    )
    machine = ClientSite(tmp_path / "client", server_site.url, PASSWORD, ca=certificates.ca)
    kept = tmp_path / "configuration.xml"
    with GeventcoreServer(core).serving(server_site) as server:
        run = ClientPeer(environment).run(machine, "-n", "-q", "-v", "-c", str(kept))
        log = server.log_tail(100_000)
    assert run.returncode == 0, run.stderr
    assert "Traceback" not in log
    received = etree.parse(kept)
    packages = {package.get("name"): dict(package.attrib) for package in received.iter("Package")}
    assert set(packages) == {"editor", "library"}
    assert {package["type"] for package in packages.values()} == {package_type}
    assert packages["library"]["origin"] == "Packages"
    (path,) = received.iter("Path")
    assert path.get("name") == str(list_file)
    assert config in str(path.text)
    # A dry run says what it would do, and does not do it.
    assert str(list_file) in run.stdout + run.stderr
    assert not list_file.exists()
