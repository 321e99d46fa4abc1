"""Plugins for Bcfg2 in a server process of its own, with real clients: each core shows what their hooks do."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import xmlrpc.client
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from lxml import etree

from geventcore.testing.live_site import LiveServer, LiveSite, process_tree, wait_until
from geventcore.testing.wire_client import Client, HTTPStatusError
from tests.support.compat_site import PLUGIN_DIRECTORY, entry_of
from tests.support.plugin_context import write_files

pytestmark = pytest.mark.live

PLUGINS = (
    "Metadata",
    "Bundler",
    "Rules",
    "TemplateHelper",
    "legacysite.motd.Motd",
    "legacysite.extras.Extras",
    "legacysite.inventory.Inventory",
    "legacysite.policy.Policy",
    "legacysite.worker.Worker",
    "legacysite.worker.Reports",
    "legacysite.revision.Stamp",
    "legacysite.files.Notes",
    "legacysite.files.Sites",
    "legacysite.files.Prio",
    "legacysite.files.Spool",
    "legacysite.pulling.Pulling",
    "legacysite.pulling.Facts",
    "legacysite.derived.SiteRules",
    "legacysite.derived.Looker",
)
HOST = "host000.example.net"
REPORT = '<Node name="x"><Statistics version="2.0" state="clean" client_version="1.4.0"/></Node>'


class CompatSite(LiveSite):
    """A site whose plugins can be imported."""

    @staticmethod
    def environ() -> dict[str, str]:
        environ = LiveSite.environ()
        return {**environ, "PYTHONPATH": f"{environ['PYTHONPATH']}:{PLUGIN_DIRECTORY}"}


def make_site(directory: Path, core: str, plugins: tuple[str, ...] = PLUGINS) -> CompatSite:
    site = CompatSite(directory / "site", core, {"inventory": {"commands": "uname -m"}}, plugins)
    write_files(
        site.repository,
        {
            ".stamp": "r7",
            "Bundler/identity.xml": '<Bundle><Path name="/etc/motd.site"/><Path name="/etc/app.conf"/>'
            '<Service name="SSHD"/><Group name="arch-x86"><Path name="/slow/x86"/></Group></Bundle>',
            "Bundler/inventory.xml": "<Bundle/>",
            "Prio/a.xml": '<Prio priority="1"><Service name="sshd" status="on"/></Prio>',
            "Sites/config.xml": "<Sites/>",
            "Spool/etc/app.conf/template": "spooled",
            "TemplateHelper/sizes.py": "import Bcfg2.Options\n__export__ = ['encoding']\n"
            "def encoding():\n    import Bcfg2.Options\n    return Bcfg2.Options.setup.encoding\n",
            "Bundler/base.xml": '<Bundle xmlns:py="http://genshi.edgewall.org/">'
            "<BoundPath name=\"/${metadata.TemplateHelper['sizes'].encoding()}\"/></Bundle>",
        },
    )
    return site


@pytest.fixture(scope="module", params=["gevent", "builtin", "multiprocessing"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server with all plugins."""
    site = make_site(tmp_path_factory.mktemp(request.param), request.param)
    with site.start() as running:
        yield running


@pytest.fixture
def client(server: LiveServer) -> Client:
    return server.site.client(HOST)


def config(client: Client) -> etree._Element:
    text = client.call("GetConfig")
    return etree.fromstring(text)


def test_a_configuration_has_what_the_plugins_make(client: Client) -> None:
    root = config(client)
    assert root.get("revision") == "r7"
    assert entry_of(root, "Path", "/slow/one").get("goal") == "checked"
    assert entry_of(root, "Path", "/slow/crash").get("failure") == "bind error: crashed by accident"
    assert entry_of(root, "Path", "/etc/app.conf").text == "spooled"
    assert entry_of(root, "Service", "SSHD").get("status") == "on"
    assert entry_of(root, "Path", "/UTF-8") is not None
    assert {child.get("validated") for child in root} == {"Extras"}


def test_probes_make_groups(server: LiveServer, client: Client) -> None:
    probes = etree.fromstring(client.call("GetProbes"))
    assert [(probe.get("source"), probe.text) for probe in probes] == [("Inventory", "uname -m")]
    assert not config(client).xpath("//Path[@name='/slow/x86']")
    answer = client.call("RecvProbeData", '<probe-data><x name="inventory0" source="Inventory">x86\n</x></probe-data>')
    assert answer is True
    assert entry_of(config(client), "Path", "/slow/x86").text == f"Hello {HOST}"


def test_decisions(client: Client) -> None:
    assert client.call("GetDecisionList", "blacklist") == [["Path", f"/blacklist/{HOST}"]]


def test_reports_reach_both_kinds_of_statistics_and_the_hooks(server: LiveServer, client: Client) -> None:
    assert client.call("RecvStats", REPORT) is True
    assert client.call("Inventory.Show")[HOST] == "clean"
    wait_until(lambda: HOST in client.call("Reports.Seen"), "the report in the thread of Reports")
    journal = (server.site.repository / "Policy/journal").read_text()
    assert f"statistics {HOST}\n" in journal
    config(client)
    assert f"end {HOST}\n" in (server.site.repository / "Policy/journal").read_text()


