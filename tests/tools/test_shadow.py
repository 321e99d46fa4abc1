"""``geventcore shadow``: the comparison of two servers' answers, its verdict, and the calls of the other server."""

from __future__ import annotations

import http.client
import json
import shutil
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from xmlrpc.client import dumps, loads

import pytest
from lxml import etree

from geventcore.cli.main import main
from geventcore.options import load_settings
from geventcore.options.server import COMMON_OPTIONS
from geventcore.options.settings import OptionSet
from geventcore.testing.live_site import GLOBAL_PASSWORD, LiveServer, LiveSite
from geventcore.testing.site_files import PLUGINS
from geventcore.tools.diff.model import OWN_NAME
from geventcore.tools.diff.secrets import Secrets
from geventcore.tools.server_calls import ServerAccess
from geventcore.tools.shadow import FORMATS, Forwarder, OldServer, Outcome, Shadow
from geventcore.tools.shadow.comparison import KINDS, CarefulSecrets, Difference, compare_configurations, compare_probes
from geventcore.tools.shadow.outcome import HostResult
from geventcore.tools.site import open_core
from geventcore.wire.basicauth import format_authorization


def configuration(content: str) -> etree._Element:
    return etree.fromstring(f"<Configuration version='2.0'>{content}</Configuration>")


def found(old: str, new: str) -> list[tuple[str, str]]:
    sides = [configuration(f"<Bundle name='b'>{content}</Bundle>") for content in (old, new)]
    texts = [etree.tostring(side) for side in sides]
    differences = compare_configurations(*sides)
    assert [etree.tostring(side) for side in sides] == texts
    return [(difference.kind, difference.subject) for difference in differences]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("<Path name='/f' mode='0644'/>", "<Path name='/f' mode='644'/>"),
        ("<Path name='/f' important='False' encoding='ascii'>x</Path>", "<Path name='/f'>x</Path>"),
        ("<Path name='/f' paranoid='TRUE'/>", "<Path name='/f' paranoid='true'/>"),
        ("<Path name='/f' empty='true'/>", "<Path name='/f'/>"),
        ("<Path name='/f' failure='one'/>", "<Path name='/f' failure='other'/>"),
        ("<Package name='a'/><Package name='b'/>", "<Package name='b'/><Package name='a'/>"),
        ("<RequiredBundle name='x' failure='nobody binds it'/>", "<RequiredBundle name='x' failure='-'/>"),
    ],
)
def test_what_a_client_does_not_tell_apart(old: str, new: str) -> None:
    assert found(old, new) == []


@pytest.mark.parametrize(
    ("old", "new", "kind"),
    [
        ("<Path name='/f' mode='0644'/>", "<Path name='/f' mode='0600'/>", "attributes"),
        ("<Path name='/f' paranoid='true'/>", "<Path name='/f'/>", "attributes"),
        ("<Path name='/f' encoding='base64'>eA==</Path>", "<Path name='/f'>x</Path>", "content"),
        ("<Path name='/f'>x</Path>", "<Path name='/f'>y</Path>", "content"),
        ("<Path name='/f'>x</Path>", "", "missing"),
        ("", "<Path name='/f'>x</Path>", "extra"),
        ("<Path name='/f' mode='644'>x</Path>", "<Path name='/f' failure='broken'/>", "fails-here"),
        ("<Path name='/f' failure='broken'/>", "<Path name='/f' mode='644'>x</Path>", "works-here"),
        ("<Path name='/f' failure='broken'/>", "", "works-here"),
    ],
)
def test_kinds_of_differences(old: str, new: str, kind: str) -> None:
    assert (kind, "Path:/f") in found(old, new)
    assert {found_kind for found_kind, _ in found(old, new)} <= {kind, "attributes"}


def test_elements_inside_entries_are_compared() -> None:
    acl = "<Path name='/d' type='directory'><ACL user='{}' perms='rw'/></Path>"
    assert found(acl.format("a"), acl.replace("user='{}' perms='rw'", "perms='rw' user='a'")) == []
    assert found(acl.format("a"), acl.format("b")) == [("content", "Path:/d")]


def test_hosts_that_differ_in_their_own_names_only_are_told_once() -> None:
    outcome = Outcome("https://old:6789")
    for host in ("w1.example.com", "w2.example.com"):
        difference = Difference("content", "Path:/etc/mailname", (f"-{host}", "+mail"))
        outcome.add(HostResult(host, (difference.with_name(host, OWN_NAME),)))
    ((shared, hosts),) = outcome.by_difference().items()
    assert shared.detail == ("-{hostname}", "+mail")
    assert hosts == ["w1.example.com", "w2.example.com"]
    del outcome.results["w2.example.com"]
    assert "-w1.example.com" in FORMATS["text"](outcome)


def test_structures() -> None:
    old = configuration("<Bundle name='a'/><Bundle name='b'><Package name='p'/></Bundle><Bundle name='c'/>")
    new = configuration("<Independent name='a'/><Bundle name='b'/><Bundle name='d'><Package name='p'/></Bundle>")
    assert {(each.kind, each.subject) for each in compare_configurations(old, new)} == {
        ("independent", "Bundle a"),
        ("missing-bundle", "Bundle c"),
        ("moved", "Package:p"),
    }
    error = etree.Element("error", type="metadata error")
    assert compare_configurations(old, error) == [Difference("no-configuration", "", ("metadata error",))]


