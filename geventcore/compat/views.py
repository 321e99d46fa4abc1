"""The server's own plugins as plugins for Bcfg2 see them, such as ``Bcfg2.Server.Plugins.Rules.Rules``.

Each plugin class gets a view class with Bcfg2's counterparts of the plugin's interfaces, so that ``isinstance`` works.
It forwards hooks, and every other attribute, to the plugin.

A site may derive from a view class. An instance of such a class has a plugin of the server inside, with the name and
the directory of the site's class.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from geventcore.compat import plugin_interfaces as bcfg2
from geventcore.compat.current import CoreView
from geventcore.compat.metadata_files import MetadataXML
from geventcore.compat.plugin_base import Debuggable
from geventcore.compat.plugin_base import Plugin as Bcfg2Plugin
from geventcore.compat.plugin_structfiles import server_structfile
from geventcore.compat.specificities import to_bcfg2, to_server
from geventcore.errors import PluginInitError
from geventcore.plugin import interfaces
from geventcore.plugin.base import Plugin
from geventcore.plugin.registry import load_object, load_plugin_class
from geventcore.tls.identity import PeerIdentity


class PluginView(Bcfg2Plugin):
    """The base class of views.

    Attributes:
        plugin_class: the class of the plugin.
        plugin: the plugin itself.
    """

    plugin_class: ClassVar[type[Plugin]]
    plugin: Any

    def __init__(self, core: Any, datastore: str | None = None) -> None:
        made = type(self.name, (self.plugin_class,), {"name": self.name, "__module__": type(self).__module__})
        self._show(made(core.context), core)

    def _show(self, plugin: Plugin, core: CoreView) -> None:
        Debuggable.__init__(self, name=plugin.name)
        self.plugin = plugin
        self.core = core
        self.datastore = core.datastore
        self.data = str(plugin.directory)
        self.running = True

    def __getattr__(self, name: str) -> Any:
        if name == "plugin":
            raise AttributeError(f"{type(self).__name__}.__init__ has not been called", name=name, obj=self)
        return getattr(self.plugin, name)

    def set_debug(self, debug: bool) -> bool:
        self.debug_flag = debug
        result: bool = self.plugin.set_debug(debug)
        return result

    def shutdown(self) -> None:
        self.running = False
        self.plugin.shutdown()


class _Generator(PluginView, bcfg2.Generator):
    @property
    def Entries(self) -> Mapping[str, Mapping[str, interfaces.Binder]]:  # type: ignore[override]  # always the current ones
        entries: Mapping[str, Mapping[str, interfaces.Binder]] = self.plugin.entries
        return entries

    def HandlesEntry(self, entry: Any, metadata: Any) -> bool:
        handles: bool = self.plugin.handles_entry(entry, metadata)
        return handles

    def HandleEntry(self, entry: Any, metadata: Any) -> Any:
        self.plugin.bind_entry(entry, metadata)
        return entry

    BindEntry = HandleEntry


class _NoEntries(PluginView):
    @property
    def Entries(self) -> dict[str, Any]:  # type: ignore[override]  # there are none, and will be none
        return {}


class _Structure(PluginView, bcfg2.Structure):
    def BuildStructures(self, metadata: Any) -> list[Any]:
        structures: list[Any] = self.plugin.build_structures(metadata)
        return structures


class _Metadata(PluginView, bcfg2.Metadata):
    @property
    def clients(self) -> list[str]:
        """The names of all clients."""
        names: list[str] = self.plugin.list_clients()
        return names

    @property
    def groups(self) -> dict[str, Any]:
        """The groups: name -> group."""
        table = self.plugin.groups_file.table
        return {**table.declared, **{name: dynamic.group for name, dynamic in table.dynamic.items()}}

    @property
    def groups_xml(self) -> MetadataXML:
        """The file ``groups.xml``."""
        return self._xml("groups.xml")

    @property
    def clients_xml(self) -> MetadataXML:
        """The file ``clients.xml``."""
        return self._xml("clients.xml")

    def _xml(self, name: str) -> MetadataXML:
        files: dict[str, MetadataXML] = self.__dict__.setdefault("_files", {})
        if name not in files:
            files[name] = MetadataXML(self.plugin.directory / name)
        return files[name]

    @property
    def query(self) -> Any:
        return self.plugin.query

    def viz(self, hosts: Any, bundles: Any, key: Any, only_client: Any, colors: Any) -> str:
        return "\n".join(self.plugin.viz(hosts, bundles, key, only_client, colors))

    def set_version(self, client: str, version: str) -> None:
        self.plugin.set_version(client, version)

    def set_profile(self, client: str, profile: str, address: Any, require_public: bool = True) -> None:
        self.plugin.set_profile(client, profile, address, require_public)

    def resolve_client(self, address: Any, cleanup_cache: bool = False) -> str:
        name: str = self.plugin.resolve_client(address, cleanup_cache)
        return name

    def AuthenticateConnection(self, cert: Any, user: str, password: str, address: Any) -> bool:
        accepted: bool = self.plugin.authenticate(_identity(cert), user, password, address)
        return accepted

    def get_initial_metadata(self, client_name: str) -> Any:
        return self.plugin.get_initial_metadata(client_name)

    def merge_additional_data(self, imd: Any, source: str, data: Any) -> None:
        self.plugin.merge_additional_data(imd, source, data)

    def merge_additional_groups(self, imd: Any, groups: Any) -> None:
        self.plugin.merge_additional_groups(imd, groups)

    def register_dynamic_group(self, group: Any, source: str) -> None:
        self.plugin.register_dynamic_group(group, source)

    def list_clients(self) -> list[str]:
        names: list[str] = self.plugin.list_clients()
        return names

    def expire_cache(self, key: Any = None) -> None:
        self.core.context.expire_metadata(key)


class _Connector(PluginView, bcfg2.Connector):
    def get_additional_groups(self, metadata: Any) -> list[Any]:
        return list(self.plugin.get_additional_groups(metadata))

    def get_additional_data(self, metadata: Any) -> Any:
        return self.plugin.get_additional_data(metadata)


class _Probing(PluginView, bcfg2.Probing):
    def GetProbes(self, metadata: Any) -> list[Any]:
        probes: list[Any] = self.plugin.get_probes(metadata)
        return probes

    def ReceiveData(self, metadata: Any, datalist: Any) -> None:
        self.plugin.receive_data(metadata, list(datalist))


class _Statistics(PluginView, bcfg2.Statistics):
    def process_statistics(self, client: Any, xdata: Any) -> None:
        self.plugin.process_statistics(client, xdata)


class _Threaded(PluginView, bcfg2.Threaded):
    def start_threads(self) -> None:
        self.plugin.start_threads()


class _PullSource(PluginView, bcfg2.PullSource):
    def GetExtra(self, client: str) -> list[Any]:
        extra: list[Any] = self.plugin.get_extra(client)
        return extra

    def GetCurrentEntry(self, client: str, e_type: str, e_name: str) -> tuple[Any, Any, Any, Any]:
        current: tuple[Any, Any, Any, Any] = self.plugin.get_current_entry(client, e_type, e_name)
        return current


class _PullTarget(PluginView, bcfg2.PullTarget):
    def AcceptChoices(self, entry: Any, metadata: Any) -> list[Any]:
        return [to_bcfg2(choice) for choice in self.plugin.accept_choices(entry, metadata)]

    def AcceptPullData(self, specific: Any, new_entry: Any, verbose: bool) -> None:
        self.plugin.accept_pull_data(to_server(specific), new_entry, verbose)


class _Decision(PluginView, bcfg2.Decision):
    def GetDecisions(self, metadata: Any, mode: str) -> list[tuple[str, str]]:
        decisions: list[tuple[str, str]] = self.plugin.get_decisions(metadata, mode)
        return decisions


class _StructureValidator(PluginView, bcfg2.StructureValidator):
    def validate_structures(self, metadata: Any, structures: Any) -> None:
        self.plugin.validate_structures(metadata, structures)


class _GoalValidator(PluginView, bcfg2.GoalValidator):
    def validate_goals(self, metadata: Any, config: Any) -> None:
        self.plugin.validate_goals(metadata, config)


class _Version(PluginView, bcfg2.Version):
    def get_revision(self) -> str:
        return str(self.plugin.get_revision())


class _ClientRunHooks(PluginView, bcfg2.ClientRunHooks):
    def start_client_run(self, metadata: Any) -> None:
        self.plugin.start_client_run(metadata)

    def end_client_run(self, metadata: Any) -> None:
        self.plugin.end_client_run(metadata)

    def end_statistics(self, metadata: Any) -> None:
        self.plugin.end_statistics(metadata)


class _ClientACLs(PluginView, bcfg2.ClientACLs):
    def check_acl_ip(self, address: Any, rmi: str) -> bool | None:
        allowed: bool | None = self.plugin.check_acl_ip(address, rmi)
        return allowed

    def check_acl_metadata(self, metadata: Any, rmi: str) -> bool:
        allowed: bool = self.plugin.check_acl_metadata(metadata, rmi)
        return allowed


class _TemplateDataProvider(PluginView, bcfg2.TemplateDataProvider):
    def get_template_data(self, entry: Any, metadata: Any, template: str) -> dict[str, Any]:
        return dict(self.plugin.get_template_data(entry, metadata, template))

    def get_xml_template_data(self, structfile: Any, metadata: Any) -> dict[str, Any]:
        return dict(self.plugin.get_xml_template_data(server_structfile(structfile), metadata))


_VIEWS: tuple[tuple[type, type[PluginView]], ...] = (
    (interfaces.Version, _Version),
    (interfaces.Statistics, _Statistics),
    (interfaces.Generator, _Generator),
    (interfaces.Structure, _Structure),
    (interfaces.MetadataSource, _Metadata),
    (interfaces.Connector, _Connector),
    (interfaces.Probing, _Probing),
    (interfaces.Threaded, _Threaded),
    (interfaces.PullSource, _PullSource),
    (interfaces.PullTarget, _PullTarget),
    (interfaces.Decision, _Decision),
    (interfaces.StructureValidator, _StructureValidator),
    (interfaces.GoalValidator, _GoalValidator),
    (interfaces.ClientRunHooks, _ClientRunHooks),
    (interfaces.ClientACLs, _ClientACLs),
    (interfaces.TemplateDataProvider, _TemplateDataProvider),
)

_classes: dict[type[Plugin], type[PluginView]] = {}


def view_class(plugin_class: type[Plugin]) -> type[PluginView]:
    """Return the view of a plugin class, always the same one."""
    view = _classes.get(plugin_class)
    if view is None:
        bases = [base for interface, base in _VIEWS if issubclass(plugin_class, interface)]
        if _Generator not in bases:
            bases.append(_NoEntries)
        view = type(
            plugin_class.name,
            tuple(bases),
            {
                "plugin_class": plugin_class,
                "__doc__": plugin_class.__doc__,
                "sort_order": plugin_class.sort_order,
                "conflicts": list(plugin_class.conflicts),
                "experimental": plugin_class.experimental,
                "deprecated": plugin_class.deprecated,
                "__rmi__": list(plugin_class.remote_methods),
                "__child_rmi__": list(plugin_class.broadcast_methods),
                "server_options": plugin_class.options,
            },
        )
        _classes[plugin_class] = view
    return view


def view_of(plugin: Plugin, core: CoreView) -> PluginView:
    """Create a view of a loaded plugin."""
    view_type = view_class(type(plugin))
    view = view_type.__new__(view_type)
    view._show(plugin, core)
    return view


def class_of(name: str) -> type[PluginView]:
    """Return the view of the server's plugin class with this name; `ImportError` if it cannot be loaded."""
    table: Mapping[str, str] = load_object("geventcore.plugins:PLUGINS")
    if name not in table:
        raise ImportError(f"geventcore has no plugin {name}")
    try:
        return view_class(load_plugin_class(name, table))
    except PluginInitError as err:
        raise ImportError(str(err)) from err


def _identity(cert: Any) -> PeerIdentity | None:
    """Create an identity from the result of `ssl.SSLSocket.getpeercert`."""
    names = [
        value for part in (cert or {}).get("subject", ()) for attribute, value in part if attribute == "commonName"
    ]
    return PeerIdentity(names[-1] if names else None, "") if cert else None
