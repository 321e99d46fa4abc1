"""The catalogue of a FreeBSD repository: ``packagesite.yaml`` in a compressed tar archive, one JSON object a line."""

from __future__ import annotations

import functools
import json
import tarfile
from pathlib import Path

from geventcore.errors import PackageSourceError
from geventcore.plugins.packages.compression import opened
from geventcore.plugins.packages.downloads import Downloads, MissingFileError
from geventcore.plugins.packages.index import Condition
from geventcore.plugins.packages.kinds.base import Fetching, Kind, Origin, attempt_all
from geventcore.plugins.packages.records import PackageRecord, SourceRecords
from geventcore.plugins.packages.urls import public_url

CATALOGUE = "packagesite.yaml"
#: The longest line; a longer one is no JSON object.
MAX_LINE_BYTES = 16 << 20


class PkgngKind(Kind):
    """Repositories of FreeBSD."""

    def fetch(self, origin: Origin, architecture: str, fetching: Fetching) -> None:
        """See `Kind`."""
        downloads = fetching.downloads
        attempt_all(functools.partial(_fetch_catalogue, url, downloads) for url in _urls(origin, architecture))

    def files(self, origin: Origin, architecture: str, downloads: Downloads) -> list[Path]:
        """See `Kind`."""
        return [_catalogue_path(url, downloads) for url in _urls(origin, architecture)]

    def read(
        self, origin: Origin, architecture: str, downloads: Downloads, wanted_paths: frozenset[str]
    ) -> SourceRecords:
        """See `Kind`. Of a package in several components the first one counts."""
        records = SourceRecords()
        for url in _urls(origin, architecture):
            path = _catalogue_path(url, downloads)
            if path.is_file():
                _read_catalogue(public_url(url), path, records)
        return records


def _fetch_catalogue(url: str, downloads: Downloads) -> None:
    """Fetch a catalogue. Repositories since pkg 1.17 have it as ``.pkg``, whatever compresses it."""
    newer = _newer(url)
    try:
        downloads.fetch(url)
    except MissingFileError:
        try:
            downloads.fetch(newer)
        except MissingFileError:
            raise PackageSourceError(
                f"{public_url(url)}: the server has neither packagesite.txz nor packagesite.pkg there"
            ) from None
        downloads.forget(url)


def _newer(url: str) -> str:
    return f"{url.removesuffix('.txz')}.pkg"


def _catalogue_path(url: str, downloads: Downloads) -> Path:
    path, newer = downloads.path(url), downloads.path(_newer(url))
    return newer if newer.is_file() and not path.is_file() else path


def _urls(origin: Origin, architecture: str) -> list[str]:
    if origin.rawurl:
        return [f"{origin.rawurl}packagesite.txz"] if architecture == origin.architectures[0] else []
    return [
        f"{origin.url}freebsd:{origin.version}:{architecture}/{component}/packagesite.txz"
        for component in origin.components
    ]


def _read_catalogue(url: str, path: Path, records: SourceRecords) -> None:
    try:
        with opened(path, url) as stream, tarfile.open(fileobj=stream, mode="r|") as archive:
            for member in archive:
                content = archive.extractfile(member) if member.name == CATALOGUE else None
                if content is None:
                    continue
                for line in iter(functools.partial(content.readline, MAX_LINE_BYTES), b""):
                    package = _package(line)
                    if package is not None:
                        records.packages.setdefault(package.name, package)
                return
    except (tarfile.TarError, ValueError, RecursionError) as err:
        raise PackageSourceError(f"{url}: cannot read this catalogue: {err}") from err
    raise PackageSourceError(f"{url}: there is no {CATALOGUE} in it")


def _package(line: bytes) -> PackageRecord | None:
    if not line.strip():
        return None
    fields = json.loads(line)
    if not isinstance(fields, dict):
        return None
    name, dependencies = fields.get("name"), fields.get("deps") or {}
    if not isinstance(name, str) or not isinstance(dependencies, dict):
        return None
    return PackageRecord(
        name=name,
        version=str(fields.get("version", "")),
        requires=[(Condition(dependency, ""),) for dependency in dependencies],
    )
