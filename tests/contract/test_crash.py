"""What was acknowledged is stored, however the server ends."""

from __future__ import annotations

import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from xml.etree import ElementTree

import pytest

from geventcore.testing.contract_repository import HOSTS
from geventcore.testing.live_site import LiveSite, wait_until
from geventcore.testing.wire_client import CONNECTION_ERRORS, Client

CLIENTS = 16
#: Acknowledgements before the server is killed.
ENOUGH = 120


def probe_data(number: int) -> str:
    return f'<ProbeData><probe-data name="kernel" source="Probes">number {number}</probe-data></ProbeData>'


def stored_probes(repository: Path) -> dict[str, int]:
    root = ElementTree.parse(repository / "Probes/probed.xml").getroot()
    found = {}
    for client in root.iter("Client"):
        for probe in client.iter("Probe"):
            found[str(client.get("name"))] = int(str(probe.get("value")).split()[1])
    return found


def stored_versions(repository: Path) -> dict[str, int]:
    root = ElementTree.parse(repository / "Metadata/clients.xml").getroot()
    versions = {str(client.get("name")): client.get("version") for client in root.iter("Client")}
    return {name: int(version.rpartition(".")[2]) for name, version in versions.items() if version}


# The standard library's ssl does not close a socket that is reset between the connection and the handshake.
@pytest.mark.filterwarnings("ignore:unclosed <ssl.SSLSocket:ResourceWarning")
@pytest.mark.parametrize(
    ("method", "argument", "stored"),
    [
        ("RecvProbeData", probe_data, stored_probes),
        ("DeclareVersion", "1.0.{}".format, stored_versions),
    ],
    ids=["probe data", "versions"],
)
def test_what_was_acknowledged_survives_a_kill(
    new_site: Callable[..., LiveSite],
    method: str,
    argument: Callable[[int], str],
    stored: Callable[[Path], dict[str, int]],
) -> None:
    site = new_site()
    acknowledged: dict[str, int] = {}

    def send_until_the_end(client: Client) -> None:
        number = 0
        try:
            while True:
                number += 1
                assert client.call(method, argument(number)) is True
                acknowledged[client.user] = number
        except CONNECTION_ERRORS:
            return

    with ThreadPoolExecutor(CLIENTS) as executor:
        with site.start() as server:
            senders = [executor.submit(send_until_the_end, site.client(host)) for host in HOSTS[:CLIENTS]]
            wait_until(lambda: sum(acknowledged.values()) >= ENOUGH, f"{ENOUGH} acknowledged calls")
            server.signal(signal.SIGKILL)
            assert server.wait() == -signal.SIGKILL
        for sender in senders:
            sender.result()
    with site.start() as server:
        found = stored(site.repository)
        lost = {name: (number, found.get(name)) for name, number in acknowledged.items() if found.get(name, 0) < number}
        assert not lost
        assert not server.grave()
        client = site.client(HOSTS[0])
        assert client.call(method, argument(10_000)) is True
        assert stored(site.repository)[HOSTS[0]] == 10_000
        assert server.stop() == 0
