"""The ACL plugin over the wire; what the default access control does is in `test_methods`."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from geventcore.testing.live_site import LiveServer, LiveSite, wait_until
from geventcore.testing.site_files import PLUGINS
from geventcore.testing.wire_client import Client

IP_RULES = """\
<ACL>
  <Deny method="ping" address="127.0.0.21"/>
  <Allow method="*" address="127.0.0.0" netmask="255.255.255.224"/>
  <Allow method="Metadata.*" address="127.0.0.40"/>
  <Defer method="*"/>
</ACL>
"""
METADATA_RULES = """\
<ACL>
  <Client name="plain">
    <Allow method="GetConfig"/>
    <Allow method="listMethods"/>
    <Deny method="*"/>
  </Client>
  <Group name="large">
    <Allow method="*"/>
  </Group>
</ACL>
"""


@pytest.fixture(scope="module")
def server(new_site: Callable[..., LiveSite]) -> Iterator[LiveServer]:
    site = new_site(plugins=[*PLUGINS, "ACL"])
    directory = site.repository / "ACL"
    directory.mkdir()
    (directory / "ip.xml").write_text(IP_RULES)
    (directory / "metadata.xml").write_text(METADATA_RULES)
    with site.start() as running:
        yield running


def is_allowed(client: Client, method: str, *arguments: str) -> bool:
    reply = client.exchange(client.request(method, *arguments))
    assert reply.status in (200, 401)
    assert reply.headers.get_content_type() == ("text/xml" if reply.status == 200 else "text/html")
    return reply.status == 200


@pytest.mark.parametrize(
    ("user", "source", "method", "allowed"),
    [
        ("plain", "127.0.0.1", "ping", True),
        ("plain", "127.0.0.1", "get_statistics", True),
        ("plain", "127.0.0.21", "ping", False),
        ("plain", "127.0.0.21", "get_statistics", True),
        ("plain", "127.0.0.40", "Metadata.list_clients", True),
        ("plain", "127.0.0.40", "GetConfig", True),
        ("plain", "127.0.0.40", "ping", False),
        ("plain", "127.0.0.41", "Metadata.list_clients", False),
        ("large", "127.0.0.41", "get_statistics", True),
        ("both", "127.0.0.41", "ping", False),
    ],
)
def test_first_rule_that_fits_decides(server: LiveServer, user: str, source: str, method: str, allowed: bool) -> None:
    assert is_allowed(server.site.client(user, source=source), method) is allowed


def test_methods_are_listed_as_they_are_allowed(server: LiveServer) -> None:
    client = server.site.client("plain", source="127.0.0.41")
    assert client.call("listMethods") == ["GetConfig", "listMethods"]
    assert "get_statistics" in client.with_changes(user="large").call("listMethods")


def test_a_denial_is_one_line_in_the_log(server: LiveServer) -> None:
    client = server.site.client("plain", source="127.0.0.41")
    with client.connect() as connection:
        connection.send(client.request("ping"))
        assert connection.read_reply().status == 401
        name = connection.name
    wait_until(lambda: [line for line in server.grave() if name in line.message], "the denial in the log")
    (line,) = [line for line in server.grave() if name in line.message]
    assert "ping" in line.message


def test_changed_rules_count_at_once(server: LiveServer) -> None:
    client = server.site.client("both", source="127.0.0.42")
    assert not is_allowed(client, "ping")
    path = server.site.repository / "ACL/metadata.xml"
    path.write_text(
        METADATA_RULES.replace(
            '<Client name="plain">', '<Client name="both"><Allow method="ping"/></Client>\n  <Client name="plain">'
        )
    )
    # Each call may reach another process of the server.
    wait_until(lambda: all(is_allowed(client, "ping") for _ in range(20)), "the new rule in all processes")
    path.write_text("<ACL><broken")
    server.wait_for_log("ACL/metadata.xml")
    assert is_allowed(client, "ping")
    path.write_text(METADATA_RULES)
    wait_until(lambda: not is_allowed(client, "ping"), "the old rules again")
