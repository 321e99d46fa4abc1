"""The repository as checks see it: its files, XML documents, bundles and entries of Cfg.

Everything is read when it is first asked for, and then kept. Nothing is written or created.
"""

from __future__ import annotations

import contextlib
import fnmatch
import os
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from lxml import etree

from geventcore.core.base import Core
from geventcore.errors import GeventcoreError, RepositoryError
from geventcore.options import LoadedSettings
from geventcore.options.server import ENCODING, IGNORE_FILES, PLUGINS, REPOSITORY
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.registry import unique
from geventcore.plugin.specificity import Specificity
from geventcore.plugins.cfg.handlers import CfgHandler, HandlerTable
from geventcore.plugins.cfg.options import HANDLERS
from geventcore.regular_files import read_file
from geventcore.specfiles.structfile import GENSHI_NAMESPACE
from geventcore.tools.lint import documents
from geventcore.tools.lint.documents import Document
from geventcore.tools.lint.findings import Place

#: Quoted words, which may be the names of groups in templates and helpers.
_QUOTED = re.compile(r"(?:[\"']|group:)([^\s\"'<>]+)")
#: Groups that a probe prints.
_PROBED = re.compile(r"group:([^\s\"'<>$`]+)")
#: The endings of templates and helpers.
_CODE = frozenset({".genshi", ".jinja2", ".cheetah", ".py"})
#: Directories that version control systems keep.
_VERSION_CONTROL = frozenset({".git", ".hg", ".bzr", "_darcs", "CVS", ".svn"})


@dataclass(frozen=True)
class CfgFile:
    """A file of an entry of Cfg.

    Attributes:
        path: the file.
        handler: the class of its handler.
        specificity: the clients that it is for.
    """

    path: Path
    handler: type[CfgHandler]
    specificity: Specificity


@dataclass
class CfgEntry:
    """A directory of Cfg with files.

    Attributes:
        name: the name of the entry, such as ``/etc/motd``.
        directory: the directory.
        files: the files that it takes.
    """

    name: str
    directory: Path
    files: list[CfgFile] = field(default_factory=list)

    def of_kind(self, *kinds: type) -> list[CfgFile]:
        """Return the files whose handlers are of one of these kinds."""
        return [file for file in self.files if issubclass(file.handler, kinds)]


@dataclass
class CfgFiles:
    """All files below ``Cfg/``.

    Attributes:
        entries: name -> entry, sorted by name.
        unknown: the files that no entry takes.
        extra: the files that an entry takes although ``[server] ignore_files`` matches their paths.
    """

    entries: dict[str, CfgEntry] = field(default_factory=dict)
    unknown: list[Path] = field(default_factory=list)
    extra: list[Path] = field(default_factory=list)


