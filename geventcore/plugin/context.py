"""The context of a plugin: a narrow, typed view of the server.

A plugin has no access to the server itself. It uses only the members of `PluginContext`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, TypeVar

from lxml import etree

from geventcore.filemonitor import FileMonitor
from geventcore.options import Settings
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.result_store import ResultStore

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from geventcore.plugin.interfaces import MetadataSource
    from geventcore.storage.database import Database

P = ParamSpec("P")
T = TypeVar("T")
Item = TypeVar("Item")


class PluginContext(Protocol):
    """The server as a plugin sees it."""

    @property
    def settings(self) -> Settings:
        """The current values of options. A reload of the configuration replaces the object, so do not store it."""

    @property
    def repository(self) -> Path:
        """The repository's directory."""

    @property
    def read_only(self) -> bool:
        """True for a command that only inspects the site: create no files or directories, and fetch nothing."""

    @property
    def encoding(self) -> str:
        """The text encoding of the repository's files."""

    @property
    def file_monitor(self) -> FileMonitor:
        """The one file monitor; events arrive under the repository lock."""

    @property
    def metadata_source(self) -> MetadataSource:
        """The plugin that knows the clients; `MetadataRuntimeError` before it is loaded."""

    @property
    def cache_mode(self) -> str:
        """The cache mode of client metadata: ``off``, ``initial``, ``cautious`` or ``aggressive``."""

    @property
    def revision(self) -> str:
        """The repository's revision, ``-1`` if no plugin knows it."""

    @property
    def database(self) -> Database:
        """The database. It is opened on first use, so use it in the plugin's constructor.

        Raises `ConfigError`, `SchemaMismatch` or `DatabaseUnavailable`, which stop the start.
        """

    @property
    def reporting_database(self) -> Database:
        """The database for reports, by default the same; raises what `database` raises."""

    @property
    def results(self) -> ResultStore:
        """The memory in which results of pure functions of metadata are kept."""

    def plugins_by_type(self, interface: type[T]) -> list[T]:
        """Return the loaded plugins that implement an interface, in the order of ``(sort_order, name)``."""

    def build_metadata(self, hostname: str) -> ClientMetadata:
        """Build the full metadata of a client; `MetadataError` if the client is unknown or its data contradictory."""

    def expire_metadata(self, hostname: str | None = None) -> None:
        """Forget the cached metadata of one client, or of all, in all processes of the server."""

    def forget_client(self, hostname: str) -> None:
        """Forget the cached metadata of one client in this process only.

        For a plugin whose own message (`tell_others`) makes the other processes forget the client, too, before the call
        returns that changes its data.
        """

    def change_clients(
        self, hostnames: Sequence[str], function: Callable[[Connection, Sequence[Item]], Sequence[T]], item: Item
    ) -> T:
        """Change the rows of some clients in `database` with `function`, and expire their cached metadata.

        `Database.write_item` calls `function`. The change itself notifies other machines that share the database, so
        they expire the metadata even if this server crashes right after the change is stored.
        """

    def bind_entry(self, entry: etree._Element, metadata: ClientMetadata) -> None:
        """Bind an abstract entry in place, as for a configuration; `PluginExecutionError` if no generator can."""

    def build_configuration(self, hostname: str) -> etree._Element:
        """A client's whole configuration, or an ``<error type=…/>`` element if its structures cannot be built.

        Raises `MetadataError` if the client is unknown or its metadata contradict each other, `ValidationError` if a
        validator refuses the configuration.
        """

    def offload(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a blocking function that cannot be made cooperative (disk, C code) without blocking other clients."""

    def breathe(self) -> None:
        """Let other clients run if this one has computed for some milliseconds. Cheap: call it in loops."""

    def measure(self, name: str, seconds: float) -> None:
        """Add a duration to the statistics of ``get_statistics``."""

    def add_metrics(self, refresh: Callable[[], None]) -> None:
        """Register `refresh`, which updates metrics of `geventcore.metrics` before they are read.

        It is called in each process of the server. It must not block or raise an exception.
        """

    def add_readiness_note(self, name: str, note: Callable[[], str]) -> None:
        """Register a function that returns what is wrong, but keeps no client waiting, or ``""``.

        ``/readyz`` shows it beside `name`. It is called from any thread, and must not block or raise an exception.
        """

    def handle_file_events(self) -> None:
        """Apply the pending file events now, unless the caller's locks forbid it. Call it after writing files."""

    def repository_changed(self) -> None:
        """Invalidate results that depend on files, although no file event is being handled.

        Only a plugin with binding keys for every client (`ForEveryClient`) has to call it, after its own change.
        """

    def subscribe(self, topic: str, handler: Callable[[Any], Any]) -> None:
        """Call `handler` with each message that this plugin broadcasts in another process, or on another machine.

        `topic` begins with the plugin's name. The handler must not wait for the sender.
        """

    def tell_others(self, topic: str, message: Any) -> list[Any]:
        """Broadcast a message that JSON can represent to the same plugin in all other processes.

        When it returns, the processes on this machine have handled it. Returns the results of their handlers.
        """

    def all_plugin_names(self) -> Iterable[str]:
        """Return the names of the loaded plugins."""
