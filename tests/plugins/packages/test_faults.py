"""Sources of every kind at a server that fails, stalls, cuts off, sends rubbish and changes in the middle."""

from __future__ import annotations

import lzma
import shutil
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest

from geventcore.plugins.packages.options import CA, TIMEOUT
from geventcore.tls.authority import Authority
from tests.support.package_repositories import pacman_repository, rpm_repository, tar_database
from tests.support.package_server import PackageServer, package_server
from tests.support.package_sites import PackageSite, apt_repository, package_site, stanza

WANTS_A = '<Package name="a"/>'


def apt(root: Path, needed: str) -> None:
    apt_repository(root, stanza("a", Depends=needed), stanza(needed))


def yum(root: Path, needed: str) -> None:
    rpm_repository(root / "one/main/amd64", {"a": {"requires": [needed]}, needed: {}})


def pac(root: Path, needed: str) -> None:
    pacman_repository(root, {"a": {"DEPENDS": [needed]}, needed: {}}, component="main", arch="amd64")


def pkgng(root: Path, needed: str) -> None:
    path = root / "freebsd:one:amd64/main/packagesite.txz"
    path.parent.mkdir(parents=True, exist_ok=True)
    catalogue = f'{{"name": "a", "deps": {{"{needed}": {{}}}}}}\n{{"name": "{needed}"}}\n'.encode()
    path.write_bytes(lzma.compress(tar_database({"packagesite.yaml": catalogue})))


#: Kind -> what writes its repository, and the end of the path of its list.
KINDS: dict[str, tuple[Callable[[Path, str], None], str]] = {
    "apt": (apt, "Packages.gz"),
    "yum": (yum, "primary.xml.gz"),
    "pac": (pac, "main.db.tar.gz"),
    "pkgng": (pkgng, "packagesite.txz"),
}
FAULTS = ("503", "404", "truncate", "stall")


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, Path]:
    """A server's context, and the file of the authority that its certificate is from."""
    directory = tmp_path_factory.mktemp("tls")
    authority = Authority.create("CA of the mirror")
    issued = authority.issue("localhost", dns_names=["localhost"], ip_addresses=["127.0.0.1"])
    (directory / "ca.crt").write_bytes(authority.certificate_pem)
    (directory / "server.pem").write_bytes(issued.certificate_pem + issued.key_pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory / "server.pem")
    return context, directory / "ca.crt"


def check_faults(site: PackageSite, web: PackageServer, ending: str) -> None:
    """Refresh from a server whose content has changed, and that fails in all ways."""
    since = 0.0
    for fault in FAULTS:
        web.faults[ending] = fault
        site.plugin.Refresh()
        state = site.state()
        assert site.added() == {"old"}, fault
        assert f"localhost:{web.port}" in state.error, fault
        # The first failure counts.
        since = since or state.failing_since
        assert state.failing_since == since > 0
    web.faults.clear()


@pytest.mark.parametrize(("kind", "scheme"), [*((kind, "https") for kind in KINDS), ("yum", "http")])
def test_a_source_survives_its_server(kind: str, scheme: str, tls: tuple[ssl.SSLContext, Path], tmp_path: Path) -> None:
    write, ending = KINDS[kind]
    data = tmp_path / "data"
    write(data, "old")
    context, authority = tls if scheme == "https" else (None, None)
    with package_server(data, context) as web:
        source = (
            f'<Source type="{kind}" url="{web.url}" version="{"" if kind == "pac" else "one"}">'
            "<Component>main</Component><Arch>amd64</Arch></Source>"
        )
        options = {TIMEOUT: 1.0} | ({CA: authority} if authority else {})
        with package_site(tmp_path / "repo", source, WANTS_A, options) as site:
            assert site.added() == {"old"}
            shutil.rmtree(data)
            write(data, "new")
            check_faults(site, web, ending)
            site.plugin.Refresh()
            assert (site.added(), site.state().is_failing) == ({"new"}, False)
            # The repository changes between the first file and the others.
            requests: list[str] = []

            def change(path: str) -> None:
                if path.endswith(ending) and not requests:
                    requests.append(path)
                    shutil.rmtree(data)
                    write(data, "newest")

            web.on_request = change  # type: ignore[assignment]
            write(data, "middle")
            site.plugin.Refresh()
            assert requests
            site.plugin.Refresh()
            assert (site.added(), site.state().is_failing) == ({"newest"}, False)
