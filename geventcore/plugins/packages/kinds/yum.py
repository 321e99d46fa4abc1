"""The metadata of an RPM repository: ``repomd.xml`` and the lists that it names.

``primary`` has the packages with what they require and provide, and those of their files that are often required;
``filelists`` has all files; ``group`` has the groups of packages (comps), and ``modules`` the streams of modules. The
format has no specification; createrepo_c is what makes it.
"""

from __future__ import annotations

import functools
import glob
import hashlib
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from urllib.parse import urljoin, urlsplit
from xml.sax.saxutils import unescape

from lxml import etree

from geventcore.errors import PackageSourceError
from geventcore.plugins.packages.compression import opened
from geventcore.plugins.packages.downloads import Downloads, Expected, MissingFileError
from geventcore.plugins.packages.index import Condition, PackageGroup
from geventcore.plugins.packages.kinds.base import Fetching, Kind, Origin, attempt_all
from geventcore.plugins.packages.kinds.modules import ModuleFilter, Modules, can_read_modules
from geventcore.plugins.packages.kinds.rich_dependencies import is_rich, parse_rich
from geventcore.plugins.packages.records import PackageRecord, SourceRecords
from geventcore.plugins.packages.urls import public_url
from geventcore.plugins.packages.versions import RPMVersion, rpm_version

REPO = "{http://linux.duke.edu/metadata/repo}"
COMMON = "{http://linux.duke.edu/metadata/common}"
RPM = "{http://linux.duke.edu/metadata/rpm}"
FILELISTS = "{http://linux.duke.edu/metadata/filelists}"

#: Data of a repository -> the types of ``repomd.xml`` that have them, the best one first.
TYPES = {
    "primary": ("primary",),
    "filelists": ("filelists",),
    "group": ("group", "group_gz", "group_xz", "group_zst"),
    "modules": ("modules", "modules_gz", "modules_xz", "modules_zst"),
}
_RELATIONS = {"EQ": "=", "LT": "<<", "LE": "<=", "GT": ">>", "GE": ">="}
#: Names of checksums in ``repomd.xml`` that hashlib has other names for.
_ALGORITHMS = {"sha": "sha1"}
#: The end of the names of files that cannot be read: there is no library for zchunk.
UNREADABLE = ".zck"

#: What is read of a list at a time in search of paths, and the longest tag, in bytes.
CHUNK_BYTES = 1 << 20
MAX_TAG_BYTES = 1 << 16
_PATH = re.compile(rb"""<rpm:entry\s[^>]*?\bname=["']([/(][^"']*)["']""")
_INNER_PATH = re.compile(r"(?<=[\s(])/[^\s()]+")
#: Entities besides those of every XML text.
ENTITIES = {"&quot;": '"', "&apos;": "'"}


@dataclass(frozen=True)
class _List:
    """A file that ``repomd.xml`` names."""

    url: str
    expected: Expected | None


