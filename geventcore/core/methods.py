"""The methods that every client can call (docs: reference/protocol, "Methods").

Each gets the caller's address pair first. Failures that end a client's run are faults with the number -32500 and a text
that begins with ``Critical failure:``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, ParamSpec, Protocol, TypeVar

from lxml import etree

from geventcore.core.client_documents import DocumentError, ProbeReader, ReportLimits, ReportReader
from geventcore.core.debug_switches import DebugSwitches
from geventcore.core.failing_hosts import FailingHosts
from geventcore.core.metadata_building import MetadataService
from geventcore.core.plugin_loading import PluginTable
from geventcore.core.rendering import Renderer
from geventcore.core.single_flight import Reading, SingleFlight
from geventcore.errors import (
    FAULT_CRITICAL,
    FAULT_OTHER,
    GeventcoreError,
    MetadataError,
    RPCError,
    StatisticsNotStored,
)
from geventcore.log import few_of, name_client
from geventcore.metrics.timings import Timings
from geventcore.options.server import MAX_REPORT_ENTRIES, MAX_REPORT_SIZE, MAX_STALE
from geventcore.options.settings import LoadedSettings
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.interfaces import ClientRunHooks, Probing, ResultLimit, Statistics
from geventcore.render.guard import guarded, log_failure, measured
from geventcore.render.optional_hooks import is_hook_current
from geventcore.render.steps import run_hooks
from geventcore.repository.repository import Repository
from geventcore.rpc.methods import XMLText, exposed
from geventcore.rpc.service import Service
from geventcore.workers.broadcasts import Broadcasts
from geventcore.workers.broadcasts import Statistics as ProcessStatistics

log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

#: The beginning of the document that a client gets if its structures cannot be built.
ERROR_BEGINNING = b"<error"

ReaderT = TypeVar("ReaderT", ProbeReader, ReportReader)

Address = tuple[Any, ...]


def critical(message: str) -> RPCError:
    """A failure that ends a client's run."""
    return RPCError(FAULT_CRITICAL, f"Critical failure: {message}")


def no_metadata(client: str, err: MetadataError) -> RPCError:
    """The failure of a call for which the client's metadata cannot be built."""
    return critical(f"Unable to build the metadata of {client}: {err}")


def _needs_good_entries(plugin: Statistics) -> bool:
    return plugin.needs_good_entries or not is_hook_current(type(plugin), "needs_good_entries", "process_statistics")


def _as_bool(value: Any) -> bool:
    return value.lower() == "true" if isinstance(value, str) else bool(value)


def _fed(argument: Any, method: str, name: str, kind: type[ReaderT], make: Callable[[], ReaderT]) -> ReaderT:
    """Return the reader that has read an argument; an `RPCError` if the argument is not a string."""
    if isinstance(argument, kind):
        return argument
    if not isinstance(argument, str):
        raise RPCError(FAULT_OTHER, f"{method}: {name} must be a string, not {type(argument).__name__}")
    reader = make()
    reader.feed(argument)
    return reader