def test_remote_methods_threads_and_faults(client: Client) -> None:
    assert client.call("Worker.Result") == "UTF-8 x"
    assert client.call("Worker.Late") == ["eA==", "late"]
    with pytest.raises(xmlrpc.client.Fault) as caught:
        client.call("Motd.Fail")
    assert (caught.value.faultCode, caught.value.faultString) == (42, "told to fail")
    with pytest.raises(xmlrpc.client.Fault, match="no such thing"):
        client.call("Motd.Explode")
    assert client.call("Looker.BindOne", HOST, "Path", "/slow/one")["owner"] == "motd"


def processes_of(server: LiveServer) -> int:
    return len(process_tree(server.pid))


def test_plugins_that_may_learn_in_memory_have_one_process_unless_the_site_wants_more(tmp_path: Path) -> None:
    for plugin, workers, expected in (
        # One that takes probes, one with a thread, one with a method of its own, and a site that knows better.
        ("legacysite.inventory.Inventory", "auto", 1),
        ("legacysite.worker.Worker", "auto", 1),
        ("legacysite.motd.Motd", "auto", 1),
        ("legacysite.inventory.Inventory", "2", 3),
    ):
        site = make_site(tmp_path / f"{plugin}-{workers}", "gevent", ("Metadata", plugin))
        site.options["gevent"] = {"workers": workers}
        with site.start() as running:
            assert processes_of(running) == expected, (plugin, workers)
            said = [line.message for line in running.grave() if "[gevent] workers" in line.message]
            is_held_back = workers == "auto" and len(os.sched_getaffinity(0)) > 1
            assert [plugin.rpartition(".")[2] in line for line in said] == [True] * is_held_back


def test_other_plugins_are_in_a_process_for_each_processor(tmp_path: Path) -> None:
    site = make_site(tmp_path, "gevent", ("Metadata", "Bundler", "legacysite.extras.Extras"))
    with site.start() as running:
        processors = len(os.sched_getaffinity(0))
        assert processes_of(running) == (1 if processors == 1 else 1 + processors)
        assert not [line for line in running.grave() if "[gevent] workers" in line.message]


def test_access_is_what_the_plugin_says(server: LiveServer, client: Client) -> None:
    assert "/etc/motd.site" in client.call("Motd.Learn", "/etc/learned")
    for method, source in (("Policy.toggle_debug", "127.0.0.1"), ("get_statistics", "127.0.0.1")):
        with pytest.raises(HTTPStatusError) as caught:
            client.with_changes(source=source).call(method)
        assert caught.value.reply.status == 401
    with pytest.raises(HTTPStatusError):
        client.with_changes(source="127.0.0.9").call("Motd.Learn", "/etc/other")


def test_many_clients_at_once_are_served(server: LiveServer) -> None:
    def run(number: int) -> str | None:
        name = f"host{number:03}.example.net"
        return entry_of(config(server.site.client(name)), "Path", "/slow/one").text

    with ThreadPoolExecutor(8) as pool:
        texts = list(pool.map(run, range(24)))
    assert texts == [f"Hello host{number:03}.example.net" for number in range(24)]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import urllib2\n", "bad.py line 1: ModuleNotFoundError: No module named 'urllib2'"),
        ("print 'x'\n", "bad.py line 1: SyntaxError"),
        ("class Bad: pass\n", "is not a plugin class"),
        (
            "import Bcfg2.Server.Plugin as p\nclass Bad(p.Plugin):\n  create = False\n  def __init__(self, core):\n"
            "    p.Plugin.__init__(self, core)\n    1 / 0\n",
            "bad.py line 6: ZeroDivisionError: division by zero",
        ),
    ],
)
def test_a_bad_plugin_stops_the_start_with_one_line(tmp_path: Path, source: str, said: str) -> None:
    site = make_site(tmp_path, "gevent", ("Metadata", "bad.Bad"))
    (tmp_path / "bad.py").write_text(source)
    environ = site.environ()
    done = subprocess.run(
        site.command(),
        env={**environ, "PYTHONPATH": f"{environ['PYTHONPATH']}:{tmp_path}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode != 0
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert sum("Bad" in line for line in done.stderr.splitlines()) == 1


def test_the_configuration_is_checked_with_the_options_of_the_plugins(tmp_path: Path) -> None:
    site = make_site(tmp_path, "gevent")
    site.options["inventory"] = {"limit": "many", "unheard_of": "1"}
    configuration = site.server_site.write()
    done = subprocess.run(
        [sys.executable, "-m", "geventcore", "config", "check", "-C", str(configuration)],
        env=site.environ(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert re.search(r"\[inventory\] limit = \W?many\W?: expected a whole number", done.stdout + done.stderr)
    assert "unknown option [inventory] unheard_of" in done.stdout + done.stderr
