"""Racks: a plugin as sites wrote them for Bcfg2; nothing in it knows geventcore.

Racks/racks.xml says in which rack a host is. The host is in a group of that name,
and gets it as a file.
"""

import os

import Bcfg2.Options
from Bcfg2.Server.Plugin import Connector, Generator, Plugin, PluginExecutionError, StructFile


class Racks(Plugin, Connector, Generator):
    """Knows the racks of hosts."""

    __rmi__ = [*Plugin.__rmi__, "list_racks"]
    options = [Bcfg2.Options.Option(cf=("racks", "path"), dest="racks_path", default="/etc/rack")]

    def __init__(self, core):
        Plugin.__init__(self, core)
        Connector.__init__(self)
        Generator.__init__(self)
        path = os.path.join(self.data, "racks.xml")
        self.file = StructFile(path, should_monitor=True)
        self.Entries["Path"] = {Bcfg2.Options.setup.racks_path: self.bind_rack}

    def get_additional_groups(self, metadata):
        """The group of the host's rack."""
        return [rack.get("name") for rack in self.file.Match(metadata) if rack.tag == "Rack"]

    def get_additional_data(self, metadata):
        """What templates see as metadata.Racks."""
        return {"racks": self.get_additional_groups(metadata)}

    def bind_rack(self, entry, metadata):
        """Complete the entry of the file."""
        if not metadata.Racks["racks"]:
            raise PluginExecutionError(f"{metadata.hostname} is in no rack")
        entry.set("type", "file")
        entry.set("owner", "root")
        entry.set("group", "root")
        entry.set("mode", "0644")
        entry.text = metadata.Racks["racks"][0] + "\n"

    def list_racks(self):
        """All racks, for whoever calls Racks.list_racks."""
        return sorted(set(self.file.xdata.xpath("//Rack/@name")))
