"""Where the results of probes are kept: the file ``probed.xml``.

``<Probed><Client name= timestamp=><Probe name= value=/>…<Group name=/>…</Client>…</Probed>``

* `XMLProbeStore.replace` returns when a file that holds the data has been written, synced and renamed into its place.
  Many uploads that arrive at the same time share one write. An upload that changes nothing is stored already; only its
  time waits for the next write.
* Each client's part is serialised once, when it changes; a write joins the parts.
* The file may be replaced by hand, or by another server: whoever writes holds a lock, looks whether the file is still
  the one that it knows, and takes over what is new before it writes.
* The processes of one server tell each other what they have written, and which version of the file that makes, before
  they let go of the lock. So each of them knows everything that is in the file, and none has to read it.
* A file that is no XML is kept as ``probed.xml.broken-<n>`` before the first write.
* XML cannot hold control characters. They are stored as U+FFFD, the replacement character.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from xml.sax.saxutils import quoteattr

from lxml import etree

from geventcore.errors import PluginExecutionError, RepositoryError
from geventcore.filemonitor import EventHandler, FileAction, FileEvent
from geventcore.plugin.context import PluginContext
from geventcore.plugins.probes.probe_data import ProbeData
from geventcore.specfiles.durable import GroupCommit, lock_directory, unlock_directory, write_durably
from geventcore.specfiles.xmlfile import Signature, signature, signature_of, signature_of_json
from geventcore.specfiles.xmltext import replace_illegal

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ClientProbes:
    """What a client's probes said.

    Attributes:
        groups: the groups that they put the client in, in the order of the upload.
        data: probe name -> result.
    """

    groups: tuple[str, ...]
    data: Mapping[str, ProbeData]


#: The topic under which processes tell each other what they have written.
STORED = "Probes:stored"

NO_PROBES = ClientProbes((), {})


class ProbeStore(Protocol):
    """Where results are kept."""

    def get(self, hostname: str) -> ClientProbes:
        """What is known of a client; `NO_PROBES` if it never sent any."""

    def replace(self, hostname: str, probes: ClientProbes) -> None:
        """Store an upload; when this returns it is durable. `PluginExecutionError` if it cannot be stored."""


class _Record:
    """A client's part of the file."""

    __slots__ = ("body", "head", "probes", "timestamp")

    def __init__(self, hostname: str, probes: ClientProbes, timestamp: str) -> None:
        self.probes = probes
        lines = [
            f"    <Probe name={quoteattr(name)} value={quoteattr(probes.data[name])}/>\n"
            for name in sorted(probes.data)
        ]
        lines += [f"    <Group name={quoteattr(group)}/>\n" for group in probes.groups]
        self.body = "".join([*lines, "  </Client>\n"]).encode()
        self.head = b""
        self.timestamp = timestamp
        self.touch(hostname, timestamp)

    def touch(self, hostname: str, timestamp: str) -> None:
        """Set the time of the last upload, in seconds since the epoch."""
        self.timestamp = timestamp
        self.head = f"  <Client name={quoteattr(hostname)} timestamp={quoteattr(timestamp)}>\n".encode()


_Loader = Callable[[Path], dict[str, _Record]]


def _now() -> str:
    return str(int(time.time()))


def _cleaned(probes: ClientProbes) -> ClientProbes:
    data = {replace_illegal(name): ProbeData(replace_illegal(value)) for name, value in probes.data.items()}
    return ClientProbes(tuple(map(replace_illegal, probes.groups)), data)


