"""The commands about packages, and that commands which only look change nothing."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from geventcore.cli.main import main
from geventcore.tls.authority import Authority
from tests.support.package_server import PackageServer, package_server
from tests.support.package_sites import PLUGINS, apt_repository, apt_source, stanza, write_site


@pytest.fixture
def web(tmp_path: Path) -> Iterator[PackageServer]:
    apt_repository(tmp_path / "data", stanza("a", Depends="b"), stanza("b", Depends="nowhere"))
    with package_server(tmp_path / "data") as server:
        yield server


@pytest.fixture
def conf(tmp_path: Path, web: PackageServer) -> Path:
    extra = "<GPGKey>http://localhost:9/key</GPGKey><Blacklist>x</Blacklist><Blacklist>y</Blacklist>"
    write_site(tmp_path / "repo", apt_source(web.url, extra), '<Package name="a"/>')
    issued = Authority.create("CA").issue("localhost", dns_names=["localhost"])
    (tmp_path / "server.crt").write_bytes(issued.certificate_pem)
    (tmp_path / "server.key").write_bytes(issued.key_pem)
    (tmp_path / "server.key").chmod(0o600)
    path = tmp_path / "bcfg2.conf"
    path.write_text(
        f"[server]\nrepository = {tmp_path / 'repo'}\nplugins = {', '.join(PLUGINS)}\n"
        f"[communication]\npassword = secret\ncertificate = {tmp_path}/server.crt\nkey = {tmp_path}/server.key\n"
        "[packages]\nretries = 0\nsignatures = ignore\n[logging]\nsyslog = false\n"
    )
    return path


def run(capsys: pytest.CaptureFixture[str], conf: Path, *arguments: str) -> tuple[int, str]:
    status = main([*arguments, "-C", str(conf)])
    return status, capsys.readouterr().out


def tree(root: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() if path.is_file() else b"" for path in root.rglob("*")}


def test_refresh_and_status(conf: Path, web: PackageServer, capsys: pytest.CaptureFixture[str]) -> None:
    status, out = run(capsys, conf, "packages", "status")
    assert (status, out.splitlines()[1]) == (0, "  missing; packages: none; fetched: never")
    status, out = run(capsys, conf, "packages", "refresh")
    assert status == 0
    assert "current; packages: 2 for amd64" in out
    web.faults["Packages.gz"] = "503"
    status, out = run(capsys, conf, "packages", "refresh", "--json")
    assert status == 1
    (source,) = json.loads(out)
    assert source["state"] == "failing"
    assert source["packages"] == {"amd64": 2}
    assert source["fetched"] < source["failing_since"]
    status, out = run(capsys, conf, "packages", "status")
    assert status == 1
    assert "fails since 2" in out


def test_commands_that_look_change_nothing_and_fetch_nothing(
    conf: Path, tmp_path: Path, web: PackageServer, capsys: pytest.CaptureFixture[str]
) -> None:
    commands = (
        ("info", "packageresolve", "n1"),
        ("info", "packagesources", "n1"),
        ("info", "build", "n1"),
        ("packages", "status"),
        ("config", "check"),
    )
    before = tree(tmp_path)
    for command in commands:
        assert run(capsys, conf, *command)[0] == 0
    assert tree(tmp_path) == before
    shutil.rmtree(tmp_path / "repo/Packages")
    before = tree(tmp_path)
    for command in commands:
        assert run(capsys, conf, *command)[0] == 0
    assert tree(tmp_path) == before
    assert not web.requests


def test_info_uses_what_a_server_of_bcfg2_has_fetched(
    conf: Path, tmp_path: Path, web: PackageServer, capsys: pytest.CaptureFixture[str]
) -> None:
    name = f"{web.url}dists/one/main/binary-amd64/Packages.gz".replace("/", "@")
    cache = tmp_path / "repo/Packages/cache"
    cache.mkdir()
    shutil.copy(tmp_path / "data/dists/one/main/binary-amd64/Packages.gz", cache / name)
    before = tree(cache)
    status, out = run(capsys, conf, "info", "packageresolve", "n1")
    assert status == 0
    assert out.splitlines() == [
        "1 initial packages",
        "1 new packages added",
        "  b (needed by a)",
        "1 unknown packages",
        "  nowhere",
    ]
    assert tree(cache) == before
    status, out = run(capsys, conf, "info", "packageresolve", "n1", "b")
    assert out.splitlines()[:2] == ["1 initial packages", "0 new packages added"]
    assert not web.requests


def test_sources_are_described_as_bcfg2_does(
    conf: Path, web: PackageServer, capsys: pytest.CaptureFixture[str]
) -> None:
    _, out = run(capsys, conf, "info", "packagesources", "n1")
    assert out.splitlines() == [
        "Name: main",
        "  Type: deb",
        f"  URL: {web.url}one/main/amd64/",
        "  GPG Key(s): http://localhost:9/key",
        "  Blacklist: x, y",
        "",
    ]


def test_a_site_without_the_plugin_is_told_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_site(tmp_path / "repo", "", "")
    conf = tmp_path / "bcfg2.conf"
    conf.write_text(f"[server]\nrepository = {tmp_path / 'repo'}\nplugins = Metadata\n[logging]\nsyslog = false\n")
    for command in (("packages", "status"), ("info", "packagesources", "n1")):
        assert main([*command, "-C", str(conf)]) == 1
        assert "does not use the plugin Packages" in capsys.readouterr().err
