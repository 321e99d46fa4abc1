"""The plugin class: what the server and its tools ask of the metadata.

A client's metadata are worked out from two tables, the clients' and the groups'. Both are replaced as a whole when they
change, so an answer is made from one state of each.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from geventcore.errors import MetadataConsistencyError, MetadataError
from geventcore.options import Option
from geventcore.options.common import CA, PASSWORD
from geventcore.options.types import BOOLEAN
from geventcore.plugin.base import Plugin
from geventcore.plugin.client_metadata import ClientMetadata, MetadataGroup, MetadataQuery
from geventcore.plugin.client_version import ClientVersion
from geventcore.plugin.context import PluginContext
from geventcore.plugin.interfaces import Address, ClientRunHooks, MetadataSource, Threaded
from geventcore.plugins.metadata.addresses import ClientResolver
from geventcore.plugins.metadata.authentication import AUTHENTICATION, Authenticator
from geventcore.plugins.metadata.clients import Client, ClientList, ClientTable
from geventcore.plugins.metadata.clients_file import ClientsFile
from geventcore.plugins.metadata.graph import graph_lines
from geventcore.plugins.metadata.groups import GroupTable
from geventcore.plugins.metadata.groups_file import GroupsFile
from geventcore.plugins.metadata.resolution import Membership, Resolution
from geventcore.tls.identity import PeerIdentity

if TYPE_CHECKING:
    from geventcore.plugins.metadata.remembered_clients import RememberedClients

USE_DATABASE = Option(
    "metadata",
    "use_database",
    BOOLEAN,
    False,
    "Whether the client list is kept in the database instead of clients.xml.\n\n"
    "Clients are then added there, with their profile, version and whether they need a certificate by now. What "
    "clients.xml says of a client (aliases, addresses, passwords, a profile) counts for it as well, but need not be "
    "there. Several machines that serve the same clients need it.",
    at_start=True,
)

#: Longer versions are refused; real ones are shorter than 20 characters.
_LONGEST_VERSION = 255
#: How many reports are remembered, so that each is made once.
_REPORTED_LIMIT = 100_000


class Metadata(Plugin, MetadataSource, ClientRunHooks, Threaded):
    """Clients from ``clients.xml``, groups from ``groups.xml``."""

    options = (USE_DATABASE, AUTHENTICATION, PASSWORD, CA)
    remote_methods = (*Plugin.remote_methods, "list_clients", "remove_client")

    def __init__(self, context: PluginContext) -> None:
        super().__init__(context)
        self.groups_file = GroupsFile(self.directory, context, self._files_changed)
        self._memory: RememberedClients | None = None
        self.clients_file, self.client_list = self._open_client_list()
        self.resolver = ClientResolver(self._clients)
        self._authenticator = Authenticator(self._clients, self.resolver, lambda: context.settings)
        self._query = MetadataQuery(
            by_name=context.build_metadata,
            names_by_groups_set=self.get_client_names_by_groups,
            names_by_profiles_set=self.get_client_names_by_profiles,
            all_clients=self.list_clients,
            all_groups=self._all_groups,
            all_groups_in_category=self._groups_in_category,
        )
        self._reported: set[tuple[str, str]] = set()
        self._initial: dict[str, tuple[Client, ClientMetadata]] = {}
        self._initial_tables: tuple[ClientTable, GroupTable] | None = None
        self._dynamic_lock = threading.Lock()

    def _open_client_list(self) -> tuple[ClientsFile, ClientList]:
        """``clients.xml``, and where clients are listed, which may be the same."""
        if not self.context.settings[USE_DATABASE]:
            file = ClientsFile(self.directory, self.context, self._files_changed)
            return file, file
        from geventcore.plugins.metadata.stored_clients import OptionalClientsFile, StoredClients

        optional_file = OptionalClientsFile(self.directory, self.context, self._files_changed)
        stored = StoredClients(self.context, optional_file)
        self._memory = stored.memory
        return optional_file, stored

    def start_threads(self) -> None:
        """Have the clients of the database remembered, for the time when it is gone."""
        if self._memory is not None:
            self._memory.start()

    def shutdown(self) -> None:
        """End the thread."""
        super().shutdown()
        if self._memory is not None:
            self._memory.shutdown()

    def _clients(self) -> ClientTable:
        return self.client_list.table

    def _groups(self) -> GroupTable:
        return self.groups_file.table

    def _files_changed(self) -> None:
        self._reported = set()
        self.context.expire_metadata()
        if self.clients_file.is_loaded and self.groups_file.is_loaded:
            self._check_profiles(self.clients_file.table, self._groups())

    def _check_profiles(self, clients: ClientTable, groups: GroupTable) -> None:
        """Report profiles that are none, each once."""
        wrong: dict[str, list[str]] = {}
        for client in clients.clients.values():
            for profile in client.profiles:
                if not groups.is_profile(profile):
                    wrong.setdefault(profile, []).append(client.name)
        for profile, names in wrong.items():
            what = "a group that does not exist" if groups.get(profile) is None else "not a profile"
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            self.log.warning("The profile of client %s%s is %s, which is %s", names[0], more, profile, what)

    # -- who calls

    def authenticate(self, identity: PeerIdentity | None, user: str, password: str, address: Address) -> bool:
        return self._authenticator.authenticate(identity, user, password, address)

    def resolve_client(self, address: Address, cleanup_cache: bool = False) -> str:
        if cleanup_cache:
            self.resolver.sessions.drop_outdated()
        return self.resolver.resolve(address)

    def session_client(self, address: Address) -> str | None:
        """Who authenticated from this address and port in the last 90 seconds, spelled as it was given."""
        return self.resolver.remembered(address)

    def clear_sessions(self) -> None:
        """Forget who authenticated from where."""
        self.resolver.sessions.clear()

    # -- the metadata of a client

    @property
    def query(self) -> MetadataQuery:
        return self._query

    def get_initial_metadata(self, client_name: str) -> ClientMetadata:
        clients, groups = self._clients(), self._groups()
        name = clients.canonical(client_name)
        client = clients.clients.get(name)
        if client is None:
            self._create(name)
            clients, groups = self._clients(), self._groups()
            client = clients.clients.get(name, Client(name))
        if self.context.cache_mode != "initial":
            return self._build(client, groups)
        if self._initial_tables != (clients, groups):
            self._initial, self._initial_tables = {}, (clients, groups)
        kept = self._initial.get(name)
        # The list may be the same and the client another: a database gives what is in it now.
        if kept is None or kept[0] != client:
            kept = self._initial[name] = (client, self._build(client, groups))
        return kept[1].copy()

    def _create(self, name: str) -> None:
        """List a client that nobody has listed, with the profile that is meant for it."""
        listed = self._clients().get(name)
        if listed is not None and listed.profiles:
            # That profile counts as long as the client has not asked for another one.
            self.client_list.add(name, {})
            self.log.info("Client %s is new; its profile is %s", name, listed.profiles[0])
            return
        default = self._groups().default
        if default is None:
            raise MetadataConsistencyError(f"client {name} is unknown, and there is no default profile for it")
        self.set_profile(name, default, (None, None), require_public=False)

    def _build(self, client: Client, groups: GroupTable) -> ClientMetadata:
        metadata = ClientMetadata(
            hostname=client.name,
            aliases=set(client.aliases),
            addresses=set(client.addresses),
            uuid=client.uuid,
            password=client.password,
            version=client.version,
            version_info=ClientVersion.parse(client.version),
            query=self._query,
        )
        membership = Membership()
        for name in client.profiles:
            joined = membership.join(name, groups.category_of(name))
            if joined and metadata.profile is None and groups.is_profile(name):
                metadata.profile = name
        resolution = groups.resolve(client.name, membership)
        if not resolution.groups and groups.default is not None:
            membership = Membership(set(), dict(resolution.categories), list(resolution.suppressed))
            membership.join(groups.default, groups.category_of(groups.default))
            resolution = groups.resolve(client.name, membership)
        self._take_over(resolution, metadata)
        if metadata.profile is None:
            metadata.profile = min(filter(groups.is_profile, metadata.groups), default=None)
        return metadata

    def _take_over(self, resolution: Resolution, metadata: ClientMetadata) -> None:
        metadata.groups = set(resolution.groups)
        metadata.categories = dict(resolution.categories)
        metadata.bundles |= resolution.bundles
        client = metadata.hostname
        for group, category, holder in resolution.suppressed:
            if self._is_news(client, group):
                self.log.warning(
                    "Client %s does not get group %s: of category %s it has %s already", client, group, category, holder
                )
        if resolution.is_contradictory and self._is_news(client, ""):
            self.log.error("The rules in groups.xml contradict each other for client %s and were given up", client)

    def _is_news(self, subject: str, group: str) -> bool:
        """Whether something was not reported since the files changed. Of very many things it is always news."""
        if (subject, group) in self._reported:
            return False
        if len(self._reported) < _REPORTED_LIMIT:
            self._reported.add((subject, group))
        return True

    def merge_additional_groups(self, metadata: ClientMetadata, groups: Iterable[str]) -> None:
        table = self._groups()
        given = sorted(groups) if isinstance(groups, set | frozenset) else list(groups)
        membership = Membership(metadata.groups, metadata.categories)
        for name in given:
            if name not in metadata.groups:
                membership.join(name, table.category_of(name))
        self._take_over(table.resolve(metadata.hostname, membership), metadata)
        if not metadata.profile:
            metadata.profile = next(filter(table.is_profile, given), table.default)

    def merge_additional_data(self, metadata: ClientMetadata, source: str, data: Any) -> None:
        if not hasattr(metadata, source):
            setattr(metadata, source, data)
            metadata.connectors.append(source)

    def register_dynamic_group(self, group: MetadataGroup, source: str) -> None:
        with self._dynamic_lock:
            table = self._groups()
            known = table.dynamic.get(group.name)
            if known is not None and known.source == source and _is_same(known.group, group):
                return
            if group.name not in table.declared and (known is None or known.source == source):
                self.groups_file.replace_table(lambda latest: latest.with_dynamic(group, source))
                return
        if self._is_news(source, group.name):
            owner = "groups.xml" if known is None else known.source
            self.log.warning("%s declares group %s, which %s declares already", source, group.name, owner)

    # -- what clients change

    def set_profile(self, client: str, profile: str, address: Address, require_public: bool = True) -> None:
        clients, groups = self._clients(), self._groups()
        group = groups.get(profile)
        if group is None:
            raise MetadataConsistencyError(f"client {client} wants profile {profile}, which does not exist")
        if require_public and not group.is_public:
            raise MetadataConsistencyError(f"client {client} wants profile {profile}, which is not public")
        name = clients.canonical(client)
        if name not in clients.clients:
            session = self.resolver.remembered(address)
            attributes = {"profile": profile}
            if session is not None:
                attributes = {"uuid": session, "profile": profile, "address": str(address[0])}
            if self.client_list.add(name, attributes):
                self.log.info("Client %s is new; its profile is %s", name, profile)
                return
        if self.context.build_metadata(name).profile != profile:
            self.log.info("Client %s changes its profile to %s", name, profile)
            self.update_client(name, {"profile": profile})

    def set_version(self, client: str, version: str) -> None:
        if len(version) > _LONGEST_VERSION:
            raise MetadataConsistencyError(f"client {client} declares a version of {len(version)} characters")
        name = self._clients().canonical(client)
        listed = self._clients().clients.get(name)
        if listed is None:
            self.get_initial_metadata(name)
            listed = self._clients().clients.get(name)
        if listed is None or listed.version != version:
            self.log.info("Client %s runs version %s", name, version)
            self.update_client(name, {"version": version})

    def end_statistics(self, metadata: ClientMetadata) -> None:
        """A client that could choose between password and certificate needs a certificate from now on."""
        if self._authenticator.type_of(self._clients().get(metadata.hostname)) == "bootstrap":
            self.update_client(metadata.hostname, {"auth": "cert"})

    # -- the client list

    def list_clients(self) -> list[str]:
        return list(self._clients().clients)

    def add_client(self, name: str, attributes: Mapping[str, str]) -> Client:
        """List a client, durably; one that is listed stays as it is. Returns it."""
        if not self.client_list.add(name, attributes):
            self.log.info("Client %s is listed already", name)
        return self._clients().get(name) or Client(name.lower())

    def update_client(self, name: str, attributes: Mapping[str, str | None]) -> None:
        """Change attributes of a client, or take away those that are None, durably."""
        self.client_list.update(name, attributes)

    def remove_client(self, name: str) -> None:
        """Take a client off the list, durably."""
        self.client_list.remove(name)

    def _clients_where(self, condition: Callable[[ClientMetadata], bool]) -> list[str]:
        found = []
        for name in self.list_clients():
            self.context.breathe()
            try:
                metadata = self.context.build_metadata(name)
            except MetadataError as err:
                self.log.error("Client %s is left out of the answer to a query: %s", name, err)
                continue
            if condition(metadata):
                found.append(name)
        return found

    def get_client_names_by_profiles(self, profiles: Iterable[str]) -> list[str]:
        """Names of the clients whose profile is one of `profiles`."""
        wanted = frozenset(profiles)
        return self._clients_where(lambda metadata: metadata.profile in wanted)

    def get_client_names_by_groups(self, groups: Iterable[str]) -> list[str]:
        """Names of the clients that are in all of `groups`."""
        wanted = frozenset(groups)
        return self._clients_where(lambda metadata: wanted <= metadata.groups)

    def get_client_names_by_bundles(self, bundles: Iterable[str]) -> list[str]:
        """Names of the clients that have all of `bundles`."""
        wanted = frozenset(bundles)
        return self._clients_where(lambda metadata: wanted <= metadata.bundles)

    # -- the groups

    def _all_groups(self) -> set[str]:
        table = self._groups()
        profiles = {profile for client in self._clients().clients.values() for profile in client.profiles}
        return profiles | table.declared.keys() | table.dynamic.keys()

    def _groups_in_category(self, category: str) -> set[str]:
        return self._groups().in_category(category)

    def add_group(self, name: str, attributes: Mapping[str, str]) -> None:
        """Declare a group, durably; one that is declared stays as it is."""
        self.groups_file.add("Group", name, attributes)

    def update_group(self, name: str, attributes: Mapping[str, str | None]) -> None:
        """Change attributes of a group, or take away those that are None, durably."""
        self.groups_file.update("Group", name, attributes)

    def remove_group(self, name: str) -> None:
        """Take a group's declaration away, durably."""
        self.groups_file.remove("Group", name)

    def add_bundle(self, name: str) -> None:
        """Add a bundle that no group has, durably."""
        self.groups_file.add("Bundle", name, {})

    def remove_bundle(self, name: str) -> None:
        """Take a bundle away from where it is named first, durably."""
        self.groups_file.remove("Bundle", name)

    def viz(
        self,
        hosts: bool,
        bundles: bool,
        key: bool,
        only_client: str | None = None,
        colors: Sequence[str] = (),
    ) -> list[str]:
        """The body of a Graphviz graph of the groups.

        Args:
            hosts, bundles, key: whether clients, bundles and the meaning of colours are shown.
            only_client: show only what this client has.
            colors: the colours of categories, used in turn.
        """
        only_groups: Collection[str] | None = None
        names = self.list_clients()
        if only_client is not None:
            names = [self._clients().canonical(only_client)]
            only_groups = self.context.build_metadata(names[0]).groups
        instances: dict[str, list[str]] = {}
        for name in names if hosts else ():
            profile = self.context.build_metadata(name).profile
            if profile:
                instances.setdefault(profile, []).append(name)
        return graph_lines(self._groups(), instances, bundles=bundles, key=key, colors=colors, only_groups=only_groups)


def _is_same(one: MetadataGroup, other: MetadataGroup) -> bool:
    """Whether two declarations say the same; as objects they are equal if their names are."""
    return vars(one) == vars(other)
