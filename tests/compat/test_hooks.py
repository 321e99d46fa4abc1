"""Plugins for Bcfg2 in a real core: every interface, seen at what it does."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from geventcore.compat import tag_cache
from geventcore.core.base import Core
from geventcore.errors import MetadataConsistencyError, PluginExecutionError, PluginInitError, RPCError, ValidationError
from geventcore.filemonitor.polling import Polling
from geventcore.options import load_settings
from geventcore.options.server import IGNORE_FILES
from geventcore.plugin.interfaces import ClientACLs, PullSource, PullTarget, Statistics
from geventcore.plugin.specificity import Specificity
from geventcore.testing.live_site import wait_until
from tests.support.compat_site import FILES, PLUGIN_DIRECTORY, entry_of, messages, remote
from tests.support.plugin_context import SmallServer, write_files

StartServer = Callable[..., SmallServer]


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StartServer]:
    """Starts a core with Metadata and some plugins, and what the configuration says beyond."""
    monkeypatch.syspath_prepend(str(PLUGIN_DIRECTORY))
    cores: list[Core] = []
    repository = tmp_path / "repository"
    write_files(repository, FILES)

    def start_core(*plugins: str, configuration: str = "", files: dict[str, str | bytes] | None = None) -> SmallServer:
        write_files(repository, files or {})
        names = ", ".join([name if name[0].isupper() else f"legacysite.{name}" for name in ("Metadata", *plugins)])
        path = tmp_path / "bcfg2.conf"
        path.write_text(
            f"[server]\nrepository = {repository}\nplugins = {names}\nfilemonitor = pseudo\nmissing_bundles = log\n"
            f"{configuration}\n"
        )
        settings = load_settings(config_file=path)
        core = Core(settings, Polling(settings[IGNORE_FILES], interval=0.01))
        cores.append(core)
        core.load()
        return SmallServer(core)

    yield start_core
    for core in cores:
        core.shutdown()
    tag_cache.expire()


def config_of(server: SmallServer, client: str = "host") -> etree._Element:
    return server.core.build_configuration(client)


# -- Generator


def test_a_table_of_entries_binds_and_may_change(start: StartServer) -> None:
    server = start("Bundler", "motd.Motd", configuration="[motd]\ngreeting = Good evening\nshout = yes")
    assert entry_of(config_of(server), "Path", "/etc/motd.site").text == "GOOD EVENING HOST"
    change(server, "Bundler/base.xml", '<Bundle><Path name="/etc/new"/></Bundle>')
    assert entry_of(config_of(server), "Path", "/etc/new").get("failure") == "no matching generator"
    assert remote(server, "Motd", "Learn", "/etc/new") == ["/etc/motd.site", "/etc/new"]
    assert entry_of(config_of(server), "Path", "/etc/new").text == "GOOD EVENING HOST"


def test_entries_match_globs_of_bundles(start: StartServer) -> None:
    server = start("Bundler", "motd.Motd", files={"Bundler/base.xml": '<Bundle><Path glob="/etc/motd*"/></Bundle>'})
    assert entry_of(config_of(server), "Path", "/etc/motd.site").text == "Hello host"


def test_handled_entries_and_their_failures(start: StartServer, caplog: pytest.LogCaptureFixture) -> None:
    server = start("motd.Motd", "extras.Extras")
    config = config_of(server)
    assert entry_of(config, "Path", "/slow/one").get("owner") == "motd"
    assert entry_of(config, "Path", "/slow/bad").get("failure") == "bind error: refused on purpose"
    assert entry_of(config, "Path", "/slow/crash").get("failure") == "bind error: crashed by accident"
    (line,) = [text for text in messages(caplog) if text.startswith("Motd.HandleEntry failed")]
    assert line.endswith(": ValueError: crashed by accident")
    assert f"{PLUGIN_DIRECTORY}/legacysite/motd.py line " in line


# -- Structure and validators


def test_structures_and_both_validators(start: StartServer) -> None:
    server = start("Bundler", "motd.Motd", "extras.Extras")
    config = config_of(server)
    assert {child.get("validated") for child in config} == {"Extras"}
    assert entry_of(config, "Path", "/slow/one").get("goal") == "checked"
    with pytest.raises(ValidationError, match="no structures for bad"):
        config_of(server, "bad")


# -- Probing, Connector, Statistics


def test_probes_groups_data_and_statistics(start: StartServer) -> None:
    server = start(
        "Bundler", "Rules", "inventory.Inventory", configuration="[inventory]\ncommands = uname -m, uname -r"
    )
    core = server.core
    plugin: Any = server.plugin("Inventory")
    metadata = core.build_metadata("host")
    probes = plugin.get_probes(metadata)
    assert [(probe.get("name"), probe.get("source"), probe.text) for probe in probes] == [
        ("inventory0", "Inventory", "uname -m"),
        ("inventory1", "Inventory", "uname -r"),
    ]
    assert "arch-x86" not in metadata.groups
    data = etree.fromstring('<d><x name="inventory0" source="Inventory">x86\n</x></d>')
    plugin.receive_data(metadata, list(data))
    metadata = core.build_metadata("host")
    assert {"arch-x86", "inventoried"} <= metadata.groups
    assert metadata.categories["inventory"] == "inventoried"
    assert metadata.Inventory == {"values": ["x86\n"]}
    # The group that the connector declares has a bundle.
    assert entry_of(config_of(server), "Service", "inventory").get("status") == "on"
    assert core.timings.snapshot()["Inventory:GetProbes"][3] == 1
    report = etree.fromstring('<Node><Statistics version="2.0" state="clean"/></Node>')
    for statistics in core.plugins.by_type(Statistics):
        statistics.process_statistics(metadata, report)
    assert remote(server, "Inventory", "Show") == {"host": "clean"}


def test_what_a_connector_receives_expires_the_cached_metadata(start: StartServer) -> None:
    server = start("inventory.Inventory", configuration="[caching]\nclient_metadata = aggressive")
    before = server.core.build_metadata("host")
    assert server.core.build_metadata("host") is before
    data = etree.fromstring('<d><x name="inventory0" source="Inventory">arm</x></d>')
    server.plugin("Inventory").receive_data(before, list(data))  # type: ignore[attr-defined]
    assert "arch-arm" in server.core.build_metadata("host").groups


def test_a_cache_with_the_tag_of_metadata_expires_the_servers(start: StartServer) -> None:
    server = start("motd.Motd", configuration="[caching]\nclient_metadata = aggressive")
    first = {name: server.core.build_metadata(name) for name in ("host", "bad")}
    tag_cache.expire("Metadata", "host")
    assert server.core.build_metadata("host") is not first["host"]
    assert server.core.build_metadata("bad") is first["bad"]
    tag_cache.expire("Metadata")
    assert server.core.build_metadata("bad") is not first["bad"]


# -- Options


def test_options_have_values_defaults_and_types(start: StartServer) -> None:
    server = start(
        "inventory.Inventory",
        configuration="[inventory]\ngroups = no\nstore = <repository>/x\nlimit = 7\ncommands = a , b",
    )
    repository = str(server.repository)
    assert remote(server, "Inventory", "Settings") == [["a", "b"], False, f"{repository}/x", 7, repository]
    assert not [warning for warning in server.core.settings.warnings if "inventory" in warning]


def test_options_follow_the_configuration(start: StartServer) -> None:
    server = start("inventory.Inventory")
    repository = str(server.repository)
    assert remote(server, "Inventory", "Settings") == [["uname -m"], True, f"{repository}/inventory.txt", 5, repository]
    (configuration,) = server.core.settings.files
    configuration.write_text(configuration.read_text() + "[inventory]\nlimit = 9\n")
    server.core.configuration.reload()
    assert remote(server, "Inventory", "Settings")[3] == 9


@pytest.mark.parametrize(
    ("line", "said"),
    [("limit = many", "expected a whole number"), ("groups = perhaps", "expected yes or no"), ("nonsense = 1", None)],
)
def test_a_wrong_value_stops_the_start_with_file_and_place(start: StartServer, line: str, said: str | None) -> None:
    if said is None:
        server = start("inventory.Inventory", configuration=f"[inventory]\n{line}")
        assert any("unknown option [inventory] nonsense" in text for text in server.core.settings.warnings)
        return
    with pytest.raises(Exception, match=r"bcfg2\.conf:\d+: \[inventory\] .*" + said):
        start("inventory.Inventory", configuration=f"[inventory]\n{line}")


# -- Decision, ClientACLs, ClientRunHooks


def test_decisions_acls_and_run_hooks(start: StartServer) -> None:
    server = start("policy.Policy")
    core = server.core
    metadata = core.build_metadata("host")
    assert core.renderer.get_decisions(metadata, "whitelist") == [("Path", "/whitelist/host")]
    (acl,) = core.plugins.by_type(ClientACLs)
    assert acl.check_acl_ip(("127.0.0.1", 1), "Motd.Learn") is True
    assert acl.check_acl_ip(("127.0.0.2", 1), "Motd.Learn") is False
    assert acl.check_acl_ip(("127.0.0.2", 1), "GetConfig") is None
    assert acl.check_acl_metadata(metadata, "get_statistics") is False
    config_of(server)
    assert (server.repository / "Policy/journal").read_text() == "start host\nend host\n"


# -- Threaded, ThreadedStatistics


def test_threaded_statistics_work_in_their_thread_and_keep_what_waits(
    start: StartServer, caplog: pytest.LogCaptureFixture
) -> None:
    server = start("worker.Reports")
    plugin: Any = server.plugin("Reports")
    metadata = server.core.build_metadata("host")
    clean = etree.fromstring('<Node><Statistics state="clean"/></Node>')
    broken = etree.fromstring('<Node><Statistics state="broken"/></Node>')
    plugin.process_statistics(metadata, clean)
    server.core.shutdown()
    pending = server.repository / "etc/Reports.pending"
    assert [host for host, _ in json.loads(pending.read_text())] == ["host"]
    second = start("worker.Reports")
    plugin = second.plugin("Reports")
    plugin.start_threads()
    plugin.process_statistics(metadata, broken)
    plugin.process_statistics(second.core.build_metadata("bad"), clean)
    wait_until(lambda: len(remote(second, "Reports", "Seen")) == 2, "both reports")
    assert sorted(remote(second, "Reports", "Seen")) == ["bad", "host"]
    assert not pending.exists()
    assert any("handle_statistic failed for host: " in text and "worker.py line" in text for text in messages(caplog))


# -- Version


def test_a_version_plugin_and_its_conflict(start: StartServer, caplog: pytest.LogCaptureFixture) -> None:
    server = start("Bundler", "Rules", "revision.Stamp", "derived.Looker")
    server.core.repository.update_revision()
    assert config_of(server).get("revision") == "r7"
    assert remote(server, "Stamp", "get_revision") == "r7"
    assert "Rules" not in remote(server, "Looker", "Look")["plugins"]
    (server.repository / ".stamp").unlink()
    with pytest.raises(PluginInitError, match=r"plugin Stamp cannot be loaded: .* has no \.stamp; see \[server\]"):
        start("revision.Stamp")


# -- files


def change(server: SmallServer, path: str, text: str | None) -> None:
    """Replace a file, or remove it, and return when the server has noticed. Either is exactly one event."""
    if text is None:
        (server.repository / path).unlink()
    else:
        beside = server.repository.parent / "written"
        beside.write_text(text)
        beside.rename(server.repository / path)
    assert server.core.repository.file_monitor.wait(20), f"nothing notices that {path} has changed"
    server.core.handle_file_events()


def test_a_directory_of_files_in_the_style_of_13(start: StartServer, caplog: pytest.LogCaptureFixture) -> None:
    server = start(
        "files.Notes",
        files={"Notes/a.txt": "one two", "Notes/sub/b.txt": "three", "Notes/README": "", "Notes/odd.bin": ""},
    )
    assert server.core.build_metadata("host").Notes == {"a.txt": ["one", "two"], "sub/b.txt": ["three"]}
    assert [text for text in messages(caplog, logging.WARNING) if "odd.bin" in text]
    assert not [text for text in messages(caplog, logging.WARNING) if "README" in text]
    change(server, "Notes/a.txt", "four")
    change(server, "Notes/sub/b.txt", None)
    assert server.core.build_metadata("host").Notes == {"a.txt": ["four"]}


def test_xml_files_conditions_includes_and_template_data(start: StartServer) -> None:
    server = start(
        "Cfg",
        "Bundler",
        "files.Sites",
        files={
            "Sites/config.xml": '<Sites><Site name="all"/><Group name="p"><Site name="ours"/></Group>'
            '<Group name="other"><Site name="theirs"/></Group></Sites>',
            "Sites/plain.xml": '<Plain xmlns:xi="http://www.w3.org/2001/XInclude"><One/><xi:include href="more/*.xml"/>'
            "</Plain>",
            "Sites/more/two.xml": "<Two/>",
            "Sites/watched": "",
            "Cfg/etc/motd.site/motd.site.genshi": "${site_variable}",
            "Bundler/base.xml": '<Bundle xmlns:py="http://genshi.edgewall.org/"><Path name="/etc/motd.site"/>'
            '<BoundPath name="/${xml_variable}"/></Bundle>',
        },
    )
    metadata = server.core.build_metadata("host")
    assert {"all", "ours"} <= metadata.groups
    assert "theirs" not in metadata.groups
    assert metadata.Sites["tree"] == ["Site", "Site"]
    assert metadata.Sites["plain"] == ["One", "Two"]
    assert metadata.Sites["extras"] == 1
    text, xml = metadata.Sites["variables"]
    assert (text["name"], text["path"], text["site_variable"]) == ("/etc/site", "/a/template", "from Sites: template")
    assert text["metadata"] is xml["metadata"]
    assert xml["xml_variable"] == "config.xml"
    assert metadata.Sites["events"][0] == ("exists", "watched")
    config = config_of(server)
    assert entry_of(config, "Path", "/etc/motd.site").text == "from Sites: motd.site.genshi"
    assert entry_of(config, "Path", "/base.xml") is not None
    change(server, "Sites/config.xml", '<Sites><Site name="changed"/></Sites>')
    change(server, "Sites/more/two.xml", "<Three/>")
    change(server, "Sites/watched", None)
    metadata = server.core.build_metadata("host")
    assert "changed" in metadata.groups
    assert metadata.Sites["plain"] == ["One", "Three"]
    assert metadata.Sites["events"][-1] == ("deleted", "watched")


def test_a_missing_file_is_made_and_a_broken_one_keeps_the_last(
    start: StartServer, caplog: pytest.LogCaptureFixture
) -> None:
    server = start("files.Sites", files={"Sites/config.xml": '<Sites><Site name="good"/></Sites>'})
    assert (server.repository / "Sites/plain.xml").read_text() == "<Plain/>\n"
    change(server, "Sites/config.xml", "<Sites>")
    assert any("config.xml: not well-formed" in text for text in messages(caplog))
    assert "good" in server.core.build_metadata("host").groups


def test_a_priority_directory_with_its_own_matching(start: StartServer) -> None:
    server = start(
        "Bundler",
        "files.Prio",
        files={
            "Bundler/base.xml": '<Bundle><Service name="SSHD"/><Service name="both"/><Service name="none"/></Bundle>',
            "Prio/low.xml": '<Prio priority="1"><Service name="sshd" status="off" type="x"/>'
            '<Service name="both" status="a"/></Prio>',
            "Prio/high.xml": '<Prio priority="2"><Group name="p"><Service name="sshd" status="on"/></Group></Prio>',
            "Prio/same.xml": '<Prio priority="1"><Service name="Both" status="b"/></Prio>',
        },
    )
    config = config_of(server)
    assert entry_of(config, "Service", "SSHD").get("status") == "on"
    assert "several entries Service:both with priority 1" in entry_of(config, "Service", "both").get("failure", "")
    assert entry_of(config, "Service", "none").get("failure") == "no matching generator"


def test_a_spool_of_files_for_groups_and_hosts(start: StartServer) -> None:
    spool = "Spool/etc/app.conf"
    server = start(
        "Bundler",
        "files.Spool",
        configuration="[mdata]\nowner = daemon",
        files={
            "Bundler/base.xml": '<Bundle><Path name="/etc/app.conf"/></Bundle>',
            f"{spool}/template": "for all",
            f"{spool}/template.G10_p": "for p",
            f"{spool}/template.G20_other": "for other",
            f"{spool}/info.xml": '<FileInfo><Group name="p"><Info mode="0600"/></Group><Info mode="0644"/></FileInfo>',
        },
    )
    entry = entry_of(config_of(server), "Path", "/etc/app.conf")
    assert (entry.text, entry.get("mode"), entry.get("owner")) == ("for p", "0600", "daemon")
    change(server, f"{spool}/template.H_host", "for host")
    assert entry_of(config_of(server), "Path", "/etc/app.conf").text == "for host"
    change(server, f"{spool}/template.H_host", None)
    change(server, f"{spool}/template.G10_p", None)
    assert entry_of(config_of(server), "Path", "/etc/app.conf").text == "for all"


# -- pulling


def test_both_sides_of_pulling(start: StartServer) -> None:
    server = start("pulling.Pulling")
    (source,) = server.core.plugins.by_type(PullSource)
    (target,) = server.core.plugins.by_type(PullTarget)
    assert source.get_extra("host") == [("Service", "ntpd", "systemd")]
    assert source.get_current_entry("host", "Path", "/x") == ("root", "wheel", "600", b"content of /x on host")
    choices = target.accept_choices(etree.Element("Path", name="/x"), server.core.build_metadata("host"))
    assert choices == [Specificity(), Specificity(group="web", priority=20), Specificity(hostname="host")]
    target.accept_pull_data(choices[1], {"text": "new"}, False)
    assert server.plugin("Pulling").legacy.pulled == [("specificity for group web with priority 20", "new")]  # type: ignore[attr-defined]


# -- the core and other plugins


def test_the_core_answers(start: StartServer) -> None:
    server = start("Bundler", "Rules", "Probes", "motd.Motd", "derived.Looker")
    seen = remote(server, "Looker", "Look")
    assert seen["plugins"] == ["Bundler", "DefaultACL", "Looker", "Metadata", "Motd", "Probes", "Rules"]
    assert seen["has_rules"]
    assert seen["bundler"]
    assert seen["generators"] == ["Motd", "Rules"]
    assert seen["probes"] == ["Probes"]
    assert seen["clients"] == ["bad", "host"]
    assert (seen["mode"], seen["revision"], seen["owner"]) == ("off", "-1", "root")
    assert seen["datastore"] == seen["repository"] == str(server.repository)
    assert seen["bundles"] == ["base", "inventory"]
    assert remote(server, "Looker", "Build", "host") == ["Configuration", 1]
    assert remote(server, "Looker", "BindOne", "host", "Service", "inventory")["status"] == "on"
    assert remote(server, "Looker", "BindOne", "host", "Service", "x") == "failed: no matching generator for Service:x"


def test_a_class_derived_from_one_of_the_servers_plugins(start: StartServer) -> None:
    server = start(
        "Bundler", "derived.SiteRules", files={"Bundler/base.xml": '<Bundle><Service name="inventory"/></Bundle>'}
    )
    entry = entry_of(config_of(server), "Service", "inventory")
    assert (entry.get("by"), entry.get("status")) == ("SiteRules", "on")


# -- remote methods


def test_remote_methods_and_their_failures(start: StartServer, caplog: pytest.LogCaptureFixture) -> None:
    server = start("motd.Motd")
    assert set(server.plugin("Motd").remote_interface()) == {"toggle_debug", "set_debug", "Learn", "Explode", "Fail"}
    with pytest.raises(PluginExecutionError, match="no such thing"):
        remote(server, "Motd", "Explode")
    assert any("motd.py line" in text and "KeyError: 'no such thing'" in text for text in messages(caplog))
    with pytest.raises(RPCError, match="told to fail") as caught:
        remote(server, "Motd", "Fail")
    assert caught.value.fault_code == 42


def test_the_debug_switch_shows_the_messages_of_a_plugin(start: StartServer, caplog: pytest.LogCaptureFixture) -> None:
    server = start("motd.Motd")
    plugin: Any = server.plugin("Motd")
    assert remote(server, "Motd", "set_debug", True) is True
    plugin.legacy.debug_log("now it shows")
    assert remote(server, "Motd", "toggle_debug") is False
    plugin.legacy.debug_log("now it does not")
    assert plugin.set_debug(True) is True
    plugin.legacy.debug_log("and again")
    assert "now it shows" in messages(caplog)
    assert "and again" in messages(caplog)
    assert "now it does not" not in messages(caplog)


# -- Metadata


def test_a_metadata_plugin_of_the_site(tmp_path: Path, start: StartServer) -> None:
    core = Core(
        load_settings(
            config_file=_configuration(
                tmp_path,
                "legacysite.directory.Directory, Bundler, legacysite.motd.Motd, legacysite.inventory.Inventory",
            )
        )
    )
    try:
        core.load()
        server = SmallServer(core)
        source = core.metadata_source()
        address = ("192.0.2.1", 1234)
        assert not source.authenticate(None, "alpha", "wrong", address)
        assert source.authenticate(None, "alpha", "secret of alpha", address)
        assert source.resolve_client(address) == "alpha"
        source.set_version("alpha", "1.4.0")
        metadata = core.build_metadata("alpha")
        assert metadata.version == "1.4.0"
        assert metadata.version_info is not None
        assert metadata.groups == {"web", "plain", "inventoried"}
        assert metadata.Inventory == {"values": []}
        assert metadata.query is not None
        assert metadata.query.names_by_groups(["web"]) == ["alpha"]
        assert sorted(metadata.query.all_clients()) == ["alpha", "beta"]
        assert entry_of(config_of(server, "alpha"), "Path", "/etc/motd.site").text == "Hello alpha"
        with pytest.raises(MetadataConsistencyError):
            core.build_configuration("stranger")
    finally:
        core.shutdown()


def _configuration(directory: Path, plugins: str) -> Path:
    path = directory / "bcfg2.conf"
    path.write_text(
        f"[server]\nrepository = {directory}/repository\nplugins = {plugins}\nfilemonitor = pseudo\n",
    )
    return path