class LintSite:
    """The repository of a site.

    Attributes:
        settings: the settings.
        repository: the directory.
        plugins: the names of the enabled plugins.
        encoding: the encoding of texts.
        listed: the only files to look at, as ``--stdin`` and ``--changed-since`` say; None for all.
        reads_others: true if the other files may be read as well, to judge the listed ones.
        xml_directories: directories whose names are those of XML files; known after `files` was read.
        unreadable_directories: directories that cannot be read, and why; known after `files` was read.
        core: the server without a network, for the checks that need it; None if there is none.
        core_problem: the reason if the server cannot be loaded.
    """

    def __init__(
        self, settings: LoadedSettings, listed: Collection[Path] | None = None, *, reads_others: bool = False
    ) -> None:
        self.settings = settings
        self.repository = Path(settings[REPOSITORY])
        names = settings[PLUGINS]
        self.plugins = unique(names)
        self.encoding = settings[ENCODING]
        self.listed = None if listed is None else frozenset(listed)
        self.reads_others = listed is None or reads_others
        self.core: Core | None = None
        self.core_problem = ""
        self.xml_directories: list[Path] = []
        self.unreadable_directories: dict[Path, str] = {}
        self._documents: dict[Path, Document] = {}

    def concerns(self, path: Path) -> bool:
        """Return true if a file is to be looked at."""
        return self.listed is None or path in self.listed

    # -- files

    @cached_property
    def files(self) -> list[Path]:
        """All files and dangling links of the repository, sorted. Links to directories are followed."""
        return sorted(self._walk(str(self.repository), frozenset()))

    def _walk(self, top: str, around: frozenset[tuple[int, int]]) -> Iterator[Path]:
        """Yield the files below a directory; not those of a directory that contains itself."""
        try:
            status = os.stat(top)
            with os.scandir(top) as entries:
                found = list(entries)
        except OSError as err:
            self.unreadable_directories[Path(top)] = err.strerror or str(err)
            return
        here = (status.st_dev, status.st_ino)
        if here in around:
            return
        for entry in found:
            if not entry.is_dir():
                yield Path(entry.path)
            elif entry.name not in _VERSION_CONTROL:
                if entry.name.endswith(".xml"):
                    self.xml_directories.append(Path(entry.path))
                yield from self._walk(entry.path, around | {here})

    @cached_property
    def _by_top(self) -> dict[str, list[Path]]:
        found: dict[str, list[Path]] = {}
        depth = len(self.repository.parts)
        for path in self.files:
            found.setdefault(path.parts[depth] if len(path.parts) > depth else "", []).append(path)
        return found

    def below(self, directory: str, pattern: str = "*", *, deep: bool = True) -> list[Path]:
        """Return the files of a directory of the repository whose names match a pattern; with `deep`, at any depth."""
        return self._matching(self._by_top.get(Path(directory).parts[0], []), directory, pattern, deep)

    def directories_below(self, directory: str, pattern: str, *, deep: bool) -> list[Path]:
        """Return the directories whose names a pattern for XML files matches."""
        return self._matching(self.xml_directories if self.files else [], directory, pattern, deep)

    def _matching(self, paths: Iterable[Path], directory: str, pattern: str, deep: bool) -> list[Path]:
        top = self.repository / directory
        return [
            path
            for path in paths
            if fnmatch.fnmatchcase(path.name, pattern) and (path.parent == top or (deep and top in path.parents))
        ]

    def read(self, path: Path) -> bytes:
        """Return the bytes of a file, empty if it cannot be read."""
        try:
            return read_file(path)
        except OSError:
            return b""

    def relative(self, path: Path) -> str:
        """Return the path of a file below the repository, for messages."""
        try:
            return str(path.relative_to(self.repository))
        except ValueError:
            return str(path)

    # -- XML

    def document(self, path: Path) -> Document:
        """Return the document of a file."""
        if path not in self._documents:
            self._documents[path] = documents.load(path)
        return self._documents[path]

    def place(self, path: Path, element: etree._Element, attribute: str = "") -> Place:
        """Return the place of an element of the document of a file, which may stand in an included file."""
        return documents.place_of(self.document(path).origin(element), element, attribute)

    @property
    def groups_file(self) -> Path:
        """The file of the groups."""
        return self.repository / "Metadata" / "groups.xml"

    @property
    def clients_file(self) -> Path:
        """The file of the clients."""
        return self.repository / "Metadata" / "clients.xml"

    @cached_property
    def bundles(self) -> dict[str, Path]:
        """The bundles: name -> file. Files that are not XML are left out."""
        return {path.stem: path for path in self.bundle_files if self.document(path).root is not None}

    @cached_property
    def bundle_files(self) -> list[Path]:
        """The files of bundles."""
        found = self.below("Bundler", "*.xml") + self.below("Bundler", "*.genshi")
        return [path for path in found if not self.is_ignored(path.name)]

    def is_template(self, path: Path) -> bool:
        """Return true if an XML file is a template of Genshi."""
        root = self.document(path).root
        return path.suffix == ".genshi" or (root is not None and root.nsmap.get("py") == GENSHI_NAMESPACE)

    def plugin_files(self, plugin: str) -> list[Path]:
        """Return the XML files directly in the directory of a plugin."""
        return [path for path in self.below(plugin, "*.xml", deep=False) if not self.is_ignored(path.name)]

    # -- clients and groups

    @cached_property
    def client_names(self) -> frozenset[str]:
        """The names and aliases of clients in ``clients.xml``, in lower case, and those that the server knows."""
        found = {
            element.get("name", "").lower() for element in self.document(self.clients_file).tagged("Client", "Alias")
        }
        if self.core is not None:
            found |= set(self.core.metadata_source().list_clients())
        return frozenset(found)

    @cached_property
    def metadata_of_clients(self) -> list[ClientMetadata]:
        """The metadata of all clients, as the server builds them; clients for which that fails are left out."""
        found = []
        for name in self.core.metadata_source().list_clients() if self.core is not None else ():
            with contextlib.suppress(GeventcoreError):
                found.append(self.core.build_metadata(name))  # type: ignore[union-attr]
        return found

    @cached_property
    def known_groups(self) -> frozenset[str]:
        """The groups that are declared, given by a plugin's file, or had by a client."""
        found = {element.get("name", "") for element in self.document(self.groups_file).tagged("Group")}
        found |= {element.get("profile", "") for element in self.document(self.clients_file).tagged("Client")}
        for plugin in ("GroupPatterns", "AWSTags", "GroupLogic"):
            for path in self.below(plugin, "*.xml", deep=False):
                for element in self.document(path).tagged("Group"):
                    found |= {element.get("name", ""), (element.text or "").strip()}
        for path in self.below("Probes", deep=False):
            found |= set(_PROBED.findall(self.read(path).decode("utf-8", "replace")))
        for metadata in self.metadata_of_clients:
            found |= metadata.groups
        return frozenset(found)

    @cached_property
    def named_groups(self) -> frozenset[str]:
        """The groups that conditions, files of Cfg, or texts of templates and helpers name."""
        found: set[str] = set()
        for path in self.files:
            if path in (self.groups_file, self.clients_file):
                continue
            is_xml = path.suffix == ".xml" or self.repository / "Bundler" in path.parents
            if is_xml:
                found |= {element.get("name", "") for element in self.document(path).tagged("Group")}
            if path.suffix in _CODE or (is_xml and self.is_template(path)) or path.parent.name == "Probes":
                found |= set(_QUOTED.findall(self.read(path).decode("utf-8", "replace")))
        for element in self.document(self.groups_file).tagged("Group"):
            parent = element.getparent()
            if parent is not None and parent.tag in ("Group", "Client"):
                found.add(element.get("name", ""))
        for entry in self.cfg.entries.values():
            found |= {file.specificity.group for file in entry.files if file.specificity.group}
        return frozenset(found)

    # -- Cfg

    @cached_property
    def _ignored(self) -> tuple[str, ...]:
        patterns = self.settings[IGNORE_FILES]
        return tuple(patterns)

    def is_ignored(self, name: str) -> bool:
        """Return true if ``[server] ignore_files`` matches a file's name."""
        return any(fnmatch.fnmatchcase(name, pattern) for pattern in self._ignored)

    def _is_path_ignored(self, path: Path) -> bool:
        parts = path.relative_to(self.repository).parts
        return self.is_ignored(str(path)) or any(map(self.is_ignored, parts))

    @cached_property
    def cfg(self) -> CfgFiles:
        """The files of Cfg."""
        found = CfgFiles()
        names = self.settings[HANDLERS]
        table = HandlerTable(names)
        top = self.repository / "Cfg"
        for path in self.below("Cfg"):
            is_taken = False
            if path.is_file() and not self.is_ignored(path.name) and path.parent != top:
                name = f"/{path.parent.relative_to(top)}"
                entry = found.entries.setdefault(name, CfgEntry(name, path.parent))
                is_taken = _add_to(entry, path, table)
            if not is_taken:
                if not self._is_path_ignored(path):
                    found.unknown.append(path)
            elif self._is_path_ignored(path):
                found.extra.append(path)
        return found


def _add_to(entry: CfgEntry, path: Path, table: HandlerTable) -> bool:
    """Add a file to an entry; return false if the entry does not take it."""
    base = path.parent.name
    delta = table.find_delta(path.name, base)
    if delta is not None:
        entry.files.append(CfgFile(path, delta[0], delta[1]))
        return True
    try:
        found = table.find(path.name, base)
    except RepositoryError:
        left_out = table.find_left_out(path.name, base)
        if left_out is None:
            return False
        found = left_out
    if found is not None:
        entry.files.append(CfgFile(path, *found))
    return True


def direct_groups(root: etree._Element) -> Iterator[etree._Element]:
    """Yield the groups that are declared directly below ``Groups``, at any depth of such elements."""
    for element in root.iterchildren(etree.Element):
        if element.tag == "Group":
            yield element
        elif element.tag == "Groups":
            yield from direct_groups(element)
