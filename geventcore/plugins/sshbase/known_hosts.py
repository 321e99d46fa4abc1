"""The file of all host keys: each key with all names of the hosts that have it.

The names of a host are its host name, its aliases, the short forms of both, its addresses in the client list, and the
resolver's names and addresses for them. A group's key has the names of all clients in the group; a key for all has the
names of all clients. Hosts that are not clients are left out.

Generating the file visits every host, so it is cached until a key, the client list or a result of the resolver changes.
A change of a client's aliases and addresses takes effect after `NAMES_SECONDS`.
"""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from geventcore.errors import MetadataError
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.client_names import is_host_name, is_local_name
from geventcore.plugin.context import PluginContext
from geventcore.plugin.interfaces import MetadataSource
from geventcore.plugin.specificity import Specificity
from geventcore.plugins.ip_addresses import parse_address
from geventcore.plugins.sshbase.files import PUBLIC_KEYS, HostFile, SSHbaseDirectory
from geventcore.plugins.sshbase.name_service import NameService

log = logging.getLogger(__name__)

#: The time for which the names of hosts are cached, in seconds. Reading those of 1,000 hosts takes some 20 ms.
NAMES_SECONDS = 60.0
#: The timeout for the resolver, in seconds. The wait is part of a render, so it delays changes of the repository for
#: all clients, and clients themselves give up after 90 seconds.
LOOKUP_SECONDS = 2.0
_LOCAL_NAMES = "localhost,localhost.localdomain,127.0.0.1"


#: ``type base64 comment``, as in a ``.pub`` file; nothing that begins a line of its own (sshd(8), "SSH_KNOWN_HOSTS").
_KEY = re.compile(r"(?!@)[A-Za-z0-9][A-Za-z0-9@._-]*(?: [^\x00-\x1f\x7f\u2028\u2029]*)?")


def _is_usable(name: str) -> bool:
    """Return true for a name of a host or an address of another machine: patterns and markers have other meanings."""
    address = parse_address(name)
    if address is not None:
        return not address.is_loopback
    return is_host_name(name.lower()) and not is_local_name(name)


def _key_of(file: HostFile) -> str | None:
    """Return the one line of a public key; None if the file is something else, which clients may have sent."""
    text = (file.text or "").strip()
    return text if _KEY.fullmatch(text) else None


@dataclass(frozen=True)
class _Host:
    """The names and addresses of a client in the client list.

    Attributes:
        names: host name and aliases.
        addresses: its addresses.
    """

    names: frozenset[str]
    addresses: frozenset[str]

    def joined(self, answers: Iterable[frozenset[str]]) -> str:
        """Join all names, including those of the resolver."""
        short = {name.partition(".")[0] for name in self.names}
        return ",".join(sorted(filter(_is_usable, self.names.union(short, self.addresses, *answers))))


class KnownHosts:
    """The generator of the file of known hosts."""

    def __init__(self, directory: SSHbaseDirectory, context: PluginContext) -> None:
        self._directory = directory
        self._context = context
        self._resolver = NameService(self._resolver_result_changed)
        self._lock = threading.Lock()
        # Counters of the changes that affect the text. The text is cached together with their values.
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
        """Invalidate the text after a change of a key or a static file."""
        self._changes += 1

    def _resolver_result_changed(self) -> None:
        self._names = {}
        self._news += 1

    def close(self) -> None:
        """Stop the lookups."""
        self._resolver.close()

    def look_up_early(self) -> None:
        """Start looking up the names of all hosts with keys, without waiting."""
        with self._lock:
            self._read_hosts()
            files = [file for base in PUBLIC_KEYS for file in self._directory.files[base]]
            hosts = {file.specificity.hostname for file in files}
            self._resolver.look_up(self._first_names(host for host in hosts if host in self._hosts), 0.0)

    def text_for(self, metadata: ClientMetadata) -> str:
        """Return the file for a client."""
        own = []
        for base in PUBLIC_KEYS:
            file = self._directory.files[base].best(metadata)
            key = None if file is None else _key_of(file)
            if file is not None and key is not None:
                own.append((str(file.path), f"{_LOCAL_NAMES} {key}\n"))
        return self._common_text() + "".join(line for _, line in sorted(own))

    def _common_text(self) -> str:
        """Return the part that is the same for all clients."""
        with self._lock:
            self._read_hosts()
            if self._text is None or self._text[0] != (self._changes, self._news):
                self._text = self._generate()
            return self._text[1]

    def _read_hosts(self) -> None:
        """Read the client list again if it is outdated, or if clients were added or removed."""
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
            log.error("known hosts: leaving out the aliases and addresses of client %s: %s", name, err)
            return _Host(frozenset({name}), frozenset())
        return _Host(frozenset({metadata.hostname, *metadata.aliases}), frozenset(metadata.addresses))

    def _clients_of(self, file: HostFile) -> Sequence[str]:
        """Return the clients with a key."""
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

    def _generate(self) -> tuple[tuple[int, int], str]:
        changes = self._changes
        keys: list[tuple[Sequence[str], str]] = []
        for base in sorted(PUBLIC_KEYS):
            for file in self._directory.files[base]:
                text, hosts = _key_of(file), self._clients_of(file)
                if text is not None and hosts:
                    keys.append((hosts, text))
                elif file.specificity not in self._reported:
                    self._reported.add(file.specificity)
                    log.info(
                        "known hosts: leaving out %s: no client has this key, or it is not one line",
                        file.path,
                    )
        lines = list(self._directory.static_lines)
        wanted = {host for hosts, _ in keys for host in hosts}
        first_names = self._first_names(wanted)
        self._resolver.look_up(first_names, LOOKUP_SECONDS)
        # This text has the results that arrived so far; later ones change the counter.
        news = self._news
        known = self._names
        answers = self._resolver.look_up(first_names, 0.0)
        for hosts, key in keys:
            self._context.breathe()
            for host in hosts:
                if host not in known:
                    names = self._hosts[host]
                    known[host] = names.joined(answers[name] for name in names.names if name in answers)
            names_of_key = ",".join(filter(None, (known[host] for host in hosts)))
            if names_of_key:
                lines.append(f"{names_of_key} {key}")
        return (changes, news), "".join(f"{line}\n" for line in lines)
