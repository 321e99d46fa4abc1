"""Answers that are kept: what is reused, what is not, and that it is what a fresh render gives."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from lxml import etree

from geventcore.core.base import Core
from geventcore.options.server import ANSWERS, CACHE_MODE, FILEMONITOR
from geventcore.plugin.base import Plugin
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.interfaces import ClientRunHooks, Generator
from geventcore.plugins import PLUGINS
from geventcore.render.answers import Explanation
from geventcore.simulation.site_repository import SiteShape, probe_upload
from tests.support.cfg_site import until
from tests.support.plugin_context import SmallServer, write_files
from tests.support.plugin_site import plugin_site
from tests.support.site_core import ADDRESS, MethodsAs, SiteCore, site_core


def explain(core: Core, host: str = "h") -> Explanation:
    core.write_configuration(host)
    found = core.renderer.answers.explanation(host)
    assert found is not None
    return found


BUNDLE = '<Bundle><Path name="/f"/><Path name="/t"/><Service name="s"/></Bundle>'
SITE = {
    "Bundler/b.xml": BUNDLE,
    "Cfg/f/f": "content\n",
    "Cfg/t/t.genshi": "${metadata.Probes.get('one', 'none')} ${'web' in metadata.groups}\n",
    "Rules/r.xml": '<Rules priority="1"><Service name="s" type="systemd"/></Rules>',
    "Defaults/d.xml": '<Defaults priority="1"><Path name="/.*" extra="true"/></Defaults>',
    "Properties/p.xml": "<Properties><x>1</x></Properties>",
}
NAMES = ["Bundler", "Cfg", "Defaults", "Probes", "Properties", "Rules"]


def notices_changes(server: SmallServer) -> bool:
    """Apply changes of files; return true if there were any."""
    before = server.core.repository.version
    server.core.repository.file_monitor.rescan()
    server.core.handle_file_events()
    return server.core.repository.version != before


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SmallServer]:
    with plugin_site(tmp_path, NAMES, SITE, {FILEMONITOR: "polling"}) as server:
        # A file that was written a moment ago may have been written again since it was read.
        until(server, lambda: not notices_changes(server))
        yield server


def upload(server: SmallServer, **results: str) -> None:
    methods = MethodsAs(server.core)
    methods.hostname = "h"
    data = "".join(f'<d name="{name}" source="Probes">{text}</d>' for name, text in results.items())
    methods.receive_probe_data(ADDRESS, f"<probe-data>{data}</probe-data>")


def test_an_unchanged_client_gets_its_last_answer(server: SmallServer) -> None:
    first = server.core.write_configuration("h")
    assert explain(server.core) == Explanation("reused", [])
    assert server.core.write_configuration("h") == first == etree.tostring(server.core.build_configuration("h"))
    assert b'extra="true"' in first


def test_only_results_that_are_read_count(server: SmallServer) -> None:
    server.core.write_configuration("h")
    upload(server, other="1")
    server.core.handle_file_events()
    assert explain(server.core).outcome == "reused"
    upload(server, one="3", other="2")
    server.core.handle_file_events()
    assert explain(server.core) == Explanation("partly", ["Probes.one"])
    assert b"3 True" in server.core.write_configuration("h")


def test_an_edit_counts_at_once(server: SmallServer) -> None:
    server.core.write_configuration("h")
    write_files(server.repository, {"Cfg/f/f": "another content\n"})
    server.core.repository.file_monitor.rescan()
    server.core.handle_file_events()
    assert explain(server.core) == Explanation("partly", ["Path:/f"])
    assert b"another content" in server.core.write_configuration("h")
    assert explain(server.core).outcome == "reused"


@pytest.mark.parametrize(
    ("name", "text", "outcome"),
    [
        ("Cfg/f/f", "another\n", "partly"),
        ("Cfg/t/t.genshi", "another\n", "partly"),
        ("Cfg/unused/unused", "new\n", "repository"),
        ("Bundler/b.xml", BUNDLE.replace('<Service name="s"/>', ""), "repository"),
        ("Bundler/other.xml", BUNDLE, "reused"),
        ("Rules/r.xml", '<Rules priority="1"><Service name="s" type="other"/></Rules>', "repository"),
        ("Defaults/d.xml", '<Defaults priority="1"><Service name="s" extra="yes"/></Defaults>', "repository"),
        ("Properties/p.xml", "<Properties><x>2</x></Properties>", "reused"),
        ("Probes/new", "#!/bin/sh\n", "reused"),
    ],
)
def test_an_edit_touches_what_read_the_file(server: SmallServer, name: str, text: str, outcome: str) -> None:
    (server.repository / "Probes").mkdir(exist_ok=True)
    server.core.write_configuration("h")
    write_files(server.repository, {name: text})
    server.core.repository.file_monitor.rescan()
    server.core.handle_file_events()
    assert explain(server.core).outcome == outcome
    assert server.core.write_configuration("h") == etree.tostring(server.core.build_configuration("h"))
    assert explain(server.core).outcome == "reused"


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("t.genshi", "{% python import time %}${time.time()}\n", "it uses the module time"),
        ("t.genshi", "{% include part.genshi_include %}\n", "it includes a file"),
        ("t.genshi", "${len(dir(metadata))}\n", "it uses dir"),
        ("t.genshi", "${metadata.query.all_clients()}\n", "it calls the method all_clients"),
        ("t.genshi", "${metadata.__class__}\n", "it uses the attribute __class__"),
        ("t.genshi", "{% python metadata.groups.add('x') %}\n", "it calls the method add"),
        ("t.genshi", "{% python metadata.profile = 'x' %}\n", "it changes the attribute profile"),
        ("t.jinja2", "{{ range(9)|random }}\n", "it uses the filter random"),
        ("t.jinja2", "{% include 'part' %}\n", "(Include)"),
        ("t.jinja2", "{% do metadata.groups.add('x') %}\n", "the method add"),
        ("t.jinja2", "{{ metadata['__dict__'] }}\n", "it uses the attribute __dict__"),
        ("t.genshi", "${metadata.query}\n", "it reads metadata.query"),
    ],
)
def test_an_impure_template_is_rendered_every_time(tmp_path: Path, name: str, text: str, reason: str) -> None:
    files = {**SITE, f"Cfg/t/{name}": text, "Cfg/t/part": "", "Cfg/t/part.genshi_include": "x\n"}
    if name != "t.genshi":
        del files["Cfg/t/t.genshi"]
    with plugin_site(tmp_path, NAMES, files, {FILEMONITOR: "pseudo"}) as server:
        server.core.write_configuration("h")
        found = explain(server.core)
        assert found.outcome == "partly"
        assert list(found.open_entries) == ["Path:/t"]
        assert reason in found.open_entries["Path:/t"]


def test_a_failure_is_logged_every_time(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    files = {
        **SITE,
        "Bundler/b.xml": '<Bundle><Path name="/f"/><Path name="/none"/><RequiredBundle name="no"/></Bundle>',
    }
    with plugin_site(tmp_path, NAMES, files, {FILEMONITOR: "pseudo"}) as server:
        seen = []
        for _ in range(4):
            caplog.clear()
            server.core.write_configuration("h")
            seen.append(sorted(r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING))
        assert explain(server.core).outcome == "partly"
        assert seen[0] == seen[1] == seen[2] == seen[3]
        assert any("bundle no does not exist" in message for message in seen[3])
        assert any("cannot bind Path:/none" in message for message in seen[3])


class CountingHooks(Plugin, ClientRunHooks):
    creates_directory = False
    calls: tuple[str, ...] = ()

    def start_client_run(self, metadata: ClientMetadata) -> None:
        CountingHooks.calls += ("start",)

    def end_client_run(self, metadata: ClientMetadata) -> None:
        CountingHooks.calls += ("end",)


class Unsaid(Plugin, Generator):
    """A generator that does not say what it depends on."""

    creates_directory = False
    entries = {"Service": {}}
    bound = 0

    def handles_entry(self, entry: etree._Element, metadata: ClientMetadata) -> bool:
        return entry.get("name") == "mine"

    def bind_entry(self, entry: etree._Element, metadata: ClientMetadata) -> None:
        Unsaid.bound += 1
        entry.set("count", str(Unsaid.bound))


@pytest.fixture
def own_plugins() -> Iterator[None]:
    PLUGINS.update({name: f"{__name__}:{name}" for name in ("CountingHooks", "Unsaid")})
    yield
    for name in ("CountingHooks", "Unsaid"):
        del PLUGINS[name]


@pytest.mark.usefixtures("own_plugins")
def test_hooks_and_plugins_that_say_nothing_are_asked_every_time(tmp_path: Path) -> None:
    files = {**SITE, "Bundler/b.xml": BUNDLE.replace("</Bundle>", '<Service name="mine"/></Bundle>')}
    with plugin_site(tmp_path, [*NAMES, "CountingHooks", "Unsaid"], files, {FILEMONITOR: "pseudo"}) as server:
        for number in range(1, 4):
            assert f'count="{number}"'.encode() in server.core.write_configuration("h")
        assert CountingHooks.calls == ("start", "end") * 3
        found = explain(server.core)
        assert found.outcome == "partly"
        assert set(found.open_entries) == {"Service:mine"}


def test_metadata_that_are_kept_are_not_recorded_in(tmp_path: Path) -> None:
    """Two calls of one client may be rendered at the same time."""
    with plugin_site(tmp_path, NAMES, SITE, {FILEMONITOR: "pseudo", CACHE_MODE: "aggressive"}) as server:
        server.core.write_configuration("h")
        assert explain(server.core).outcome == "reused"
        assert not server.core.build_metadata("h").scratch


def test_without_room_nothing_is_kept(tmp_path: Path) -> None:
    with plugin_site(tmp_path, NAMES, SITE, {FILEMONITOR: "pseudo", ANSWERS: 0}) as server:
        assert server.core.write_configuration("h") == server.core.write_configuration("h")
        assert server.core.renderer.answers.explanation("h") is None


def test_the_clients_that_an_edit_can_touch(server: SmallServer) -> None:
    renderer = server.core.renderer
    server.core.write_configuration("h")

    def touched(name: str) -> list[str]:
        return renderer.touched_by([server.repository / name], ["h"])

    assert touched("Cfg/f/f") == ["h"]
    assert touched("Cfg/f/f.H_other") == ["h"]
    assert touched("Rules/r.xml") == touched("Bundler/b.xml") == touched("Properties/p.xml") == ["h"]
    write_files(server.repository, {"Cfg/unused/unused": "x"})
    until(server, lambda: not notices_changes(server))
    server.core.write_configuration("h")
    assert touched("Cfg/unused/unused") == []
    assert renderer.touched_by([server.repository / "Cfg/unused/unused"], ["h", "never seen"]) == ["never seen"]


# -- a site of usual size


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SiteCore]:
    with site_core(tmp_path_factory.mktemp("site"), SiteShape(clients=12)) as site:
        for _ in range(2):
            for client in site.clients:
                site.core.write_configuration(client.name)
        yield site


def test_every_template_of_a_site_is_reused(site: SiteCore) -> None:
    for client in site.clients:
        assert explain(site.core, client.name) == Explanation("reused", [])
        tree = etree.tostring(site.core.build_configuration(client.name))
        assert site.core.write_configuration(client.name) == tree


def test_a_probe_that_no_template_reads_changes_nothing(site: SiteCore) -> None:
    client = site.clients[0]
    site.upload(client, probe_upload(client, 1))
    site.core.handle_file_events()
    assert explain(site.core, client.name).outcome == "reused"


def test_a_client_takes_little_memory(site: SiteCore) -> None:
    answers = site.core.renderer.answers
    for client in site.clients:
        answer = answers.get(client.name)
        assert answer is not None
        assert answer.size - sum(each.own_bytes for each in answer.structures) < 20_000
