"""Adapters that turn plugins for Bcfg2 into plugins of this server: one adapter class, with the same interfaces, for
each plugin class.
"""

from __future__ import annotations

import functools
import inspect
import logging
import xmlrpc.client
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableSequence, Sequence
from typing import Any, ClassVar

from lxml import etree

from geventcore.compat import plugin_interfaces
from geventcore.compat.core import core_of
from geventcore.compat.options import server_options
from geventcore.compat.plugin_base import Plugin as Bcfg2Plugin
from geventcore.compat.plugin_structfiles import bcfg2_structfile
from geventcore.compat.specificities import to_bcfg2, to_server
from geventcore.errors import GeventcoreError, PluginExecutionError, PluginInitError, RPCError
from geventcore.options import Option
from geventcore.plugin import interfaces
from geventcore.plugin.base import Plugin
from geventcore.plugin.client_metadata import ClientMetadata, MetadataGroup, MetadataQuery
from geventcore.plugin.context import PluginContext
from geventcore.plugin.failures import describe
from geventcore.plugin.specificity import Specificity
from geventcore.tls.identity import PeerIdentity

log = logging.getLogger(__name__)


class PluginAdapter(Plugin):
    """The base class of adapters.

    Attributes:
        legacy_class: the plugin's class.
        legacy: the plugin.
    """

    creates_directory: ClassVar[bool] = False  # the plugin does that
    legacy_class: ClassVar[type[Bcfg2Plugin]]
    legacy: Any

    def __init__(self, context: PluginContext) -> None:
        super().__init__(context)
        self._core = core_of(context)
        self._core.setup.add_options(self.legacy_class)
        try:
            self.legacy = _construct(self.legacy_class, self._core)
        except GeventcoreError:
            raise
        # A module's sys.exit would end the server without a word.
        except (Exception, SystemExit) as err:
            self.log.debug("The constructor failed:", exc_info=err)
            raise PluginInitError(describe(err)) from err
        self.sort_order = int(self.legacy.sort_order)

    def shutdown(self) -> None:
        # A plugin that is unloaded for a conflict is not loaded any more when it hears of it; the server goes on.
        if self in self.context.plugins_by_type(Plugin):
            self._core.terminate.set()
        self.running = False
        self.call("shutdown")

    def set_debug(self, debug: bool) -> bool:
        self.debug = debug
        return bool(self.call("set_debug", debug))

    def toggle_debug(self) -> bool:
        self.debug = bool(self.call("toggle_debug"))
        return self.debug

    def call(self, hook: str, *arguments: Any) -> Any:
        """Call a hook of the plugin and return its result.

        The server's error classes pass through. Other exceptions become `PluginExecutionError` with file and line.
        """
        try:
            return getattr(self.legacy, hook)(*arguments)
        except GeventcoreError:
            raise
        except (Exception, SystemExit) as err:
            self.log.debug("%s.%s failed:", self.name, hook, exc_info=err)
            raise PluginExecutionError(describe(err)) from err

    def call_keeping_text(self, hook: str, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call a function whose error text is sent to clients: keep the text unchanged and log the details."""
        try:
            return function(*arguments)
        except GeventcoreError:
            raise
        except xmlrpc.client.Fault as err:
            raise RPCError(err.faultCode, err.faultString) from err
        except (Exception, SystemExit) as err:
            self.log.error("%s.%s failed: %s", self.name, hook, describe(err))
            raise PluginExecutionError(str(err)) from err

    def remote_interface(self) -> Mapping[str, Any]:
        return {name: self.remote_method(name) for name in self.remote_methods}

    def remote_method(self, name: str) -> Callable[..., Any]:
        """Return a method of the plugin for calls over XML-RPC."""
        function: Callable[..., Any] = getattr(self.legacy, name)

        @functools.wraps(function)
        def call(*arguments: Any) -> Any:
            return self.call_keeping_text(name, function, *arguments)

        return call


def _construct(plugin_class: type[Bcfg2Plugin], core: Any) -> Bcfg2Plugin:
    """Create the plugin: those for Bcfg2 1.4 take the core, those for 1.3 also the repository's directory."""
    try:
        inspect.signature(plugin_class).bind(core)
    except TypeError:
        return plugin_class(core, core.datastore)
    return plugin_class(core)


class _Table(Mapping[str, interfaces.Binder]):
    """A live view of the plugin's entries with one tag."""

    def __init__(self, adapter: PluginAdapter, table: Mapping[str, Any]) -> None:
        self._adapter = adapter
        self._table = table

    def __getitem__(self, name: str) -> interfaces.Binder:
        return functools.partial(self._adapter.call_keeping_text, "Entries", self._table[name])

    def __contains__(self, name: object) -> bool:
        return name in self._table

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._table))

    def __len__(self) -> int:
        return len(self._table)


