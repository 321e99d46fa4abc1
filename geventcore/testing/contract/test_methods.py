"""Every method that can be called: results and their types, faults, and who may call what."""

from __future__ import annotations

import contextlib
import xmlrpc.client
from collections.abc import Callable, Iterator
from typing import Any
from xml.etree import ElementTree

import pytest

from geventcore.testing.contract_repository import LARGE_CONTENT
from geventcore.testing.live_site import LiveServer, LiveSite, wait_until
from geventcore.testing.wire_client import Client, HTTPStatusError

STATISTICS = '<upload-statistics><Statistics version="2.0" state="clean"/></upload-statistics>'

FOR_CLIENTS = [
    "AssertProfile",
    "DeclareVersion",
    "GetConfig",
    "GetDecisionList",
    "GetProbes",
    "RecvProbeData",
    "RecvStats",
    "listMethods",
    "methodHelp",
    "ping",
]
FOR_ADMINISTRATORS = [
    "expire_metadata_cache",
    "get_statistics",
    "set_core_debug",
    "set_debug",
    "set_fam_debug",
    "toggle_core_debug",
    "toggle_debug",
    "toggle_fam_debug",
]
INTROSPECTION = ["system.listMethods", "system.methodHelp", "system.methodSignature"]

CRITICAL, OTHER, UNKNOWN = -32500, 1, -32601


@pytest.fixture(scope="module")
def server(new_site: Callable[..., LiveSite]) -> Iterator[LiveServer]:
    with new_site().start() as running:
        yield running


@pytest.fixture
def client(server: LiveServer) -> Client:
    return server.site.client("plain")


@pytest.fixture
def remote(client: Client) -> Client:
    """The same client from an address that is not the server's own, as the default access control sees it."""
    return client.with_changes(source="127.0.0.2")


def fault_of(client: Client, method: str, *arguments: Any) -> xmlrpc.client.Fault:
    with pytest.raises(xmlrpc.client.Fault) as caught:
        client.call(method, *arguments)
    return caught.value


def monitor_name(client: Client) -> str:
    """The file monitor's name is the prefix of its own methods."""
    suffix = ".list_event_handlers"
    (name,) = [str(name).removesuffix(suffix) for name in client.call("listMethods") if name.endswith(suffix)]
    return name


# -- a client's run


def test_declare_version(server: LiveServer, client: Client) -> None:
    assert client.call("DeclareVersion", "1.3.4") is True
    assert 'version="1.3.4"' in (server.site.repository / "Metadata/clients.xml").read_text()


def test_assert_profile(client: Client) -> None:
    assert client.call("AssertProfile", "basic") is True


@pytest.mark.parametrize("profile", ["private", "probed", "no such group"])
def test_assert_profile_of_what_is_no_public_profile(client: Client, profile: str) -> None:
    fault = fault_of(client, "AssertProfile", profile)
    assert fault.faultCode == CRITICAL
    assert fault.faultString.startswith("Critical failure: ")
    assert profile in fault.faultString


def test_probes_are_sent_and_their_results_count_from_then_on(client: Client) -> None:
    prober = client.with_changes(user="prober")
    (probe,) = ElementTree.fromstring(prober.call("GetProbes"))
    assert probe.tag == "probe"
    assert probe.attrib == {"name": "kernel", "source": "Probes", "interpreter": "/bin/sh"}
    assert "echo group:probed" in (probe.text or "")
    assert "/etc/probed" not in prober.call("GetConfig")
    data = '<ProbeData><probe-data name="kernel" source="Probes">group:probed\n6.1 é ü\n</probe-data></ProbeData>'
    assert prober.call("RecvProbeData", data) is True
    assert "/etc/probed" in prober.call("GetConfig")


@pytest.mark.parametrize("data", ["", "no XML", "<ProbeData><probe-data></ProbeData>", "<a>&nbsp;</a>"])
def test_probe_data_that_is_no_document(client: Client, data: str) -> None:
    fault = fault_of(client, "RecvProbeData", data)
    assert fault.faultCode == CRITICAL
    assert fault.faultString.startswith("Critical failure: ")


def test_probe_data_for_nobody_are_accepted(client: Client) -> None:
    data = '<ProbeData><probe-data name="kernel" source="NoSuchPlugin">x</probe-data></ProbeData>'
    assert client.call("RecvProbeData", data) is True


@pytest.mark.parametrize(("mode", "decisions"), [("whitelist", [["Path", "/etc/*"]]), ("no such mode", [])])
def test_decision_list(client: Client, mode: str, decisions: list[list[str]]) -> None:
    assert client.call("GetDecisionList", mode) == decisions


