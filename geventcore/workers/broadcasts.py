"""Actions that all processes of a server take together: forget, apply changed files, count, and debug.

Each is done in this process and broadcast to the others over the bus. A process that acts on a broadcast does not
broadcast again. Nor does it broadcast what every process notices by itself, such as a changed file.

An upload of a client causes one broadcast. A plugin that sends the other processes what it has stored makes them forget
the client with the same message; otherwise `Broadcasts.upload` broadcasts at its end.
"""

from __future__ import annotations

import functools
import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from geventcore.filemonitor.own_writes import OWN_WRITES, OwnWrite
from geventcore.metrics.timings import Timings
from geventcore.options.server import CACHE_MODE
from geventcore.options.settings import LoadedSettings
from geventcore.plugin.base import Plugin
from geventcore.repository.repository import Repository
from geventcore.rpc.methods import Method
from geventcore.workers.bus import Bus

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from geventcore.storage.database import Database

T = TypeVar("T")
Item = TypeVar("Item")

log = logging.getLogger(__name__)

#: Topics of the bus.
EXPIRE = "core:expire"
UPLOAD = "core:upload"
FILES = "core:files"
STATISTICS = "core:statistics"
DEBUG = "core:debug"
DEBUG_STATE = "core:debug state"
CALL = "core:call"

#: Name -> ``[minimum, maximum, mean, count]``, in seconds.
Statistics = dict[str, list[float | int]]


class LoadedPlugins(Protocol):
    """The plugins of a server."""

    by_name: dict[str, Plugin]

    def __iter__(self) -> Iterator[Plugin]: ...


class MetadataCache(Protocol):
    """The cached metadata of clients."""

    def expire(self, hostname: str | None = None) -> None:
        """Forget one client, or all."""


class MainDatabase(Protocol):
    """The databases of a server."""

    def main(self) -> Database:
        """Return the main database."""


class DebugSwitches(Protocol):
    """The debug switches of this process."""

    def turn(self, *, plugins: bool | None = None, file_monitor: bool | None = None, core: bool | None = None) -> None:
        """Turn the switches of all plugins, of the file monitor and of the core, as far as given."""

    def state(self) -> dict[str, Any]:
        """Return the positions of all switches, as JSON can carry them."""

    def adopt(self, state: dict[str, Any]) -> None:
        """Turn the switches to positions that `state` has returned elsewhere."""


class Server(Protocol):
    """The server in this process, as broadcasts need it."""

    @property
    def bus(self) -> Bus: ...
    @property
    def settings(self) -> LoadedSettings: ...
    @property
    def repository(self) -> Repository: ...
    @property
    def timings(self) -> Timings: ...
    @property
    def metadata(self) -> MetadataCache: ...
    @property
    def databases(self) -> MainDatabase: ...
    @property
    def plugins(self) -> LoadedPlugins: ...
    @property
    def switches(self) -> DebugSwitches: ...
    @property
    def process_number(self) -> int: ...


@dataclass
class Upload:
    """An upload that this thread (or greenlet) handles.

    Attributes:
        client: who has sent it.
        expires: whether the other processes have to forget the client's cached metadata.
        others_know: whether they have been told, after the data were stored.
    """

    client: str
    expires: bool
    others_know: bool = False


