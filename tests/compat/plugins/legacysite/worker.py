"""A plugin with a thread, one with threaded statistics; helpers in another module of the site; late imports."""

import threading

import Bcfg2.Server.Plugin
from legacysite import shared


class Worker(Bcfg2.Server.Plugin.Plugin, Bcfg2.Server.Plugin.Threaded):
    """Works in a thread that imports late."""

    create = False
    __rmi__ = Bcfg2.Server.Plugin.Plugin.__rmi__ + ["Result", "Late"]
    __child_rmi__ = Bcfg2.Server.Plugin.Plugin.__child_rmi__ + ["Late"]

    def __init__(self, core):
        Bcfg2.Server.Plugin.Plugin.__init__(self, core)
        Bcfg2.Server.Plugin.Threaded.__init__(self)
        self.result = ""
        self.done = threading.Event()

    def start_threads(self):
        threading.Thread(target=self._work, daemon=True).start()

    def _work(self):
        import Bcfg2.Options
        from Bcfg2.Server.Plugins.Metadata import MetadataGroup

        self.result = "%s %s" % (Bcfg2.Options.setup.encoding, MetadataGroup("x").name)
        self.done.set()

    def Result(self):
        self.done.wait(10)
        return self.result

    def Late(self):
        """Import something of the site late, which imports Bcfg2 in turn."""
        from legacysite import late

        return [shared.encoded("x"), late.answer()]


class Reports(Bcfg2.Server.Plugin.ThreadedStatistics):
    """Takes reports in its thread."""

    __rmi__ = Bcfg2.Server.Plugin.Plugin.__rmi__ + ["Seen"]

    def __init__(self, core, datastore):
        Bcfg2.Server.Plugin.ThreadedStatistics.__init__(self, core, datastore)
        self.seen = []

    def handle_statistic(self, metadata, data):
        if data.find(".//Statistics").get("state") == "broken":
            raise RuntimeError("cannot handle this")
        self.seen.append(metadata.hostname)

    def Seen(self):
        return list(self.seen)
