"""FileProbes: takes files over from clients into Cfg (docs: reference/plugins/fileprobes).

``config.xml`` names files: ``<FileProbe name="/etc/x" update="true" encoding="base64"/>``. A client is asked for a file
if Cfg has nothing for it, or always with ``update``. What it sends becomes ``Cfg/etc/x/x.H_<host>``, with an
``info.xml`` of owner, group and mode if there is none yet. With ``update`` a file that has changed on the client is
written again; otherwise what is in the repository stays.

Clients choose what they send, so only the contents of files that this client was to be asked for are taken.
"""

from __future__ import annotations

import base64
import binascii
import os
import posixpath
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from lxml import etree

from geventcore.errors import GeventcoreError, PluginExecutionError, PluginInitError, RepositoryError
from geventcore.options import Option, types
from geventcore.options.common import PLUGINS
from geventcore.plugin.base import Plugin
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.context import PluginContext
from geventcore.plugin.interfaces import Generator, Probing
from geventcore.plugins.cfg.handlers import CfgCreator, CfgGenerator, HandlerTable
from geventcore.specfiles.durable import create_if_missing, sync_directory, write_durably, write_if_different
from geventcore.specfiles.specificity import Specificity
from geventcore.specfiles.structfile import StructFile
from geventcore.specfiles.xmltext import decode_text, replace_illegal

CFG = "Cfg"
INTERPRETER = Option(
    "fileprobes",
    "interpreter",
    types.STRING,
    "/usr/bin/env python",
    "The Python that runs the probes on the clients.\n\n"
    "Set it to /usr/bin/env python3 where there is no program called python.",
)

#: Runs on any Python from 2.6 on. A file that is missing there is no failure of the client.
SCRIPT = """import base64, grp, os, pwd, stat, sys
from xml.sax.saxutils import quoteattr

def named(look_up, number):
    try:
        return look_up(number)[0]
    except KeyError:
        return str(number)

path = %s.encode('utf-8')
try:
    stream = open(path, 'rb')
    status = os.fstat(stream.fileno())
    content = base64.b64encode(stream.read()).decode('ascii')
except (IOError, OSError):
    sys.stderr.write('%%s\\n' %% (sys.exc_info()[1],))
else:
    sys.stdout.write('<ProbedFileData name=%%s owner=%%s group=%%s mode="%%04o">%%s</ProbedFileData>' %% (
        %s, quoteattr(named(pwd.getpwuid, status.st_uid)), quoteattr(named(grp.getgrgid, status.st_gid)),
        stat.S_IMODE(status.st_mode), content))
"""


@dataclass(frozen=True)
class WantedFile:
    """A file that a client may be asked for.

    Attributes:
        name: its path on the client.
        update: whether it is asked for again and again.
        encoding: what its ``info.xml`` says about the encoding, or None.
    """

    name: str
    update: bool
    encoding: str | None

    @property
    def relative(self) -> str:
        """The path of its directory below ``Cfg/``."""
        return self.name.lstrip("/")


@dataclass(frozen=True)
class ReceivedFile:
    """What a client sent about a file."""

    content: bytes
    owner: str | None
    group: str | None
    mode: str | None


