"""Both sides of pulling, and a plugin that may have a database."""

import Bcfg2.Server.Plugin
from Bcfg2.Server.Plugin import Specificity


class Pulling(Bcfg2.Server.Plugin.Plugin, Bcfg2.Server.Plugin.PullSource, Bcfg2.Server.Plugin.PullTarget):
    """Keeps what is pulled in memory."""

    create = False

    def __init__(self, core):
        Bcfg2.Server.Plugin.Plugin.__init__(self, core)
        self.pulled = []

    def GetExtra(self, client):
        return [("Service", "ntpd", "systemd")]

    def GetCurrentEntry(self, client, e_type, e_name):
        return ("root", "wheel", "600", "content of %s on %s" % (e_name, client))

    def AcceptChoices(self, entry, metadata):
        return [Specificity(all=True), Specificity(group="web", prio=20), Specificity(hostname=metadata.hostname)]

    def AcceptPullData(self, specific, new_entry, verbose):
        self.pulled.append((str(specific), new_entry["text"]))


class Facts(Bcfg2.Server.Plugin.DatabaseBacked):
    """Has no database."""

    create = False
