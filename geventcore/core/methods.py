"""The methods that every client can call (docs: reference/protocol, "Methods").

Each gets the caller's address pair first. Failures that end a client's run are faults with the number -32500 and a text
that begins with ``Critical failure:``.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from lxml import etree

from geventcore.core.shared_work import Looking, SharedWork
from geventcore.core.uploads import parse_upload, without_good_entries
from geventcore.errors import (
    FAULT_CRITICAL,
    FAULT_OTHER,
    GeventcoreError,
    MetadataError,
    RPCError,
    StatisticsNotStored,
)
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.interfaces import ClientRunHooks, Probing, Statistics
from geventcore.render.guard import guarded, log_failure, measured
from geventcore.render.optional_hooks import knows
from geventcore.render.pipeline import write_configuration
from geventcore.render.steps import run_hooks
from geventcore.rpc.methods import XMLText, exposed
from geventcore.rpc.service import Service

if TYPE_CHECKING:
    from geventcore.core.base import Core

log = logging.getLogger(__name__)

Address = tuple[Any, ...]

#: Parsing is given away from this length on, in characters: 360 KB, a usual report, take 4 to 13 ms.
LARGE_UPLOAD = 1024 * 1024

#: What processes tell each other about a client that has sent something which its configuration may depend on.
OUTDATED = "core:outdated"


def critical(message: str) -> RPCError:
    """A failure that ends a client's run."""
    return RPCError(FAULT_CRITICAL, f"Critical failure: {message}")


def _needs_good_entries(plugin: Statistics) -> bool:
    return plugin.needs_good_entries or not knows(type(plugin), "needs_good_entries", "process_statistics")


def _as_bool(value: Any) -> bool:
    return value.lower() == "true" if isinstance(value, str) else bool(value)


