"""apt repositories that Debian's own tools have made and GnuPG has signed, also while they change."""

from __future__ import annotations

import shutil
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from geventcore.plugins.packages.options import CA, CERTIFICATE, KEY, PROXY, SIGNATURES
from geventcore.tls.authority import Authority
from tests.support.package_repositories import SigningKey, debian_package, debian_repository, sign
from tests.support.package_server import PackageServer, package_server
from tests.support.package_sites import apt_source, package_site

WANTS_A = '<Package name="a"/>'

pytestmark = pytest.mark.skipif(
    not all(map(shutil.which, ("dpkg-deb", "apt-ftparchive", "gpg", "gpgv"))),
    reason="apt-utils, dpkg-dev and gnupg are not installed",
)


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SigningKey]:
    made = SigningKey(tmp_path_factory.mktemp("gnupg") / "home", "site")
    yield made
    made.stop()


@pytest.fixture
def root(tmp_path: Path, key: SigningKey) -> Path:
    root = tmp_path / "data"
    debian_package(root / "pool", "a", "b (>= 1) | b-old, c")
    debian_package(root / "pool", "b")
    debian_package(root / "pool", "c")
    debian_repository(root, key)
    (root / "key.asc").write_bytes(key.public)
    return root


@pytest.fixture
def web(root: Path) -> Iterator[PackageServer]:
    with package_server(root) as server:
        yield server


def key_element(web: PackageServer) -> str:
    return f"<GPGKey>{web.url}key.asc</GPGKey>"


def publish(root: Path, key: SigningKey | None) -> None:
    """Release a change: a package has another dependency."""
    shutil.rmtree(root / "pool")
    debian_package(root / "pool", "a", "d", version="2")
    debian_package(root / "pool", "d", version="2")
    debian_repository(root, key)


@pytest.mark.parametrize("by_hash", [True, False])
def test_a_signed_repository_is_read_and_followed(
    by_hash: bool, root: Path, key: SigningKey, web: PackageServer, tmp_path: Path
) -> None:
    sign(root / "dists/one", key, by_hash=by_hash)
    with package_site(tmp_path / "repo", apt_source(web.url, key_element(web)), WANTS_A) as site:
        assert site.added() == {"c"}
        assert any("/by-hash/SHA512/" in path for path, _ in web.requests) == by_hash
        name = f"{web.url}dists/one/main/binary-amd64/Packages.gz".replace("/", "@")
        assert (tmp_path / "repo/Packages/cache" / name).is_file()
        publish(root, key)
        site.plugin.Refresh()
        assert site.added() == {"d"}
        assert not site.state().is_failing
        assert not site.state().notes


def test_a_release_with_a_detached_signature_will_do(root: Path, web: PackageServer, tmp_path: Path) -> None:
    (root / "dists/one/InRelease").unlink()
    with package_site(tmp_path / "repo", apt_source(web.url, key_element(web)), WANTS_A) as site:
        assert site.added() == {"c"}
        assert not site.state().is_failing


def test_lists_of_another_compression_are_found_by_the_release(
    root: Path, key: SigningKey, web: PackageServer, tmp_path: Path
) -> None:
    for ending in ("xz", "zst", "lz4", "bz2"):
        directory = root / "dists/one/main/binary-amd64"
        for path in directory.glob("Packages*"):
            if path.suffix != f".{ending}":
                path.unlink()
        shutil.rmtree(directory / "by-hash", ignore_errors=True)
        sign(root / "dists/one", key)
        with package_site(tmp_path / f"repo-{ending}", apt_source(web.url, key_element(web)), WANTS_A) as site:
            assert site.added() == {"c"}
        debian_repository(root, key)


@pytest.mark.parametrize("ending", ["gz", "xz"])
def test_flat_repositories(ending: str, root: Path, key: SigningKey, web: PackageServer, tmp_path: Path) -> None:
    shutil.rmtree(root / "dists")
    debian_repository(root, key, flat=True, by_hash=False)
    if ending == "xz":
        for path in root.glob("Packages*"):
            if path.suffix != ".xz":
                path.unlink()
        sign(root, key, by_hash=False)
    source = f'<Source type="apt" rawurl="{web.url}"><Arch>amd64</Arch>{key_element(web)}</Source>'
    with package_site(tmp_path / "repo", source, WANTS_A) as site:
        assert site.added() == {"c"}
        assert not site.state().is_failing


