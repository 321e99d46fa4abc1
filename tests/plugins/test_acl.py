"""Access control: the default rules, rules by address and rules by client."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from geventcore.errors import RepositoryError
from geventcore.filemonitor import FileAction
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.interfaces import ClientACLs
from geventcore.plugins.acl import ACL, method_matches
from geventcore.rpc.access import AccessControl
from tests.support.plugin_context import METADATA, SmallServer, small_server, write_files

HERE, THERE = ("127.0.0.1", 4000), ("192.0.2.1", 4000)


def acl_of(server: SmallServer) -> ACL:
    plugin = server.plugin("ACL")
    assert isinstance(plugin, ACL)
    return plugin


def by_address(
    root: Path, ip_xml: str, address: str, method: str, more: Mapping[str, str] | None = None
) -> bool | None:
    """What a given ``ip.xml`` says, through the server's own evaluation."""
    write_files(root, {**METADATA, "ACL/ip.xml": ip_xml, **(more or {})})
    with small_server(root, ["Metadata", "ACL"]) as server:
        access = AccessControl(lambda: server.core.plugins.by_type(ClientACLs), lambda _: ClientMetadata("h"))
        return access.by_address((address, 4000), method)


def by_client(
    root: Path, metadata_xml: str, client: ClientMetadata, method: str, address: tuple[str, int] = ("127.0.0.1", 4000)
) -> bool:
    """What a given ``metadata.xml`` says."""
    write_files(root, {**METADATA, "ACL/metadata.xml": metadata_xml})
    with small_server(root, ["Metadata", "ACL"]) as server:
        access = AccessControl(lambda: server.core.plugins.by_type(ClientACLs), lambda _: client)
        return access.by_metadata(client, method, address)


# -- DefaultACL


@pytest.mark.parametrize(
    ("ip", "method", "allowed"),
    [
        ("192.0.2.1", "GetConfig", True),
        ("192.0.2.1", "ping", True),
        ("192.0.2.1", "set_debug", False),
        ("192.0.2.1", "toggle_core_debug", False),
        ("192.0.2.1", "get_statistics", False),
        ("192.0.2.1", "expire_metadata_cache", False),
        ("192.0.2.1", "Packages.Refresh", False),
        ("192.0.2.1", "system.listMethods", False),
        ("127.0.0.1", "Packages.Refresh", True),
        ("127.0.0.2", "Packages.Refresh", False),
        ("::1", "set_debug", True),
        ("0:0:0:0:0:0:0:1", "get_statistics", True),
        ("::ffff:127.0.0.1", "get_statistics", True),
        ("::ffff:192.0.2.1", "get_statistics", False),
        ("fe80::1%lo", "get_statistics", False),
        ("localhost", "get_statistics", False),
        ("", "get_statistics", False),
    ],
)
def test_the_default_rules(tmp_path: Path, ip: str, method: str, allowed: bool) -> None:
    write_files(tmp_path, METADATA)
    with small_server(tmp_path, ["Metadata"]) as server:
        plugin = server.plugin("DefaultACL")
        assert isinstance(plugin, ClientACLs)
        assert plugin.check_acl_ip((ip, 4000, 0, 0), method) is allowed
    assert not (tmp_path / "DefaultACL").exists()


def test_the_default_rules_give_way_to_others(tmp_path: Path) -> None:
    write_files(tmp_path, METADATA)
    with small_server(tmp_path, ["Metadata", "ACL"]) as server:
        assert "DefaultACL" not in server.core.plugins.by_name


# -- patterns for methods


@pytest.mark.parametrize(
    ("pattern", "method", "matches"),
    [
        ("GetConfig", "GetConfig", True),
        ("GetConfig", "getconfig", False),
        ("*", "GetConfig", True),
        ("*", "Packages.Refresh", False),
        ("*.*", "Packages.Refresh", True),
        ("*.*", "GetConfig", False),
        ("*.*", "a.b.c", False),
        ("Packages.*", "Packages.Refresh", True),
        ("*.Refresh", "Packages.Refresh", True),
        ("Packages.*", "Probes.Refresh", False),
        ("*_debug", "set_debug", True),
        ("*_debug", "set_debug_log", False),
        ("Metadata.*_client*", "Metadata.list_clients", True),
        ("*.*_debug", "Cfg.toggle_debug", True),
        ("[G]et?onfig", "GetConfig", False),
        (".", "x", False),
        ("", "GetConfig", False),
    ],
)
def test_patterns(pattern: str, method: str, matches: bool) -> None:
    assert method_matches(pattern, method) is matches


# -- ip.xml