class Broadcasts:
    """The broadcasts of one process, and its handlers for those of others."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._here = threading.local()
        self._upload_hooks: list[Callable[[str], None]] = []
        bus = server.bus
        bus.subscribe(EXPIRE, server.metadata.expire)
        bus.subscribe(UPLOAD, self._handle_upload)
        bus.subscribe(FILES, self._others_wrote)
        bus.subscribe(STATISTICS, lambda _: [server.process_number, server.timings.snapshot()])
        bus.subscribe(DEBUG, lambda switches: server.switches.turn(**switches))
        bus.subscribe(DEBUG_STATE, lambda _: server.switches.state())
        bus.subscribe(CALL, self._call)

    def _send(self, topic: str, message: Any, *, machines: bool = True) -> list[Any]:
        return [] if self._server.bus.is_delivering else self._server.bus.tell(topic, message, machines=machines)

    # -- cached metadata

    def expire_metadata(self, hostname: str | None = None) -> None:
        """Forget the cached metadata of one client, or of all, in all processes."""
        self._server.metadata.expire(hostname)
        if not self._caches or self._server.repository.lock.is_held_exclusively_here:
            return
        upload = self._upload_of(hostname)
        if upload is None:
            self._send(EXPIRE, hostname)
        else:
            upload.expires = True
            upload.others_know = False

    def forget_client(self, hostname: str) -> None:
        """Forget the cached metadata of one client in this process.

        The caller makes the other processes do so with a message of its own, before its call returns.
        """
        self._server.metadata.expire(hostname)
        upload = self._upload_of(hostname)
        if upload is not None:
            upload.others_know = True

    def change_clients(
        self, hostnames: Sequence[str], function: Callable[[Connection, Sequence[Item]], Sequence[T]], item: Item
    ) -> T:
        """See `geventcore.plugin.context.PluginContext.change_clients`."""
        from geventcore.storage.announcements import Announcement

        announcements = [Announcement(EXPIRE, hostname) for hostname in hostnames] if self._caches else []
        try:
            return self._server.databases.main().write_item(function, item, announcements)
        finally:
            # After an error, too: the database may have stored it all the same.
            for hostname in hostnames:
                if self._caches:
                    self.forget_client(hostname)
                    self._send(EXPIRE, hostname, machines=False)
                else:
                    self._server.metadata.expire(hostname)

    # -- uploads

    @contextmanager
    def upload(self, client: str, *, expires: bool) -> Iterator[Upload]:
        """Have all processes see what a client has uploaded in the block, with one broadcast.

        With `expires` they forget the cached metadata of the client, whatever plugins do.
        """
        upload = self._here.upload = Upload(client, expires)
        if expires:
            self._server.metadata.expire(client)
        told = False
        try:
            yield upload
            told = upload.others_know
        finally:
            self._here.upload = None
            self._handle_upload([client, upload.expires])
            # After an error, too: something may have been stored.
            if not told:
                self._send(UPLOAD, [client, upload.expires])

    def on_upload(self, hook: Callable[[str], None]) -> None:
        """Call `hook` with the name of each client whose upload has been stored by any process."""
        self._upload_hooks.append(hook)

    def _upload_of(self, client: str | None) -> Upload | None:
        """The upload of a client that is being handled here."""
        upload: Upload | None = getattr(self._here, "upload", None)
        return upload if upload is not None and upload.client == client else None

    def _handle_upload(self, message: Sequence[Any]) -> None:
        client, expires = message
        if expires:
            self._server.metadata.expire(client)
        for hook in self._upload_hooks:
            hook(client)

    @property
    def _caches(self) -> bool:
        return self._server.settings[CACHE_MODE] != "off"

    # -- files that this process has written

    def handle_file_events(self) -> None:
        """Apply the pending file events in all processes.

        Under a render's lock nothing can be applied; the file watcher does it when the render is done.
        """
        if not self._server.repository.lock.is_held_here:
            writes = OWN_WRITES.take_untold()
            self._server.repository.discount(path for path, *_ in writes)
            self._server.repository.flush()
            self._send(FILES, writes)

    def _others_wrote(self, writes: Sequence[OwnWrite] | None) -> None:
        OWN_WRITES.others_wrote(writes)
        self._server.repository.discount(path for path, *_ in writes or ())
        self._server.repository.flush(wait=False)

    # -- statistics

    def statistics(self) -> dict[int, Statistics]:
        """Return the durations that each process has measured, by its number."""
        answers = [answer for answer in self._send(STATISTICS, None) if answer]
        return {self._server.process_number: self._server.timings.snapshot(), **dict(answers)}

    # -- debugging

    def set_debug(self, **switches: bool) -> None:
        """Set debug switches in all processes; see `DebugSwitches.turn`."""
        self._server.switches.turn(**switches)
        self._send(DEBUG, switches)

    def adopt_debug_state(self) -> None:
        """Set the debug switches as the other processes have them; for a process that replaces another."""
        for state in self._send(DEBUG_STATE, None):
            self._server.switches.adopt(state)
            return

    # -- methods of plugins that concern every process

    def methods_for_all(self, plugin: Plugin) -> list[Method]:
        """Return the plugin's methods that run in all processes when a client calls one process."""
        interface: Mapping[str, Any] = plugin.remote_interface()
        return [
            Method(f"{plugin.name}.{name}", self._call_in_all(plugin, name, interface[name]), with_address=False)
            for name in plugin.broadcast_methods
            if name in interface
        ]

    def _call_in_all(self, plugin: Plugin, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def call(*arguments: Any) -> Any:
            result = function(*arguments)
            if name == "toggle_debug":
                # Toggling in each process might leave the switches in different positions.
                self._send(CALL, [plugin.name, "set_debug", [plugin.debug]])
            else:
                self._send(CALL, [plugin.name, name, arguments])
            return result

        return call

    def _call(self, message: list[Any]) -> None:
        plugin_name, method, arguments = message
        plugin = self._server.plugins.by_name.get(plugin_name)
        if plugin is not None:
            plugin.remote_interface()[method](*arguments)
