"""Who asks again for a configuration that is being built gets that one, unless it would be too old."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from geventcore.testing.live_site import LiveServer, LiveSite, wait_until

pytestmark = pytest.mark.live

PROBE_DATA = '<ProbeData><probe-data name="kernel" source="Probes">group:probed\n</probe-data></ProbeData>'


def waits(server: LiveServer) -> int:
    """How many configurations of the client have been begun."""
    return server.log_text().count("sleep-1 waits")


@pytest.fixture
def site(new_site: Callable[..., LiveSite]) -> LiveSite:
    return new_site("waiting.Waiting")


def test_retries_get_what_is_being_built(site: LiveSite) -> None:
    client = site.client("sleep-1")
    with site.start() as server, ThreadPoolExecutor(20) as executor:
        calls = [executor.submit(client.call, "GetConfig") for _ in range(20)]
        server.wait_for_log("sleep-1 waits")
        # Another one of the same address, to know that all have been read.
        assert site.client("host000.example.net").call("ping", 1) == [1]
        (site.directory / "gate-is-open").touch()
        answers = {call.result() for call in calls}
        assert len(answers) == 1
        assert waits(server) < 20


def test_another_client_gets_its_own(site: LiveSite) -> None:
    with site.start() as server, ThreadPoolExecutor(2) as executor:
        calls = [executor.submit(site.client(f"sleep-{number}").call, "GetConfig") for number in (1, 2)]
        server.wait_for_log(" waits", times=2)
        (site.directory / "gate-is-open").touch()
        assert all("/waited/sleep" in call.result() for call in calls)
        assert waits(server) == 1


def test_who_comes_after_its_probe_data_gets_a_new_one(site: LiveSite) -> None:
    client = site.client("sleep-1")
    with site.start() as server, ThreadPoolExecutor(2) as executor:
        old = executor.submit(client.call, "GetConfig")
        server.wait_for_log("sleep-1 waits")
        assert client.call("RecvProbeData", PROBE_DATA) is True
        new = executor.submit(client.call, "GetConfig")
        server.wait_for_log("sleep-1 waits", times=2)
        (site.directory / "gate-is-open").touch()
        assert "/etc/probed" not in old.result()
        assert "/etc/probed" in new.result()


def test_who_comes_after_a_change_of_the_repository_gets_a_new_one(site: LiveSite) -> None:
    client = site.client("sleep-1")
    with site.start() as server, ThreadPoolExecutor(2) as executor:
        old = executor.submit(client.call, "GetConfig")
        server.wait_for_log("sleep-1 waits")
        (site.repository / "Cfg" / "etc" / "motd" / "motd").write_text("Changed\n")
        new = executor.submit(client.call, "GetConfig")
        # It is held back while the change is waiting, and lets the change wait if that takes too long.
        server.wait_for_log("sleep-1 waits", times=2)
        (site.directory / "gate-is-open").touch()
        assert "Changed" not in old.result()
        assert new.result()
        wait_until(lambda: "Changed" in client.call("GetConfig"), "the change")