class YumKind(Kind):
    """Repositories of RPM packages."""

    def fetch(self, origin: Origin, architecture: str, fetching: Fetching) -> None:
        """See `Kind`."""
        attempt_all(functools.partial(_fetch_repository, base, fetching) for base in _bases(origin, architecture))

    def files(self, origin: Origin, architecture: str, downloads: Downloads) -> list[Path]:
        """See `Kind`."""
        paths: list[Path] = []
        for base in _bases(origin, architecture):
            repomd = downloads.path(_repomd(base))
            try:
                lists = _lists(base, downloads)
            except MissingFileError:
                paths.append(repomd)
                continue
            # A site's cache has lists without repomd.xml.
            paths += [repomd] if repomd.is_file() else []
            paths += [downloads.path(found.url) for found in lists.values()]
        return paths

    def read(
        self, origin: Origin, architecture: str, downloads: Downloads, wanted_paths: frozenset[str]
    ) -> SourceRecords:
        """See `Kind`. Of a package in several components, or versions, the newest counts."""
        lists = _all_lists(origin, architecture, downloads)
        reader = _Reader(_module_filter(lists, downloads))
        for found in lists:
            reader.read_primary(found["primary"].url, downloads)
        needed = reader.missing_paths(wanted_paths)
        for found in lists:
            if needed and "filelists" in found and downloads.path(found["filelists"].url).is_file():
                reader.read_filelists(found["filelists"].url, downloads, needed)
            if "group" in found and downloads.path(found["group"].url).is_file():
                reader.read_groups(found["group"].url, downloads)
        return reader.records

    def required_paths(self, origin: Origin, architecture: str, downloads: Downloads) -> set[str]:
        """See `Kind`. Every entry of the list that names a path counts, whether it is required or provided."""
        paths: set[str] = set()
        for found in _all_lists(origin, architecture, downloads):
            url = found["primary"].url
            with opened(downloads.path(url), public_url(url)) as stream:
                rest = b""
                while chunk := stream.read(CHUNK_BYTES):
                    text = rest + chunk
                    end = text.rfind(b">") + 1
                    text, rest = text[:end], text[end:][-MAX_TAG_BYTES:]
                    for found_text in _PATH.findall(text):
                        name = unescape(found_text.decode("utf-8", "replace"), ENTITIES)
                        paths.update(_INNER_PATH.findall(name) if is_rich(name) else (name,))
        return paths


def _bases(origin: Origin, architecture: str) -> list[str]:
    if origin.rawurl:
        return [origin.rawurl]
    version = f"{origin.version}/" if origin.version else ""
    return [f"{origin.url}{version}{component}/{architecture}/" for component in origin.components]


def _repomd(base: str) -> str:
    return f"{base}repodata/repomd.xml"


def _fetch_repository(base: str, fetching: Fetching) -> None:
    try:
        _fetch_lists(base, fetching)
    except MissingFileError:
        raise
    except PackageSourceError:
        # The repository may have changed after repomd.xml was fetched.
        _fetch_lists(base, fetching)


def _fetch_lists(base: str, fetching: Fetching) -> None:
    downloads = fetching.downloads
    try:
        old = {found.url for found in read_repomd(base, downloads).values()}
    except PackageSourceError:
        old = set()
    downloads.fetch(_repomd(base))
    try:
        lists = read_repomd(base, downloads, fetching)
    except PackageSourceError:
        downloads.distrust(downloads.path(_repomd(base)))
        raise
    for found in lists.values():
        try:
            downloads.fetch(found.url, found.expected)
        except MissingFileError as err:
            # A list that repomd.xml names must be there.
            raise PackageSourceError(str(err)) from err
    for url in old - {found.url for found in lists.values()}:
        downloads.forget(url)


def _all_lists(origin: Origin, architecture: str, downloads: Downloads) -> list[dict[str, _List]]:
    """The lists of each repository of a source whose list of packages has been fetched."""
    found = []
    for base in _bases(origin, architecture):
        with suppress(MissingFileError):
            lists = _lists(base, downloads)
            if downloads.path(lists["primary"].url).is_file():
                found.append(lists)
    return found


def _lists(base: str, downloads: Downloads) -> dict[str, _List]:
    """The lists of a repository as ``repomd.xml`` names them.

    Bcfg2 does not keep that file. Without it, the newest lists of the repository in the cache count.
    """
    if downloads.path(_repomd(base)).is_file():
        return read_repomd(base, downloads)
    directory = f"{base}repodata/"
    prefix = downloads.path(directory).name
    found: dict[str, tuple[float, _List]] = {}
    for path in downloads.directory.glob(f"{glob.escape(prefix)}*.xml.gz"):
        name = path.name.removeprefix(prefix)
        kind = next((kind for kind in ("primary", "filelists") if name.endswith(f"{kind}.xml.gz")), "group")
        changed = path.stat().st_mtime
        if kind not in found or found[kind][0] < changed:
            found[kind] = changed, _List(f"{directory}{name}", None)
    if "primary" not in found:
        raise MissingFileError(f"{public_url(_repomd(base))}: it has not been fetched")
    return {kind: entry for kind, (_, entry) in found.items()}