@pytest.mark.parametrize(
    ("rule", "address", "decision"),
    [
        ('<Deny method="*"/>', "192.0.2.1", False),
        ('<Allow method="*"/>', "192.0.2.1", True),
        ('<Defer method="*"/>', "127.0.0.1", None),
        ('<Deny method="*" address="192.0.2.1"/>', "192.0.2.1", False),
        ('<Deny method="*" address="192.0.2.1"/>', "::ffff:192.0.2.1", False),
        ('<Deny method="*" address="192.0.2.1"/>', "192.0.2.2", None),
        ('<Deny method="*" address="192.0.2.77" netmask="24"/>', "192.0.2.1", False),
        ('<Deny method="*" address="192.0.2.0" netmask="255.255.255.0"/>', "192.0.3.1", None),
        ('<Deny method="*" address="192.0.2.0" netmask="24"/>', "2001:db8::1", None),
        ('<Deny method="*" address="2001:DB8:0::1"/>', "2001:db8::1", False),
        ('<Allow method="*" address="2001:db8::" netmask="32"/>', "2001:db8:1::5", True),
        ('<Allow method="*" address="2001:db8::" netmask="32"/>', "2001:db9::5", None),
        ('<Allow method="*" address="fe80::" netmask="10"/>', "fe80::1%eth0", True),
        ('<Deny method="*" address="strange.example"/>', "strange.example", False),
        ('<Deny method="other"/>', "127.0.0.1", True),
        ('<Deny method="other"/>', "::1", True),
        ('<Deny method="other"/>', "127.0.0.2", None),
        ("<Deny/>", "192.0.2.1", None),
        ('<Deny method="set_*"/>', "192.0.2.1", False),
        ('<Defer method="*_debug"/><Deny method="*"/>', "192.0.2.1", None),
        ('<Allow method="*_debug"/>', "192.0.2.1", None),
    ],
)
def test_rules_by_address(tmp_path: Path, rule: str, address: str, decision: bool | None) -> None:
    assert by_address(tmp_path, f"<ACL><!-- note -->{rule}</ACL>", address, "set_debug") is decision


def test_the_first_rule_that_fits_decides(tmp_path: Path) -> None:
    rules = '<ACL><Allow method="a"/><Deny method="*"/><Allow method="b"/></ACL>'
    assert by_address(tmp_path, rules, "192.0.2.1", "a") is True
    assert by_address(tmp_path, rules, "192.0.2.1", "b") is False


@pytest.mark.parametrize("address", ["192.0.2.1", "127.0.0.1"])
def test_without_rules_everything_is_left_to_the_clients(tmp_path: Path, address: str) -> None:
    assert by_address(tmp_path, "<ACL/>", address, "Packages.Refresh") is None
    write_files(tmp_path / "none", METADATA)
    with small_server(tmp_path / "none", ["Metadata", "ACL"]) as server:
        assert acl_of(server).check_acl_ip((address, 1), "Packages.Refresh") is None
        assert acl_of(server).check_acl_metadata(ClientMetadata("h"), "Packages.Refresh")


def test_included_rules_stand_in_their_own_acl(tmp_path: Path) -> None:
    including = '<ACL xmlns:xi="http://www.w3.org/2001/XInclude"><xi:include href="more/*.xml"/></ACL>'
    more = {
        "ACL/more/1.xml": '<ACL><ACL><Deny method="one"/></ACL></ACL>',
        "ACL/more/2.xml": '<ACL><Allow method="*"/></ACL>',
    }
    assert by_address(tmp_path, including, "192.0.2.1", "one", more) is False
    assert by_address(tmp_path, including, "192.0.2.1", "two", more) is True


