"""FileProbes: import of files from clients into Cfg (docs: reference/plugins/fileprobes).

``config.xml`` names files: ``<FileProbe name="/etc/x" update="true" encoding="base64" owner="root" group="root"
mode="0644"/>``. The server requests a file from a client if Cfg has none for it, or always with ``update``. The content
becomes ``Cfg/etc/x/x.H_<host>``. With ``update``, a file that has changed on the client is written again; otherwise the
file in the repository stays.

A client may send anything. So only files that were requested from this client are stored, and only under a name that
Cfg reads as plain text for this host. Owner, group and mode are those of ``config.xml``, and go into an ``info.xml`` if
there is none yet: ``info.xml`` is for all clients, so nothing that one client sends gets there. A file that others may
not read on the client is stored only if the repository has a mode for it.
"""

from __future__ import annotations

import base64
import binascii
import os
import posixpath
import stat
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from lxml import etree

from geventcore.errors import GeventcoreError, PluginExecutionError, PluginInitError, RepositoryError, SpecificityError
from geventcore.log import few_of
from geventcore.options import Option, types
from geventcore.options.server import PLUGINS
from geventcore.plugin.base import Plugin
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.context import PluginContext
from geventcore.plugin.interfaces import Generator, Probing
from geventcore.plugin.specificity import Specificity
from geventcore.plugins.cfg.handlers import CfgCreator, CfgGenerator, handler_table
from geventcore.plugins.cfg.options import HANDLERS
from geventcore.repository.durable_writes import create_if_missing, make_directories, write_durably, write_if_different
from geventcore.specfiles.structfile import StructFile
from geventcore.specfiles.xmltext import decode_text, replace_illegal

CFG = "Cfg"
#: The limit on remembered messages, each of which is logged once.
REPORTED_LIMIT = 10_000
#: The attributes of a ``FileProbe`` that go into ``info.xml``.
RULE_ATTRIBUTES = ("owner", "group", "mode")
INTERPRETER = Option(
    "fileprobes",
    "interpreter",
    types.STRING,
    "/usr/bin/env python",
    "The Python interpreter for the probes on the clients.\n\n"
    "Set it to /usr/bin/env python3 if the clients have no program called python.",
)

#: The probe; it runs on Python 2.6 and later. A missing file is no failure of the probe.
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
    """A file to request from a client.

    Attributes:
        name: its path on the client.
        update: true if it is requested in every run.
        encoding: the encoding for its ``info.xml``, or None.
        attributes: owner, group and mode for its ``info.xml``, as far as the repository has them.
    """

    name: str
    update: bool
    encoding: str | None
    attributes: Mapping[str, str]

    @property
    def relative(self) -> str:
        """The path of its directory, relative to ``Cfg/``."""
        return self.name.lstrip("/")


@dataclass(frozen=True)
class ReceivedFile:
    """A file as a client sent it.

    Attributes:
        content: its bytes.
        is_private: true if it is not readable by everybody on the client.
    """

    content: bytes
    is_private: bool