def read_repomd(base: str, downloads: Downloads, fetching: Fetching | None = None) -> dict[str, _List]:
    """The lists of a repository, by the keys of `TYPES`. `PackageSourceError` if there is no list of packages.

    What cannot be used becomes a note of `fetching`.
    """
    url = public_url(_repomd(base))
    found: dict[str, _List] = {}
    types: set[str] = set()
    with opened(downloads.path(_repomd(base)), url) as stream:
        for data in _elements(stream, url, f"{REPO}data"):
            location = data.find(f"{REPO}location")
            kind = data.get("type", "")
            types.add(kind)
            if location is not None and location.get("href"):
                address = _address(base, location.get("href", ""), url)
                if not address.endswith(UNREADABLE):
                    expected = _expected(data.find(f"{REPO}checksum"), data.findtext(f"{REPO}size"))
                    found[kind] = _List(address, expected)
    lists = {
        key: next(found[name] for name in names if name in found)
        for key, names in TYPES.items()
        if any(name in found for name in names)
    }
    if "primary" not in lists:
        only = ", ".join(sorted(types)) or "nothing"
        raise PackageSourceError(
            f"{url}: there is no list of packages in a format that can be read (gz, xz, zst, lz4, bz2, plain XML); "
            f"it has {only}"
        )
    if "modules" in lists and not can_read_modules():
        del lists["modules"]
        if fetching is not None:
            fetching.note(
                "its modules are not told apart, so that the newest version of each package counts: install "
                "geventcore[packages]"
            )
    return lists


def _address(base: str, href: str, url: str) -> str:
    try:
        address = urljoin(base, href)
        scheme, given = urlsplit(base).scheme, urlsplit(address).scheme
    except ValueError as err:
        raise PackageSourceError(f"{url}: bad location {href!r}: {err}") from err
    # A server must not have other files of this machine read.
    if given != scheme and given not in ("http", "https"):
        raise PackageSourceError(f"{url}: the location {href!r} is refused")
    return address


def _expected(checksum: etree._Element | None, size: str | None) -> Expected | None:
    if checksum is None or not checksum.text:
        return None
    name = checksum.get("type", "").lower()
    if _ALGORITHMS.get(name, name) not in hashlib.algorithms_guaranteed or name.startswith("shake"):
        return None
    number = int(size) if size and size.strip().isdecimal() else None
    return Expected(_ALGORITHMS.get(name, name), checksum.text.strip(), number)


def _elements(stream: IO[bytes], url: str, *tags: str) -> Iterator[etree._Element]:
    """The elements of some names, each when it is complete, and forgotten afterwards."""
    try:
        for _, element in etree.iterparse(
            stream, tag=tags, resolve_entities=False, no_network=True, load_dtd=False, huge_tree=True
        ):
            yield element
            element.clear()
            while element.getprevious() is not None and (parent := element.getparent()) is not None:
                del parent[0]
    except etree.XMLSyntaxError as err:
        raise PackageSourceError(f"{url}: not well-formed: {err.msg}") from err


def _module_filter(lists: Sequence[dict[str, _List]], downloads: Downloads) -> ModuleFilter:
    modules = Modules()
    for found in lists:
        if "modules" in found and downloads.path(found["modules"].url).is_file():
            url = found["modules"].url
            with opened(downloads.path(url), public_url(url)) as stream:
                modules.read(stream, public_url(url))
    return modules.filter()


