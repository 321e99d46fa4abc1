"""A Version plugin."""

import os

import Bcfg2.Server.Plugin


class Stamp(Bcfg2.Server.Plugin.Version):
    """The revision stands in a file."""

    __vcs_metadata_path__ = ".stamp"
    conflicts = ["Rules"]

    def __init__(self, core, datastore):
        Bcfg2.Server.Plugin.Version.__init__(self, core, datastore)

    def get_revision(self):
        with open(os.path.join(self.vcs_root, ".stamp")) as stamp:
            return stamp.read().strip()
