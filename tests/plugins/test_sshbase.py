"""SSHbase: host keys, new ones, and the file of all host keys."""

from __future__ import annotations

import logging
import os
import socket
import stat
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from geventcore import crypt
from geventcore.errors import PluginExecutionError
from geventcore.filemonitor import FileAction, FileEvent
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.specificity import Specificity
from geventcore.plugins import ssh_keys
from geventcore.plugins.sshbase import SSHbase, known_hosts
from geventcore.plugins.sshbase.known_hosts import _Host
from geventcore.plugins.sshbase.name_service import NameService
from tests.support.cfg_site import bind, until
from tests.support.concurrent_calls import at_once
from tests.support.encrypted_site import PASSPHRASES, encrypted_site, foreign
from tests.support.key_pairs import ssh_keygen_public
from tests.support.plugin_context import SmallServer

PLUGINS = ("Metadata", "SSHbase")
CLIENTS = {
    "Metadata/clients.xml": """<Clients>
      <Client name="a.x.test" profile="p" address="192.0.2.1"/>
      <Client name="b.x.test" profile="q"><Alias name="www.x.test" address="192.0.2.3"/></Client>
    </Clients>""",
    "Metadata/groups.xml": """<Groups>
      <Group name="p" profile="true" public="true" default="true"><Group name="g"/></Group>
      <Group name="q" profile="true" public="true"><Group name="g"/></Group>
    </Groups>""",
}
KNOWN_HOSTS = "/etc/ssh/ssh_known_hosts"
LOCAL = "localhost,localhost.localdomain,127.0.0.1"


