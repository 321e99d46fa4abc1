"""NagiosGen: a Nagios configuration of all clients (docs: reference/plugins/nagiosgen).

A client with ``/etc/nagiosgen.status`` in a bundle gets its own host definition, which is also stored as
``NagiosGen/<host>-host.cfg``. The machine that runs Nagios has ``/etc/nagios/conf.d/bcfg2.cfg`` in a bundle, and gets
the definitions of all hosts and of the host groups that have a host: ``<group>-group.cfg`` for a group and
``<bundle>-bundle.cfg`` for a bundle of the clients. Options of hosts are in ``config.xml``.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from lxml import etree

from geventcore.errors import PluginExecutionError, RepositoryError
from geventcore.plugin.base import Plugin
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.context import PluginContext
from geventcore.plugin.explanation import Explaining, Source, Sources
from geventcore.plugin.interfaces import Binder, Generator
from geventcore.regular_files import read_file
from geventcore.repository.durable_writes import create_if_missing, write_if_different
from geventcore.specfiles.structfile import StructFile
from geventcore.specfiles.xmltext import decode_text

_Attributes = Mapping[str | bytes, str | bytes]

HOST_ENTRY = "/etc/nagiosgen.status"
SERVER_ENTRY = "/etc/nagios/conf.d/bcfg2.cfg"
HOST_ATTRIBUTES: _Attributes = {"encoding": "ascii", "owner": "root", "group": "root", "type": "file", "mode": "0400"}
SERVER_ATTRIBUTES: _Attributes = {
    "encoding": "ascii",
    "owner": "nagios",
    "group": "nagios",
    "type": "file",
    "mode": "0440",
}
HOST_SUFFIX = "-host.cfg"
#: The suffixes of files that define a host group; before the suffix stands a group or a bundle.
GROUP_SUFFIXES = ("-group.cfg", "-bundle.cfg")
#: The host group that is defined even if no host names it.
DEFAULT_GROUP = "default"


#: Characters that end a value of Nagios or separate two (its manual, "Object Definitions"), or a component of a path.
_UNSAFE = re.compile(r"[\s/;,{}\x00-\x1f\x7f]")


def _line(key: str, value: str) -> str:
    return f"\t{key:<32} {value}"


class NagiosGen(Plugin, Generator, Explaining):
    """A plugin that generates the two files."""

    def __init__(self, context: PluginContext) -> None:
        super().__init__(context)
        path = self.directory / "config.xml"
        default = b"<NagiosGen/>\n"
        create_if_missing(path, default, context.read_only)
        self._config = StructFile(path, context, default=default)
        self.entries: Mapping[str, Mapping[str, Binder]] = {
            "Path": {HOST_ENTRY: self._bind_host, SERVER_ENTRY: self._bind_server}
        }

    def explain_binding(self, entry: etree._Element, metadata: ClientMetadata) -> Sources:
        """See `Explaining`: the options in ``config.xml``, or the definitions in the directory."""
        fixed = Source(self.name, "plugin", text="every file of this plugin has this")
        if entry.get("name") == HOST_ENTRY:
            text = Source(
                self.name, "plugin", str(self._config.path), text="made from the client's metadata and these options"
            )
        else:
            text = Source(
                self.name, "plugin", str(self.directory), text="assembled from the definitions in this directory"
            )
        return Sources(dict.fromkeys(map(str, HOST_ATTRIBUTES), fixed), text=text)

    # -- one host

    def _bind_host(self, entry: etree._Element, metadata: ClientMetadata) -> None:
        if _UNSAFE.search(metadata.hostname) or not metadata.hostname:
            raise PluginExecutionError(f"{metadata.hostname!r} is not a valid name of a Nagios host")
        text = "\n".join(["define host {", *self._host_lines(metadata), "}", ""])
        self._store(f"{metadata.hostname}{HOST_SUFFIX}", text)
        entry.attrib.update(HOST_ATTRIBUTES)
        entry.text = text

    def _host_lines(self, metadata: ClientMetadata) -> Iterator[str]:
        yield _line("host_name", metadata.hostname)
        yield _line("alias", metadata.hostname)
        yield _line("address", _address(metadata.hostname))
        host_groups = self._host_groups(metadata)
        if host_groups:
            yield _line("hostgroups", ",".join(host_groups))
        options = self._options(metadata)
        options.setdefault("use", "default")
        for name, value in options.items():
            yield _line(name, value)

    def _host_groups(self, metadata: ClientMetadata) -> list[str]:
        """Return the client's groups and bundles with a host group, sorted."""
        found = set()
        for names, suffix in zip((metadata.groups, metadata.bundles), GROUP_SUFFIXES, strict=True):
            found |= {
                name for name in names if not _UNSAFE.search(name) and (self.directory / f"{name}{suffix}").is_file()
            }
        return sorted(found)

    def _options(self, metadata: ClientMetadata) -> dict[str, str]:
        """Return the options for a client; of several with one name, the last wins."""
        options: dict[str, str] = {}
        for element in self._config.match(metadata):
            name = element.get("name")
            if element.tag != "Option":
                continue
            if not name:
                self.log.error("%s: ignoring an Option without a name", self._config.path)
            else:
                options[name] = (element.text or "").strip()
        return options

    # -- the server

    def _bind_server(self, entry: etree._Element, metadata: ClientMetadata) -> None:
        hosts, groups = self.context.offload(self._read_definitions)
        text = "\n".join(groups) + "\n\n" + "\n".join(hosts)
        self._store("nagiosgen.cfg", text)
        entry.attrib.update(SERVER_ATTRIBUTES)
        entry.text = text

    def _read_definitions(self) -> tuple[list[str], list[str]]:
        """Return the definitions of all hosts, and of the host groups that have a host."""
        names = sorted(path.name for path in self.directory.iterdir())
        hosts = list(self._read(name for name in names if name.endswith(HOST_SUFFIX)))
        used = {DEFAULT_GROUP}.union(*map(_groups_of_definition, hosts))
        wanted = [
            name
            for name in names
            for suffix in GROUP_SUFFIXES
            if name.endswith(suffix) and name.removesuffix(suffix) in used
        ]
        return hosts, list(self._read(wanted))

    def _read(self, names: Iterable[str]) -> Iterator[str]:
        """Yield the contents of files; skip unreadable files with an error in the log."""
        for name in names:
            path = self.directory / name
            try:
                yield decode_text(read_file(path), self.context.encoding, path)
            except (OSError, RepositoryError) as err:
                message = f"{path}: {err.strerror}" if isinstance(err, OSError) else str(err)
                self.log.error("%s; leaving this file out of the Nagios configuration", message)

    def _store(self, name: str, text: str) -> None:
        """Store a generated file; `PluginExecutionError` if that fails."""
        path = self.directory / name
        if self.context.read_only:
            return
        try:
            self.context.offload(write_if_different, path, text.encode(self.context.encoding))
        except UnicodeEncodeError as err:
            raise PluginExecutionError(f"{path}: cannot encode {text[err.start]!r} in {self.context.encoding}") from err
        except OSError as err:
            raise PluginExecutionError(f"{path}: cannot be written: {err.strerror or err}") from err


def _groups_of_definition(text: str) -> set[str]:
    """Return the host groups in a host's definition."""
    found: set[str] = set()
    for line in text.splitlines():
        key, _, value = line.strip().replace("\t", " ").partition(" ")
        if key == "hostgroups":
            found.update(name.strip() for name in value.split(","))
    return found


def _address(hostname: str) -> str:
    """Resolve a host name to an address, IPv4 if possible; `PluginExecutionError` if it has none."""
    try:
        found: list[tuple[Any, ...]] = socket.getaddrinfo(hostname, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as err:
        raise PluginExecutionError(f"cannot resolve the address of {hostname}: {err}") from err
    found.sort(key=lambda item: item[0] != socket.AF_INET)
    return str(found[0][4][0])