def test_what_is_no_rule_is_reported(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rules = '<ACL>\n<Group name="g"><Allow method="*"/></Group>\n<Deny method="*"/></ACL>'
    assert by_address(tmp_path, rules, "192.0.2.1", "a") is False
    assert "line 2: ignoring Group, which is not a rule" in caplog.text


def test_an_allow_that_cannot_fit_is_reported(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    by_address(tmp_path, '<ACL>\n<Allow method="*_debug"/></ACL>', "192.0.2.1", "a")
    assert "line 2" in caplog.text
    assert "'*_debug' matches nothing" in caplog.text


@pytest.mark.parametrize(
    "content",
    [
        "",
        "<ACL>",
        '<ACL><Allow method="*"/><Deny method="*" address="192.0.2.0" netmask="240"/></ACL>',
        '<ACL><Allow method="*"/><Deny method="*" address="nowhere" netmask="24"/></ACL>',
        '<ACL><Allow method="*"/><Deny method="*" address="2001:db8::" netmask="255.0.0.0"/></ACL>',
    ],
)
def test_a_file_that_never_was_good_lets_nobody_in(
    tmp_path: Path, content: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert by_address(tmp_path, content, "192.0.2.1", "GetConfig") is False
    assert "ip.xml" in caplog.text


def test_a_broken_file_leaves_the_rules_that_were_good(tmp_path: Path) -> None:
    path = tmp_path / "ACL/ip.xml"
    write_files(tmp_path, {**METADATA, "ACL/ip.xml": '<ACL><Deny method="a"/></ACL>'})
    with small_server(tmp_path, ["Metadata", "ACL"]) as server:
        acl = acl_of(server)
        path.write_text('<ACL><Deny method="a" address="x" netmask="1"/></ACL>')
        with pytest.raises(RepositoryError, match=r"ip\.xml: line 1: address='x' is not an IP address"):
            server.changed(acl.ip_file, path)
        assert acl.check_acl_ip(THERE, "a") is False
        path.write_text('<ACL><Allow method="a"/></ACL>')
        server.changed(acl.ip_file, path)
        assert acl.check_acl_ip(THERE, "a") is True
        path.unlink()
        server.changed(acl.ip_file, path, FileAction.DELETED)
        assert acl.check_acl_ip(THERE, "a") is True
        assert acl.check_acl_ip(HERE, "b") is True


# -- metadata.xml


RULES = """<ACL>
  <Group name="admins"><Allow method="*.*"/><Client name="odd"><Deny method="get_statistics"/></Client></Group>
  <Group name="admins" negate="true"><Deny method="*_debug"/><Deny method="*.*"/></Group>
  <ACL><Allow method="Get*"/></ACL>
  <Allow method="RecvStats"/>
</ACL>"""


@pytest.mark.parametrize(
    ("host", "groups", "method", "allowed"),
    [
        ("h", {"admins"}, "Packages.Refresh", True),
        ("h", set(), "Packages.Refresh", False),
        ("h", {"admins"}, "set_debug", False),
        ("h", set(), "GetConfig", True),
        ("h", set(), "RecvStats", True),
        ("h", set(), "DeclareVersion", False),
        ("odd", {"admins"}, "get_statistics", False),
        ("localhost", set(), "DeclareVersion", True),
        ("localhost.localdomain", set(), "DeclareVersion", True),
        ("localhost", set(), "Packages.Refresh", False),
    ],
)
def test_rules_by_client(tmp_path: Path, host: str, groups: set[str], method: str, allowed: bool) -> None:
    assert by_client(tmp_path, RULES, ClientMetadata(host, groups=groups), method) is allowed


@pytest.mark.parametrize("name", ["localhost", "localhost.localdomain"])
@pytest.mark.parametrize("ip", ["192.0.2.1", "127.0.0.2", "", "::2"])
def test_the_name_of_the_local_machine_opens_nothing_from_elsewhere(tmp_path: Path, name: str, ip: str) -> None:
    assert not by_client(tmp_path, RULES, ClientMetadata(name), "DeclareVersion", (ip, 4000))


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ('address="10.0.0.0/8"', "write the part after the slash as netmask"),
        ('address="10.0.0.0/8" netmask="8"', "write the part after the slash as netmask"),
        ('address=" 10.0.0.1"', "is not an IP address"),
        ('address="10.1.2.*"', "is not an IP address"),
        ('address="10.1.2"', "is not an IP address"),
        ('address="host.example.com"', "is not an IP address"),
        ('address=""', "is not an IP address"),
        ('address="10.0.0.0" netmask="33"', "is not a netmask"),
        ('address="10.0.0.0" netmask=""', "is not a netmask"),
        ('address="10.0.0.0" netmask=" 8"', "is not a netmask"),
        ('address="2001:db8::" netmask="255.0.0.0"', "is not a netmask"),
        ('netmask="8"', "has no address"),
    ],
)
@pytest.mark.parametrize("tag", ["Allow", "Deny", "Defer"])
def test_a_rule_that_no_address_can_match_makes_the_file_invalid(
    tmp_path: Path, attributes: str, reason: str, tag: str, caplog: pytest.LogCaptureFixture
) -> None:
    rules = f'<ACL>\n<{tag} method="*" {attributes}/>\n<Allow method="*"/></ACL>'
    assert by_address(tmp_path, rules, "10.1.2.3", "GetConfig") is False
    assert re.search(rf"ip\.xml: line 2: .*{reason}", caplog.text)


def test_rules_for_others_leave_a_client_nothing(tmp_path: Path) -> None:
    rules = '<ACL><Group name="admins"><Allow method="*"/></Group></ACL>'
    assert not by_client(tmp_path, rules, ClientMetadata("h"), "GetConfig")


def test_an_acl_of_comments_allows_everything(tmp_path: Path) -> None:
    assert by_client(tmp_path, "<ACL><!-- nothing yet --></ACL>", ClientMetadata("h"), "Packages.Refresh")


def test_a_broken_file_by_client_lets_nobody_in(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert not by_client(tmp_path, "<ACL", ClientMetadata("localhost"), "GetConfig")
    assert re.search(r"plugin ACL failed: .*metadata\.xml: there is no usable version", caplog.text)


def test_rules_by_client_may_be_a_template(tmp_path: Path) -> None:
    rules = (
        '<ACL xmlns:py="http://genshi.edgewall.org/">'
        '<Allow method="Get${metadata.hostname}"/><Deny py:if="True" method="*"/></ACL>'
    )
    assert by_client(tmp_path, rules, ClientMetadata("Config"), "GetConfig")
    assert not by_client(tmp_path, rules, ClientMetadata("Config"), "GetProbes")
