"""The test kit for plugins and cores of a site (docs: development/test-kit).

`Site` is a repository in a directory, served by a core without a network. `build` returns a client's configuration,
which has assertions of its own:

    with Site(tmp_path, plugins=["Bundler", "inventory.Inventory"], files={"Inventory/hosts.json": "{}"}) as site:
        site.build("web1").entry("Service", "nginx")

With pytest, the fixture `geventcore_site` makes sites in a temporary directory.

==================  ===================================================================================================
plugins             `site`, `configuration`, `metadata`, `blocking`
servers             `live_site` (a site and its process), `contract_repository`, `gate` (a plugin that waits),
                    `site_files`, `server_process`, `certificates`
clients             `wire_client` (every byte), `neighbours` (whole runs), `client_runs`, `proxy_headers`, `hostile`,
                    `hostile_tls`, `hostile_http`
the contract        `contract`: tests of cores
==================  ===================================================================================================
"""

from geventcore.testing.blocking import Blocking, blocking
from geventcore.testing.configuration import BuiltConfiguration
from geventcore.testing.metadata import client_metadata
from geventcore.testing.site import Site, plugin_context

__all__ = ["Blocking", "BuiltConfiguration", "Site", "blocking", "client_metadata", "plugin_context"]