class XMLProbeStore(EventHandler):
    """Keeps everything in memory, and in the file.

    `handle_event` takes the events of the file.
    """

    def __init__(self, path: Path, context: PluginContext, on_change: Callable[[str], None]) -> None:
        """Read the file, if there is one. `on_change` is called with the name of each client whose data changed."""
        self.path = path
        self._context = context
        self._on_change = on_change
        self._commit = GroupCommit(self._write)
        #: Held while the file is read or written, which may take a while.
        self._file_lock = threading.Lock()
        #: Held for moments, while what follows is read or changed.
        self._lock = threading.Lock()
        self._records: dict[str, _Record] = {}
        self._names: list[str] | None = None
        self._pending: dict[str, _Record] = {}
        self._signature: Signature = None
        context.subscribe(STORED, self._take_over)
        # At the start there is nothing yet that this could hold up.
        self._read_new_version(lambda load, path: load(path))

    def get(self, hostname: str) -> ClientProbes:
        """See `ProbeStore.get`."""
        record = self._records.get(hostname)
        return NO_PROBES if record is None else record.probes

    def replace(self, hostname: str, probes: ClientProbes) -> None:
        """See `ProbeStore.replace`. Of two uploads of one client at the same time the later one stays, as a whole."""
        record = _Record(hostname, _cleaned(probes), _now())
        with self._lock:
            old = self._records.get(hostname)
            is_new = old is None or old.probes != record.probes
            if old is not None and not is_new:
                old.touch(hostname, _now())
                if hostname not in self._pending and signature(self.path) == self._signature:
                    return
            if old is None:
                self._names = None
            self._records[hostname] = self._pending[hostname] = record
        if is_new:
            self._on_change(hostname)
        try:
            self._commit.commit()
        except OSError as err:
            raise PluginExecutionError(f"{self.path}: probe data cannot be stored: {err.strerror or err}") from err

    def handle_event(self, event: FileEvent) -> None:
        """The file has changed: read it, unless this is what was written here."""
        if event.action is FileAction.DELETED and not self.path.exists():
            log.warning("%s: deleted; what it held is still known, and the next upload writes it again", self.path)
        elif event.action is not FileAction.END_EXIST and signature(self.path) != self._signature:
            with self._file_lock:
                # Another process of this server may be about to tell what it has written.
                descriptor = self._context.offload(lock_directory, self.path.parent)
                try:
                    self._read_new_version(self._context.offload)
                finally:
                    unlock_directory(descriptor)

    def _read_new_version(self, offload: Callable[[_Loader, Path], dict[str, _Record]]) -> bool:
        """Take over what somebody else has written; false if it cannot be read. The file lock is held."""
        found = signature(self.path)
        if found is None or found == self._signature:
            return True
        try:
            records = offload(load_records, self.path)
        except RepositoryError as err:
            log.error("%s; it will be kept under another name, and what is known is written anew", err)
            return False
        with self._lock:
            before = self._records
            # What is not on the disk yet is newer than what is.
            self._records = {**records, **self._pending}
            self._names = None
            self._signature = found
            after = self._records
        for name in before.keys() | after.keys():
            old, new = before.get(name), after.get(name)
            if old is not new and (old is None or new is None or old.probes != new.probes):
                self._on_change(name)
        return True

    def _write(self) -> None:
        """Write everything to a new file, and rename it into its place."""
        offload = self._context.offload
        with self._file_lock:
            descriptor = offload(lock_directory, self.path.parent)
            try:
                is_usable = self._read_new_version(offload)
                if not is_usable:
                    offload(keep_aside, self.path)
                with self._lock:
                    pending = dict(self._pending)
                    chunks = self._chunks()
                before = self._signature
                status = offload(_write_chunks, self.path, chunks)
                with self._lock:
                    self._signature = signature_of(status)
                    for name, record in pending.items():
                        if self._pending.get(name) is record:
                            del self._pending[name]
                if is_usable:
                    self._tell_others(before, pending)
            finally:
                unlock_directory(descriptor)

    def _tell_others(self, before: Signature, written: Mapping[str, _Record]) -> None:
        """Have the other processes know what was written, without reading the file."""
        clients = {
            name: [record.probes.groups, record.probes.data, record.timestamp] for name, record in written.items()
        }
        self._context.tell_others(STORED, {"before": before, "after": self._signature, "clients": clients})

    def _take_over(self, message: Mapping[str, Any]) -> None:
        """Another process has written the file. It holds the lock of the file until this returns."""
        changed = []
        with self._lock:
            for name, (groups, data, timestamp) in message["clients"].items():
                if name in self._pending:
                    # What is about to be written here is newer.
                    continue
                probes = ClientProbes(tuple(groups), {key: ProbeData(value) for key, value in data.items()})
                old = self._records.get(name)
                if old is None:
                    self._names = None
                if old is None or old.probes != probes:
                    changed.append(name)
                self._records[name] = _Record(name, probes, timestamp)
            # Else something about the file is not known here, and it is read when that is noticed.
            if self._signature == signature_of_json(message["before"]):
                self._signature = signature_of_json(message["after"])
        for name in changed:
            self._on_change(name)

    def _chunks(self) -> list[bytes]:
        """The parts of the file. The lock is held."""
        if self._names is None:
            self._names = sorted(self._records)
        chunks = [b"<Probed>\n"]
        for name in self._names:
            record = self._records[name]
            chunks += (record.head, record.body)
        chunks.append(b"</Probed>\n")
        return chunks

    def __repr__(self) -> str:
        return f"XMLProbeStore({self.path})"


def _write_chunks(path: Path, chunks: list[bytes]) -> os.stat_result:
    return write_durably(path, b"".join(chunks))


def keep_aside(path: Path) -> Path | None:
    """Rename a file to the first free ``<name>.broken-<n>``; None if there is no file any more."""
    number = 1
    while (aside := path.with_name(f"{path.name}.broken-{number}")).exists():
        number += 1
    try:
        path.rename(aside)
    except FileNotFoundError:
        return None
    log.error("%s: unreadable; kept as %s", path, aside.name)
    return aside


def load_records(path: Path) -> dict[str, _Record]:
    """Client name -> record, from the file; `RepositoryError` names the file and the line."""
    # Results may be long: without huge_tree no attribute could be longer than 10 MB.
    parser = etree.XMLParser(huge_tree=True, no_network=True, load_dtd=False, resolve_entities=False)
    try:
        root = etree.fromstring(path.read_bytes(), parser)
    except OSError as err:
        raise RepositoryError(f"{path}: cannot be read: {err.strerror}") from err
    except etree.XMLSyntaxError as err:
        raise RepositoryError(f"{path}: not well-formed: {err.msg}") from err
    if root.tag != "Probed":
        raise RepositoryError(f"{path}: the root element is {root.tag}, not Probed")
    records = {}
    for client in _named(root, "Client", path):
        name = client.get("name", "")
        records[name] = _Record(name, _probes_of(client, path), client.get("timestamp") or _now())
    return records


def _probes_of(client: etree._Element, path: Path) -> ClientProbes:
    return ClientProbes(
        tuple(group.get("name", "") for group in _named(client, "Group", path)),
        {probe.get("name", ""): ProbeData(probe.get("value", "")) for probe in _named(client, "Probe", path)},
    )


def _named(parent: etree._Element, tag: str, path: Path) -> Iterator[etree._Element]:
    """The children of a kind. Those without a name mean nothing; whoever edited the file may have slipped."""
    for element in parent.iterchildren(tag):
        if element.get("name"):
            yield element
        else:
            log.error("%s: line %s: a %s without a name is ignored", path, element.sourceline, tag)