class Resolver:
    """Stands in for the system's resolver: names with addresses, addresses with names.

    Attributes:
        asked: the names that were looked up.
        gate: lookups wait while this is cleared.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.addresses: dict[str, list[str]] = {}
        self.names: dict[str, str] = {}
        self.asked: list[str] = []
        self.gate = threading.Event()
        self.gate.set()
        monkeypatch.setattr(socket, "getaddrinfo", self.getaddrinfo)
        monkeypatch.setattr(socket, "gethostbyaddr", self.gethostbyaddr)

    def getaddrinfo(self, name: str, *_: Any, **__: Any) -> list[Any]:
        self.asked.append(name)
        assert self.gate.wait(60)
        if name not in self.addresses:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0)) for address in self.addresses[name]]

    def gethostbyaddr(self, address: str) -> tuple[str, list[str], list[str]]:
        if address not in self.names:
            raise socket.herror(1, "Unknown host")
        return self.names[address], [], [address]


@pytest.fixture(autouse=True)
def resolver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Resolver]:
    found = Resolver(monkeypatch)
    yield found
    found.gate.set()


def site(tmp_path: Path, files: Mapping[str, str | bytes], options: str = "", **more: Any) -> Any:
    inside = {f"SSHbase/{name}": text for name, text in files.items()}
    return encrypted_site(tmp_path, {**CLIENTS, **inside}, PLUGINS, options, **more)


def metadata(server: SmallServer, name: str = "a.x.test") -> ClientMetadata:
    return server.core.build_metadata(name)


def serve(server: SmallServer, name: str, host: str = "a.x.test") -> etree._Element:
    return bind(server, name if name.startswith("/") else f"/etc/ssh/{name}", metadata(server, host))


def text(server: SmallServer, name: str, host: str = "a.x.test") -> str:
    return serve(server, name, host).text or ""


def plugin(server: SmallServer) -> SSHbase:
    found = server.plugin("SSHbase")
    assert isinstance(found, SSHbase)
    return found


def keys(server: SmallServer) -> list[str]:
    return sorted(name for name in os.listdir(server.repository / "SSHbase") if not name.endswith("~"))


def change(server: SmallServer, name: str, data: str | None) -> None:
    """Write or remove a file, and say so as the file monitor does."""
    path = server.repository / "SSHbase" / name
    action = FileAction.CHANGED if path.exists() else FileAction.CREATED
    if data is None:
        path.unlink()
        action = FileAction.DELETED
    else:
        path.write_text(data)
    with server.core.repository.lock.exclusive():
        plugin(server)._files.handle_event(FileEvent(str(path.parent), name, action))


# -- serving


@pytest.mark.parametrize("kind", ["dsa_", "ecdsa_", "ed25519_", "rsa_", ""])
def test_keys_are_served_with_their_modes(tmp_path: Path, kind: str) -> None:
    base = f"ssh_host_{kind}key"
    with site(tmp_path, {f"{base}.H_a.x.test": "private\n", f"{base}.pub.G10_g": "public\n"}) as server:
        private, public = serve(server, base), serve(server, f"{base}.pub")
    encoding = {} if kind else {"encoding": "base64"}
    common = {"owner": "root", "group": "root", "type": "file", **encoding}
    assert dict(private.attrib) == {"name": f"/etc/ssh/{base}", "mode": "0600", **common}
    assert dict(public.attrib) == {"name": f"/etc/ssh/{base}.pub", "mode": "0644", **common}
    assert (private.text, public.text) == (("private\n", "public\n") if kind else ("cHJpdmF0ZQo=", "cHVibGljCg=="))


def test_the_most_specific_key_is_served(tmp_path: Path) -> None:
    base = "ssh_host_rsa_key"
    files = {base: "all", f"{base}.G5_g": "5", f"{base}.G10_g": "10", f"{base}.H_b.x.test": "b"}
    with site(tmp_path, files) as server:
        assert text(server, base) == "10"
        assert text(server, base, "b.x.test") == "b"
        change(server, f"{base}.G10_g", None)
        assert text(server, base) == "5"
        change(server, f"{base}.G5_g", None)
        assert text(server, base) == "all"
        change(server, f"{base}.H_a.x.test", "a")
        assert text(server, base) == "a"


def test_info_xml_counts_for_everything(tmp_path: Path) -> None:
    info = (
        '<FileInfo><Path name="/etc/ssh/ssh_known_hosts"><Info group="staff"/></Path>'
        '<Client name="a.x.test"><Info mode="0640" sensitive="true"/></Client></FileInfo>'
    )
    with site(tmp_path, {"ssh_host_rsa_key": "x", "info.xml": info}) as server:
        entry = serve(server, "ssh_host_rsa_key")
        assert (entry.get("mode"), entry.get("sensitive"), entry.get("owner")) == ("0640", "true", "root")
        assert serve(server, KNOWN_HOSTS).get("group") == "staff"
        with pytest.raises(PluginExecutionError, match=r"info\.xml: no Info element applies to b\.x\.test"):
            serve(server, "ssh_host_rsa_key", "b.x.test")
        change(server, "info.xml", None)
        assert serve(server, "ssh_host_rsa_key").get("mode") == "0600"


@pytest.mark.parametrize("name", [":info", "info"])
def test_info_of_bcfg2_13_counts_for_everything(name: str, tmp_path: Path) -> None:
    with site(tmp_path, {"ssh_host_rsa_key": "x", name: "owner: app\nmode: 0640\n"}) as server:
        entry = serve(server, "ssh_host_rsa_key")
        assert (entry.get("mode"), entry.get("owner"), entry.get("group")) == ("0640", "app", "root")
        change(server, "info.xml", '<FileInfo><Info mode="0400"/></FileInfo>')
        assert serve(server, "ssh_host_rsa_key").get("mode") == "0400"
        change(server, "info.xml", None)
        change(server, name, None)
        assert serve(server, "ssh_host_rsa_key").get("mode") == "0600"


def test_an_info_that_is_not_understood_never_gives_default_rights(tmp_path: Path) -> None:
    with (
        site(tmp_path, {"ssh_host_rsa_key": "x", ":info": "mode 0640"}) as server,
        pytest.raises(PluginExecutionError, match="line 1: 'mode 0640'"),
    ):
        serve(server, "ssh_host_rsa_key")


def test_an_empty_file(tmp_path: Path) -> None:
    with site(tmp_path, {"ssh_host_rsa_key": ""}) as server:
        entry = serve(server, "ssh_host_rsa_key")
    assert (entry.get("empty"), entry.text) == ("true", None)


def test_an_encrypted_key(tmp_path: Path) -> None:
    secret = crypt.encrypt(b"private\n", PASSPHRASES["Beta"])
    with site(tmp_path, {"ssh_host_rsa_key.H_a.x.test.crypt": secret}) as server:
        assert text(server, "ssh_host_rsa_key") == "private\n"


def test_a_key_that_cannot_be_decrypted_fails_and_no_other_is_made(tmp_path: Path) -> None:
    name = "ssh_host_rsa_key.H_a.x.test.crypt"
    with site(tmp_path, {name: foreign("x")}) as server:
        for asked in ("ssh_host_rsa_key", "ssh_host_rsa_key.pub"):
            with pytest.raises(PluginExecutionError, match="cannot be decrypted"):
                text(server, asked)
        assert keys(server) == [name]


def test_files_that_do_not_belong_here_are_reported(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with site(tmp_path, {"ssh_host_rot13_key": "x"}):
        pass
    assert "ssh_host_rot13_key: ignoring this file, its name is not valid" in caplog.text


def test_templates_get_the_public_keys(tmp_path: Path) -> None:
    files = {"ssh_host_rsa_key.pub": "all\n", "ssh_host_ed25519_key.pub.H_b.x.test": "b\n", "ssh_host_dsa_key": "no"}
    with site(tmp_path, files, "[caching]\nclient_metadata = aggressive\n") as server:
        assert metadata(server).SSHbase == {"ssh_host_rsa_key.pub": "all\n"}
        assert metadata(server, "b.x.test").SSHbase == {
            "ssh_host_rsa_key.pub": "all\n",
            "ssh_host_ed25519_key.pub": "b\n",
        }
        change(server, "ssh_host_rsa_key.pub", "new\n")
        assert metadata(server).SSHbase == {"ssh_host_rsa_key.pub": "new\n"}


# -- new keys


@pytest.mark.parametrize("kind", ["dsa", "ecdsa", "ed25519", "rsa"])
def test_a_missing_pair_is_made(tmp_path: Path, kind: str) -> None:
    base = f"ssh_host_{kind}_key"
    with site(tmp_path, {}) as server:
        private = text(server, base)
        public = text(server, f"{base}.pub")
        assert public.split() == [*ssh_keygen_public(private, tmp_path).split(), "root@a.x.test"]
        assert keys(server) == [f"{base}.H_a.x.test", f"{base}.pub.H_a.x.test"]
        assert stat.S_IMODE((server.repository / "SSHbase" / f"{base}.H_a.x.test").stat().st_mode) == 0o600
        assert text(server, base) == private
        assert text(server, base, "b.x.test") != private


def test_many_who_ask_at_once_get_one_pair(tmp_path: Path) -> None:
    names = ("ssh_host_rsa_key", "ssh_host_rsa_key.pub") * 6
    with site(tmp_path, {}) as server:
        results = at_once([lambda name=name: text(server, name) for name in names])
        assert not [result for result in results if isinstance(result, Exception)]
        assert len(set(results)) == 2
        assert len(keys(server)) == 2
        assert results[1].split()[:2] == ssh_keygen_public(results[0], tmp_path).split()


def test_a_pair_that_another_process_made_is_taken(tmp_path: Path) -> None:
    pair = ssh_keys.generate("ed25519")
    with site(tmp_path, {}) as server:
        directory = server.repository / "SSHbase"
        (directory / "ssh_host_ed25519_key.H_a.x.test").write_bytes(pair.private)
        assert text(server, "ssh_host_ed25519_key.pub").split()[:2] == pair.public.split()
        assert text(server, "ssh_host_ed25519_key").encode() == pair.private


def test_a_missing_public_key_is_derived_for_those_who_have_the_private_one(tmp_path: Path) -> None:
    pair = ssh_keys.generate("ed25519")
    with site(tmp_path, {"ssh_host_ed25519_key.G10_g": pair.private}) as server:
        assert text(server, "ssh_host_ed25519_key.pub") == f"{pair.public} root@g\n"
        assert keys(server) == ["ssh_host_ed25519_key.G10_g", "ssh_host_ed25519_key.pub.G10_g"]


def test_a_public_key_without_its_private_one_is_replaced(tmp_path: Path) -> None:
    with site(tmp_path, {"ssh_host_ed25519_key.pub.H_a.x.test": "ssh-ed25519 AAAA old\n"}) as server:
        assert text(server, "ssh_host_ed25519_key.pub") == "ssh-ed25519 AAAA old\n"
        private = text(server, "ssh_host_ed25519_key")
        assert text(server, "ssh_host_ed25519_key.pub").split()[:2] == ssh_keygen_public(private, tmp_path).split()


def test_new_private_keys_are_encrypted(tmp_path: Path) -> None:
    with site(tmp_path, {}, "[sshbase]\npassphrase = beta\n") as server:
        private = text(server, "ssh_host_ed25519_key")
        assert keys(server) == ["ssh_host_ed25519_key.H_a.x.test.crypt", "ssh_host_ed25519_key.pub.H_a.x.test"]
        stored = (server.repository / "SSHbase/ssh_host_ed25519_key.H_a.x.test.crypt").read_bytes()
        assert crypt.decrypt(stored, PASSPHRASES["Beta"]).decode() == private


@pytest.mark.parametrize(
    ("name", "options", "reason"),
    [
        ("ssh_host_key", "", "no ssh_host_key for a.x.test: 'rsa1' is not a type"),
        (
            "ssh_host_rsa_key",
            "[sshbase]\npassphrase = nobody\n",
            r"\[sshbase\] passphrase = nobody: \[encryption\] has no passphrase",
        ),
    ],
)
def test_a_key_that_cannot_be_made(tmp_path: Path, name: str, options: str, reason: str) -> None:
    with site(tmp_path, {}, options) as server:
        for asked in (name, f"{name}.pub"):
            with pytest.raises(PluginExecutionError, match=reason) as caught:
                text(server, asked)
            assert "\n" not in str(caught.value)
        assert keys(server) == []


def test_a_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fsync(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with site(tmp_path, {}) as server:
        monkeypatch.setattr(os, "fsync", fsync)
        with pytest.raises(PluginExecutionError, match=r"ssh_host_rsa_key\.H_a\.x\.test: cannot be written: No space"):
            text(server, "ssh_host_rsa_key")
        assert keys(server) == []


def test_new_keys_appear_in_the_known_hosts_at_once(tmp_path: Path) -> None:
    with site(tmp_path, {}) as server:
        assert text(server, KNOWN_HOSTS) == ""
        public = text(server, "ssh_host_ed25519_key.pub").strip()
        assert text(server, KNOWN_HOSTS, "b.x.test") == f"192.0.2.1,a,a.x.test {public}\n"


def test_with_a_real_file_monitor_nothing_changes_when_its_events_come(tmp_path: Path) -> None:
    with site(tmp_path, {}, filemonitor="inotify") as server:
        private = text(server, "ssh_host_ed25519_key")
        (server.repository / "SSHbase/github.static").write_text("github key\n\n")
        until(server, lambda: text(server, KNOWN_HOSTS).startswith("github key\n"))
        assert text(server, "ssh_host_ed25519_key") == private


# -- known hosts


def test_every_key_with_all_names_of_its_hosts(tmp_path: Path, resolver: Resolver) -> None:
    resolver.addresses = {"a.x.test": ["192.0.2.1", "2001:db8::1"], "www.x.test": ["192.0.2.3"]}
    resolver.names = {"2001:db8::1": "six.x.test", "192.0.2.3": "reverse.x.test"}
    files = {
        "z.static": "last static\n\n",
        "b.static": "first static",
        "ssh_host_rsa_key.pub.H_b.x.test": "ssh-rsa B root@b\n",
        "ssh_host_rsa_key.pub.H_a.x.test": "ssh-rsa A root@a\n",
        "ssh_host_ed25519_key.pub.G10_g": "ssh-ed25519 G\n",
        "ssh_host_ecdsa_key.pub": "ecdsa ALL\n",
        "ssh_host_dsa_key.pub.H_stranger.test": "ssh-dss S\n",
    }
    a = "192.0.2.1,2001:db8::1,a,a.x.test,six.x.test"
    b = "192.0.2.3,b,b.x.test,reverse.x.test,www,www.x.test"
    with site(tmp_path, files) as server:
        assert text(server, KNOWN_HOSTS).splitlines() == [
            "first static",
            "last static",
            f"{a},{b} ecdsa ALL",
            f"{a},{b} ssh-ed25519 G",
            f"{a} ssh-rsa A root@a",
            f"{b} ssh-rsa B root@b",
            f"{LOCAL} ecdsa ALL",
            f"{LOCAL} ssh-ed25519 G",
            f"{LOCAL} ssh-rsa A root@a",
        ]
        assert text(server, KNOWN_HOSTS, "b.x.test").splitlines()[-1] == f"{LOCAL} ssh-rsa B root@b"


def test_a_host_that_is_no_client_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with site(tmp_path, {"ssh_host_rsa_key.pub.H_stranger.test": "ssh-rsa S\n"}) as server:
        for _ in range(3):
            assert text(server, KNOWN_HOSTS) == ""
            change(server, "x.static", "")
    assert sum("H_stranger.test: no client has this key" in record.getMessage() for record in caplog.records) == 1


def test_a_file_of_known_hosts_is_served_as_it_is(tmp_path: Path) -> None:
    files = {"ssh_known_hosts.H_a.x.test": "only this\n", "x.static": "static\n"}
    with site(tmp_path, files) as server:
        assert text(server, KNOWN_HOSTS) == "only this\n"
        assert text(server, KNOWN_HOSTS, "b.x.test") == "static\n"


def test_it_is_kept_until_something_changes(tmp_path: Path, resolver: Resolver) -> None:
    name = "ssh_host_rsa_key.pub.H_a.x.test"
    with site(tmp_path, {name: "ssh-rsa A\n"}) as server:
        before = text(server, KNOWN_HOSTS, "b.x.test")
        assert plugin(server)._known_hosts._common_text() is plugin(server)._known_hosts._common_text()
        change(server, name, "ssh-rsa NEW\n")
        assert text(server, KNOWN_HOSTS, "b.x.test") == before.replace(" A\n", " NEW\n")
        change(server, "x.static", "static")
        assert text(server, KNOWN_HOSTS, "b.x.test").startswith("static\n")
        change(server, "x.static", None)
        change(server, name, None)
        assert text(server, KNOWN_HOSTS, "b.x.test") == ""
    assert sorted(resolver.asked) == ["a.x.test"]


def test_a_new_client_counts_at_once_and_a_new_alias_soon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {"ssh_host_rsa_key.pub.H_new.x.test": "ssh-rsa N\n", "ssh_host_rsa_key.pub.H_a.x.test": "ssh-rsa A\n"}
    with site(tmp_path, files) as server:
        assert text(server, KNOWN_HOSTS, "b.x.test") == "192.0.2.1,a,a.x.test ssh-rsa A\n"
        source: Any = server.core.metadata_source()
        source.add_client("new.x.test", {"profile": "p"})
        assert text(server, KNOWN_HOSTS, "b.x.test").endswith("new,new.x.test ssh-rsa N\n")
        source.update_client("new.x.test", {"address": "192.0.2.9"})
        assert text(server, KNOWN_HOSTS, "b.x.test").endswith("\nnew,new.x.test ssh-rsa N\n")
        monkeypatch.setattr(known_hosts, "NAMES_SECONDS", 0.0)
        assert text(server, KNOWN_HOSTS, "b.x.test").endswith("\n192.0.2.9,new,new.x.test ssh-rsa N\n")


def test_nobody_waits_long_for_a_slow_resolver_and_nobody_waits_twice(
    tmp_path: Path, resolver: Resolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolver.addresses = {"a.x.test": ["192.0.2.77"]}
    resolver.gate.clear()
    name = "ssh_host_rsa_key.pub.H_a.x.test"
    with site(tmp_path, {name: "ssh-rsa A\n"}) as server:
        monkeypatch.setattr(known_hosts, "LOOKUP_SECONDS", 0.05)
        assert text(server, KNOWN_HOSTS, "b.x.test") == "192.0.2.1,a,a.x.test ssh-rsa A\n"
        # If it waited for that name again, this would not end before the gate opens.
        monkeypatch.setattr(known_hosts, "LOOKUP_SECONDS", 60.0)
        change(server, name, "ssh-rsa B\n")
        assert text(server, KNOWN_HOSTS, "b.x.test") == "192.0.2.1,a,a.x.test ssh-rsa B\n"
        resolver.gate.set()
        until(server, lambda: "192.0.2.77" in text(server, KNOWN_HOSTS, "b.x.test"))


def test_names_are_looked_up_before_a_client_asks(tmp_path: Path, resolver: Resolver) -> None:
    with site(tmp_path, {"ssh_host_rsa_key.pub.H_b.x.test": "ssh-rsa B\n"}) as server:
        plugin(server).start_threads()
        until(server, lambda: sorted(resolver.asked) == ["b.x.test", "www.x.test"])


def test_a_closed_name_service_lets_nobody_wait(resolver: Resolver) -> None:
    resolver.gate.clear()
    service = NameService(lambda: None)
    found: list[Mapping[str, frozenset[str]]] = []
    waiting = threading.Thread(target=lambda: found.append(service.look_up(["slow.test"], 60)))
    waiting.start()
    while not resolver.asked:
        assert waiting.is_alive()
    service.close()
    waiting.join(20)
    assert found == [{}]
    assert service.look_up(["other.test"], 60) == {}


# -- taking over


def test_a_key_of_a_client_is_taken_over(tmp_path: Path) -> None:
    with site(tmp_path, {}) as server:
        entry = etree.Element("Path", name="/etc/ssh/ssh_host_rsa_key.pub")
        (choice,) = plugin(server).accept_choices(entry, metadata(server))
        assert choice == Specificity("a.x.test")
        plugin(server).accept_pull_data(choice, {"name": entry.get("name"), "text": "ssh-rsa PULLED\n"}, False)
        assert text(server, "ssh_host_rsa_key.pub") == "ssh-rsa PULLED\n"
        assert keys(server) == ["ssh_host_rsa_key.pub.H_a.x.test"]
        with pytest.raises(PluginExecutionError, match="is not a file of SSHbase"):
            plugin(server).accept_pull_data(choice, {"name": "/etc/passwd", "text": "x"}, False)


@pytest.mark.parametrize(
    "key",
    ["ssh-rsa A x\n* ssh-rsa EVIL", "@cert-authority * ssh-rsa EVIL", "* ssh-rsa EVIL", "# ssh-rsa A", "ssh-rsa\0A"],
)
def test_only_public_keys_get_into_the_file_of_all_keys(tmp_path: Path, key: str) -> None:
    files = {"ssh_host_rsa_key.pub.H_a.x.test": key, "ssh_host_ed25519_key.pub.H_b.x.test": "ssh-ed25519 GOOD b"}
    with site(tmp_path, files) as server:
        for name in ("a.x.test", "b.x.test"):
            assert "EVIL" not in text(server, "ssh_known_hosts", name)
            assert "ssh-ed25519 GOOD" in text(server, "ssh_known_hosts", name)


@pytest.mark.parametrize("name", ["*", "!x", "a,b", "@revoked", "|1|a=|b=", "localhost", "127.0.0.1", "::1", "a b", ""])
def test_only_names_of_hosts_get_into_the_file_of_all_keys(name: str) -> None:
    host = _Host(frozenset({"a.x.test", name}), frozenset({"192.0.2.1"}))
    assert host.joined([frozenset({"2001:db8::1", name})]) == "192.0.2.1,2001:db8::1,a,a.x.test"