class _Generator(PluginAdapter, interfaces.Generator):
    @property
    def entries(self) -> Mapping[str, Mapping[str, interfaces.Binder]]:  # type: ignore[override]  # always current
        entries: Mapping[str, Mapping[str, Any]] = getattr(self.legacy, "Entries", {})
        # The plugin may change its dictionary at any time, even while others iterate over it.
        return {tag: _Table(self, table) for tag, table in list(entries.items())}

    def handles_entry(self, entry: etree._Element, metadata: ClientMetadata) -> bool:
        return bool(self.call("HandlesEntry", entry, metadata))

    def bind_entry(self, entry: etree._Element, metadata: ClientMetadata) -> None:
        self.call_keeping_text("HandleEntry", self.legacy.HandleEntry, entry, metadata)


class _Structure(PluginAdapter, interfaces.Structure):
    def build_structures(self, metadata: ClientMetadata) -> list[etree._Element]:
        return list(self.call("BuildStructures", metadata))


class _MetadataSource(PluginAdapter, interfaces.MetadataSource):
    _query: MetadataQuery | None = None

    @property
    def query(self) -> MetadataQuery:
        """The plugin's own, if it has one."""
        query = getattr(self.legacy, "query", None)
        if isinstance(query, MetadataQuery):
            return query
        if self._query is None:
            self._query = MetadataQuery(
                by_name=self.context.build_metadata,
                names_by_groups_set=lambda groups: self._names("groups", set(groups)),
                names_by_profiles_set=lambda profiles: self._names("profiles", set(profiles)),
                all_clients=self.list_clients,
                all_groups=lambda: set(self._groups),
                all_groups_in_category=lambda category: {
                    name for name, group in self._groups.items() if getattr(group, "category", None) == category
                },
            )
        return self._query

    @property
    def _groups(self) -> Mapping[str, Any]:
        groups = getattr(self.legacy, "groups", {})
        return groups if isinstance(groups, Mapping) else {}

    def _names(self, kind: str, wanted: set[str]) -> list[str]:
        finder = getattr(self.legacy, f"get_client_names_by_{kind}", None)
        if finder is not None:
            return list(finder(sorted(wanted)))
        found = []
        for name in self.list_clients():
            metadata = self.context.build_metadata(name)
            if wanted <= metadata.groups if kind == "groups" else metadata.profile in wanted:
                found.append(name)
        return found

    def authenticate(
        self, identity: PeerIdentity | None, user: str, password: str, address: interfaces.Address
    ) -> bool:
        certificate = None if identity is None else {"subject": ((("commonName", identity.common_name or ""),),)}
        accepted = bool(self.call("AuthenticateConnection", certificate, user, password, address))
        if not accepted:
            log.warning("access denied for %r from %s: refused by plugin %s", user, address[0], self.name)
        return accepted

    def resolve_client(self, address: interfaces.Address, cleanup_cache: bool = False) -> str:
        return str(self.call("resolve_client", address, cleanup_cache))

    def get_initial_metadata(self, client_name: str) -> ClientMetadata:
        metadata = self.call("get_initial_metadata", client_name)
        if not isinstance(metadata, ClientMetadata):
            raise PluginExecutionError(f"{self.name}.get_initial_metadata returned {metadata!r}, no ClientMetadata")
        return metadata

    def merge_additional_groups(self, metadata: ClientMetadata, groups: Iterable[str]) -> None:
        self.call("merge_additional_groups", metadata, list(groups))

    def merge_additional_data(self, metadata: ClientMetadata, source: str, data: Any) -> None:
        self.call("merge_additional_data", metadata, source, data)

    def register_dynamic_group(self, group: MetadataGroup, source: str) -> None:
        """Add the group to the plugin's table, unless the name is taken."""
        register = getattr(self.legacy, "register_dynamic_group", None)
        if register is not None:
            register(group, source)
            return
        groups = getattr(self.legacy, "groups", None)
        if isinstance(groups, dict) and group.name not in groups:
            groups[group.name] = group

    def set_profile(self, client: str, profile: str, address: interfaces.Address, require_public: bool = True) -> None:
        self.call("set_profile", client, profile, address)

    def set_version(self, client: str, version: str) -> None:
        self.call("set_version", client, version)

    def list_clients(self) -> list[str]:
        if hasattr(self.legacy, "list_clients"):
            return list(self.call("list_clients"))
        return list(getattr(self.legacy, "clients", ()))


