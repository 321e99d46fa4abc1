"""The ``Release`` and ``InRelease`` files of apt repositories: which lists there are, and their checksums.

Format: https://wiki.debian.org/DebianRepository/Format.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime

from geventcore.plugins.packages.compression import COMPRESSIONS
from geventcore.plugins.packages.downloads import Expected

#: Fields with checksums -> the algorithm's name in `hashlib`, the best first.
CHECKSUM_FIELDS = {"SHA512": "sha512", "SHA256": "sha256", "SHA1": "sha1", "MD5Sum": "md5"}
#: The order in which one of several files with the same content is chosen. The first is Bcfg2's.
_PREFERRED = (".gz", *(ending for ending in COMPRESSIONS if ending != ".gz"))
_DIGEST = re.compile(r"[0-9a-fA-F]{32,128}\Z")


@dataclass(frozen=True)
class ListedFile:
    """A file that a release lists.

    Attributes:
        name: its path below the release's directory.
        expected: its checksum.
        by_hash: the path at which it stays while the repository changes; empty if there is none.
    """

    name: str
    expected: Expected
    by_hash: str


@dataclass(frozen=True)
class Release:
    """A release: its fields, and its files by name."""

    fields: Mapping[str, str]
    files: Mapping[str, ListedFile]

    def packages_file(self, directory: str) -> ListedFile | None:
        """The list of packages in a directory (``main/binary-amd64/``); None if there is none."""
        names = (f"{directory}Packages{ending}" for ending in _PREFERRED)
        return next((self.files[name] for name in names if name in self.files), None)

    @property
    def has_separate_all(self) -> bool:
        """True if packages of the architecture ``all`` are in lists of their own only."""
        separate = self.fields.get("no-support-for-architecture-all", "") != "Packages"
        return separate and "all" in self.fields.get("architectures", "").split()

    @property
    def expired(self) -> str:
        """The date after which this release should not be used, if it has passed; else empty."""
        date = self.fields.get("valid-until", "")
        try:
            moment = parsedate_to_datetime(date)
        except ValueError:
            return ""
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=timezone.utc)
        return date if moment < datetime.now(timezone.utc) else ""


def parse_release(text: str) -> Release:
    """Parse a ``Release`` file, or the signed text of an ``InRelease`` file."""
    lines: dict[str, list[str]] = {}
    name = ""
    for line in text.splitlines():
        if line[:1] in (" ", "\t"):
            if name:
                lines[name].append(line)
        else:
            name, colon, value = line.partition(":")
            name = name.strip().lower() if colon else ""
            if name:
                lines[name] = [value.strip()]
    fields = {name: "\n".join(values) for name, values in lines.items()}
    by_hash = fields.get("acquire-by-hash", "").lower() == "yes"
    files: dict[str, ListedFile] = {}
    for field, algorithm in CHECKSUM_FIELDS.items():
        for line in fields.get(field.lower(), "").splitlines():
            parts = line.split()
            if len(parts) == 3 and _DIGEST.match(parts[0]) and parts[1].isdecimal():
                digest, size, path = parts[0].lower(), int(parts[1]), parts[2]
                directory = path.rpartition("/")[0]
                place = f"{directory}/by-hash/{field}/{digest}".lstrip("/") if by_hash else ""
                files.setdefault(path, ListedFile(path, Expected(algorithm, digest, size), place))
    return Release(fields, files)


def signed_text(text: str) -> str:
    """The content of a clear-signed message without checking the signature (RFC 9580, 7); other texts unchanged."""
    if not text.startswith("-----BEGIN PGP SIGNED MESSAGE-----"):
        return text
    lines = text.splitlines()
    begin = next((number for number, line in enumerate(lines) if not line.strip()), len(lines)) + 1
    content = []
    for line in lines[begin:]:
        if line.startswith("-----BEGIN PGP SIGNATURE-----"):
            break
        content.append(line.removeprefix("- "))
    return "\n".join(content)