class _Reader:
    """Collects the packages of several lists."""

    def __init__(self, modules: ModuleFilter) -> None:
        self._modules = modules
        self.records = SourceRecords()
        self._versions: dict[str, RPMVersion] = {}
        self._groups: dict[str, dict[str, dict[str, None]]] = {}

    def read_primary(self, url: str, downloads: Downloads) -> None:
        with opened(downloads.path(url), public_url(url)) as stream:
            for element in _elements(stream, public_url(url), f"{COMMON}package"):
                name = element.findtext(f"{COMMON}name")
                version = _version(element.find(f"{COMMON}version"))
                key = rpm_version(*version)
                if not name or not self._modules.allows(name, version, element.findtext(f"{COMMON}arch") or ""):
                    continue
                if not (name in self._versions and self._versions[name] > key):
                    self._versions[name] = key
                    self.records.packages[name] = _package(name, version, element.find(f"{COMMON}format"))

    def missing_paths(self, wanted: frozenset[str]) -> set[str]:
        """The wanted paths that no package provides as far as the lists of packages tell."""
        provided: set[str] = set()
        for package in self.records.packages.values():
            provided.update(condition.name for condition in package.provides)
        return set(wanted - provided)

    def read_filelists(self, url: str, downloads: Downloads, needed: set[str]) -> None:
        with opened(downloads.path(url), public_url(url)) as stream:
            for element in _elements(stream, public_url(url), f"{FILELISTS}package"):
                package = self.records.packages.get(element.get("name", ""))
                version = _version(element.find(f"{FILELISTS}version"))
                if package is None or rpm_version(*version) != self._versions[package.name]:
                    continue
                for file in element.iterchildren(f"{FILELISTS}file"):
                    if file.text in needed:
                        package.provides.append(Condition(file.text, ""))

    def read_groups(self, url: str, downloads: Downloads) -> None:
        with opened(downloads.path(url), public_url(url)) as stream:
            for element in _elements(stream, public_url(url), "group"):
                members = self._groups.setdefault((element.findtext("id") or "").strip(), {})
                for requirement in element.iter("packagereq"):
                    kind = requirement.get("type", "mandatory").lower()
                    kind = kind if kind in ("default", "optional") else "mandatory"
                    members.setdefault(kind, {})[(requirement.text or "").strip()] = None
        self.records.groups = {
            name: PackageGroup(**{kind: tuple(names) for kind, names in members.items()})
            for name, members in self._groups.items()
            if name
        }


def _version(element: etree._Element | None) -> tuple[str, str, str]:
    """Epoch, version and release."""
    if element is None:
        return "0", "", ""
    return element.get("epoch", "0"), element.get("ver", ""), element.get("rel", "")


def _package(name: str, version: tuple[str, str, str], details: etree._Element | None) -> PackageRecord:
    epoch, number, release = version
    package = PackageRecord(name, f"{epoch}:{number}-{release}" if release else f"{epoch}:{number}")
    if details is not None:
        package.requires = list(_requirements(details, "requires"))
        package.recommends = list(_requirements(details, "recommends"))
        package.conflicts = list(_conditions(details, "conflicts"))
        # Every package provides its own name.
        package.provides = [condition for condition in _conditions(details, "provides") if condition.name != name]
        files = (file.text for file in details.iterchildren(f"{COMMON}file"))
        package.provides += [Condition(path, "") for path in files if path]
    return package


def _requirements(details: etree._Element, kind: str) -> Iterator[tuple[Condition, ...]]:
    for condition in _conditions(details, kind):
        if not is_rich(condition.name):
            yield (condition,)
            continue
        try:
            yield from parse_rich(condition.name)
        except ValueError:
            # No package has such a name, so it is reported like any unknown one.
            yield (condition,)


def _conditions(details: etree._Element, kind: str) -> Iterator[Condition]:
    element = details.find(f"{RPM}{kind}")
    for entry in () if element is None else element.iterchildren(f"{RPM}entry"):
        name, relation = entry.get("name"), _RELATIONS.get(entry.get("flags", ""))
        if name:
            epoch, number, release = (entry.get("epoch", "0"), entry.get("ver", ""), entry.get("rel", ""))
            version = f"{epoch}:{number}-{release}" if release else f"{epoch}:{number}"
            yield Condition(name, f"{relation} {version}" if relation else "")
