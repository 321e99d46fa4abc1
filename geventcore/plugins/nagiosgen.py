"""NagiosGen: a configuration for Nagios that knows every client (docs: reference/plugins/nagiosgen).

A client that has ``/etc/nagiosgen.status`` in a bundle gets the definition of itself as a host, which is also kept as
``NagiosGen/<host>-host.cfg``. The machine that runs Nagios has ``/etc/nagios/conf.d/bcfg2.cfg`` and gets the
definitions of all hosts, and of those host groups that some host is in: ``<group>-group.cfg`` for a group and
``<bundle>-bundle.cfg`` for a bundle of the clients. Options of hosts are in ``config.xml``.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from lxml import etree

from geventcore.errors import PluginExecutionError, RepositoryError
from geventcore.plugin.base import Plugin
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.context import PluginContext
from geventcore.plugin.interfaces import Binder, Generator
from geventcore.specfiles.durable import create_if_missing, write_if_different
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
#: Files that define a host group are called like a group or a bundle, and end so.
GROUP_SUFFIXES = ("-group.cfg", "-bundle.cfg")
#: A host group that every host may be in without naming it.
DEFAULT_GROUP = "default"


def _line(key: str, value: str) -> str:
    return f"\t{key:<32} {value}"


class NagiosGen(Plugin, Generator):
    """Binds the two files."""

    def __init__(self, context: PluginContext) -> None:
        super().__init__(context)
        path = self.directory / "config.xml"
        create_if_missing(path, b"<NagiosGen/>\n")
        self._config = StructFile(path, context)
        self.entries: Mapping[str, Mapping[str, Binder]] = {
            "Path": {HOST_ENTRY: self._bind_host, SERVER_ENTRY: self._bind_server}
        }

    # -- one host

    def _bind_host(self, entry: etree._Element, metadata: ClientMetadata) -> None:
        if "/" in metadata.hostname:
            raise PluginExecutionError(f"there can be no file {metadata.hostname}{HOST_SUFFIX}")
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
        """The client's groups and bundles for which there is a host group, sorted."""
        found = set()
        for names, suffix in zip((metadata.groups, metadata.bundles), GROUP_SUFFIXES, strict=True):
            found |= {name for name in names if "/" not in name and (self.directory / f"{name}{suffix}").is_file()}
        return sorted(found)

    def _options(self, metadata: ClientMetadata) -> dict[str, str]:
        """The options for a client; of several with one name the last counts."""
        options: dict[str, str] = {}
        for element in self._config.match(metadata):
            name = element.get("name")
            if element.tag != "Option":
                continue
            if not name:
                self.log.error("%s: an Option without a name is ignored", self._config.path)
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
        """The definitions of all hosts, and of the host groups that they are in."""
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
        """The contents of files; one that cannot be read is left out."""
        for name in names:
            path = self.directory / name
            try:
                yield decode_text(path.read_bytes(), self.context.encoding, path)
            except (OSError, RepositoryError) as err:
                message = f"{path}: {err.strerror}" if isinstance(err, OSError) else str(err)
                self.log.error("%s; it is left out of the configuration of Nagios", message)

    def _store(self, name: str, text: str) -> None:
        """Keep a generated file; `PluginExecutionError` if that fails."""
        path = self.directory / name
        try:
            self.context.offload(write_if_different, path, text.encode(self.context.encoding))
        except UnicodeEncodeError as err:
            raise PluginExecutionError(f"{path}: {text[err.start]!r} is no {self.context.encoding} text") from err
        except OSError as err:
            raise PluginExecutionError(f"{path}: cannot be written: {err.strerror or err}") from err


def _groups_of_definition(text: str) -> set[str]:
    """The host groups that a host's definition names."""
    found: set[str] = set()
    for line in text.splitlines():
        key, _, value = line.strip().replace("\t", " ").partition(" ")
        if key == "hostgroups":
            found.update(name.strip() for name in value.split(","))
    return found


def _address(hostname: str) -> str:
    """The address of a host, IPv4 if it has one; `PluginExecutionError` if it has none."""
    try:
        found: list[tuple[Any, ...]] = socket.getaddrinfo(hostname, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as err:
        raise PluginExecutionError(f"the address of {hostname} is not known: {err}") from err
    found.sort(key=lambda item: item[0] != socket.AF_INET)
    return str(found[0][4][0])
