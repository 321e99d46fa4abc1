"""Probing, a connector and statistics, with options in the style of 1.4."""

import lxml.etree

import Bcfg2.Options
import Bcfg2.Server.Cache
import Bcfg2.Server.Plugin
from Bcfg2.Server.Plugin import track_statistics
from Bcfg2.Server.Plugins.Metadata import MetadataGroup


class Inventory(Bcfg2.Server.Plugin.Statistics, Bcfg2.Server.Plugin.Probing, Bcfg2.Server.Plugin.Connector):
    """Asks clients what they are, and puts them into groups."""

    options = Bcfg2.Server.Plugin.Statistics.options + [
        Bcfg2.Options.Common.repository,
        Bcfg2.Options.Option(
            cf=("inventory", "commands"),
            dest="inventory_commands",
            type=Bcfg2.Options.Types.comma_list,
            default=["uname -m"],
        ),
        Bcfg2.Options.BooleanOption(cf=("inventory", "groups"), dest="inventory_groups", default=True),
        Bcfg2.Options.PathOption(cf=("inventory", "store"), default="<repository>/inventory.txt"),
        Bcfg2.Options.Option(cf=("inventory", "limit"), type=int, default=5),
    ]

    __rmi__ = Bcfg2.Server.Plugin.Plugin.__rmi__ + ["Show", "Settings"]

    def __init__(self, core):
        Bcfg2.Server.Plugin.Statistics.__init__(self, core)
        Bcfg2.Server.Plugin.Probing.__init__(self)
        Bcfg2.Server.Plugin.Connector.__init__(self)
        self.cache = Bcfg2.Server.Cache.Cache("Inventory")
        self.states = {}

    @track_statistics()
    def GetProbes(self, metadata):
        probes = []
        for number, command in enumerate(Bcfg2.Options.setup.inventory_commands):
            probe = lxml.etree.Element("probe", name="inventory%d" % number, source=self.name, interpreter="/bin/sh")
            probe.text = command
            probes.append(probe)
        return probes

    def ReceiveData(self, metadata, datalist):
        self.cache[metadata.hostname] = [data.text for data in datalist]
        self.core.metadata_cache.expire(metadata.hostname)

    def get_additional_groups(self, metadata):
        if not Bcfg2.Options.setup.inventory_groups:
            return []
        return ["arch-%s" % text.strip() for text in self.cache.get(metadata.hostname, [])] + [
            MetadataGroup("inventoried", bundles=["inventory"], category="inventory")
        ]

    def get_additional_data(self, metadata):
        return dict(values=self.cache.get(metadata.hostname, []))

    def process_statistics(self, client, xdata):
        self.states[client.hostname] = xdata.find(".//Statistics").get("state")

    def Show(self):
        return dict(self.states)

    def Settings(self):
        setup = Bcfg2.Options.setup
        return [setup.inventory_commands, setup.inventory_groups, setup.store, setup.limit, setup.repository]
