"""What a plugin is given: a narrow, typed view of the server.

A plugin never sees the server itself. Everything that it may ask for is a member of `PluginContext`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, TypeVar

from lxml import etree

from geventcore.filemonitor import FileMonitor
from geventcore.options import Settings
from geventcore.plugin.client_metadata import ClientMetadata

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
        """The values of options, as of now: a reload of the configuration replaces them. Do not keep them."""

    @property
    def repository(self) -> Path:
        """The repository's directory."""

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
        """How client metadata are cached: ``off``, ``initial``, ``cautious`` or ``aggressive``."""

    @property
    def revision(self) -> str:
        """The repository's revision, ``-1`` if no plugin knows it."""

    @property
    def database(self) -> Database:
        """The database; opened on first use, so that it is best asked for when the plugin is made.

        Raises `ConfigError`, `SchemaMismatch` or `DatabaseUnavailable`, which stop the start.
        """

    @property
    def reporting_database(self) -> Database:
        """The database for reports, by default the same; raises what `database` raises."""

    def plugins_by_type(self, interface: type[T]) -> list[T]:
        """The loaded plugins with an interface, in the order of ``(sort_order, name)``."""

    def build_metadata(self, hostname: str) -> ClientMetadata:
        """The full metadata of a client; `MetadataError` if it is unknown or contradictory."""

    def expire_metadata(self, hostname: str | None = None) -> None:
        """Forget the cached metadata of one client, or of all."""

    def change_clients(
        self, hostnames: Sequence[str], function: Callable[[Connection, Sequence[Item]], Sequence[T]], item: Item
    ) -> T:
        """Have `function` change what `database` holds of some clients, and forget their cached metadata.

        It is called by `Database.write_item`. Other machines that share the database hear of it with the change itself,
        so they forget even if this server dies as soon as it is stored.
        """

    def bind_entry(self, entry: etree._Element, metadata: ClientMetadata) -> None:
        """Bind an abstract entry in place, as for a configuration; `PluginExecutionError` if nobody can."""

    def build_configuration(self, hostname: str) -> etree._Element:
        """A client's whole configuration, or an ``<error type=…/>`` element. `ValidationError` if it is refused."""

    def offload(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call something that blocks and cannot be made cooperative (disk, C code); other clients go on meanwhile."""

    def breathe(self) -> None:
        """Let other clients go on if this one has computed for some milliseconds. Cheap: call it in loops."""

    def measure(self, name: str, seconds: float) -> None:
        """Add a duration to the statistics that ``get_statistics`` answers."""

    def add_metrics(self, refresh: Callable[[], None]) -> None:
        """Have `refresh` called before the metrics are shown, to bring those of `geventcore.metrics` up to date.

        It is called in each process of the server, does not wait for others, and raises nothing.
        """

    def handle_file_events(self) -> None:
        """Apply the pending file events now, as far as the caller's place allows; used after a plugin wrote files."""

    def repository_changed(self) -> None:
        """Tell that what is read from files counts anew, though no file event is being handled.

        Only a plugin that gives binding keys for every client (`ForEveryClient`) has to, after its own change.
        """

    def subscribe(self, topic: str, handler: Callable[[Any], Any]) -> None:
        """Have `handler` called with what this plugin tells in another process of the server, or on another machine.

        `topic` begins with the plugin's name. The handler must not wait for whoever tells.
        """

    def tell_others(self, topic: str, message: Any) -> list[Any]:
        """Tell the same plugin in all other processes something that JSON can carry.

        When it returns, those on this machine have handled it. Returns what their handlers returned.
        """

    def all_plugin_names(self) -> Iterable[str]:
        """Names of the loaded plugins."""
