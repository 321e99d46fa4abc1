"""The ``Packages`` file of an apt repository (deb822(5); Debian policy, 5 and 7).

A file of 65,000 packages has 50 MB, of which nine tenths are fields that do not matter here. So stanzas are not taken
apart into all their fields: one regular expression finds those that are wanted.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from geventcore.errors import PackageSourceError
from geventcore.plugins.packages.compression import opened
from geventcore.plugins.packages.downloads import Downloads, MissingFileError
from geventcore.plugins.packages.index import Condition
from geventcore.plugins.packages.kinds.apt_release import ListedFile, Release, parse_release, signed_text
from geventcore.plugins.packages.kinds.base import Fetching, Kind, Origin, attempt_all
from geventcore.plugins.packages.records import PackageRecord, Priority, SourceRecords
from geventcore.plugins.packages.urls import public_url
from geventcore.plugins.packages.versions import debian_version

#: A wanted field with its continuation lines, which begin with a blank.
_FIELD = re.compile(
    rb"^(Package|Version|Essential|Important|Protected|Priority|Pre-Depends|Depends|Recommends|Suggests|Provides"
    rb"|Conflicts|Breaks|Replaces|Enhances)"
    rb"[ \t]*:[ \t]*([^\n]*(?:\n[ \t][^\n]*)*)",
    re.MULTILINE | re.IGNORECASE,
)
_STANZA_END = re.compile(rb"\n(?:[ \t\r]*\n)+")
_RELATION = re.compile(r"([^\s():\[<|,]+)(?::([^\s():\[<|,]+))?\s*(?:\(\s*([<>=]{1,2})\s*([^\s)]*)\s*\))?")

#: The fields that mention packages, in the order in which apt reads them.
_RELATION_FIELDS = (
    b"pre-depends",
    b"depends",
    b"conflicts",
    b"breaks",
    b"recommends",
    b"suggests",
    b"replaces",
    b"enhances",
    b"provides",
)

_PRIORITIES = {priority.name.lower().encode(): priority for priority in Priority}

#: What is read of a file at a time, in bytes.
CHUNK_BYTES = 1 << 20
#: The longest stanza; those of the largest packages have some 100 KB.
MAX_STANZA_BYTES = 16 << 20


def stanzas(read: Callable[[int], bytes]) -> Iterator[bytes]:
    """The stanzas of a file that is read piece by piece; `read` takes the number of bytes wanted."""
    rest = b""
    while chunk := read(CHUNK_BYTES):
        *whole, rest = _STANZA_END.split(rest + chunk)
        yield from whole
        if len(rest) > MAX_STANZA_BYTES:
            raise PackageSourceError(f"a stanza has more than {MAX_STANZA_BYTES} bytes")
    if rest:
        yield rest


def _text(value: bytes) -> str:
    return value.decode("utf-8", "surrogateescape")


class AptParser:
    """Collects the packages of all components of one architecture.

    The order in which names are mentioned first is that in which apt reads the fields of a package, since apt prefers
    among providers the one that it has met last.

    Attributes:
        records: what has been read.
    """

    def __init__(self, architecture: str) -> None:
        self.records = SourceRecords()
        # Dependencies repeat: "libc6 (>= 2.36)" stands in half of all packages.
        self._parsed: dict[bytes, tuple[Condition, ...]] = {}
        self._own_qualifiers = frozenset({"", "any", "native", "all", architecture})

    def feed(self, read: Callable[[int], bytes]) -> None:
        """Take one file; `read` returns up to a number of bytes. Of several versions of a package the newest stays."""
        for stanza in stanzas(read):
            package = self._package(stanza)
            if package is not None:
                self._add(package)

    def _add(self, package: PackageRecord) -> None:
        known = self.records.packages.get(package.name)
        if known is None or debian_version(known.version) <= debian_version(package.version):
            self.records.packages[package.name] = package

    def _package(self, stanza: bytes) -> PackageRecord | None:
        fields: dict[bytes, bytes] = {name.lower(): value.strip() for name, value in _FIELD.findall(stanza)}
        name = _text(fields.get(b"package", b""))
        if not name:
            return None
        self.records.mentions.setdefault(name)
        relations: dict[bytes, list[tuple[Condition, ...]]] = {
            field: self._relations(fields[field]) for field in _RELATION_FIELDS if field in fields
        }
        return PackageRecord(
            name=name,
            version=_text(fields.get(b"version", b"")),
            requires=relations.get(b"pre-depends", []) + relations.get(b"depends", []),
            recommends=relations.get(b"recommends", []),
            provides=[condition for one in relations.get(b"provides", ()) for condition in one],
            conflicts=[
                condition
                for field in (b"conflicts", b"breaks")
                for one in relations.get(field, ())
                for condition in one
            ],
            essential=fields.get(b"essential", b"").lower() == b"yes",
            important=b"yes" in (fields.get(b"important", b"").lower(), fields.get(b"protected", b"").lower()),
            priority=_PRIORITIES.get(fields.get(b"priority", b"").lower(), Priority.UNKNOWN),
        )

    def _relations(self, text: bytes) -> list[tuple[Condition, ...]]:
        found = []
        for part in text.split(b","):
            conditions = self._parsed.get(part)
            if conditions is None:
                conditions = self._parsed[part] = tuple(self._alternatives(_text(part)))
            if conditions:
                found.append(conditions)
        return found

    def _alternatives(self, text: str) -> Iterator[Condition]:
        for part in text.split("|"):
            # With single blanks the expression takes linear time.
            match = _RELATION.match(" ".join(part.split()))
            if match is not None:
                name, qualifier, relation, version = match.groups()
                own = (qualifier or "") in self._own_qualifiers
                if not qualifier:
                    self.records.mentions.setdefault(name)
                yield Condition(name if own else f"{name}:{qualifier}", f"{relation} {version}" if relation else "")


class AptKind(Kind):
    """Repositories of Debian packages."""

    def fetch(self, origin: Origin, architecture: str, fetching: Fetching) -> None:
        """See `Kind`."""
        if not _has_lists(origin, architecture):
            return
        try:
            self._fetch_lists(origin, architecture, fetching)
        except PackageSourceError:
            if _known_release(origin, fetching.downloads) is None:
                raise
            # The repository may have changed after the list of its files was fetched.
            self._fetch_lists(origin, architecture, fetching)

    @staticmethod
    def _fetch_lists(origin: Origin, architecture: str, fetching: Fetching) -> None:
        release = fetch_release(_base(origin), fetching)
        base, downloads = _base(origin), fetching.downloads

        def fetch(file: ListedFile | None, url: str) -> None:
            if file is None:
                downloads.fetch(url)
            elif not file.by_hash:
                downloads.fetch(url, file.expected)
            else:
                try:
                    downloads.fetch(url, file.expected, f"{base}{file.by_hash}")
                except MissingFileError:
                    downloads.fetch(url, file.expected)

        attempt_all(
            functools.partial(fetch, file, f"{base}{file.name if file is not None else name}")
            for name, file in _lists(origin, architecture, release)
        )

    def files(self, origin: Origin, architecture: str, downloads: Downloads) -> list[Path]:
        """See `Kind`."""
        return [downloads.path(url) for url in self._urls(origin, architecture, downloads)]

    def read(
        self, origin: Origin, architecture: str, downloads: Downloads, wanted_paths: frozenset[str]
    ) -> SourceRecords:
        """See `Kind`."""
        parser = AptParser(architecture)
        for url in self._urls(origin, architecture, downloads):
            if downloads.path(url).is_file():
                with opened(downloads.path(url), public_url(url)) as stream:
                    parser.feed(stream.read)
        return parser.records

    @staticmethod
    def _urls(origin: Origin, architecture: str, downloads: Downloads) -> list[str]:
        release = _known_release(origin, downloads)
        base = _base(origin)
        listed = [
            f"{base}{file.name if file is not None else name}" for name, file in _lists(origin, architecture, release)
        ]
        # A site's cache has these.
        plain = [f"{base}{name}" for name, _ in _lists(origin, architecture, None)]
        if not all(downloads.path(url).is_file() for url in listed) and all(
            downloads.path(url).is_file() for url in plain
        ):
            return plain
        return listed


def _base(origin: Origin) -> str:
    return origin.rawurl or f"{origin.url}dists/{origin.version}/"


def _has_lists(origin: Origin, architecture: str) -> bool:
    # There is no telling which architectures the list at a rawurl is about.
    return not origin.rawurl or architecture == origin.architectures[0]


def _lists(origin: Origin, architecture: str, release: Release | None) -> Iterator[tuple[str, ListedFile | None]]:
    """The lists of packages of an architecture: the name that Bcfg2 knows, and the file as the release lists it."""
    if not _has_lists(origin, architecture):
        return
    if origin.rawurl:
        yield "Packages.gz", None if release is None else release.packages_file("")
        return
    for component in origin.components:
        directory = f"{component}/binary-{architecture}/"
        yield f"{directory}Packages.gz", None if release is None else release.packages_file(directory)
    if release is not None and release.has_separate_all:
        for component in origin.components:
            file = release.packages_file(f"{component}/binary-all/")
            if file is not None:
                yield file.name, file


def _known_release(origin: Origin, downloads: Downloads) -> Release | None:
    """The release that was fetched; None if the repository has none."""
    for name in ("InRelease", "Release"):
        path = downloads.path(f"{_base(origin)}{name}")
        try:
            return parse_release(signed_text(path.read_text("utf-8", "replace")))
        except OSError:
            continue
    return None


def fetch_release(base: str, fetching: Fetching) -> Release | None:
    """Bring ``InRelease``, or ``Release`` with its signature, up to date and check it; None if there is neither."""
    downloads, verify = fetching.downloads, fetching.verify
    in_release, plain, detached = (f"{base}{name}" for name in ("InRelease", "Release", "Release.gpg"))
    was_signed = downloads.path(in_release).is_file() or downloads.path(detached).is_file()
    signature: Path | None = None
    try:
        path = downloads.fetch(in_release)
    except MissingFileError:
        try:
            path = downloads.fetch(plain)
        except MissingFileError:
            _refuse_unsigned(base, fetching, was_signed)
            for url in (in_release, plain, detached):
                downloads.forget(url)
            return None
        if verify is not None:
            try:
                signature = downloads.fetch(detached)
            except MissingFileError:
                _refuse_unsigned(base, fetching, was_signed)
                downloads.forget(in_release)
                return _parsed(path.read_bytes(), fetching)
        downloads.forget(in_release)
    if verify is None:
        return _parsed(path.read_bytes(), fetching)
    try:
        return _parsed(verify(path, signature), fetching)
    except PackageSourceError as err:
        # It must not pass for a good one the next time.
        for url in (in_release, plain, detached):
            downloads.distrust(downloads.path(url))
        raise PackageSourceError(f"{public_url(base)}: {err}") from err


def _refuse_unsigned(base: str, fetching: Fetching, was_signed: bool) -> None:
    if fetching.verify is None and not fetching.must_be_signed:
        return
    if fetching.must_be_signed:
        raise PackageSourceError(f"{public_url(base)}: it is not signed, and [packages] signatures = require")
    if was_signed:
        raise PackageSourceError(f"{public_url(base)}: it is not signed any more")
    fetching.note("it is not signed, so its GPGKey elements check nothing")


def _parsed(content: bytes, fetching: Fetching) -> Release:
    release = parse_release(signed_text(content.decode("utf-8", "replace")))
    if release.expired:
        fetching.note(f"its release file is valid until {release.expired} only, so it may be an outdated mirror")
    return release
