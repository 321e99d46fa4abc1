"""The store of probe results in the file ``probed.xml``.

``<Probed><Client name= timestamp=><Probe name= value=/>…<Group name=/>…</Client>…</Probed>``

* `XMLProbeStore.replace` returns when a file with the data has been written, synced and renamed into its place
  (`SharedFile`). An upload without changes needs no write; its time is stored with the next write.
* Each client's part is serialised once, when it changes; a write joins the parts.
* The file may be replaced by hand, or by another server: before a write, such changes are read.
* A long result is a file of its own (`geventcore.plugins.probes.long_results`), to which the element refers.
* A file that is not XML is renamed to ``probed.xml.broken-<n>`` before the first write.
* XML does not allow control characters. They are stored as U+FFFD, the replacement character.
"""

from __future__ import annotations

import logging
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, Protocol
from xml.sax.saxutils import quoteattr

from lxml import etree

from geventcore.errors import PluginExecutionError, RepositoryError
from geventcore.filemonitor import NOTHING, Effect, FileAction, FileEvent
from geventcore.plugin.context import PluginContext
from geventcore.plugins.probes.long_results import (
    DIRECTORY_NAME,
    LONG_CHARACTERS,
    LongResult,
    LongResults,
    ResultsOfClient,
)
from geventcore.plugins.probes.probe_data import ProbeData
from geventcore.regular_files import read_file
from geventcore.repository.durable_writes import write_durably
from geventcore.specfiles.shared_file import SharedFile
from geventcore.specfiles.xmlfile import Signature, signature, signature_of, signature_of_json
from geventcore.specfiles.xmltext import replace_illegal

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ClientProbes:
    """The results of a client's probes.

    Attributes:
        groups: the groups that they put the client in, in the order of the upload.
        data: probe name -> result.
        long: probe name -> result in a file of its own.
    """

    groups: tuple[str, ...]
    data: Mapping[str, ProbeData]
    long: Mapping[str, LongResult] = field(default_factory=dict)


#: The topic of the messages in which processes announce what they have written.
STORED = "Probes:stored"

#: The attribute with the name of a file.
STORED_ATTRIBUTE = "stored"
#: The text of a longer record is made for each write, not kept.
KEPT_BODY_BYTES = 64 * 1024
#: How often files of long results that are not used are looked for, in seconds.
SWEEP_SECONDS = 60.0

NO_PROBES = ClientProbes((), {})


class ProbeStore(Protocol):
    """A store of probe results."""

    def get(self, hostname: str) -> ClientProbes:
        """Return the stored results of a client; `NO_PROBES` if it never sent any."""

    def replace(self, hostname: str, probes: ClientProbes) -> None:
        """Store an upload durably; `PluginExecutionError` if that fails."""

    def results(self, probes: ClientProbes) -> Mapping[str, ProbeData]:
        """Return all results, probe name -> result; a mapping of its own."""


class RememberingStore:
    """A store for a command that only looks at the site: it keeps uploads in memory, beside those of another store."""

    def __init__(self, stored: ProbeStore) -> None:
        self._stored = stored
        self._uploads: dict[str, ClientProbes] = {}

    def get(self, hostname: str) -> ClientProbes:
        """See `ProbeStore`."""
        found = self._uploads.get(hostname)
        return self._stored.get(hostname) if found is None else found

    def replace(self, hostname: str, probes: ClientProbes) -> None:
        """Remember an upload as long as this object lives."""
        self._uploads[hostname] = probes

    def results(self, probes: ClientProbes) -> Mapping[str, ProbeData]:
        """See `ProbeStore`."""
        return self._stored.results(probes)


class _Record:
    """A client's part of the file."""

    __slots__ = ("_body", "head", "probes", "timestamp")

    def __init__(self, hostname: str, probes: ClientProbes, timestamp: str) -> None:
        self.probes = probes
        body = b"".join(self._lines())
        # Long results are not kept twice.
        self._body = body if len(body) <= KEPT_BODY_BYTES else None
        self.head = b""
        self.timestamp = timestamp
        self.touch(hostname, timestamp)

    def _lines(self) -> Iterator[bytes]:
        probes = self.probes
        for name in sorted((*probes.data, *probes.long)):
            stored = probes.long.get(name)
            if stored is None:
                yield f"    <Probe name={quoteattr(name)} value={quoteattr(probes.data[name])}/>\n".encode()
            else:
                yield f'    <Probe name={quoteattr(name)} value="" {STORED_ATTRIBUTE}="{stored.name}"/>\n'.encode()
        for group in probes.groups:
            yield f"    <Group name={quoteattr(group)}/>\n".encode()
        yield b"  </Client>\n"

    def pieces(self) -> Iterator[bytes]:
        """Return the text of the part."""
        yield self.head
        if self._body is None:
            yield from self._lines()
        else:
            yield self._body

    def touch(self, hostname: str, timestamp: str) -> None:
        """Set the time of the last upload, in seconds since the epoch."""
        self.timestamp = timestamp
        self.head = f"  <Client name={quoteattr(hostname)} timestamp={quoteattr(timestamp)}>\n".encode()