class FileProbes(Plugin, Probing):
    """A plugin that requests files from clients and stores them in Cfg."""

    options: ClassVar[tuple[Option[Any], ...]] = (INTERPRETER, HANDLERS)

    def __init__(self, context: PluginContext) -> None:
        super().__init__(context)
        if not any(name.rpartition(".")[2] == CFG for name in context.settings[PLUGINS]):
            raise PluginInitError(f"it stores files in {CFG}; add {CFG} to [server] plugins")
        path = self.directory / "config.xml"
        default = b"<FileProbes/>\n"
        create_if_missing(path, default, context.read_only)
        self._config = StructFile(path, context, default=default)
        in_use = context.settings[HANDLERS]
        self._handlers = handler_table(in_use)
        self._refused: set[tuple[str, str]] = set()
        self._writing = threading.Lock()

    # -- requests

    def _wanted(self, metadata: ClientMetadata) -> Iterator[WantedFile]:
        """Yield the files in ``config.xml`` that apply to a client."""
        for element in self._config.xml_match(metadata).iter("FileProbe"):
            name = element.get("name", "")
            if not name.startswith("/") or name != posixpath.normpath(name) or name.startswith("//") or name == "/":
                self.log.error("%s: ignoring %r, which is not a plain absolute path", self._config.path, name)
                continue
            try:
                self._handlers.plain_file_name(posixpath.basename(name), Specificity(metadata.hostname))
            except SpecificityError as err:
                if (name, metadata.hostname) not in self._refused and len(self._refused) < REPORTED_LIMIT:
                    self._refused.add((name, metadata.hostname))
                    self.log.error("%s: ignoring the probe for %s: %s", metadata.hostname, name, err)
                continue
            given = {key: element.get(key, "") for key in RULE_ATTRIBUTES}
            yield WantedFile(
                name,
                element.get("update", "false").lower() == "true",
                element.get("encoding"),
                {key: value for key, value in given.items() if value},
            )

    def _cfg_directory(self, wanted: WantedFile) -> Path:
        return self.context.repository / CFG / wanted.relative

    def _path(self, wanted: WantedFile, hostname: str) -> Path:
        """Return the path of a client's file in the repository; `SpecificityError` if the client cannot have one."""
        name = self._handlers.plain_file_name(posixpath.basename(wanted.name), Specificity(hostname))
        return self._cfg_directory(wanted) / name

    def _is_in_cfg(self, wanted: WantedFile, metadata: ClientMetadata) -> bool:
        """Return true if Cfg has, or could create, the content for a client.

        This reads the disk, because Cfg may not have noticed a file that was just written.
        """
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
        """Return a probe for each file that is missing in the repository or has ``update``."""
        interpreter = self.context.settings[INTERPRETER]
        probes = []
        for wanted in self._wanted(metadata):
            if wanted.update or not self._is_in_cfg(wanted, metadata):
                probe = etree.Element("probe", name=wanted.name, source=self.name, interpreter=interpreter)
                probe.text = SCRIPT % (_python_text(wanted.name), _python_text(_quoted(wanted.name)))
                probes.append(probe)
        return probes

    # -- answers

    def receive_data(self, metadata: ClientMetadata, data: Sequence[etree._Element]) -> None:
        """Store the files and skip invalid ones; `PluginExecutionError` at the end if a file cannot be written."""
        wanted = {file.name: file for file in self._wanted(metadata)}
        failures = []
        not_requested = [name for name in (element.get("name", "") for element in data) if name not in wanted]
        if not_requested:
            self.log.error("%s: ignoring files that were not requested: %s", metadata.hostname, few_of(not_requested))
        for element in data:
            name = element.get("name", "")
            if name not in wanted:
                continue
            if not (element.text or "").strip():
                self.log.info("%s: the client has no file %s", metadata.hostname, name)
            else:
                try:
                    self._take(wanted[name], _parse(element.text or ""), metadata)
                except ValueError as err:
                    self.log.error("%s: ignoring the invalid answer for %s: %s", metadata.hostname, name, err)
                except PluginExecutionError as err:
                    failures.append(str(err))
        if failures:
            raise PluginExecutionError("; ".join(failures))

    def _take(self, wanted: WantedFile, received: ReceivedFile, metadata: ClientMetadata) -> None:
        host = metadata.hostname
        if self._is_in_cfg(wanted, metadata):
            if not wanted.update:
                self.debug_log("%s: %s is already in the repository", host, wanted.name)
                return
            try:
                current = self._current_content(wanted, metadata)
            except GeventcoreError as err:
                self.log.error(
                    "%s: cannot update %s, because its current content cannot be determined: %s", host, wanted.name, err
                )
                return
            if current == received.content:
                self.debug_log("%s: %s has not changed", host, wanted.name)
                return
        path = self._path(wanted, host)
        if received.is_private and "mode" not in wanted.attributes and not path.with_name("info.xml").exists():
            self.log.error(
                "%s: ignoring %s: not everybody may read this file on the client, and the repository has no mode for "
                "it; give its FileProbe in %s a mode",
                *(host, wanted.name, self._config.path),
            )
            return
        self.log.info("%s: writing %s", host, path)
        try:
            self.context.offload(self._write, path, wanted, received)
        except OSError as err:
            raise PluginExecutionError(f"{path}: cannot be written: {err.strerror or err}") from err
        self.context.handle_file_events()

    def _current_content(self, wanted: WantedFile, metadata: ClientMetadata) -> bytes | None:
        """Return the content that Cfg delivers to a client; None if Cfg has not noticed the file yet."""
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
        """Write the file, and first an ``info.xml`` if there is none and the repository has anything for it."""
        # If two clients send a file for the first time at once, only one of them writes the info.xml.
        with self._writing:
            make_directories(path.parent)
            info = path.with_name("info.xml")
            text = None if info.exists() else self._info(wanted, received)
            if text is not None:
                write_durably(info, text)
        write_if_different(path, received.content)

    def _info(self, wanted: WantedFile, received: ReceivedFile) -> bytes | None:
        encoding = wanted.encoding
        if encoding is None:
            try:
                decode_text(received.content, self.context.encoding, wanted.name)
            except RepositoryError:
                # Right for every content, so it does no harm to other clients.
                encoding = "base64"
        attributes = {**wanted.attributes, **({"encoding": encoding} if encoding else {})}
        if not attributes:
            return None
        root = etree.Element("FileInfo")
        etree.SubElement(root, "Info", attributes)
        return etree.tostring(root, pretty_print=True)


def _is_cfg(generator: Generator) -> bool:
    return isinstance(generator, Plugin) and generator.name == CFG


def _parse(text: str) -> ReceivedFile:
    """Parse the output of the probe; `ValueError` if it is invalid."""
    parser = etree.XMLParser(encoding="utf-8", no_network=True, load_dtd=False, resolve_entities=False, huge_tree=True)
    try:
        element = etree.fromstring(text.strip().encode("utf-8", "replace"), parser)
    except etree.XMLSyntaxError as err:
        raise ValueError(f"not well-formed: {err.msg}") from err
    if element.tag != "ProbedFileData":
        raise ValueError(f"the element is {element.tag}, not ProbedFileData")
    try:
        content = base64.b64decode("".join((element.text or "").split()), validate=True)
    except (binascii.Error, ValueError) as err:
        raise ValueError(f"not base64: {err}") from err
    try:
        mode = int(element.get("mode") or "0644", 8)
    except ValueError as err:
        raise ValueError(f"the mode is not an octal number: {element.get('mode')!r}") from err
    return ReceivedFile(content, is_private=not mode & stat.S_IROTH)


def _quoted(name: str) -> str:
    """Return a name as an attribute value in ASCII, which every output encoding has."""
    element = etree.Element("x", name=replace_illegal(name))
    return etree.tostring(element).decode("ascii").removeprefix("<x name=").removesuffix("/>")


def _python_text(text: str) -> str:
    """Return an expression for a text that Python 2 and 3 evaluate alike."""
    return f"u{text!a}"
