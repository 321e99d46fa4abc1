"""Decisions, access control and hooks of client runs."""

import os

import Bcfg2.Server.Plugin


class Policy(
    Bcfg2.Server.Plugin.Plugin,
    Bcfg2.Server.Plugin.Decision,
    Bcfg2.Server.Plugin.ClientACLs,
    Bcfg2.Server.Plugin.ClientRunHooks,
):
    """Decides, and writes down who came."""

    def __init__(self, core):
        super(Policy, self).__init__(core)
        self.journal = os.path.join(self.data, "journal")

    def GetDecisions(self, metadata, mode):
        return [("Path", "/%s/%s" % (mode, metadata.hostname))]

    def check_acl_ip(self, address, rmi):
        if rmi == "Motd.Learn":
            return address[0] == "127.0.0.1"
        if rmi == "Policy.toggle_debug":
            return False
        return None

    def check_acl_metadata(self, metadata, rmi):
        return rmi != "get_statistics"

    def _note(self, what, metadata):
        with open(self.journal, "a") as journal:
            journal.write("%s %s\n" % (what, metadata.hostname))

    def start_client_run(self, metadata):
        self._note("start", metadata)

    def end_client_run(self, metadata):
        self._note("end", metadata)

    def end_statistics(self, metadata):
        self._note("statistics", metadata)
