"""The commands of ``admin`` that ask a running server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from geventcore.cli.aliases import main as aliases
from geventcore.cli.main import main
from geventcore.testing.live_site import GLOBAL_PASSWORD, LiveServer, LiveSite
from tests.support.tool_cases import CASES

pytestmark = pytest.mark.live


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with LiveSite(tmp_path_factory.mktemp("site"), "gevent").start() as running:
        yield running


@pytest.fixture(scope="module")
def config(server: LiveServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The configuration of a client of the server."""
    path = tmp_path_factory.mktemp("client") / "bcfg2.conf"
    path.write_text(
        f"[communication]\npassword = {GLOBAL_PASSWORD}\nca = {server.site.ca}\nuser = plain\nretries = 1\n"
        f"[components]\nbcfg2 = https://127.0.0.1:{server.site.port}\n"
    )
    return path


def run(config: Path, capsys: pytest.CaptureFixture[str], *words: str, original: bool = False) -> tuple[int, str, str]:
    capsys.readouterr()
    if original:
        status = aliases.main("bcfg2-admin", ["-C", str(config), *words])
    else:
        status = main(["admin", words[0], "-C", str(config), *words[1:]])
    return (status, *capsys.readouterr())


def test_durations_are_a_table(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(config, capsys, "xcmd", "GetProbes")
    status, out, _ = run(config, capsys, "perf", original=True)
    assert status == 0
    rule, head, second = out.splitlines()[:3]
    wanted = (CASES / "admin/proxy-perf/stdout").read_text().splitlines()
    assert rule == second
    assert head.split() == wanted[1].split()
    assert [len(word) for word in rule.split()][1:] == [len(word) for word in wanted[0].split()][1:]
    found = json.loads(run(config, capsys, "perf", "--format", "json")[1])
    assert found["GetProbes"]["count"] >= 1
    assert f"\n{'GetProbes':{len(rule.split()[0])}} 0." in out


def test_the_cache_is_forgotten(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(config, capsys, "expirecache", original=True) == (0, "", "")
    assert run(config, capsys, "expirecache", "plain")[:2] == (0, "plain: forgotten\n")


def test_results_of_methods(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(config, capsys, "xcmd", "Metadata.list_clients")
    assert status == 0
    names = json.loads(out)
    assert "plain" in names
    assert run(config, capsys, "xcmd", "Metadata.list_clients", original=True)[1] == f"{names}\n"


def test_a_fault(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wanted = (CASES / "admin/proxy-xcmd-unknown/stdout").read_text()
    assert run(config, capsys, "xcmd", "nosuch", original=True)[:2] == (1, wanted)
    status, out, err = run(config, capsys, "xcmd", "nosuch")
    assert (status, out) == (1, "")
    assert "Unknown method nosuch" in err


def test_a_refused_login(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(config, capsys, "xcmd", "-x", "wrong", "GetProbes", original=True)
    assert (status, out) == (1, "Proxy Error: XML-RPC Protocol Error: Unauthorized (401)\n")
    status, _, err = run(config, capsys, "perf", "-x", "wrong")
    assert status == 1
    assert "refuses the login of 'plain'" in err


def test_no_server(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(config, capsys, "perf", "-S", "https://127.0.0.1:1", original=True)
    assert status == 1
    assert out.endswith("(408)\n")
    assert "https://127.0.0.1:1 does not answer" in run(config, capsys, "perf", "-S", "https://127.0.0.1:1")[2]


def test_the_certificate_of_the_server_is_checked(
    config: Path, server: LiveServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "the certificate is for localhost, not other" in run(config, capsys, "perf", "--ssl-cns", "other")[2]
    assert run(config, capsys, "perf", "--ssl-cns", "other:localhost")[0] == 0
    other = server.site.authority.create("another authority")
    (tmp_path / "ca.crt").write_bytes(other.certificate_pem)
    text = config.read_text().replace(f"ca = {server.site.ca}", f"ca = {tmp_path}/ca.crt")
    (tmp_path / "bcfg2.conf").write_text(text)
    assert "its certificate is refused" in run(tmp_path / "bcfg2.conf", capsys, "perf")[2]


def test_a_client_certificate(config: Path, server: LiveServer, capsys: pytest.CaptureFixture[str]) -> None:
    pair = server.site.client_certificate("by-certificate")
    words = ("--certificate", str(pair.certificate), "--ssl-key", str(pair.key))
    assert run(config, capsys, "xcmd", "-u", "by-certificate", "GetProbes")[0] == 1
    assert run(config, capsys, "xcmd", "-u", "by-certificate", *words, "GetProbes")[0] == 0