class Server(Protocol):
    """The parts of a server that its methods use."""

    @property
    def settings(self) -> LoadedSettings: ...
    @property
    def cache_mode(self) -> str: ...
    @property
    def repository(self) -> Repository: ...
    @property
    def plugins(self) -> PluginTable: ...
    @property
    def metadata(self) -> MetadataService: ...
    @property
    def renderer(self) -> Renderer: ...
    @property
    def failing_hosts(self) -> FailingHosts: ...
    @property
    def broadcasts(self) -> Broadcasts: ...
    @property
    def switches(self) -> DebugSwitches: ...
    @property
    def timings(self) -> Timings: ...

    def statistics(self) -> ProcessStatistics:
        """The durations that all processes have measured."""

    def offload(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T: ...


class CoreMethods:
    """The exposed methods of a server."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._renders: SingleFlight[XMLText] = SingleFlight(self._may_be_outdated)

    def follow_changes(self) -> None:
        """Notice changes that renders under way cannot have seen. Called once, by a server that has clients."""
        self._server.metadata.cache.add_expire_hook(self._forget_renders)
        self._server.broadcasts.on_upload(self._renders.outdate)

    def _may_be_outdated(self) -> bool:
        """Return true if the repository may have changed since a render that is under way has read it."""
        return self._server.repository.has_pending_changes

    def _forget_renders(self, tags: tuple[str, ...], exact: bool, count: int) -> None:
        self._renders.outdate(tags[1] if len(tags) > 1 else None)

    # -- who calls

    def resolve_client(self, address: Address, cleanup_cache: bool = False) -> str:
        """The name of the client that calls; a critical fault if nobody knows."""
        server = self._server
        try:
            with server.timings.measure_own("resolve_client"):
                client = server.plugins.metadata_source.resolve_client(address, cleanup_cache=cleanup_cache)
                name_client(client)
                return client
        except MetadataError as err:
            raise critical(f"Unable to determine the client of {address[0]}: {err}") from err

    def client_metadata(self, address: Address, cleanup_cache: bool = False) -> ClientMetadata:
        """The full metadata of the client that calls; a critical fault if there are none."""
        return self._metadata_of(self.resolve_client(address, cleanup_cache))

    def _metadata_of(self, client: str) -> ClientMetadata:
        try:
            return self._server.metadata.build(client)
        except MetadataError as err:
            raise no_metadata(client, err) from err

    # -- uploads

    def new_probe_reader(self) -> ProbeReader:
        """Return a reader for the argument of ``RecvProbeData``."""
        plugins = self._server.plugins.by_name

        def limit_of(source: str) -> ResultLimit | None:
            plugin = plugins[source]
            if not isinstance(plugin, Probing):
                raise KeyError(source)
            return plugin.result_limit

        return ProbeReader(limit_of)

    def new_report_reader(self) -> ReportReader:
        """Return a reader for the argument of ``RecvStats``."""
        settings = self._server.settings
        is_whole = any(map(_needs_good_entries, self._server.plugins.by_type(Statistics)))
        return ReportReader(ReportLimits(settings[MAX_REPORT_ENTRIES], settings[MAX_REPORT_SIZE], is_whole))

    # -- a client's run

    @exposed("DeclareVersion")
    def declare_version(self, address: Address, version: str) -> bool:
        """Tell the server which version the client has. Returns true."""
        client = self.resolve_client(address)
        server = self._server
        with server.timings.measure_own("DeclareVersion"):
            try:
                server.plugins.metadata_source.set_version(client, version)
            except MetadataError as err:
                raise critical(f"Unable to set the version of {client}: {err}") from err
        return True

    @exposed("AssertProfile")
    def assert_profile(self, address: Address, profile: str) -> bool:
        """Ask for a profile. Returns true if the client has it now."""
        client = self.resolve_client(address)
        try:
            self._server.plugins.metadata_source.set_profile(client, profile, address)
        except MetadataError as err:
            raise critical(f"Unable to set the profile of {client}: {err}") from err
        return True

    @exposed("GetProbes")
    def get_probes(self, address: Address) -> XMLText:
        """Get the probes that the client shall run, as a ``<probes>`` document."""
        root = etree.Element("probes")
        with self._server.repository.lock.shared():
            metadata = self.client_metadata(address, cleanup_cache=True)
            for plugin in self._server.plugins.by_type(Probing):
                try:
                    with measured(plugin, "get_probes"):
                        root.extend(plugin.get_probes(metadata))
                except Exception as err:
                    log_failure(plugin, "get_probes", metadata, err)
                    raise critical(f"Unable to determine the probes of {metadata.hostname}: {err}") from err
        return XMLText(etree.tostring(root))

    @exposed("RecvProbeData", reader="new_probe_reader")
    def receive_probe_data(self, address: Address, probe_data: str | ProbeReader) -> bool:
        """Take the results of probes, as a document whose children have ``source``, ``name`` and text. Returns true."""
        server = self._server
        client = self.resolve_client(address)
        with server.repository.lock.shared():
            metadata = self._metadata_of(client)
        reader = _fed(probe_data, "RecvProbeData", "probe_data", ProbeReader, self.new_probe_reader)
        try:
            results = reader.close()
        except DocumentError as err:
            raise critical(f"Failed to parse the probe data of {metadata.hostname}: {err}") from err
        if results.unknown:
            log.warning("%s sent probe data for plugins without probes: %s", metadata.hostname, few_of(results.unknown))
        # Not under the repository lock: storing waits for the disk, and a file event that waits for the lock would hold
        # up every render meanwhile.
        with server.broadcasts.upload(client, expires=server.cache_mode == "cautious") as upload:
            for source, elements in results.by_source.items():
                plugin = server.plugins.by_name.get(source)
                if not isinstance(plugin, Probing):
                    continue
                upload.others_know = False
                try:
                    with measured(plugin, "receive_data"):
                        plugin.receive_data(metadata, list(elements.values()))
                except Exception as err:
                    log_failure(plugin, "receive_data", metadata, err)
                    raise critical(f"Failed to process the probe data of {metadata.hostname}: {err}") from err
        return True

    @exposed("GetDecisionList")
    def get_decision_list(self, address: Address, mode: str) -> list[tuple[str, str]]:
        """Get the decisions of mode ``whitelist`` or ``blacklist``: ``[tag, name]`` pairs."""
        with self._server.repository.lock.shared():
            return self._server.renderer.get_decisions(self.client_metadata(address), mode)

    @exposed("GetConfig")
    def get_config(self, address: Address) -> XMLText:
        """Get the client's configuration, an ASCII document without a declaration."""
        client = self.resolve_client(address)
        self._require_fresh_repository()

        def render(reading: Reading) -> XMLText:
            return XMLText(self._server.renderer.write(client, reading))

        try:
            with self._server.failing_hosts.watching(client):
                text = self._renders.get(client, render)
        except MetadataError as err:
            raise no_metadata(client, err) from err
        self._server.failing_hosts.note(client, text.data.startswith(ERROR_BEGINNING))
        return text

    def _require_fresh_repository(self) -> None:
        repository, max_stale = self._server.repository, self._server.settings[MAX_STALE]
        if max_stale is not None and repository.stale_seconds > max_stale:
            raise critical(f"The repository is not available: {repository.why_not_ready()}")

    @exposed("RecvStats", accepts_stale_identity=True, reader="new_report_reader")
    def receive_statistics(self, address: Address, statistics: str | ReportReader) -> bool:
        """Take the report of a run, a document with a ``Statistics`` element. Returns true if it is stored."""
        server = self._server
        plugins = server.plugins.by_type(Statistics)
        reader = _fed(statistics, "RecvStats", "statistics", ReportReader, self.new_report_reader)
        try:
            root = reader.close()
        except DocumentError as err:
            raise RPCError(FAULT_OTHER, f"The statistics are not well-formed: {err}") from err
        element = root.find(".//Statistics")
        if element is None:
            raise RPCError(FAULT_OTHER, "The statistics have no Statistics element")
        with server.repository.lock.shared():
            metadata = self.client_metadata(address)
        if reader.left_out:
            log.warning(
                "the report of %s is stored shortened: %d entries are left out; see %s and %s",
                *(metadata.hostname, reader.left_out, MAX_REPORT_ENTRIES.label, MAX_REPORT_SIZE.label),
            )
        not_stored: StatisticsNotStored | None = None
        if element.get("version", "") >= "2.0":
            for plugin in plugins:
                with guarded(plugin, "process_statistics", metadata):
                    try:
                        plugin.process_statistics(metadata, root)
                    except StatisticsNotStored as err:
                        log_failure(plugin, "process_statistics", metadata, err)
                        not_stored = err
        if not_stored is not None:
            raise RPCError(FAULT_OTHER, str(not_stored))
        log.info("Client %s reported state %s", metadata.hostname, element.get("state"))
        run_hooks(server.plugins.by_type(ClientRunHooks), "end_statistics", metadata, server.timings)
        return True

    # -- about the server

    @exposed("ping")
    def ping(self, address: Address, *values: Any) -> list[Any]:
        """Get back what was sent."""
        return list(values)

    @exposed("get_statistics")
    def get_statistics(self, address: Address) -> dict[str, list[float | int]]:
        """Get the durations that were measured: name to ``[minimum, maximum, mean, count]``, in seconds."""
        return self._server.statistics()

    @exposed("expire_metadata_cache")
    def expire_metadata_cache(self, address: Address, hostnames: list[str] | str | None = None) -> None:
        """Forget the cached metadata of some clients, or of all."""
        if hostnames is None:
            self._server.broadcasts.expire_metadata()
            return
        names = hostnames if isinstance(hostnames, list) else [hostnames]
        if not all(isinstance(name, str) for name in names):
            raise RPCError(FAULT_OTHER, "expire_metadata_cache: expected host names")
        for hostname in names:
            self._server.broadcasts.expire_metadata(hostname)

    # -- debugging

    @exposed("toggle_debug")
    def toggle_debug(self, address: Address) -> bool:
        """Turn the debug switch of everything. Returns the new position."""
        return self.set_debug(address, not self._server.switches.core)

    @exposed("set_debug")
    def set_debug(self, address: Address, debug: bool | str) -> bool:
        """Switch debugging of everything on or off. Returns whether it is on."""
        value = _as_bool(debug)
        self._server.broadcasts.set_debug(plugins=value, file_monitor=value, core=value)
        return value

    @exposed("toggle_core_debug")
    def toggle_core_debug(self, address: Address) -> bool:
        """Turn the debug switch of the server itself. Returns the new position."""
        return self.set_core_debug(address, not self._server.switches.core)

    @exposed("set_core_debug")
    def set_core_debug(self, address: Address, debug: bool | str) -> bool:
        """Switch debugging of the server itself on or off. Returns whether it is on."""
        value = _as_bool(debug)
        self._server.broadcasts.set_debug(core=value)
        return value

    @exposed("toggle_fam_debug")
    def toggle_fam_debug(self, address: Address) -> str:
        """Deprecated: turn the debug switch of the file monitor."""
        return self.set_fam_debug(address, not self._server.repository.file_monitor.debug)

    @exposed("set_fam_debug")
    def set_fam_debug(self, address: Address, debug: bool | str) -> str:
        """Deprecated: switch debugging of the file monitor on or off."""
        name = self._server.repository.file_monitor.name
        value = _as_bool(debug)
        self._server.broadcasts.set_debug(file_monitor=value)
        return f"This method is deprecated and will be removed; use {name}.set_debug\n{value}"


class IntrospectionMethods:
    """The exposed methods that tell which methods there are."""

    def __init__(self, service: Service) -> None:
        self._service = service

    @exposed("listMethods")
    def list_methods(self, address: Address) -> list[str]:
        """List the methods that the caller may call: the server's own, then those of plugins."""
        names = []
        for method in self._service.methods:
            try:
                if self._service.access.allows(address, method.name):
                    names.append(method.name)
            except GeventcoreError:
                # Whoever cannot be identified may call only what needs no identity.
                continue
        return names

    @exposed("methodHelp")
    def method_help(self, address: Address, name: str) -> str:
        """Get the help text of a method; empty for unknown ones and for those of plugins."""
        try:
            return self._service.methods.find(name).help
        except RPCError:
            return ""

    @exposed("system.listMethods")
    def system_list_methods(self, address: Address) -> list[str]:
        """List the methods that the caller may call."""
        return sorted(self.list_methods(address))

    @exposed("system.methodHelp")
    def system_method_help(self, address: Address, name: str) -> str:
        """Get the help text of a method."""
        return self.method_help(address, name)

    @exposed("system.methodSignature")
    def system_method_signature(self, address: Address, name: str) -> str:
        """Signatures are not known."""
        return "signatures not supported"