class _Connector(PluginAdapter, interfaces.Connector):
    def get_additional_groups(self, metadata: ClientMetadata) -> Iterable[str | MetadataGroup]:
        return list(self.call("get_additional_groups", metadata) or ())

    def get_additional_data(self, metadata: ClientMetadata) -> Any:
        return self.call("get_additional_data", metadata)


class _Probing(PluginAdapter, interfaces.Probing):
    def get_probes(self, metadata: ClientMetadata) -> list[etree._Element]:
        return list(self.call("GetProbes", metadata))

    def receive_data(self, metadata: ClientMetadata, data: Sequence[etree._Element]) -> None:
        self.call("ReceiveData", metadata, list(data))


class _Statistics(PluginAdapter, interfaces.Statistics):
    def process_statistics(self, metadata: ClientMetadata, data: etree._Element) -> None:
        self.call("process_statistics", metadata, data)


class _Threaded(PluginAdapter, interfaces.Threaded):
    def start_threads(self) -> None:
        self.call("start_threads")


class _PullSource(PluginAdapter, interfaces.PullSource):
    def get_extra(self, client: str) -> list[tuple[str, str, str | None]]:
        return list(self.call("GetExtra", client))

    def get_current_entry(
        self, client: str, entry_tag: str, entry_name: str
    ) -> tuple[str | None, str | None, str | None, bytes | None]:
        owner, group, mode, content = self.call("GetCurrentEntry", client, entry_tag, entry_name)
        return owner, group, mode, content.encode(self.context.encoding) if isinstance(content, str) else content


class _PullTarget(PluginAdapter, interfaces.PullTarget):
    def accept_choices(self, entry: etree._Element, metadata: ClientMetadata) -> list[Specificity]:
        return [to_server(choice) for choice in self.call("AcceptChoices", entry, metadata)]

    def accept_pull_data(self, specific: Specificity, new_entry: Mapping[str, Any], verbose: bool) -> None:
        self.call("AcceptPullData", to_bcfg2(specific), new_entry, verbose)


class _Decision(PluginAdapter, interfaces.Decision):
    def get_decisions(self, metadata: ClientMetadata, mode: str) -> list[tuple[str, str]]:
        return list(self.call("GetDecisions", metadata, mode))


class _StructureValidator(PluginAdapter, interfaces.StructureValidator):
    def validate_structures(self, metadata: ClientMetadata, structures: MutableSequence[etree._Element]) -> None:
        self.call("validate_structures", metadata, structures)


class _GoalValidator(PluginAdapter, interfaces.GoalValidator):
    def validate_goals(self, metadata: ClientMetadata, config: etree._Element) -> None:
        self.call("validate_goals", metadata, config)


class _Version(PluginAdapter, interfaces.Version):
    def get_revision(self) -> str:
        return str(self.call("get_revision"))


class _ClientRunHooks(PluginAdapter, interfaces.ClientRunHooks):
    def start_client_run(self, metadata: ClientMetadata) -> None:
        self.call("start_client_run", metadata)

    def end_client_run(self, metadata: ClientMetadata) -> None:
        self.call("end_client_run", metadata)

    def end_statistics(self, metadata: ClientMetadata) -> None:
        self.call("end_statistics", metadata)