class FileProbes(Plugin, Probing):
    """Asks for files and stores them."""

    options: ClassVar[tuple[Option[Any], ...]] = (INTERPRETER,)

    def __init__(self, context: PluginContext) -> None:
        super().__init__(context)
        if not any(name.rpartition(".")[2] == CFG for name in context.settings[PLUGINS]):
            raise PluginInitError(f"it stores files in {CFG}, which [server] plugins does not name")
        path = self.directory / "config.xml"
        create_if_missing(path, b"<FileProbes/>\n")
        self._config = StructFile(path, context)
        self._handlers = HandlerTable()
        self._writing = threading.Lock()

    # -- what is asked for

    def _wanted(self, metadata: ClientMetadata) -> Iterator[WantedFile]:
        """The files in the configuration that are for a client."""
        for element in self._config.xml_match(metadata).iter("FileProbe"):
            name = element.get("name", "")
            if not name.startswith("/") or name != posixpath.normpath(name) or name.startswith("//") or name == "/":
                self.log.error("%s: %r is not the plain absolute path of a file; ignored", self._config.path, name)
                continue
            yield WantedFile(name, element.get("update", "false").lower() == "true", element.get("encoding"))

    def _cfg_directory(self, wanted: WantedFile) -> Path:
        return self.context.repository / CFG / wanted.relative

    def _path(self, wanted: WantedFile, hostname: str) -> Path:
        """The file that is written for a client."""
        return self._cfg_directory(wanted) / f"{posixpath.basename(wanted.name)}{Specificity(hostname).suffix}"

    def _is_in_cfg(self, wanted: WantedFile, metadata: ClientMetadata) -> bool:
        """Whether Cfg has, or could create, the content for a client. The disk is asked: the last one may have just
        been written."""
        if self._path(wanted, metadata.hostname).is_file():
            return True
        base = posixpath.basename(wanted.name)
        this_host = Specificity(metadata.hostname).suffix
        try:
            names = os.listdir(self._cfg_directory(wanted))
        except (FileNotFoundError, NotADirectoryError):
            return False
        for name in names:
            # There may be a file for each of thousands of other hosts.
            if ".H_" in name.removeprefix(base) and this_host not in name:
                continue
            try:
                found = self._handlers.find(name, base)
            except RepositoryError:
                continue
            if found is None:
                continue
            handler, specificity = found
            if issubclass(handler, CfgGenerator | CfgCreator) and specificity.matches(metadata):
                return True
        return False

    def get_probes(self, metadata: ClientMetadata) -> list[etree._Element]:
        """A probe for each file that is wanted and missing, or to be kept up to date."""
        interpreter = self.context.settings[INTERPRETER]
        probes = []
        for wanted in self._wanted(metadata):
            if wanted.update or not self._is_in_cfg(wanted, metadata):
                probe = etree.Element("probe", name=wanted.name, source=self.name, interpreter=interpreter)
                probe.text = SCRIPT % (_python_text(wanted.name), _python_text(_quoted(wanted.name)))
                probes.append(probe)
        return probes

    # -- what is sent

    def receive_data(self, metadata: ClientMetadata, data: Sequence[etree._Element]) -> None:
        """Store the files. One that cannot be used is left out; one that cannot be written is an error at the end."""
        wanted = {file.name: file for file in self._wanted(metadata)}
        failures = []
        for element in data:
            name = element.get("name", "")
            if name not in wanted:
                self.log.error("%s sent a file that it was not asked for: %r; ignored", metadata.hostname, name)
            elif not (element.text or "").strip():
                self.log.info("%s has no file %s", metadata.hostname, name)
            else:
                try:
                    self._take(wanted[name], _parse(element.text or ""), metadata)
                except ValueError as err:
                    self.log.error("%s: %s: what it sent cannot be used: %s", metadata.hostname, name, err)
                except PluginExecutionError as err:
                    failures.append(str(err))
        if failures:
            raise PluginExecutionError("; ".join(failures))

    def _take(self, wanted: WantedFile, received: ReceivedFile, metadata: ClientMetadata) -> None:
        host = metadata.hostname
        if self._is_in_cfg(wanted, metadata):
            if not wanted.update:
                self.debug_log("%s: %s is in the repository already", host, wanted.name)
                return
            try:
                current = self._current_content(wanted, metadata)
            except GeventcoreError as err:
                self.log.error("%s: %s is not updated, as the present content is not known: %s", host, wanted.name, err)
                return
            if current == received.content:
                self.debug_log("%s: %s has not changed", host, wanted.name)
                return
        path = self._path(wanted, host)
        if "/" in host:
            raise PluginExecutionError(f"there can be no file {path.name}")
        self.log.info("%s: writing %s", host, path)
        try:
            self.context.offload(self._write, path, wanted, received)
        except OSError as err:
            raise PluginExecutionError(f"{path}: cannot be written: {err.strerror or err}") from err
        self.context.handle_file_events()

    def _current_content(self, wanted: WantedFile, metadata: ClientMetadata) -> bytes | None:
        """The content that Cfg delivers to a client; None if it has not noticed the file yet."""
        for generator in self.context.plugins_by_type(Generator):
            bind = generator.entries.get("Path", {}).get(wanted.name) if _is_cfg(generator) else None
            if bind is not None:
                entry = etree.Element("Path", name=wanted.name)
                bind(entry, metadata)
                text = entry.text or ""
                if entry.get("encoding") == "base64":
                    return base64.b64decode(text)
                return text.encode(self.context.encoding)
        return None

    def _write(self, path: Path, wanted: WantedFile, received: ReceivedFile) -> None:
        """Write the file, and before it an ``info.xml`` if there is none: a file without one would be root's."""
        # Of two clients that are the first to send a file at the same time, one writes the info.xml.
        with self._writing:
            _make_directories(path.parent)
            info = path.with_name("info.xml")
            if not info.exists():
                write_durably(info, self._info(wanted, received))
        write_if_different(path, received.content)

    def _info(self, wanted: WantedFile, received: ReceivedFile) -> bytes:
        encoding = wanted.encoding
        if encoding is None:
            try:
                decode_text(received.content, self.context.encoding, wanted.name)
            except RepositoryError:
                encoding = "base64"
        attributes = {
            "owner": received.owner,
            "group": received.group,
            "mode": received.mode,
            "encoding": encoding,
        }
        root = etree.Element("FileInfo")
        element = etree.SubElement(root, "Info")
        for name, value in attributes.items():
            if value:
                element.set(name, value)
        return etree.tostring(root, pretty_print=True)


def _is_cfg(generator: Generator) -> bool:
    return isinstance(generator, Plugin) and generator.name == CFG


def _parse(text: str) -> ReceivedFile:
    """What a client sent; `ValueError` if that is something else."""
    parser = etree.XMLParser(encoding="utf-8", no_network=True, load_dtd=False, resolve_entities=False, huge_tree=True)
    try:
        element = etree.fromstring(text.strip().encode("utf-8", "replace"), parser)
    except etree.XMLSyntaxError as err:
        raise ValueError(f"not well-formed: {err.msg}") from err
    if element.tag != "ProbedFileData":
        raise ValueError(f"it is a {element.tag}, not ProbedFileData")
    try:
        content = base64.b64decode("".join((element.text or "").split()), validate=True)
    except (binascii.Error, ValueError) as err:
        raise ValueError(f"not base64: {err}") from err
    return ReceivedFile(content, element.get("owner"), element.get("group"), element.get("mode"))


def _make_directories(directory: Path) -> None:
    """Make a directory, and those that it is in, durably."""
    if not directory.is_dir():
        _make_directories(directory.parent)
        directory.mkdir(exist_ok=True)
        sync_directory(directory.parent)


def _quoted(name: str) -> str:
    """A name as the value of an attribute, in characters that every output encoding has."""
    element = etree.Element("x", name=replace_illegal(name))
    return etree.tostring(element).decode("ascii").removeprefix("<x name=").removesuffix("/>")


def _python_text(text: str) -> str:
    """An expression for a text that every Python reads alike."""
    return f"u{text!a}"
