"""The plugin Metadata, as the server and its tools use it.

A client's metadata are computed from two tables, clients and groups. A changed table is replaced as a whole, so a
computation uses a single version of each.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from geventcore.errors import MetadataConsistencyError, MetadataError
from geventcore.options import Option
from geventcore.options.server import CA, PASSWORD
from geventcore.options.types import BOOLEAN
from geventcore.plugin.base import Plugin
from geventcore.plugin.client_metadata import ClientMetadata, MetadataGroup, MetadataQuery
from geventcore.plugin.client_version import ClientVersion
from geventcore.plugin.context import PluginContext
from geventcore.plugin.explanation import Explaining, GroupReason, Obstacle, Source
from geventcore.plugin.interfaces import Address, ClientRunHooks, MetadataSource, Threaded
from geventcore.plugins.ip_addresses import is_loopback
from geventcore.plugins.metadata.addresses import ClientResolver
from geventcore.plugins.metadata.authentication import AUTHENTICATION, Authenticator
from geventcore.plugins.metadata.clients import Client, ClientList, ClientTable
from geventcore.plugins.metadata.clients_file import ClientsFile
from geventcore.plugins.metadata.explaining import GroupPlaces
from geventcore.plugins.metadata.graph import Graph, dot_lines, groups_graph
from geventcore.plugins.metadata.groups import GroupTable
from geventcore.plugins.metadata.groups_file import GroupsFile
from geventcore.plugins.metadata.registration import OPTIONS as REGISTRATION_OPTIONS
from geventcore.plugins.metadata.registration import Registration, what_is_shown
from geventcore.plugins.metadata.resolution import Membership, Resolution
from geventcore.tls.identity import PeerIdentity

if TYPE_CHECKING:
    from geventcore.plugins.metadata.remembered_clients import RememberedClients

USE_DATABASE = Option(
    "metadata",
    "use_database",
    BOOLEAN,
    False,
    "Store the client list in the database instead of clients.xml.\n\n"
    "The server then adds clients to the database, with profile, version and authentication type. Aliases, addresses, "
    "passwords and profiles in clients.xml still apply, but the file is optional. Set this if several machines serve "
    "the same clients.",
    at_start=True,
)

#: The limit on a client's version, in characters; real ones are shorter than 20.
_LONGEST_VERSION = 255
#: The limit on remembered messages, each of which is logged once.
_REPORTED_LIMIT = 100_000


class Metadata(Plugin, MetadataSource, ClientRunHooks, Threaded, Explaining):
    """A plugin with clients from ``clients.xml`` and groups from ``groups.xml``."""

    options = (USE_DATABASE, AUTHENTICATION, *REGISTRATION_OPTIONS, PASSWORD, CA)
    remote_methods = (*Plugin.remote_methods, "list_clients", "remove_client")

    def __init__(self, context: PluginContext) -> None:
        super().__init__(context)
        self.groups_file = GroupsFile(self.directory, context, self._files_changed)
        self._memory: RememberedClients | None = None
        self.clients_file, self.client_list = self._open_client_list()
        self.resolver = ClientResolver(self._clients)
        self.registration = Registration(lambda: context.settings, self.directory, lambda: len(self._clients().clients))
        self._authenticator = Authenticator(self._clients, self.resolver, self.registration, lambda: context.settings)
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
        """Return ``clients.xml`` and the client list, which may be the same object."""
        if not self.context.settings[USE_DATABASE]:
            file = ClientsFile(self.directory, self.context, self._files_changed)
            return file, file
        from geventcore.plugins.metadata.stored_clients import OptionalClientsFile, StoredClients

        optional_file = OptionalClientsFile(self.directory, self.context, self._files_changed)
        stored = StoredClients(self.context, optional_file)
        self._memory = stored.memory
        return optional_file, stored

    def start_threads(self) -> None:
        """Start reading the clients of the database into memory, for a database outage."""
        if self._memory is not None:
            self._memory.start()

    def shutdown(self) -> None:
        """Stop the thread."""
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
        """Log invalid profiles of clients, each once."""
        wrong: dict[str, list[str]] = {}
        for client in clients.clients.values():
            for profile in client.profiles:
                if not groups.is_profile(profile):
                    wrong.setdefault(profile, []).append(client.name)
        for profile, names in wrong.items():
            what = "a group that does not exist" if groups.get(profile) is None else "not a profile"
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            self.log.warning("client %s%s: the profile %s is %s", names[0], more, profile, what)

    # -- authentication

    def authenticate(self, identity: PeerIdentity | None, user: str, password: str, address: Address) -> bool:
        return self._authenticator.authenticate(identity, user, password, address)

    def resolve_client(self, address: Address, cleanup_cache: bool = False) -> str:
        if cleanup_cache:
            self.resolver.sessions.drop_outdated()
        return self.resolver.resolve(address)

    def session_client(self, address: Address) -> str | None:
        """Return the client that authenticated from this address and port in the last 90 seconds."""
        return self.resolver.remembered(address)

    def clear_sessions(self) -> None:
        """Drop all sessions."""
        self.resolver.sessions.clear()

    # -- the metadata of a client

    @property
    def query(self) -> MetadataQuery:
        return self._query

    def get_initial_metadata(self, client_name: str) -> ClientMetadata:
        clients, groups = self._clients(), self._groups()
        name = clients.canonical(client_name)
        client = clients.clients.get(name)
        if client is None and self.context.read_only:
            self.registration.check_name(name)
            unlisted = self._unlisted(name)
            if self._is_news(name, "client"):
                self.log.warning("%s", what_is_shown(name, unlisted.profiles[0], clients.clients))
            return self._build(unlisted, groups)
        if client is None:
            self._create(name)
            clients, groups = self._clients(), self._groups()
            client = clients.clients.get(name, Client(name))
        if self.context.cache_mode != "initial":
            return self._build(client, groups)
        if self._initial_tables != (clients, groups):
            self._initial, self._initial_tables = {}, (clients, groups)
        kept = self._initial.get(name)
        # With a database, the client may differ although the table is the same object: it reads the current rows.
        if kept is None or kept[0] != client:
            kept = self._initial[name] = (client, self._build(client, groups))
        return kept[1].copy()

    def _unlisted(self, name: str) -> Client:
        """Return an unknown client as it would be added, for a command that only looks at the site."""
        listed = self._clients().get(name)
        if listed is not None and listed.profiles:
            return listed
        default = self._groups().default
        if default is None:
            raise MetadataConsistencyError(f"client {name} is unknown, and groups.xml has no default profile")
        return Client(name, profiles=(default,))

    def register(self, name: str) -> bool:
        """Add an unknown client with its profile, or the default one; return false if it is known.

        An administrator asks for it, so the limits on registrations by clients do not apply.
        """
        canonical = self._clients().canonical(name)
        if canonical in self._clients().clients:
            return False
        self.registration.check_name(canonical)
        profile = self._unlisted(canonical).profiles[0]
        listed = self._clients().get(canonical)
        return self.client_list.add(canonical, {} if listed is not None and listed.profiles else {"profile": profile})

    def _create(self, name: str) -> None:
        """Add an unknown client to the list, with the profile for it."""
        listed = self._clients().get(name)
        if listed is not None and listed.profiles:
            # That profile applies until the client requests another one.
            self.client_list.add(name, {})
            self.log.info("client %s added with profile %s", name, listed.profiles[0])
            return
        default = self._groups().default
        if default is None:
            raise MetadataConsistencyError(f"client {name} is unknown, and groups.xml has no default profile")
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
                    "client %s does not get the group %s: it already has a group of category %s: %s",
                    client,
                    group,
                    category,
                    holder,
                )
        if resolution.is_contradictory and self._is_news(client, ""):
            self.log.error(
                "client %s: the rules in groups.xml contradict each other; using the groups found so far", client
            )

    def _is_news(self, subject: str, group: str) -> bool:
        """Return true if a message was not logged since the files changed, or if too many were logged to remember."""
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
            self.log.warning("ignoring the group %s from %s: %s already declares it", group.name, source, owner)

    # -- changes by clients

    def set_profile(self, client: str, profile: str, address: Address, require_public: bool = True) -> None:
        clients, groups = self._clients(), self._groups()
        group = groups.get(profile)
        if group is None:
            raise MetadataConsistencyError(f"client {client} requests the profile {profile}, which does not exist")
        if require_public and not group.is_public:
            raise MetadataConsistencyError(f"client {client} requests the profile {profile}, which is not public")
        name = clients.canonical(client)
        if name not in clients.clients:
            if clients.get(name) is None:
                self.registration.admit(name, address)
            attributes = {"profile": profile}
            if self.resolver.remembered(address) == name:
                attributes = {"uuid": name, "profile": profile}
                if self._is_free(address, name):
                    attributes["address"] = str(address[0])
            if self.client_list.add(name, attributes):
                self.log.info("client %s added with profile %s", name, profile)
                return
        if self.context.build_metadata(name).profile != profile:
            self.log.info("client %s changes its profile to %s", name, profile)
            self.update_client(name, {"profile": profile})

    def _is_free(self, address: Address, name: str) -> bool:
        """Return true if an address identifies no other client that is in the client list.

        A new client must not take an address from those who are identified by it.
        """
        if self.resolver.owners(address) or is_loopback(address):
            return False
        try:
            known_as = self.resolver.client_at(address)
        except MetadataError:
            return True
        return known_as == name or self._clients().get(known_as) is None

    def set_version(self, client: str, version: str) -> None:
        if len(version) > _LONGEST_VERSION:
            raise MetadataConsistencyError(
                f"client {client} declares a version of {len(version)} characters; the limit is {_LONGEST_VERSION}"
            )
        name = self._clients().canonical(client)
        listed = self._clients().clients.get(name)
        if listed is None:
            self.get_initial_metadata(name)
            listed = self._clients().clients.get(name)
        if listed is None or listed.version != version:
            self.log.info("client %s runs version %s", name, version)
            self.update_client(name, {"version": version})

    def end_statistics(self, metadata: ClientMetadata) -> None:
        """Require a certificate from a ``bootstrap`` client from now on."""
        if self._authenticator.type_of(self._clients().get(metadata.hostname)) == "bootstrap":
            self.update_client(metadata.hostname, {"auth": "cert"})

    # -- the client list

    def list_clients(self) -> list[str]:
        return list(self._clients().clients)

    @property
    def default_profile(self) -> str | None:
        """The profile of new clients, or None if ``groups.xml`` has none."""
        return self._groups().default

    def is_profile(self, group: str) -> bool:
        """Return true if a group is a profile."""
        return self._groups().is_profile(group)

    def add_client(self, name: str, attributes: Mapping[str, str]) -> Client:
        """Add a client durably; leave a listed client unchanged. Return the client."""
        if not self.client_list.add(name, attributes):
            self.log.info("client %s is already listed", name)
        return self._clients().get(name) or Client(name.lower())

    def update_client(self, name: str, attributes: Mapping[str, str | None]) -> None:
        """Change attributes of a client durably; remove those whose value is None."""
        self.client_list.update(name, attributes)

    def remove_client(self, name: str) -> None:
        """Remove a client from the list durably."""
        self.client_list.remove(name)

    def _clients_where(self, condition: Callable[[ClientMetadata], bool]) -> list[str]:
        found = []
        for name in self.list_clients():
            self.context.breathe()
            try:
                metadata = self.context.build_metadata(name)
            except MetadataError as err:
                self.log.error("leaving client %s out of the result of a query: %s", name, err)
                continue
            if condition(metadata):
                found.append(name)
        return found

    def get_client_names_by_profiles(self, profiles: Iterable[str]) -> list[str]:
        """Return the names of the clients whose profile is one of `profiles`."""
        wanted = frozenset(profiles)
        return self._clients_where(lambda metadata: metadata.profile in wanted)

    def get_client_names_by_groups(self, groups: Iterable[str]) -> list[str]:
        """Return the names of the clients that are in all of `groups`."""
        wanted = frozenset(groups)
        return self._clients_where(lambda metadata: wanted <= metadata.groups)

    def get_client_names_by_bundles(self, bundles: Iterable[str]) -> list[str]:
        """Return the names of the clients that have all of `bundles`."""
        wanted = frozenset(bundles)
        return self._clients_where(lambda metadata: wanted <= metadata.bundles)

    # -- the groups

    def _all_groups(self) -> set[str]:
        table = self._groups()
        profiles = {profile for client in self._clients().clients.values() for profile in client.profiles}
        return profiles | table.declared.keys() | table.dynamic.keys()

    def _groups_in_category(self, category: str) -> set[str]:
        return self._groups().in_category(category)

    def group_declarations(self) -> dict[str, MetadataGroup]:
        """Return the declared groups, those of connectors included: name -> group."""
        table = self._groups()
        return {**{name: dynamic.group for name, dynamic in table.dynamic.items()}, **table.declared}

    def add_group(self, name: str, attributes: Mapping[str, str]) -> None:
        """Declare a group durably; leave a declared group unchanged."""
        self.groups_file.add("Group", name, attributes)

    def update_group(self, name: str, attributes: Mapping[str, str | None]) -> None:
        """Change attributes of a group durably; remove those whose value is None."""
        self.groups_file.update("Group", name, attributes)

    def remove_group(self, name: str) -> None:
        """Remove a group's declaration durably."""
        self.groups_file.remove("Group", name)

    def add_bundle(self, name: str) -> None:
        """Add a bundle that no group has yet durably."""
        self.groups_file.add("Bundle", name, {})

    def remove_bundle(self, name: str) -> None:
        """Remove the first element that names a bundle durably."""
        self.groups_file.remove("Bundle", name)

    def viz(
        self, hosts: bool, bundles: bool, key: bool, only_client: str | None = None, colors: Sequence[str] = ()
    ) -> list[str]:
        """Return the body of a Graphviz graph of the groups; see `graph`."""
        return dot_lines(self.graph(hosts, bundles, key, only_client, colors))

    def graph(
        self, hosts: bool, bundles: bool, key: bool, only_client: str | None = None, colors: Sequence[str] = ()
    ) -> Graph:
        """Return the graph of the groups.

        Args:
            hosts, bundles, key: true to show clients, bundles and the categories with their colours.
            only_client: show only the groups and bundles of this client.
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
        return groups_graph(self._groups(), instances, bundles=bundles, key=key, colors=colors, only_groups=only_groups)

    # -- explanations

    def places(self) -> GroupPlaces:
        """Return the places of groups and clients in the current files."""
        return GroupPlaces(self.groups_file.path, self.clients_file.path, self._groups())

    def explain_groups(self, metadata: ClientMetadata) -> Mapping[str, Sequence[GroupReason]]:
        """See `Explaining`: the profile and the rules."""
        return self.places().reasons(self._clients().get(metadata.hostname), metadata)

    def explain_absence(self, tag: str, name: str, metadata: ClientMetadata) -> Sequence[Obstacle]:
        """See `Explaining`: for a ``Group``, why the client is not in it."""
        return self.places().obstacles(name, metadata) if tag == "Group" else ()

    def bundle_sources(self, bundle: str) -> list[tuple[str, Source]]:
        """Return the groups that bring a bundle, each with the place."""
        return self.places().bundle_sources(bundle)


def _is_same(one: MetadataGroup, other: MetadataGroup) -> bool:
    """Return true if all attributes of two declarations are equal; ``==`` compares only their names."""
    return vars(one) == vars(other)