def test_configuration(client: Client) -> None:
    text = client.call("GetConfig")
    assert isinstance(text, str)
    assert text.isascii()
    assert text.startswith("<Configuration ")
    root = ElementTree.fromstring(text)
    assert root.get("version") == "2.0"
    assert root.get("revision")
    entries = {entry.get("name"): entry for bundle in root for entry in bundle}
    assert "/client/plain" in entries
    assert entries["/etc/motd"].text == "Welcome é the message of the day\n"


def test_large_configuration(client: Client) -> None:
    root = ElementTree.fromstring(client.with_changes(user="large").call("GetConfig"))
    assert root.findtext(".//Path[@name='/srv/large']") == LARGE_CONTENT


def test_statistics_are_taken(server: LiveServer, client: Client) -> None:
    assert client.call("RecvStats", STATISTICS) is True
    server.wait_for_log("Client plain reported state clean")


@pytest.mark.parametrize("report", ["", "no XML", "<upload-statistics/>", "<Statistics"])
def test_statistics_that_are_none(client: Client, report: str) -> None:
    assert fault_of(client, "RecvStats", report).faultCode == OTHER


# -- about the server


def test_ping_gives_back_what_was_sent(client: Client) -> None:
    values = ["text é ü", 7, -1.5, True, None, [1, ["2"]], {"key": {"inner": []}}, b"\0\xff"]
    assert client.call("ping", *values) == values
    assert client.call("ping") == []


def test_list_methods_on_the_server_itself(client: Client) -> None:
    methods = client.call("listMethods")
    assert set(FOR_CLIENTS + FOR_ADMINISTRATORS) <= set(methods)
    core_methods = [name for name in methods if "." not in name]
    assert core_methods == sorted(core_methods)
    for name in ("Metadata.list_clients", "Metadata.remove_client", "Bundler.toggle_debug", "Bundler.set_debug"):
        assert name in methods
        assert methods.index(name) > methods.index(core_methods[-1])
    assert client.call("system.listMethods") == sorted(methods)


def test_list_methods_elsewhere(remote: Client) -> None:
    assert remote.call("listMethods") == FOR_CLIENTS


@pytest.mark.parametrize("name", [*FOR_ADMINISTRATORS, *INTROSPECTION, "Metadata.list_clients", "no.such.method"])
def test_what_is_not_listed_elsewhere_is_denied_there(remote: Client, name: str) -> None:
    with pytest.raises(HTTPStatusError) as caught:
        remote.call(name)
    assert caught.value.reply.status == 401
    assert caught.value.reply.headers.get_content_type() == "text/html"
    assert b"html" in caught.value.reply.body


def test_method_help(client: Client) -> None:
    assert "configuration" in client.call("methodHelp", "GetConfig")
    assert client.call("system.methodHelp", "GetConfig") == client.call("methodHelp", "GetConfig")
    assert client.call("methodHelp", "no_such_method") == ""
    assert client.call("methodHelp", "Metadata.list_clients") == ""


def test_method_signature(client: Client) -> None:
    assert client.call("system.methodSignature", "GetConfig") == "signatures not supported"


def test_statistics_of_the_server(client: Client) -> None:
    client.call("GetConfig")
    statistics = client.call("get_statistics")
    assert "GetConfig" in statistics
    for minimum, maximum, mean, count in statistics.values():
        assert [type(value) for value in (minimum, maximum, mean, count)] == [float, float, float, int]
        assert 0 <= minimum <= mean * 1.000001
        assert mean <= maximum * 1.000001
        assert count >= 1


@pytest.mark.parametrize("arguments", [(), (None,), (["plain", "nobody"],)], ids=str)
def test_expire_metadata_cache(client: Client, arguments: tuple[Any, ...]) -> None:
    assert client.call("expire_metadata_cache", *arguments) is None


# -- debugging


@pytest.fixture
def quiet_again(client: Client) -> Iterator[None]:
    yield
    client.call("set_debug", False)


@pytest.mark.usefixtures("quiet_again")
@pytest.mark.parametrize(
    ("given", "position"), [(True, True), (False, False), ("true", True), ("TRUE", True), ("yes", False), ("", False)]
)
def test_set_debug(client: Client, given: bool | str, position: bool) -> None:
    assert client.call("set_debug", given) is position
    assert client.call("set_core_debug", given) is position


@pytest.mark.usefixtures("quiet_again")
def test_toggle_debug(client: Client) -> None:
    assert client.call("toggle_debug") is True
    assert client.call("toggle_core_debug") is False
    assert client.call("toggle_core_debug") is True
    assert client.call("toggle_debug") is False


