"""The test kit, used as the author of a plugin uses it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from geventcore.errors import PluginInitError, RPCError
from geventcore.testing import Site, blocking, client_metadata, plugin_context

INVENTORY = Path(__file__).parents[2] / "docs/examples/plugin"
BUNDLE = '<Bundle><Group name="ssd"><Path name="/etc/rack"/></Group><Service name="missing"/></Bundle>'
FILES = {
    "Inventory/hosts.json": json.dumps({"web1": {"rack": "a1", "groups": ["ssd"]}}),
    "Bundler/basic.xml": BUNDLE,
    "Cfg/etc/rack/rack.jinja2": "{{ metadata.Inventory.rack }}\n",
}

SLOW = """
import time
from geventcore.plugin.base import Plugin
from geventcore.plugin.interfaces import Connector

class Slow(Plugin, Connector):
    creates_directory = False

    def get_additional_data(self, metadata):
        if metadata.hostname.startswith("busy"):
            end = time.process_time() + 0.6
            while time.process_time() < end:
                pass
        else:
            time.sleep(0.6)
        return {}
"""


@pytest.fixture
def plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Make the plugin of the documentation, and a slow one, importable."""
    (tmp_path / "slow.py").write_text(SLOW)
    monkeypatch.syspath_prepend(str(INVENTORY))
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    for name in ("inventory", "slow"):
        sys.modules.pop(name, None)


@pytest.fixture
def site(plugins: None, geventcore_site: Callable[..., Site]) -> Site:
    """A started site with the plugin of the documentation."""
    return geventcore_site(["Bundler", "Cfg", "inventory.Inventory"], FILES, {"inventory": {"default_rack": "store"}})


class TestSite:
    def test_a_configuration_has_what_the_plugin_gave(self, site: Site) -> None:
        assert site.build("web1").text("/etc/rack") == "a1\n"
        assert site.metadata("web1").groups == {"basic", "ssd"}
        assert not site.build("web2").has("Path", "/etc/rack")

    def test_options_come_from_the_configuration_file(self, site: Site) -> None:
        assert site.metadata("web2").Inventory == {"rack": "store"}

    def test_changed_files_are_noticed(self, site: Site) -> None:
        site.write("Inventory/hosts.json", '{"web2": {"groups": ["ssd"], "rack": "b2"}}')
        assert site.build("web2").text("/etc/rack") == "b2\n"
        site.remove("Cfg/etc/rack/rack.jinja2")
        assert "Path:/etc/rack" in site.build("web2").failures

    def test_a_missing_entry_names_similar_ones(self, site: Site) -> None:
        with pytest.raises(AssertionError, match=r"no Path:/etc/rak in .* of web1; it has Path:/etc/rack"):
            site.build("web1").entry("Path", "/etc/rak")

    def test_an_entry_that_cannot_be_bound_fails_with_its_reason(self, site: Site) -> None:
        with pytest.raises(AssertionError, match=r"Service:missing of web1 could not be bound: no matching generator"):
            site.build("web1").entry("Service", "missing")
        with pytest.raises(AssertionError, match="Service:missing"):
            site.build("web1").assert_bound()

    def test_a_fault_is_raised(self, site: Site) -> None:
        site.write("Metadata/groups.xml", '<Groups><Group name="p" profile="true"/></Groups>')
        with pytest.raises(RPCError):
            site.build("stranger")

    def test_a_plugin_that_is_not_loaded(self, site: Site) -> None:
        with pytest.raises(KeyError, match="Nope is not loaded; loaded plugins: Metadata, Bundler, Cfg, Inventory"):
            site.plugin("Nope")

    def test_probes_decisions_and_reports(self, geventcore_site: Callable[..., Site]) -> None:
        site = geventcore_site(
            ["Bundler", "Probes", "Decisions"],
            {
                "Probes/kernel": "#!/bin/sh\nuname",
                "Decisions/whitelist.xml": '<Decisions><Decision type="Path" name="*"/></Decisions>',
            },
        )
        (probe,) = site.probes("web1")
        assert (probe.get("name"), probe.get("source"), probe.text) == ("kernel", "Probes", "#!/bin/sh\nuname")
        site.send_probes("web1", "Probes", {"kernel": "Linux\ngroup:unix"})
        assert "unix" in site.metadata("web1").groups
        assert site.decisions("web1", "whitelist") == [("Path", "*")]
        site.report("web1", "dirty")

    def test_a_site_that_cannot_start(self, tmp_path: Path) -> None:
        with pytest.raises(PluginInitError, match="NoSuch"), Site(tmp_path / "site", ["NoSuch"]):
            pass


def test_metadata_of_a_client_that_does_not_exist() -> None:
    other = client_metadata("db1", groups=["db"], profile="server", categories={"os": "debian"})
    metadata = client_metadata(
        "web1", groups=["web"], bundles=["b"], data={"Probes": {"kernel": "Linux"}}, others=[other]
    )
    assert metadata.inGroup("web")
    assert metadata.Probes == {"kernel": "Linux"}
    assert metadata.connectors == ["Probes"]
    assert metadata.query is not None
    assert metadata.query.names_by_groups(["db"]) == ["db1"]
    assert metadata.query.by_profiles(["server"]) == [other]
    assert metadata.query.all_groups_in_category("os") == {"debian"}
    assert metadata.query.all_groups() == {"db", "web"}


def test_a_context_for_a_plugin_alone(plugins: None, tmp_path: Path) -> None:
    from inventory import Inventory  # type: ignore[import-not-found]  # a module of the fixture

    with plugin_context(tmp_path) as context:
        plugin = Inventory(context)
        assert plugin.get_additional_data(client_metadata("web1")) == {"rack": "unknown"}


@pytest.mark.live
def test_blocking_code_is_found(plugins: None, tmp_path: Path) -> None:
    site = Site(tmp_path / "site", ["Bundler", "slow.Slow"])
    assert blocking(site, "sleeping", 0.2) == []
    (found,) = blocking(site, "busy", 0.2)
    assert (found.plugin, found.hook) == ("Slow", "get_additional_data")
    assert found.line.startswith(f"{tmp_path}/slow.py:")
    assert found.seconds >= 0.2


@pytest.mark.live
def test_blocking_code_of_a_site_that_cannot_be_built(tmp_path: Path) -> None:
    site = Site(tmp_path / "site", ["Bundler", "NoSuch"])
    with pytest.raises(AssertionError, match="unknown plugin 'NoSuch'"):
        blocking(site, "h")
