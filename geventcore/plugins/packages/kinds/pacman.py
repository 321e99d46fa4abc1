"""The database of a pacman repository: a tar archive with files ``desc`` and ``depends`` for each package.

A file has blocks: a line ``%NAME%``, one line for each value, an empty line (alpm-repo-db(7), alpm-repo-desc(5)).
"""

from __future__ import annotations

import functools
import re
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

from geventcore.errors import PackageSourceError
from geventcore.plugins.packages.compression import opened
from geventcore.plugins.packages.downloads import Downloads
from geventcore.plugins.packages.index import Condition, PackageGroup
from geventcore.plugins.packages.kinds.base import Fetching, Kind, Origin, attempt_all
from geventcore.plugins.packages.records import PackageRecord, SourceRecords
from geventcore.plugins.packages.urls import public_url

_RELATION = re.compile(r"([^<>=]+)(?:([<>=]+)(.*))?\Z")
#: The largest description of a package, in bytes.
MAX_DESCRIPTION_BYTES = 16 << 20


class PacmanKind(Kind):
    """Repositories of Arch Linux."""

    def fetch(self, origin: Origin, architecture: str, fetching: Fetching) -> None:
        """See `Kind`."""
        if origin.rawurl and not origin.url:
            raise PackageSourceError("pacman sources need url and Component elements, not rawurl")
        downloads = fetching.downloads
        attempt_all(functools.partial(downloads.fetch, url) for url in _urls(origin, architecture))

    def files(self, origin: Origin, architecture: str, downloads: Downloads) -> list[Path]:
        """See `Kind`."""
        return [downloads.path(url) for url in _urls(origin, architecture)]

    def read(
        self, origin: Origin, architecture: str, downloads: Downloads, wanted_paths: frozenset[str]
    ) -> SourceRecords:
        """See `Kind`. Of a package in several components the first one counts, as for pacman."""
        records = SourceRecords()
        groups: dict[str, dict[str, None]] = {}
        for url in _urls(origin, architecture):
            for fields in read_database(url, downloads) if downloads.path(url).is_file() else ():
                package = _package(fields)
                if package is not None and records.packages.setdefault(package.name, package) is package:
                    for group in fields.get("GROUPS", ()):
                        groups.setdefault(group, {})[package.name] = None
        records.groups = {name: PackageGroup(mandatory=tuple(members)) for name, members in groups.items()}
        return records


def _urls(origin: Origin, architecture: str) -> list[str]:
    if not origin.url:
        return []
    return [f"{origin.url}{component}/os/{architecture}/{component}.db.tar.gz" for component in origin.components]


def read_database(url: str, downloads: Downloads) -> Iterator[dict[str, list[str]]]:
    """The fields of each package: name of the block -> values."""
    packages: dict[str, dict[str, list[str]]] = {}
    try:
        with opened(downloads.path(url), public_url(url)) as stream, tarfile.open(fileobj=stream, mode="r|") as archive:
            for member in archive:
                directory, _, name = member.name.rpartition("/")
                if name not in ("desc", "depends") or not member.isfile():
                    continue
                if member.size > MAX_DESCRIPTION_BYTES:
                    raise PackageSourceError(f"{public_url(url)}: {member.name} has {member.size} bytes")
                content = archive.extractfile(member)
                if content is not None:
                    packages.setdefault(directory, {}).update(_blocks(content))
    except tarfile.TarError as err:
        raise PackageSourceError(f"{public_url(url)}: cannot read this archive: {err}") from err
    return iter(packages.values())


def _blocks(content: IO[bytes]) -> dict[str, list[str]]:
    blocks: dict[str, list[str]] = {}
    values: list[str] = []
    for line in content.read().decode("utf-8", "surrogateescape").splitlines():
        text = line.strip()
        if len(text) > 2 and text[0] == text[-1] == "%":
            values = blocks.setdefault(text[1:-1], [])
        elif text:
            values.append(text)
    return blocks


def _package(fields: dict[str, list[str]]) -> PackageRecord | None:
    names = fields.get("NAME")
    if not names:
        return None
    optional = (value.partition(": ")[0] for value in fields.get("OPTDEPENDS", ()))
    return PackageRecord(
        name=names[0],
        version=next(iter(fields.get("VERSION", ())), ""),
        requires=[(condition,) for condition in _conditions(fields.get("DEPENDS", ()))],
        recommends=[(condition,) for condition in _conditions(optional)],
        provides=list(_conditions(fields.get("PROVIDES", ()))),
        conflicts=list(_conditions(fields.get("CONFLICTS", ()))),
    )


def _conditions(values: Iterable[str]) -> Iterator[Condition]:
    for value in values:
        match = _RELATION.match(value)
        if match is not None:
            name, relation, version = match.groups()
            yield Condition(name.strip(), f"{relation} {version.strip()}" if relation else "")
