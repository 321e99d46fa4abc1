"""A metadata plugin of the site's own."""

import Bcfg2.Server.Plugin
from Bcfg2.Server.Plugin import MetadataConsistencyError
from Bcfg2.Server.Plugins.Metadata import ClientMetadata


class Directory(Bcfg2.Server.Plugin.Plugin, Bcfg2.Server.Plugin.Metadata):
    """Two clients, known by their passwords."""

    create = False
    known = {"alpha": set(["web"]), "beta": set()}

    def __init__(self, core):
        Bcfg2.Server.Plugin.Plugin.__init__(self, core)
        Bcfg2.Server.Plugin.Metadata.__init__(self)
        self.clients = sorted(self.known)
        self.groups = {}
        self.versions = {}
        self.last = {}

    def AuthenticateConnection(self, cert, user, password, address):
        if password != "secret of %s" % user:
            return False
        self.last[address[0]] = user
        return True

    def resolve_client(self, address, cleanup_cache=False):
        try:
            return self.last[address[0]]
        except KeyError:
            raise MetadataConsistencyError("nobody called from %s" % address[0])

    def set_version(self, client, version):
        self.versions[client] = version

    def set_profile(self, client, profile, address):
        raise MetadataConsistencyError("profiles cannot be set")

    def get_initial_metadata(self, client_name):
        if client_name not in self.known:
            raise MetadataConsistencyError("%s is unknown" % client_name)
        return ClientMetadata(
            client_name,
            "plain",
            self.known[client_name] | set(["plain"]),
            set(["base"]),
            set(),
            set(),
            {},
            None,
            None,
            self.versions.get(client_name),
            None,
        )

    def merge_additional_groups(self, imd, groups):
        imd.groups.update(groups)
        for group in groups:
            if group in self.groups:
                imd.bundles.update(self.groups[group].bundles)

    def merge_additional_data(self, imd, source, data):
        if not hasattr(imd, source):
            setattr(imd, source, data)
            imd.connectors.append(source)