_Loader = Callable[[Path], dict[str, _Record]]


def _now() -> str:
    return str(int(time.time()))


def _cleaned(hostname: str, probes: ClientProbes, files: LongResults) -> ClientProbes:
    """Return an upload as it is stored. Its long results are stored already then; `OSError` if that fails."""
    short: dict[str, ProbeData] = {}
    long: dict[str, LongResult] = {}
    for name, value in ((replace_illegal(name), replace_illegal(value)) for name, value in probes.data.items()):
        if len(value) > LONG_CHARACTERS:
            long[name] = files.store(hostname, name, value)
        else:
            short[name] = ProbeData(value)
    return ClientProbes(tuple(map(replace_illegal, probes.groups)), short, long)


class XMLProbeStore(SharedFile[str]):
    """A store that keeps all results in memory and in the file.

    `handle_event` receives the events of the file. A change is the name of a client whose record was replaced.
    """

    is_repeatable = True

    def __init__(self, path: Path, context: PluginContext, on_change: Callable[[str], None]) -> None:
        """Read the file, if it exists. `on_change` is called with the name of each client whose data have changed.

        The other processes call their own `on_change` before `replace` returns.
        """
        self._on_change = on_change
        self._records: dict[str, _Record] = {}
        self._names: list[str] | None = None
        self._pending: dict[str, _Record] = {}
        self._signature: Signature = None
        self._files = LongResults(path.parent / DIRECTORY_NAME)
        self._swept_at = -math.inf
        super().__init__(path, context, STORED)
        # At the start no other work is delayed by this, so it need not be offloaded.
        self._read_new_version(lambda load, path: load(path))

    def get(self, hostname: str) -> ClientProbes:
        """See `ProbeStore.get`."""
        record = self._records.get(hostname)
        return NO_PROBES if record is None else record.probes

    def replace(self, hostname: str, probes: ClientProbes) -> None:
        """See `ProbeStore.replace`. Of two concurrent uploads of one client, the later one replaces the other."""
        try:
            if any(len(value) > LONG_CHARACTERS for value in probes.data.values()):
                cleaned = self._context.offload(_cleaned, hostname, probes, self._files)
            else:
                cleaned = _cleaned(hostname, probes, self._files)
        except OSError as err:
            raise self._failure(err) from err
        record = _Record(hostname, cleaned, _now())
        with self._replace:
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
        self.change(hostname)

    def results(self, probes: ClientProbes) -> Mapping[str, ProbeData]:
        """See `ProbeStore.results`."""
        return ResultsOfClient(probes.data, probes.long, self._files) if probes.long else dict(probes.data)

    def handle_event(self, event: FileEvent) -> None:
        """Read the changed file, unless this process wrote it."""
        if event.action is FileAction.DELETED and not self.path.exists():
            log.warning("%s: deleted; the next upload writes the known results again", self.path)
        elif event.action is not FileAction.END_EXIST and signature(self.path) != self._signature:
            # Another process of this server may be about to announce its write.
            with self._alone():
                self._read_new_version(self._context.offload)

    def effect_of(self, event: FileEvent) -> Effect:
        """See `TellsEffect`: results are a part of metadata."""
        return NOTHING

    def _read_new_version(self, offload: Callable[[_Loader, Path], dict[str, _Record]]) -> bool:
        """Read what another writer has written; return false if it cannot be read. The caller holds the file lock."""
        found = signature(self.path)
        if found is None or found == self._signature:
            return True
        try:
            records = offload(load_records, self.path)
        except RepositoryError as err:
            log.error("%s; the next write renames this file and writes the known results again", err)
            return False
        with self._replace:
            before = self._records
            # Records that are not on the disk yet are newer than those on it.
            self._records = {**records, **self._pending}
            self._names = None
            self._signature = found
            after = self._records
        for name in before.keys() | after.keys():
            old, new = before.get(name), after.get(name)
            if old is not new and (old is None or new is None or old.probes != new.probes):
                self._on_change(name)
        return True

    def _write(self, changes: Sequence[str]) -> Sequence[Exception | None]:
        """Write everything to a new file, and rename it into its place."""
        offload = self._context.offload
        is_usable = self._read_new_version(offload)
        if not is_usable:
            offload(keep_aside, self.path)
        with self._replace:
            pending = dict(self._pending)
            records = self._sorted()
        before = self._signature
        status = offload(_write_records, self.path, records)
        with self._replace:
            self._signature = signature_of(status)
            for name, record in pending.items():
                if self._pending.get(name) is record:
                    del self._pending[name]
        self._tell_others(before, pending)
        self._remove_unused()
        return [None] * len(changes)

    def _remove_unused(self) -> None:
        """Remove files of long results that no record has any more; the caller holds the file lock."""
        now = time.monotonic()
        if now - self._swept_at < SWEEP_SECONDS:
            return
        self._swept_at = now
        with self._replace:
            used = {stored.name for record in self._records.values() for stored in record.probes.long.values()}
        try:
            self._context.offload(self._files.remove_unused, used)
        except OSError as err:
            log.warning("%s: cannot remove unused files: %s", self._files.directory, err.strerror)

    def _failure(self, err: Exception) -> Exception:
        reason = getattr(err, "strerror", None) or err
        return PluginExecutionError(f"{self.path}: probe data cannot be stored: {reason}")

    def _tell_others(self, before: Signature, written: Mapping[str, _Record]) -> None:
        """Send what was written to the other processes, so that they need not read the file."""
        clients = {
            name: [
                record.probes.groups,
                record.probes.data,
                {probe: stored.name for probe, stored in record.probes.long.items()},
                record.timestamp,
            ]
            for name, record in written.items()
        }
        self._context.tell_others(self._topic, {"before": before, "after": self._signature, "clients": clients})

    def _others_wrote(self, message: Mapping[str, Any]) -> None:
        with self._replace:
            for name, (groups, data, long, timestamp) in message["clients"].items():
                if name in self._pending:
                    # A record that this process is about to write is newer.
                    continue
                probes = ClientProbes(
                    tuple(groups),
                    {key: ProbeData(value) for key, value in data.items()},
                    {key: LongResult(value) for key, value in long.items()},
                )
                old = self._records.get(name)
                if old is None:
                    self._names = None
                self._records[name] = _Record(name, probes, timestamp)
            # Otherwise the file has changes that this process does not know, and the file event makes it read them.
            if self._signature == signature_of_json(message["before"]):
                self._signature = signature_of_json(message["after"])
        for name in message["clients"]:
            self._on_change(name)

    def _sorted(self) -> list[_Record]:
        """Return the records, sorted by name. The caller holds the lock."""
        if self._names is None:
            self._names = sorted(self._records)
        return [self._records[name] for name in self._names]

    def __repr__(self) -> str:
        return f"XMLProbeStore({self.path})"