@pytest.mark.usefixtures("quiet_again")
def test_debug_messages_appear_and_disappear(server: LiveServer, client: Client) -> None:
    """A change of a file is what is talked about while everything is debugged."""
    motd = server.site.repository / "Cfg/etc/motd/motd"

    def change(text: str) -> None:
        motd.write_text(text)
        parse = ElementTree.fromstring
        wait_until(lambda: parse(client.call("GetConfig")).findtext(".//Path[@name='/etc/motd']") == text, text)

    client.call("set_debug", True)
    change("watched")
    assert "motd" in "".join(line for line in server.log_text().splitlines() if "filemonitor" in line)
    client.call("set_debug", False)
    said = len(server.log_text())
    change("Welcome é the message of the day\n")
    assert "filemonitor" not in server.log_text()[said:]


def test_debug_of_the_file_monitor_is_deprecated(client: Client) -> None:
    for method, arguments, position in [
        ("set_fam_debug", (True,), "True"),
        ("toggle_fam_debug", (), "False"),
    ]:
        notice, value = client.call(method, *arguments).splitlines()
        assert "deprecated" in notice
        assert value == position


# -- methods of plugins and of the file monitor


def test_plugins_methods_get_only_what_is_sent(client: Client) -> None:
    clients = client.call("Metadata.list_clients")
    assert {"plain", "doomed"} <= set(clients)
    assert client.call("Metadata.remove_client", "doomed") is None
    assert set(clients) - set(client.call("Metadata.list_clients")) == {"doomed"}


def test_debug_of_one_plugin(client: Client) -> None:
    assert client.call("Bundler.toggle_debug") is True
    assert client.call("Bundler.set_debug", False) is False


def test_methods_of_the_file_monitor(server: LiveServer, client: Client) -> None:
    name = monitor_name(client)
    handlers = client.call(f"{name}.list_event_handlers")
    assert str(server.site.repository / "Metadata/clients.xml") in " ".join(handlers)
    assert all(isinstance(handler, str) for handler in handlers.values())
    assert client.call(f"{name}.toggle_debug") is True
    assert client.call(f"{name}.set_debug", False) is False


# -- faults


@pytest.mark.parametrize(
    "name",
    ["no_such_method", "getconfig", "_dispatch", "Metadata.no_such_method", "NoSuchPlugin.toggle_debug", "a.b.c"],
)
def test_unknown_methods(client: Client, name: str) -> None:
    fault = fault_of(client, name)
    assert fault.faultCode == UNKNOWN
    assert name in fault.faultString


@pytest.mark.parametrize("name", ["Metadata.__init__", "Metadata.add_client", "Bundler.shutdown", "Metadata.context"])
def test_what_a_plugin_does_not_offer_is_unknown(client: Client, name: str) -> None:
    assert fault_of(client, name).faultCode == UNKNOWN


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("GetConfig", ("one too many",)),
        ("DeclareVersion", ()),
        ("DeclareVersion", ("1.3.4", "1.3.4")),
        ("Metadata.remove_client", ()),
        ("Metadata.list_clients", (1,)),
        ("Bundler.set_debug", ()),
        ("methodHelp", ()),
    ],
)
def test_wrong_number_of_arguments(client: Client, name: str, arguments: tuple[Any, ...]) -> None:
    fault = fault_of(client, name, *arguments)
    assert fault.faultCode == OTHER
    assert "argument" in fault.faultString


def test_failures_of_plugins_methods(client: Client) -> None:
    fault = fault_of(client, "Metadata.remove_client", "no such client")
    assert fault.faultCode == OTHER
    assert "no such client" in fault.faultString


@pytest.mark.parametrize(
    ("name", "argument"),
    [
        ("DeclareVersion", 134),
        ("DeclareVersion", ["1.3.4"]),
        ("AssertProfile", {"profile": "basic"}),
        ("RecvProbeData", 1),
        ("RecvProbeData", None),
        ("RecvStats", True),
        ("GetDecisionList", 3),
        ("methodHelp", 3),
        ("Metadata.remove_client", 3),
        ("expire_metadata_cache", 5),
        ("expire_metadata_cache", [5]),
        ("set_debug", []),
    ],
)
def test_arguments_of_a_wrong_type_do_no_harm(server: LiveServer, client: Client, name: str, argument: Any) -> None:
    """Some are taken for what they are not; whatever happens, there is a proper answer and no traceback."""
    before = len(server.log_text())
    reply = client.exchange(client.request(name, argument))
    assert reply.status == 200
    with contextlib.suppress(xmlrpc.client.Fault):
        assert reply.value is not None or name == "expire_metadata_cache"
    assert "Traceback" not in server.log_text()[before:]
    assert client.call("ping", 1) == [1]
