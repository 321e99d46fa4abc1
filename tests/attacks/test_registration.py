"""A caller with the site's password takes names that mean something elsewhere, or too many of them."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from geventcore.plugin.specificity import EXTENSIONS
from geventcore.testing.live_site import LiveServer, LiveSite, wait_until
from geventcore.testing.site_files import PLUGINS
from geventcore.testing.wire_client import Client

EVIL_TEXT = "${__import__('os').system('touch MARKER')} {{ 7 * 6 }} {% python open('MARKER', 'w') %}"
BAD_NAMES = [
    *("*", "!x", "a,b", "@cert-authority", "|1|c2FsdA==|aGFzaA==", "#x", "x y", "x\ty", "-rf", "--help", ".", ".."),
    *("../x", "a/b", "x.", ".x", "a..b", "x\n* ssh-rsa AAAA", "${x}", "{{x}}", "$(id)", "`id`", "x;y", "x|y", "x&y"),
    *("x=y", "a*b", "x?", "[x]", "(x)", "<x>", "x'y", 'x"y', "x\\y", "x%00", "ünïcode", "\u202e", "x" * 64, "a." * 127),
    *("1", "10.0.0.1", "127.0.0.1", "0x7f000001", "::1", "192.168.1", "*)(uid=*", "x\x1b[2J", "root\r\nx"),
    *(f"evil.{extension}" for extension in EXTENSIONS),
    *("evil.genshi.crypt", "EVIL.GENSHI", "${x}.genshi", "x.genshi.jinja2", "genshi.crypt"),
]
GOOD_NAMES = [
    "new1",
    "New2.Example.COM",
    "a-b_c.example",
    "genshi",
    "crypt.example.com",
    "3com.example",
]


@pytest.fixture(scope="module")
def server(new_site: Callable[..., LiveSite]) -> Iterator[LiveServer]:
    site = new_site(plugins=[*PLUGINS, "SSHbase", "FileProbes", "Ohai"])
    repository = site.repository
    (repository / "Bundler/base.xml").write_text(
        '<Bundle><Path name="/etc/uploaded"/><Path name="/root/.ssh/id_ed25519.pub"/>'
        '<Path name="/etc/ssh/ssh_host_ed25519_key"/><Path name="/etc/ssh/ssh_known_hosts"/></Bundle>'
    )
    for name, text in {
        "FileProbes/config.xml": '<FileProbes><FileProbe name="/etc/uploaded" update="true"/></FileProbes>',
        "Cfg/root/.ssh/id_ed25519/privkey.xml": '<PrivateKey><Params type="ed25519"/></PrivateKey>',
        "Cfg/root/.ssh/id_ed25519.pub/pubkey.xml": "<PublicKey/>",
    }.items():
        path = repository / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    with site.start() as running:
        yield running


def run_of(client: Client, text: str = EVIL_TEXT) -> str | None:
    """Everything that a client can do to be stored under its name; the configuration, None if access is denied."""
    content = base64.b64encode(text.encode()).decode()
    file = (
        f'&lt;ProbedFileData name="/etc/uploaded" owner="e" group="e" mode="06777"&gt;{content}&lt;/ProbedFileData&gt;'
    )
    probes = (
        f'<probe-data><probe-data name="/etc/uploaded" source="FileProbes">{file}</probe-data>'
        '<probe-data name="Ohai" source="Ohai">{"a": 1}</probe-data></probe-data>'
    )
    calls = (("DeclareVersion", "1.4.0"), ("AssertProfile", "basic"), ("GetProbes",), ("RecvProbeData", probes))
    replies = [client.exchange(client.request(*call)) for call in (*calls, ("GetConfig",))]
    (status,) = {reply.status for reply in replies}
    assert status in (200, 400, 401)
    return str([reply.value for reply in replies][-1]) if status == 200 else None


def files_of(repository: Path) -> dict[str, bytes]:
    return {str(path.relative_to(repository)): path.read_bytes() for path in repository.rglob("*") if path.is_file()}


def test_names_that_are_no_host_names_leave_nothing(server: LiveServer) -> None:
    before = files_of(server.site.repository)
    accepted = [name for name in BAD_NAMES if run_of(server.site.client(name)) is not None]
    assert not accepted
    assert files_of(server.site.repository) == before


def test_certificates_with_such_names_leave_nothing_either(server: LiveServer) -> None:
    before = files_of(server.site.repository)
    for number, name in enumerate(["*", "evil.genshi", "10.0.0.1", "a,b", "-rf", "x y"]):
        issued = server.site.authority.issue(name, client=True, server=False)
        certificate = server.site.write_certificate(f"evil{number}", issued)
        assert run_of(server.site.client("root", certificate=certificate)) is None
    assert files_of(server.site.repository) == before


@pytest.mark.parametrize("name", GOOD_NAMES)
def test_host_names_become_clients_and_what_they_send_stays_text(server: LiveServer, name: str) -> None:
    client = server.site.client(name)
    assert run_of(client) is not None
    assert EVIL_TEXT in files_of(server.site.repository)[f"Cfg/etc/uploaded/uploaded.H_{name.lower()}"].decode()

    def delivered() -> bool:
        document = client.call("GetConfig")
        return "__import__" in document and "{{ 7 * 6 }}" in document

    wait_until(delivered, "the uploaded text in the configuration")
    assert not list(server.site.directory.rglob("MARKER"))


def test_only_host_names_and_addresses_are_in_known_hosts(server: LiveServer) -> None:
    client = server.site.client("reader.example.com")
    document = client.call("GetConfig")
    (text,) = re.findall(r'name="/etc/ssh/ssh_known_hosts"[^>]*>([^<]*)<', document)
    for line in text.splitlines():
        names, key_type, _ = line.split(" ", 2)
        assert key_type == "ssh-ed25519"
        assert re.fullmatch(r"[a-zA-Z0-9_.:,-]+", names), line


@pytest.mark.parametrize("name", ["thief.example.com", "Thief2.example.com"])
def test_a_registration_takes_no_address_from_a_known_client(server: LiveServer, name: str) -> None:
    """`AssertProfile` as the first call registers with the address."""
    thief = server.site.client(name, source="127.0.0.12")
    assert thief.call("AssertProfile", "basic") is True
    text = (server.site.repository / "Metadata/clients.xml").read_text()
    (element,) = re.findall(f'<Client name="{name.lower()}"[^>]*>', text)
    assert "address" not in element
    victim = server.site.client("root", "own of secure", source="127.0.0.12")
    assert victim.call("AssertProfile", "basic") is True
    with_site_password = server.site.client("root", source="127.0.0.12")
    assert with_site_password.exchange(with_site_password.request("GetConfig")).status == 401


def admin(site: LiveSite, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "geventcore", "admin", "-C", str(site.configuration), *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=site.environ(), check=False)


def test_a_new_client_waits_for_approval(new_site: Callable[..., LiveSite]) -> None:
    site = new_site(options={"metadata": {"register": "approve"}})
    with site.start() as server:
        newcomer = site.client("newcomer.example.com")
        assert run_of(newcomer) is None
        assert run_of(site.client("other.example.com", "wrong")) is None
        assert run_of(site.client("*")) is None
        assert run_of(site.client("plain")) is not None
        assert "geventcore admin client approve newcomer.example.com" in server.log_text()
        listed = admin(site, "client", "list", "--pending", "--json")
        assert listed.returncode == 0, listed.stderr
        found = [(client["name"], client["address"]) for client in json.loads(listed.stdout)]
        assert found == [("newcomer.example.com", "127.0.0.1")]
        before = (site.repository / "Metadata/clients.xml").read_text()
        assert "newcomer" not in before
        assert admin(site, "client", "approve", "a,b").returncode == 1
        done = admin(site, "client", "approve", "newcomer.example.com")
        assert (done.returncode, done.stdout) == (0, "newcomer.example.com: added with profile basic\n"), done.stderr
        wait_until(
            lambda: newcomer.exchange(newcomer.request("GetConfig")).status == 200, "access for the approved client"
        )
        assert run_of(newcomer) is not None
        assert "newcomer" not in admin(site, "client", "list", "--pending").stdout
        assert 'name="newcomer.example.com"' in (site.repository / "Metadata/clients.xml").read_text()


def test_a_closed_list_takes_nobody(new_site: Callable[..., LiveSite]) -> None:
    site = new_site(options={"metadata": {"register": "closed"}})
    with site.start() as server:
        before = files_of(site.repository)
        assert run_of(site.client("newcomer")) is None
        assert files_of(site.repository) == before
        assert run_of(site.client("plain")) is not None
        assert "client newcomer is not in the client list, and [metadata] register = closed" in server.log_text()


def test_registrations_are_bounded(new_site: Callable[..., LiveSite]) -> None:
    site = new_site(options={"metadata": {"register_rate": "5"}})
    with site.start() as server:
        results = []
        for number in range(12):
            client = site.client(f"invented{number}")
            results.append(client.exchange(client.request("GetConfig")).body)
        text = (site.repository / "Metadata/clients.xml").read_text()
        # Two processes have a bound each.
        assert 5 <= len(re.findall('name="invented', text)) <= 10
        assert any(b"too many new clients" in body for body in results)
        assert run_of(site.client("plain")) is not None
        assert not [line for line in server.log() if "Traceback" in line.message]


def test_the_client_list_does_not_grow_without_bound(new_site: Callable[..., LiveSite]) -> None:
    site = new_site(options={"metadata": {"register_limit": "215"}})
    with site.start():
        for number in range(10):
            client = site.client(f"invented{number}")
            client.exchange(client.request("GetConfig"))
        assert (site.repository / "Metadata/clients.xml").read_text().count("<Client ") == 215