class CoreMethods:
    """The exposed methods of one core."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._renders: SharedWork[XMLText] = SharedWork(self._may_be_outdated)

    def follow_changes(self) -> None:
        """Learn what renders that are under way cannot have seen; called once, by the server that is called."""
        self._core.metadata.cache.add_expire_hook(self._forget_renders)
        self._core.bus.subscribe(OUTDATED, self._renders.outdate)

    def _may_be_outdated(self) -> bool:
        """Whether there are changes of the repository that a render which is under way cannot have seen."""
        return self._core.lock.has_waiting_writers or self._core.file_monitor.pending()

    def _forget_renders(self, tags: tuple[str, ...], exact: bool, count: int) -> None:
        self._renders.outdate(tags[1] if len(tags) > 1 else None)

    # -- who calls

    def resolve_client(self, address: Address, cleanup_cache: bool = False) -> str:
        """The name of the client that calls; a critical fault if nobody knows."""
        core = self._core
        try:
            with core.timings.measure(f"{core.statistics_name}:resolve_client"):
                return core.metadata_source().resolve_client(address, cleanup_cache=cleanup_cache)
        except MetadataError as err:
            raise critical(f"Unable to determine the client of {address[0]}: {err}") from err

    def client_metadata(self, address: Address, cleanup_cache: bool = False) -> ClientMetadata:
        """The full metadata of the client that calls; a critical fault if there are none."""
        return self._metadata_of(self.resolve_client(address, cleanup_cache))

    def _metadata_of(self, client: str) -> ClientMetadata:
        try:
            return self._core.build_metadata(client)
        except MetadataError as err:
            raise critical(f"Unable to build the metadata of {client}: {err}") from err

    def _parse_upload(self, text: str) -> etree._Element:
        return parse_upload(text) if len(text) < LARGE_UPLOAD else self._core.offload(parse_upload, text)

    # -- a client's run

    @exposed("DeclareVersion")
    def declare_version(self, address: Address, version: str) -> bool:
        """Tell the server which version the client has. Returns true."""
        client = self.resolve_client(address)
        core = self._core
        with core.timings.measure(f"{core.statistics_name}:DeclareVersion"):
            try:
                core.metadata_source().set_version(client, version)
            except MetadataError as err:
                raise critical(f"Unable to set the version of {client}: {err}") from err
        return True

    @exposed("AssertProfile")
    def assert_profile(self, address: Address, profile: str) -> bool:
        """Ask for a profile. Returns true if the client has it now."""
        client = self.resolve_client(address)
        try:
            self._core.metadata_source().set_profile(client, profile, address)
        except MetadataError as err:
            raise critical(f"Unable to set the profile of {client}: {err}") from err
        return True

    @exposed("GetProbes")
    def get_probes(self, address: Address) -> XMLText:
        """Get the probes that the client shall run, as a ``<probes>`` document."""
        root = etree.Element("probes")
        with self._core.lock.shared():
            metadata = self.client_metadata(address, cleanup_cache=True)
            for plugin in self._core.plugins.by_type(Probing):
                try:
                    with measured(plugin, "get_probes"):
                        root.extend(plugin.get_probes(metadata))
                except Exception as err:
                    log_failure(plugin, "get_probes", metadata, err)
                    raise critical(f"Unable to determine the probes of {metadata.hostname}: {err}") from err
        return XMLText(etree.tostring(root))

    @exposed("RecvProbeData")
    def receive_probe_data(self, address: Address, probe_data: str) -> bool:
        """Take the results of probes, as a document whose children have ``source``, ``name`` and text. Returns true."""
        core = self._core
        client = self.resolve_client(address)
        with core.lock.shared():
            metadata = self._metadata_of(client)
        if core.plugin_context.cache_mode == "cautious":
            core.shared_state.expire_metadata(metadata.hostname)
        try:
            root = self._parse_upload(probe_data)
        except etree.ParseError as err:
            raise critical(f"Failed to parse the probe data of {metadata.hostname}: {err}") from err
        by_source: dict[str, list[etree._Element]] = {}
        for element in root.iterchildren(tag=etree.Element):
            by_source.setdefault(element.get("source", ""), []).append(element)
        # Not under the repository lock: storing waits for the disk, and a file event that waits for the lock would hold
        # up every render meanwhile.
        for source, elements in by_source.items():
            plugin = core.plugins.by_name.get(source)
            if not isinstance(plugin, Probing):
                log.warning("%s sent probe data for %r, which is no probing plugin", metadata.hostname, source)
                continue
            try:
                with measured(plugin, "receive_data"):
                    plugin.receive_data(metadata, elements)
            except Exception as err:
                log_failure(plugin, "receive_data", metadata, err)
                raise critical(f"Failed to process the probe data of {metadata.hostname}: {err}") from err
        self._renders.outdate(client)
        core.bus.tell(OUTDATED, client)
        return True

    @exposed("GetDecisionList")
    def get_decision_list(self, address: Address, mode: str) -> list[tuple[str, str]]:
        """Get the decisions of mode ``whitelist`` or ``blacklist``: ``[tag, name]`` pairs."""
        with self._core.lock.shared():
            return self._core.get_decisions(self.client_metadata(address), mode)

    @exposed("GetConfig")
    def get_config(self, address: Address) -> XMLText:
        """Get the client's configuration, an ASCII document without a declaration."""
        client = self.resolve_client(address)
        return self._renders.get(client, lambda looking: self._render(client, looking))

    def _render(self, client: str, looking: Looking) -> XMLText:
        core = self._core
        with core.lock.shared(), looking():
            return XMLText(write_configuration(core, self._metadata_of(client)))

    @exposed("RecvStats", may_wait=True)
    def receive_statistics(self, address: Address, statistics: str) -> bool:
        """Take the report of a run, a document with a ``Statistics`` element. Returns true if it is stored."""
        core = self._core
        plugins = core.plugins.by_type(Statistics)
        if not any(map(_needs_good_entries, plugins)):
            statistics = without_good_entries(statistics)
        try:
            root = self._parse_upload(statistics)
        except etree.ParseError as err:
            raise RPCError(FAULT_OTHER, f"The statistics are not well-formed: {err}") from err
        element = root.find(".//Statistics")
        if element is None:
            raise RPCError(FAULT_OTHER, "The statistics have no Statistics element")
        with core.lock.shared():
            metadata = self.client_metadata(address)
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
        run_hooks(core.plugins.by_type(ClientRunHooks), "end_statistics", metadata, core.timings, core.statistics_name)
        return True

    # -- about the server

    @exposed("ping")
    def ping(self, address: Address, *values: Any) -> list[Any]:
        """Get back what was sent."""
        return list(values)

    @exposed("get_statistics")
    def get_statistics(self, address: Address) -> dict[str, list[float | int]]:
        """Get the durations that were measured: name to ``[minimum, maximum, mean, count]``, in seconds."""
        return self._core.shared_state.statistics()

    @exposed("expire_metadata_cache")
    def expire_metadata_cache(self, address: Address, hostnames: list[str] | str | None = None) -> None:
        """Forget the cached metadata of some clients, or of all."""
        if hostnames is None:
            self._core.shared_state.expire_metadata()
            return
        names = hostnames if isinstance(hostnames, list) else [hostnames]
        if not all(isinstance(name, str) for name in names):
            raise RPCError(FAULT_OTHER, "expire_metadata_cache: expected host names")
        for hostname in names:
            self._core.shared_state.expire_metadata(hostname)

    # -- debugging

    @exposed("toggle_debug")
    def toggle_debug(self, address: Address) -> bool:
        """Turn the debug switch of everything. Returns the new position."""
        return self.set_debug(address, not self._core.debug)

    @exposed("set_debug")
    def set_debug(self, address: Address, debug: bool | str) -> bool:
        """Switch debugging of everything on or off. Returns whether it is on."""
        value = _as_bool(debug)
        self._core.shared_state.set_debug(plugins=value, file_monitor=value, core=value)
        return value

    @exposed("toggle_core_debug")
    def toggle_core_debug(self, address: Address) -> bool:
        """Turn the debug switch of the server itself. Returns the new position."""
        return self.set_core_debug(address, not self._core.debug)

    @exposed("set_core_debug")
    def set_core_debug(self, address: Address, debug: bool | str) -> bool:
        """Switch debugging of the server itself on or off. Returns whether it is on."""
        value = _as_bool(debug)
        self._core.shared_state.set_debug(core=value)
        return value

    @exposed("toggle_fam_debug")
    def toggle_fam_debug(self, address: Address) -> str:
        """Deprecated: turn the debug switch of the file monitor."""
        return self.set_fam_debug(address, not self._core.file_monitor.debug)

    @exposed("set_fam_debug")
    def set_fam_debug(self, address: Address, debug: bool | str) -> str:
        """Deprecated: switch debugging of the file monitor on or off."""
        name = self._core.file_monitor.name
        value = _as_bool(debug)
        self._core.shared_state.set_debug(file_monitor=value)
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
