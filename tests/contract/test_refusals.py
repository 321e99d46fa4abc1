"""GetConfig for clients whose metadata contradict each other or whose structures are refused: one answer everywhere."""

from __future__ import annotations

import xmlrpc.client
from collections.abc import Callable, Iterator

import pytest

from geventcore.testing.live_site import LiveServer, LiveSite
from geventcore.testing.site_files import PLUGINS

#: Enough calls that each process of a server takes some.
CALLS = 6

_METADATA = "Critical failure: Unable to build the metadata of {}: {}"

#: Client -> fault code and text.
FAULTS = {
    "stranger": (
        -32500,
        _METADATA.format("stranger", "client stranger is unknown, and groups.xml has no default profile"),
    ),
    "contradictory": (-32500, _METADATA.format("contradictory", "its owner says two things")),
    "unready": (-32500, _METADATA.format("unready", "its owner says nothing yet")),
    "refused": (1, "two bundles for one port"),
}
#: Client -> its whole configuration.
DOCUMENTS = {
    "unbuilt": '<error type="structure error"/>',
    # Its profile is in no file: the group counts, and has no bundles.
    "lost": '<Configuration version="2.0" revision="-1"/>',
    # Each of two rules demands that the other one has not been met. Both are met by the groups that came before them.
    "torn": '<Configuration version="2.0" revision="-1"><Bundle name="one"/><Bundle name="two"/></Configuration>',
}

GROUPS = """\
<Groups>
  <Group name="basic" profile="true" public="true"/>
  <Group name="one"><Bundle name="one"/></Group>
  <Group name="two"><Bundle name="two"/></Group>
  <Client name="torn">
    <Group name="two" negate="true"><Group name="one"/></Group>
    <Group name="one" negate="true"><Group name="two"/></Group>
  </Client>
</Groups>
"""


@pytest.fixture(scope="module")
def server(new_site: Callable[..., LiveSite]) -> Iterator[LiveServer]:
    site = new_site(plugins=[*PLUGINS, "refusing.Refusing"])
    clients = "".join(
        f'<Client name="{name}" profile="{"no-such-group" if name == "lost" else "basic"}"/>'
        for name in (*FAULTS, *DOCUMENTS)
        if name != "stranger"
    )
    (site.repository / "Metadata/clients.xml").write_text(f"<Clients>{clients}</Clients>")
    (site.repository / "Metadata/groups.xml").write_text(GROUPS)
    for name in ("one", "two"):
        (site.repository / f"Bundler/{name}.xml").write_text("<Bundle/>")
    with site.start() as running:
        yield running


@pytest.mark.parametrize("name", FAULTS)
def test_refused_clients_get_a_fault(server: LiveServer, name: str) -> None:
    client = server.site.client(name)
    for _ in range(CALLS):
        with pytest.raises(xmlrpc.client.Fault) as caught:
            client.call("GetConfig")
        assert (caught.value.faultCode, caught.value.faultString) == FAULTS[name]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_contradictions_in_files_give_one_document(server: LiveServer, name: str) -> None:
    client = server.site.client(name)
    assert {client.call("GetConfig") for _ in range(CALLS)} == {DOCUMENTS[name]}