def _write_records(path: Path, records: Sequence[_Record]) -> os.stat_result:
    parts = (record.pieces() for record in records)
    return write_durably(path, chain([b"<Probed>\n"], chain.from_iterable(parts), [b"</Probed>\n"]))


def keep_aside(path: Path) -> Path | None:
    """Rename a file to the first free ``<name>.broken-<n>``; return None if the file does not exist."""
    number = 1
    while (aside := path.with_name(f"{path.name}.broken-{number}")).exists():
        number += 1
    try:
        path.rename(aside)
    except FileNotFoundError:
        return None
    log.error("%s: not readable; renamed to %s", path, aside.name)
    return aside


def load_records(path: Path) -> dict[str, _Record]:
    """Read client name -> record from the file; `RepositoryError` names the file and the line."""
    # Results may be long: without huge_tree, lxml limits an attribute to 10 MB.
    parser = etree.XMLParser(huge_tree=True, no_network=True, load_dtd=False, resolve_entities=False)
    try:
        root = etree.fromstring(read_file(path), parser)
    except OSError as err:
        raise RepositoryError(f"{path}: cannot be read: {err.strerror}") from err
    except etree.XMLSyntaxError as err:
        raise RepositoryError(f"{path}: not well-formed: {err.msg}") from err
    # As in Bcfg2, the root may have any name. But a file without clients may be another one, which must not be lost.
    if root.tag != "Probed" and root.find("Client") is None:
        raise RepositoryError(f"{path}: the root element is {root.tag}, not Probed, and has no Client")
    records = {}
    for client in _named(root, "Client", path):
        name = client.get("name", "")
        records[name] = _Record(name, _probes_of(client, path), client.get("timestamp") or _now())
    return records


def _probes_of(client: etree._Element, path: Path) -> ClientProbes:
    short: dict[str, ProbeData] = {}
    long: dict[str, LongResult] = {}
    for probe in _named(client, "Probe", path):
        stored = LongResult.parse(probe.get(STORED_ATTRIBUTE, ""))
        if stored is None:
            short[probe.get("name", "")] = ProbeData(probe.get("value", ""))
        else:
            long[probe.get("name", "")] = stored
    return ClientProbes(tuple(group.get("name", "") for group in _named(client, "Group", path)), short, long)


def _named(parent: etree._Element, tag: str, path: Path) -> Iterator[etree._Element]:
    """Yield the children with a tag; log and skip those without a name, which come from editing by hand."""
    for element in parent.iterchildren(tag):
        if element.get("name"):
            yield element
        else:
            log.error("%s: line %s: ignoring a %s without a name", path, element.sourceline, tag)
