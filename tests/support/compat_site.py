"""A site with plugins that were written for Bcfg2, for the tests of the compatibility layer."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from lxml import etree

from tests.support.plugin_context import SmallServer

#: What stands on ``PYTHONPATH`` of such a site.
PLUGIN_DIRECTORY = Path(__file__).parents[1] / "compat" / "plugins"

#: A repository for all of the plugins.
FILES: dict[str, str | bytes] = {
    ".stamp": "r7\n",
    "Metadata/groups.xml": """\
<Groups>
  <Group name="p" profile="true" public="true" default="true"><Bundle name="base"/></Group>
  <Group name="refused" profile="true" public="true"><Bundle name="base"/></Group>
</Groups>
""",
    "Metadata/clients.xml": """\
<Clients>
  <Client name="host" profile="p"/>
  <Client name="bad" profile="refused"/>
</Clients>
""",
    "Bundler/base.xml": '<Bundle><Path name="/etc/motd.site"/></Bundle>',
    "Bundler/inventory.xml": '<Bundle><Service name="inventory"/></Bundle>',
    "Rules/rules.xml": '<Rules priority="1"><Service name="inventory" type="systemd" status="on"/></Rules>',
    "SiteRules/rules.xml": '<Rules priority="1"><Service name="inventory" type="systemd" status="on"/></Rules>',
}


def remote(server: SmallServer, plugin: str, method: str, *arguments: Any) -> Any:
    """What a plugin's remote method returns."""
    return server.plugin(plugin).remote_interface()[method](*arguments)


def entry_of(config: etree._Element, tag: str, name: str) -> etree._Element:
    """The one entry of a configuration with a tag and a name."""
    found = config.xpath(f"//{tag}[@name='{name}']")
    assert isinstance(found, list), found
    (entry,) = found
    assert isinstance(entry, etree._Element)
    return entry


def messages(caplog: Any, level: int = logging.ERROR) -> list[str]:
    """What was logged at a level or above."""
    return [record.getMessage() for record in caplog.records if record.levelno >= level]
