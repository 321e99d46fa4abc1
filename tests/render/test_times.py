"""What the metrics tell of plugins while a configuration is built: who was called, how often, and for how long."""

from __future__ import annotations

import time
from pathlib import Path
from typing import ClassVar

from lxml import etree

from geventcore.metrics.snapshot import Sampler
from geventcore.options.server import FILEMONITOR
from geventcore.plugin.base import Plugin
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.interfaces import Connector, Generator, GoalValidator, StructureValidator
from geventcore.plugins import PLUGINS
from tests.support.plugin_context import SmallServer
from tests.support.plugin_site import plugin_site

#: How long each hook of `Slow` takes, in seconds.
NAP_SECONDS = 0.002


class Slow(Plugin, Connector, Generator, StructureValidator, GoalValidator):
    """Does nothing for a while, wherever a configuration is built; it binds services."""

    reuse_seconds: ClassVar[float] = 0

    def get_additional_groups(self, metadata: ClientMetadata) -> list[str]:
        time.sleep(NAP_SECONDS)
        return []

    def validate_structures(self, metadata: ClientMetadata, structures: list[etree._Element]) -> None:
        time.sleep(NAP_SECONDS)

    def handles_entry(self, entry: etree._Element, metadata: ClientMetadata) -> bool:
        return bool(entry.tag == "Service")

    def bind_entry(self, entry: etree._Element, metadata: ClientMetadata) -> None:
        time.sleep(NAP_SECONDS)
        if entry.get("name") == "broken":
            raise ValueError("broken")

    def validate_goals(self, metadata: ClientMetadata, configuration: etree._Element) -> None:
        time.sleep(NAP_SECONDS)


class Rises:
    """How much the values of the metrics have grown since they were looked at last."""

    def __init__(self) -> None:
        self._before: dict[tuple[str, str, str], float] = {}
        self()

    def __call__(self) -> dict[tuple[str, str, str], float]:
        """Metric, plugin and hook -> growth."""
        values = {}
        for samples in Sampler().take().samples.values():
            for name, labels, value in samples:
                if {"plugin", "hook"} <= dict(labels).keys():
                    values[name.removeprefix("geventcore_"), dict(labels)["plugin"], dict(labels)["hook"]] = value
        rises = {key: value - self._before.get(key, 0.0) for key, value in values.items()}
        self._before = values
        return {key: rise for key, rise in rises.items() if rise}


def test_the_time_of_every_step_is_told_by_plugin(tmp_path: Path) -> None:
    PLUGINS["Slow"] = f"{__name__}:Slow"
    files = {"Bundler/b.xml": '<Bundle><Service name="one"/><Service name="two"/><Service name="broken"/></Bundle>'}
    try:
        with plugin_site(tmp_path, ["Bundler", "Slow"], files, {FILEMONITOR: "pseudo"}) as server:
            for build in (server.core.build_configuration, server.core.write_configuration):
                rises = Rises()
                build("h")
                risen = rises()
                for hook, calls in {
                    "get_additional_groups": 1,
                    "validate_structures": 1,
                    "bind_entry": 3,
                    "validate_goals": 1,
                }.items():
                    assert risen["plugin_calls_total", "Slow", hook] == calls, hook
                    assert risen["plugin_seconds_total", "Slow", hook] >= calls * NAP_SECONDS, hook
                assert risen["plugin_failures_total", "Slow", "bind_entry"] == 1
                assert risen["plugin_calls_total", "Bundler", "build_structures"] == 1
                assert risen["plugin_calls_total", "Metadata", "get_initial_metadata"] == 1
    finally:
        del PLUGINS["Slow"]


FILES = {
    "Bundler/b.xml": '<Bundle><Path name="/f"/><Path name="/t"/><Path name="/other" altsrc="/f"/>'
    '<Package name="p"/></Bundle>',
    "Cfg/f/f": "always the same\n",
    "Cfg/t/t.genshi": "${metadata.hostname}\n",
    "Rules/r.xml": '<Rules priority="1"><Package name="p" type="deb"/></Rules>',
}


def binds(server: SmallServer, rises: Rises, hostname: str) -> dict[str, float]:
    """Plugin -> how many entries it binds for a client."""
    assert b"failure" not in server.core.write_configuration(hostname)
    return {
        plugin: rise
        for (name, plugin, hook), rise in rises().items()
        if (name, hook) == ("plugin_calls_total", "bind_entry")
    }


def test_only_what_is_bound_is_counted(tmp_path: Path) -> None:
    with plugin_site(tmp_path, ["Bundler", "Cfg", "Rules"], FILES, {FILEMONITOR: "pseudo"}) as server:
        rises = Rises()
        assert binds(server, rises, "h") == {"Cfg": 3, "Rules": 1}
        # What is kept as bytes is bound by nobody.
        assert binds(server, rises, "h") == {}
        # The template has another result for another client.
        assert binds(server, rises, "other") == {"Cfg": 1}


def test_what_a_plugin_has_bound_by_others_is_theirs(tmp_path: Path) -> None:
    with plugin_site(tmp_path, ["Bundler", "Cfg", "Rules"], FILES, {FILEMONITOR: "pseudo"}) as server:
        metadata = server.core.build_metadata("h")
        rises = Rises()
        server.context.bind_entry(etree.Element("Package", name="p"), metadata)
        assert rises()["plugin_calls_total", "Rules", "bind_entry"] == 1
