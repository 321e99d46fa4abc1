"""Plugins derived from those of Bcfg2, and one that looks at the others."""

import Bcfg2.Options
import Bcfg2.Server.Plugin
import Bcfg2.Server.Plugins.Bundler
import Bcfg2.Server.Plugins.Rules
from Bcfg2.Server.Plugins.Probes import Probes


class SiteRules(Bcfg2.Server.Plugins.Rules.Rules):
    """Rules, but every entry is marked."""

    def HandleEntry(self, entry, metadata):
        Bcfg2.Server.Plugins.Rules.Rules.HandleEntry(self, entry, metadata)
        entry.set("by", self.name)
        return entry

    def HandlesEntry(self, entry, metadata):
        return entry.tag == "Service" and Bcfg2.Server.Plugins.Rules.Rules.HandlesEntry(self, entry, metadata)

    @property
    def Entries(self):
        return {}


class Looker(Bcfg2.Server.Plugin.Plugin):
    """Asks the core everything."""

    create = False
    __rmi__ = Bcfg2.Server.Plugin.Plugin.__rmi__ + ["Look", "Build", "BindOne"]

    def Look(self):
        core = self.core
        return {
            "plugins": sorted(core.plugins),
            "has_rules": "Rules" in core.plugins,
            "bundler": isinstance(core.plugins["Bundler"], Bcfg2.Server.Plugins.Bundler.Bundler),
            "generators": [p.name for p in core.plugins_by_type(Bcfg2.Server.Plugin.Generator)],
            "probes": [p.name for p in core.plugins_by_type(Probes)],
            "clients": sorted(core.metadata.clients),
            "mode": core.metadata_cache_mode,
            "revision": core.revision,
            "datastore": core.datastore,
            "repository": Bcfg2.Options.setup.repository,
            "owner": Bcfg2.Server.Plugin.default_path_metadata()["owner"],
            "bundles": sorted(core.plugins["Bundler"].bundles),
        }

    def Build(self, client):
        config = self.core.BuildConfiguration(client)
        return [config.tag, len(config)]

    def BindOne(self, client, tag, name):
        import lxml.etree

        entry = lxml.etree.Element(tag, name=name)
        try:
            self.core.Bind(entry, self.core.build_metadata(client))
        except Bcfg2.Server.Plugin.PluginExecutionError as err:
            return "failed: %s" % err
        return dict(entry.items())
