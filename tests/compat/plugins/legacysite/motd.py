"""Style of 1.3: a generator with a table, two-argument constructor, options through core.setup.cfp."""

import Bcfg2.Server.Plugin
from Bcfg2.Server.Plugin import PluginExecutionError


class Motd(Bcfg2.Server.Plugin.Plugin, Bcfg2.Server.Plugin.Generator):
    """Binds /etc/motd.<anything>."""

    name = "Motd"
    __author__ = "site@example.com"
    __rmi__ = Bcfg2.Server.Plugin.Plugin.__rmi__ + ["Learn", "Explode", "Fail"]
    experimental = True

    def __init__(self, core, datastore):
        Bcfg2.Server.Plugin.Plugin.__init__(self, core, datastore)
        Bcfg2.Server.Plugin.Generator.__init__(self)
        self.Entries = {"Path": {"/etc/motd.site": self.build_motd}}
        self.greeting = core.setup.cfp.get("motd", "greeting", default="Hello")
        self.shout = core.setup.cfp.getboolean("motd", "shout", default=False)
        self.where = core.setup["repo"]

    def build_motd(self, entry, metadata):
        entry.set("type", "file")
        text = "%s %s" % (self.greeting, metadata.hostname)
        if self.shout:
            text = text.upper()
        entry.text = text

    def Learn(self, name):
        """Serve another path from now on."""
        self.Entries["Path"][name] = self.build_motd
        return sorted(self.Entries["Path"])

    def Explode(self):
        raise KeyError("no such thing")

    def Fail(self):
        from Bcfg2.Compat import xmlrpclib

        raise xmlrpclib.Fault(42, "told to fail")

    def HandlesEntry(self, entry, metadata):
        return entry.tag == "Path" and entry.get("name").startswith("/slow/")

    def HandleEntry(self, entry, metadata):
        if entry.get("name") == "/slow/bad":
            raise PluginExecutionError("refused on purpose")
        if entry.get("name") == "/slow/crash":
            raise ValueError("crashed by accident")
        entry.set("owner", "motd")
        return self.build_motd(entry, metadata)