@pytest.mark.parametrize("attributes", ["sensitive='true'", "type='file' mode='0600'"])
def test_secrets_are_not_shown(attributes: str) -> None:
    sides = [
        configuration(f"<Bundle name='b'><Path name='/key' {attributes}>{text}</Path></Bundle>")
        for text in ("old secret", "new secret")
    ]
    outcome = Outcome("https://old:6789")
    outcome.add(HostResult("h", tuple(compare_configurations(*sides))))
    for style, write in FORMATS.items():
        assert "secret\n" not in write(outcome), style
        assert "old secret" not in write(outcome), style
        assert "/key" in write(outcome)


def test_secrets_of_the_site_are_masked() -> None:
    sides = [
        configuration(f"<Bundle name='b'><Path name='/f' mode='0644' owner='hunter22'>{text} hunter22</Path></Bundle>")
        for text in ("old", "new")
    ]
    (difference,) = compare_configurations(*sides, CarefulSecrets(values=("hunter22",)))
    assert difference.detail == ("-old (hidden)", "+new (hidden)")
    (difference,) = compare_configurations(*sides, Secrets(paths=frozenset({"/f"})))
    assert "hunter22" not in str(difference)


def test_probes() -> None:
    old = etree.fromstring(
        "<probes><probe name='a' source='Probes' interpreter='/bin/sh'>x\n</probe><probe name='b' source='P'/></probes>"
    )
    new = list(
        etree.fromstring(
            "<probes><probe name='a' source='Probes' interpreter='/bin/sh'>x</probe>"
            "<probe name='c' source='P'/></probes>"
        )
    )
    assert [(each.subject, each.detail[0]) for each in compare_probes(old, new)] == [
        ("P:b", "only the old server asks for it"),
        ("P:c", "only this server asks for it"),
    ]


def outcome_of(**hosts: list[Difference] | str) -> Outcome:
    outcome = Outcome("https://old:6789")
    for host, value in hosts.items():
        if isinstance(value, str):
            outcome.add(HostResult(host, problem=value))
        else:
            outcome.add(HostResult(host, tuple(value)))
    return outcome


MOTD = Difference("content", "Path:/etc/motd", ("-<old>", "+<new>"))
HOSTS = Difference("content", "Path:/etc/hosts", tuple(f"-{number}" for number in range(40)))


@pytest.mark.parametrize(
    ("outcome", "verdict"),
    [
        (outcome_of(), "No host could be compared."),
        (outcome_of(a="refused"), "No host could be compared."),
        (outcome_of(a=[]), "The only host gets the same configuration from both servers."),
        (outcome_of(a=[], b=[]), "All 2 hosts get the same configuration from both servers."),
        (outcome_of(a=[MOTD]), "The only host gets another configuration: it differs in Path:/etc/motd."),
        (
            outcome_of(a=[], b=[MOTD], c=[MOTD, HOSTS], d="refused"),
            "1 of 3 hosts gets the same configuration; 2 differ in Path:/etc/motd and Path:/etc/hosts. "
            "1 host could not be compared.",
        ),
        (
            outcome_of(a=[Difference("missing", f"Package:{name}") for name in "vwxyz"], b=[]),
            "1 of 2 hosts gets the same configuration; 1 differs in Package:v, Package:w, Package:x and 2 more.",
        ),
    ],
)
def test_the_verdict(outcome: Outcome, verdict: str) -> None:
    assert outcome.verdict() == verdict


def test_equal_differences_are_told_once() -> None:
    outcome = outcome_of(w1=[MOTD], w2=[MOTD, HOSTS], w3="wrong password")
    text = FORMATS["text"](outcome)
    assert "Path:/etc/motd: content (w[1-2])" in text
    assert "2 hosts  contents that differ: Path:/etc/motd, Path:/etc/hosts" in text
    assert "… 34 more" in text
    assert "w3: wrong password" in text
    page = FORMATS["html"](outcome)
    etree.fromstring(page, etree.HTMLParser())
    assert "+&lt;new&gt;" in page
    assert "<new>" not in page
    value = json.loads(FORMATS["json"](outcome))
    assert (value["same"], value["different"], value["not_compared"]) == (0, 2, 1)
    assert value["differences"][0]["hosts"] == ["w1", "w2"]
    assert set(value["kinds"]) <= set(KINDS)


# -- against a server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    site = LiveSite(tmp_path_factory.mktemp("old"), "gevent", {"communication": {"authentication": "cert+password"}})
    with site.start() as running:
        yield running


@pytest.fixture
def config(server: LiveServer, tmp_path: Path) -> Path:
    """The configuration of a site with a copy of the server's repository."""
    repository = shutil.copytree(server.site.repository, tmp_path / "repository")
    path = tmp_path / "bcfg2.conf"
    pair = server.site.server_site.certificate
    path.write_text(
        f"[server]\nrepository = {repository}\nplugins = {','.join(PLUGINS)}\n"
        f"[communication]\npassword = {GLOBAL_PASSWORD}\nca = {server.site.ca}\nretries = 1\n"
        f"certificate = {pair.certificate}\nkey = {pair.key}\n[logging]\nsyslog = false\n"
    )
    return path