class _ClientACLs(PluginAdapter, interfaces.ClientACLs):
    def check_acl_ip(self, address: interfaces.Address, method: str) -> bool | None:
        allowed = self.call("check_acl_ip", address, method)
        return None if allowed is None else bool(allowed)

    def check_acl_metadata(self, metadata: ClientMetadata, method: str) -> bool:
        return bool(self.call("check_acl_metadata", metadata, method))


class _TemplateDataProvider(PluginAdapter, interfaces.TemplateDataProvider):
    def get_template_data(self, entry: etree._Element, metadata: ClientMetadata, template: str) -> Mapping[str, Any]:
        return dict(self.call("get_template_data", entry, metadata, template))

    def get_xml_template_data(self, structfile: interfaces.TemplateFile, metadata: ClientMetadata) -> Mapping[str, Any]:
        return dict(self.call("get_xml_template_data", bcfg2_structfile(structfile), metadata))


_ADAPTERS: tuple[tuple[type, type[PluginAdapter]], ...] = (
    (plugin_interfaces.Generator, _Generator),
    (plugin_interfaces.Structure, _Structure),
    (plugin_interfaces.Metadata, _MetadataSource),
    (plugin_interfaces.Connector, _Connector),
    (plugin_interfaces.Probing, _Probing),
    (plugin_interfaces.Statistics, _Statistics),
    (plugin_interfaces.Threaded, _Threaded),
    (plugin_interfaces.PullSource, _PullSource),
    (plugin_interfaces.PullTarget, _PullTarget),
    (plugin_interfaces.Decision, _Decision),
    (plugin_interfaces.StructureValidator, _StructureValidator),
    (plugin_interfaces.GoalValidator, _GoalValidator),
    (plugin_interfaces.Version, _Version),
    (plugin_interfaces.ClientRunHooks, _ClientRunHooks),
    (plugin_interfaces.ClientACLs, _ClientACLs),
    (plugin_interfaces.TemplateDataProvider, _TemplateDataProvider),
)

#: What learns something from clients, or works by itself; methods that can be called from outside may, too. Bcfg2 has
#: all of that in one process, so plugins were written to keep it in memory.
_LEARNING = (
    plugin_interfaces.ClientRunHooks,
    plugin_interfaces.Metadata,
    plugin_interfaces.Probing,
    plugin_interfaces.Statistics,
    plugin_interfaces.Threaded,
)

_classes: dict[type[Bcfg2Plugin], type[PluginAdapter]] = {}


def adapter_class(plugin_class: type[Bcfg2Plugin]) -> type[PluginAdapter]:
    """Return the adapter of a class, always the same one; `PluginInitError` if an attribute is invalid."""
    made = _classes.get(plugin_class)
    if made is None:
        made = _classes[plugin_class] = _make(plugin_class)
    return made


def _make(plugin_class: type[Bcfg2Plugin]) -> type[PluginAdapter]:
    bases = [adapter for interface, adapter in _ADAPTERS if issubclass(plugin_class, interface)] or [PluginAdapter]
    name = plugin_class.name if isinstance(plugin_class.name, str) else plugin_class.__name__
    remote = tuple(plugin_class.__rmi__)
    child_remote = tuple(method for method in plugin_class.__child_rmi__ if isinstance(method, str))
    if len(child_remote) < len(plugin_class.__child_rmi__):
        logging.getLogger(__name__).warning(
            "Plugin %s: pairs in __child_rmi__ are not supported; a call of such a method reaches one process only",
            name,
        )
    options: tuple[Option[Any], ...] = server_options(plugin_class)
    learns = issubclass(plugin_class, _LEARNING) or not {*Plugin.remote_methods, *child_remote}.issuperset(remote)
    return type(
        plugin_class.__name__,
        tuple(bases),
        {
            "__doc__": plugin_class.__doc__,
            "name": name,
            "legacy_class": plugin_class,
            "options": options,
            "conflicts": tuple(plugin_class.conflicts),
            "experimental": bool(plugin_class.experimental),
            "deprecated": bool(plugin_class.deprecated),
            "needs_one_process": learns,
            # What it learns may change its groups and data at any time.
            "reuse_seconds": 0.0 if learns else interfaces.Connector.reuse_seconds,
            "remote_methods": remote,
            "broadcast_methods": child_remote,
        },
    )
