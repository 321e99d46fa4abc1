"""The file of all host keys: each key with all names of the hosts that have it.

The names of a host are its host name, its aliases, the short forms of both, its addresses in the list of clients, and
what the resolver says of its names. A key of a group has the names of all clients in the group, a key for all those of
all clients; hosts that are no clients are left out.

Putting the file together takes a look at every host, so it is kept until a key, the list of clients or an answer of the
resolver changes. A change of a client's aliases and addresses shows after `NAMES_SECONDS`.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from geventcore.errors import MetadataError
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.context import PluginContext
from geventcore.plugin.interfaces import MetadataSource
from geventcore.plugins.sshbase.files import PUBLIC_KEYS, HostFile, SSHbaseDirectory
from geventcore.plugins.sshbase.name_service import NameService
from geventcore.specfiles.specificity import Specificity

log = logging.getLogger(__name__)

#: How long the names of hosts are kept, in seconds. Reading those of 1,000 hosts takes some 20 ms.
NAMES_SECONDS = 60.0
#: How long a client waits for the resolver, in seconds. It waits inside a render, which delays changes of the
#: repository for everybody, and clients themselves give up after 90 seconds.
LOOKUP_SECONDS = 2.0
_LOCAL_NAMES = "localhost,localhost.localdomain,127.0.0.1"


@dataclass(frozen=True)
class _Host:
    """What a client is called, by the list of clients.

    Attributes:
        names: host name and aliases.
        addresses: its addresses.
    """

    names: frozenset[str]
    addresses: frozenset[str]

    def joined(self, answers: Iterable[frozenset[str]]) -> str:
        """All names, with what the resolver says of them."""
        short = {name.partition(".")[0] for name in self.names}
        return ",".join(sorted(self.names.union(short, self.addresses, *answers)))


class KnownHosts:
    """Puts the file together."""

    def __init__(self, directory: SSHbaseDirectory, context: PluginContext) -> None:
        self._directory = directory
        self._context = context
        self._resolver = NameService(self._resolver_has_news)
        self._lock = threading.Lock()
        # These count what makes the text another one; it is kept with the numbers that it was made for.
        self._changes = 0
        self._news = 0
        self._text: tuple[tuple[int, int], str] | None = None
        self._clients: list[str] = []
        self._read_at = 0.0
        self._hosts: dict[str, _Host] = {}
        self._groups: dict[str, Sequence[str]] = {}
        self._names: dict[str, str] = {}
        self._reported: set[Specificity] = set()

    def forget(self) -> None:
        """A key or a static file has changed."""
        self._changes += 1

    def _resolver_has_news(self) -> None:
        self._names = {}
        self._news += 1

    def close(self) -> None:
        """End the lookups."""
        self._resolver.close()

    def look_up_early(self) -> None:
        """Ask the resolver for the names of all hosts that have keys, and wait for nothing."""
        with self._lock:
            self._read_hosts()
            files = [file for base in PUBLIC_KEYS for file in self._directory.files[base]]
            hosts = {file.specificity.hostname for file in files}
            self._resolver.look_up(self._first_names(host for host in hosts if host in self._hosts), 0.0)

    def text_for(self, metadata: ClientMetadata) -> str:
        """The file as a client gets it."""
        own = []
        for base in PUBLIC_KEYS:
            file = self._directory.files[base].best(metadata)
            if file is not None and file.text is not None:
                own.append((str(file.path), f"{_LOCAL_NAMES} {file.text.rstrip()}\n"))
        return self._common_text() + "".join(line for _, line in sorted(own))

    def _common_text(self) -> str:
        """What is the same for all clients."""
        # One of them puts it together while the others wait.
        with self._lock:
            self._read_hosts()
            if self._text is None or self._text[0] != (self._changes, self._news):
                self._text = self._put_together()
            return self._text[1]

    def _read_hosts(self) -> None:
        """Read the list of clients again if that was long ago, or if there are others."""
        source = self._context.metadata_source
        clients = source.list_clients()
        now = time.monotonic()
        if clients == self._clients and now - self._read_at <= NAMES_SECONDS:
            return
        self._clients, self._read_at = clients, now
        hosts = {name: self._read_host(name, source) for name in clients}
        if hosts != self._hosts or self._groups:
            self._hosts, self._groups, self._names = hosts, {}, {}
            self._changes += 1

    def _read_host(self, name: str, source: MetadataSource) -> _Host:
        self._context.breathe()
        try:
            metadata = source.get_initial_metadata(name)
        except MetadataError as err:
            log.error("The known hosts have nothing but the name of client %s: %s", name, err)
            return _Host(frozenset({name}), frozenset())
        return _Host(frozenset({metadata.hostname, *metadata.aliases}), frozenset(metadata.addresses))

    def _who(self, file: HostFile) -> Sequence[str]:
        """The clients that have a key."""
        host, group = file.specificity.hostname, file.specificity.group
        if host is not None:
            return [host] if host in self._hosts else []
        if group is None:
            return sorted(self._hosts)
        if group not in self._groups:
            members = self._context.metadata_source.query.names_by_groups([group])
            self._groups[group] = sorted(name for name in members if name in self._hosts)
        return self._groups[group]

    def _first_names(self, hosts: Iterable[str]) -> set[str]:
        return {name for host in hosts for name in self._hosts[host].names}

    def _put_together(self) -> tuple[tuple[int, int], str]:
        changes = self._changes
        keys: list[tuple[Sequence[str], str]] = []
        for base in sorted(PUBLIC_KEYS):
            for file in self._directory.files[base]:
                text, hosts = file.text, self._who(file)
                if text is not None and hosts:
                    keys.append((hosts, text.rstrip()))
                elif file.specificity not in self._reported:
                    self._reported.add(file.specificity)
                    log.info("%s is left out of the known hosts: there is no such client, or no text in it", file.path)
        lines = list(self._directory.static_lines)
        wanted = {host for hosts, _ in keys for host in hosts}
        first_names = self._first_names(wanted)
        self._resolver.look_up(first_names, LOOKUP_SECONDS)
        # The answers that were waited for are in this text; those that come from here on are not.
        news = self._news
        known = self._names
        answers = self._resolver.look_up(first_names, 0.0)
        for hosts, key in keys:
            self._context.breathe()
            for host in hosts:
                if host not in known:
                    names = self._hosts[host]
                    known[host] = names.joined(answers[name] for name in names.names if name in answers)
            lines.append(f"{','.join(known[host] for host in hosts)} {key}")
        return (changes, news), "".join(f"{line}\n" for line in lines)