def tree(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def url(server: LiveServer) -> str:
    return f"https://127.0.0.1:{server.site.port}"


@pytest.mark.live
def test_hosts_log_in_with_what_they_have(server: LiveServer, config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = tree(server.site.repository), tree(config.parent)
    server.site.client_certificate("by-certificate")
    hosts = ["plain", "secure", "by-certificate", "host000.example.net"]
    words = ["shadow", "-C", str(config), "--format", "json", url(server), *hosts]
    assert main(words) == 2
    refused = json.loads(capsys.readouterr().out)
    assert [result["host"] for result in refused["results"] if result["problem"]] == ["by-certificate"]
    assert main([*words, "--certificates", str(server.site.tls)]) == 0
    assert json.loads(capsys.readouterr().out)["same"] == 4
    assert (tree(server.site.repository), tree(config.parent)) == before


@pytest.mark.live
def test_changes_here_are_differences(server: LiveServer, config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for bundle in (config.parent / "repository" / "Bundler").glob("*.xml"):
        text = bundle.read_text()
        bundle.write_text(text.replace("</Bundle>", '<BoundService name="new" type="systemd"/></Bundle>'))
    page = config.parent / "page.html"
    words = ["shadow", "-C", str(config), url(server), "host0*", "--format", "html", "--output", str(page)]
    assert main(words) == 1
    assert "None of 100 hosts gets the same configuration; 100 differ in Service:new." in capsys.readouterr().err
    assert "<code>Service:new</code>" in page.read_text()


@pytest.mark.live
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["unknown.example.net"], "not in the client list"),
        (["--group", "nosuch"], "no group has the name nosuch"),
        (["plain", "--ssl-cns", "other"], "the certificate is for localhost, not other"),
    ],
)
def test_refusals(
    words: list[str], message: str, server: LiveServer, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["shadow", "-C", str(config), url(server), *words]) in (1, 2)
    printed = capsys.readouterr()
    assert message in printed.err + printed.out


@pytest.mark.parametrize("hosts", [[], ["--listen", "0"]])
def test_a_server_that_does_not_answer_is_told_once(
    hosts: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "bcfg2.conf"
    config.write_text("[communication]\npassword = x\n")
    assert main(["shadow", "-C", str(config), "--no-verify", "https://127.0.0.1:1", *hosts]) == 2
    assert capsys.readouterr().err.count("https://127.0.0.1:1 does not answer") == 1


def test_wrong_command_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "bcfg2.conf"
    config.write_text("[communication]\npassword = x\n")
    assert main(["shadow", "-C", str(config), "http://old"]) == 2
    assert main(["shadow", "-C", str(config), "https://old:6789"]) == 1
    assert "pass --ca FILE or --no-verify" in capsys.readouterr().err


@pytest.mark.live
def test_a_port_answers_and_compares(server: LiveServer, config: Path) -> None:
    settings = load_settings(options=OptionSet(COMMON_OPTIONS), config_file=config, command_line={})
    pair = server.site.server_site.certificate
    access = ServerAccess(url(server), ca=server.site.ca, attempts=1)
    results: list[HostResult] = []
    with open_core(settings) as core:
        shadow = Shadow(core, OldServer(access))
        forwarder = Forwarder(shadow, ("127.0.0.1", 0), pair.certificate, pair.key)
        callers = threading.Thread(target=_calls, args=(forwarder, server.site.ca))
        callers.start()
        forwarder.serve(results.append)
        callers.join()
    assert [(result.host, result.problem, result.differences) for result in results] == [("plain", None, ())]
    assert results[0].entries > 0


def _calls(forwarder: Forwarder, ca: Path) -> None:
    """Make a run as the client ``plain``, with a wrong password first."""
    try:
        assert _call(forwarder, ca, "wrong", "GetConfig")[0] == 401
        status, body = _call(forwarder, ca, GLOBAL_PASSWORD, "GetProbes")
        assert status == 200
        assert b"probes" in body
        data = "<probe-data><probe-data name='x' source='Probes'>group:web</probe-data></probe-data>"
        assert _call(forwarder, ca, GLOBAL_PASSWORD, "RecvProbeData", data)[0] == 200
        status, body = _call(forwarder, ca, GLOBAL_PASSWORD, "GetConfig")
        assert "<Configuration" in str(loads(body)[0][0])
    finally:
        forwarder.stop()


def _call(forwarder: Forwarder, ca: Path, password: str, method: str, *arguments: str) -> tuple[int, bytes]:
    context = ssl.create_default_context(cafile=str(ca))
    connection = http.client.HTTPSConnection(*forwarder.address, timeout=60, context=context)
    headers = {"Authorization": format_authorization("plain", password), "Content-Type": "text/xml"}
    try:
        connection.request("POST", "/RPC2", dumps(arguments, method), headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()