def test_a_signature_by_somebody_else_is_refused(root: Path, web: PackageServer, tmp_path: Path) -> None:
    other = SigningKey(tmp_path / "other", "mallory")
    with package_site(tmp_path / "repo", apt_source(web.url, key_element(web)), WANTS_A) as site:
        publish(root, other)
        other.stop()
        site.plugin.Refresh()
        assert site.added() == {"c"}
        assert "is not by a key of the source" in site.state().error
        # Nor the next time, when the file is the same.
        site.plugin.Refresh()
        assert site.added() == {"c"}
        assert site.state().is_failing


def test_a_list_that_somebody_has_changed_is_refused(root: Path, web: PackageServer, tmp_path: Path) -> None:
    (root / "dists/one/main/binary-amd64/Packages.gz").write_bytes(b"changed")
    shutil.rmtree(root / "dists/one/main/binary-amd64/by-hash")
    with package_site(tmp_path / "repo", apt_source(web.url, key_element(web)), WANTS_A) as site:
        assert site.added() == set()
        assert "not the one that the repository states" in site.state().error


def test_a_signature_cannot_be_taken_away(root: Path, web: PackageServer, tmp_path: Path) -> None:
    with package_site(tmp_path / "repo", apt_source(web.url, key_element(web)), WANTS_A) as site:
        publish(root, None)
        for _ in range(2):
            site.plugin.Refresh()
            assert site.added() == {"c"}
            assert "it is not signed any more" in site.state().error


def test_signatures_that_never_were_are_a_note_or_an_error(root: Path, web: PackageServer, tmp_path: Path) -> None:
    sign(root / "dists/one", None)
    source = apt_source(web.url, key_element(web))
    with package_site(tmp_path / "repo", source, WANTS_A) as site:
        assert site.added() == {"c"}
        assert "GPGKey elements check nothing" in site.state().notes[0]
    with package_site(tmp_path / "strict", source, WANTS_A, {SIGNATURES: "require"}) as site:
        assert site.added() == set()
        assert "signatures = require" in site.state().error


def test_a_repository_that_changes_while_it_is_fetched(
    root: Path, key: SigningKey, web: PackageServer, tmp_path: Path
) -> None:
    with package_site(tmp_path / "repo", apt_source(web.url, key_element(web)), WANTS_A) as site:
        debian_package(root / "pool", "c", version="1.1")
        debian_repository(root, key)
        shutil.rmtree(root / "dists/one/main/binary-amd64/by-hash")

        def change(path: str) -> None:
            if "Packages" in path or "by-hash" in path:
                web.on_request = lambda _path: None
                publish(root, key)

        web.on_request = change
        site.plugin.Refresh()
        assert site.added() == {"d"}
        assert not site.state().is_failing


def test_https_with_an_authority_and_a_client_certificate(root: Path, tmp_path: Path) -> None:
    authority = Authority.create("CA of the mirror")
    issued = authority.issue("localhost", dns_names=["localhost"], ip_addresses=["127.0.0.1"])
    client = authority.issue("config server", client=True, server=False)
    files = {
        "ca.crt": authority.certificate_pem,
        "server.pem": issued.certificate_pem + issued.key_pem,
        "client.crt": client.certificate_pem,
        "client.key": client.key_pem,
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem")
    context.load_verify_locations(tmp_path / "ca.crt")
    context.verify_mode = ssl.CERT_REQUIRED
    with package_server(root, context) as web:
        source = apt_source(web.url, key_element(web))
        ours = {CERTIFICATE: tmp_path / "client.crt", KEY: tmp_path / "client.key"}
        with package_site(tmp_path / "repo", source, WANTS_A, {CA: tmp_path / "ca.crt", **ours}) as site:
            assert site.added() == {"c"}
        with package_site(tmp_path / "anonymous", source, WANTS_A, {CA: tmp_path / "ca.crt"}) as site:
            assert site.added() == set()
        with package_site(tmp_path / "untrusted", source, WANTS_A, ours) as site:
            assert site.added() == set()
            assert "certificate verify failed" in site.state().error


def test_a_proxy_with_a_login(root: Path, tmp_path: Path) -> None:
    # A proxy is a server that is asked for whole URLs.
    with package_server(root) as proxy:
        source = apt_source("http://mirror.invalid/")
        login = proxy.url.replace("//", "//u:p@")
        with package_site(tmp_path / "repo", source, WANTS_A, {PROXY: login}) as site:
            assert site.added() == {"c"}
        assert proxy.requests[0][0].startswith("http://mirror.invalid/")
        assert proxy.requests[0][1]["proxy-authorization"] == "Basic dTpw"
