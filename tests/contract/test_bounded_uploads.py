"""Clients choose how many names they send and how long they are: the server keeps and logs a bounded part."""

from __future__ import annotations

import xmlrpc.client
from collections.abc import Callable, Iterator
from xml.sax.saxutils import quoteattr

import pytest

from geventcore.testing.live_site import LiveServer, LiveSite
from geventcore.testing.wire_client import Client

#: Uploads of about a megabyte.
MANY = 15_000
PLUGINS = ("Metadata", "Bundler", "Cfg", "Rules", "Probes", "Ohai", "FileProbes", "Reporting")
#: More than every message about one call.
SHORT_LINE = 6000


@pytest.fixture(scope="module")
def server(new_site: Callable[..., LiveSite]) -> Iterator[LiveServer]:
    with new_site(options={"probes": {"allowed_groups": "g.* probed"}}, plugins=PLUGINS).start() as running:
        yield running


@pytest.fixture
def client(server: LiveServer) -> Client:
    return server.site.client("plain", source="127.0.8.1")


def probe_data(*results: tuple[str, str, str]) -> str:
    """Return an upload of results: source, name and text, which needs no escapes."""
    elements = (
        f"<probe-data source={quoteattr(source)} name={quoteattr(name)}>{text}</probe-data>"
        for source, name, text in results
    )
    return f"<probe-data>{''.join(elements)}</probe-data>"


def grave_lines(server: LiveServer, action: Callable[[], object]) -> list[str]:
    """Return the messages of level WARNING and above that an action causes; every line has to be short."""
    before = len(server.log_text())
    known = len(server.grave())
    action()
    new = server.log_text()[before:]
    assert max(map(len, new.splitlines()), default=0) < SHORT_LINE
    return [line.message for line in server.grave()[known:]]


def test_too_many_groups_are_refused_by_name(server: LiveServer, client: Client) -> None:
    assert client.call("RecvProbeData", probe_data(("Probes", "kernel", "group:probed\n"))) is True
    before = client.call("GetConfig")
    assert "/etc/probed" in before
    groups = "".join(f"group:g{number}\n" for number in range(MANY))

    def upload() -> None:
        with pytest.raises(xmlrpc.client.Fault, match=r"probe kernel .*\[probes\] max_groups"):
            client.call("RecvProbeData", probe_data(("Probes", "kernel", groups)))

    lines = grave_lines(server, upload)
    assert [line for line in lines if "plain" in line and "[probes] max_groups" in line]
    # The plugin's failure, and the fault.
    assert len(lines) == 2
    # The results of before are kept.
    assert client.call("GetConfig") == before


def test_too_many_results_are_refused(server: LiveServer, client: Client) -> None:
    upload = probe_data(*(("Probes", f"p{number}", "x") for number in range(MANY)))
    with pytest.raises(xmlrpc.client.Fault, match=r"\[probes\] max_results"):
        client.call("RecvProbeData", upload)


@pytest.mark.parametrize(
    "results",
    [
        [(f"source{number}", "name", "x") for number in range(MANY)],
        [(f"source{number}" * 100, "name", "x") for number in range(100)],
        [("Probes", "kernel", "".join(f"group:x{number}\n" for number in range(MANY)))],
        [("FileProbes", f"/etc/file{number}", "x") for number in range(MANY)],
        [("Ohai", f"Ohai{number}", "x") for number in range(MANY)],
        [("Ohai", "Ohai", "x")] * MANY,
        [("Probes", "kernel", "")] * MANY,
    ],
    ids=["sources", "long sources", "groups", "files", "names", "repeated", "empty"],
)
def test_a_line_for_each_upload(server: LiveServer, client: Client, results: list[tuple[str, str, str]]) -> None:
    lines = grave_lines(server, lambda: client.call("RecvProbeData", probe_data(*results)))
    assert len(lines) <= 1


def test_unknown_methods_are_not_kept(server: LiveServer) -> None:
    client = server.site.client("plain")
    name = "m" * 500_000

    def call() -> None:
        with pytest.raises(xmlrpc.client.Fault, match="Unknown method") as failure:
            client.call(name)
        assert len(failure.value.faultString) < SHORT_LINE
        with pytest.raises(xmlrpc.client.Fault, match="Unknown method nothing"):
            client.call("nothing")

    assert len(grave_lines(server, call)) == 2
    known = client.call("get_statistics")
    assert "nothing" not in known
    assert max(map(len, known)) < 200


def test_long_user_names_are_shortened(server: LiveServer, client: Client) -> None:
    stranger = client.with_changes(user="u" * 20_000, password="wrong")
    lines = grave_lines(server, lambda: stranger.exchange(stranger.request("ping")))
    assert lines
