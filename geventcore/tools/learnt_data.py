"""An archive of what a server has learnt: its databases, and the files that it writes.

The archive is a compressed tar file:

=======================  ==========================================================================
``manifest.json``        format, version, time, and the SHA-256 of every other member
``database/<role>``      ``main``, and ``reporting`` if it is another one, as `copy_database` writes them
``repository/<path>``    the client list, probe results, keys and certificates that were made, files of clients
``state/<path>``         reports that wait
=======================  ==========================================================================

The server may run: a database is copied as of one moment, and every file is whole, because servers replace files.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import stat
import tarfile
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from lxml import etree

import geventcore
from geventcore.errors import GeventcoreError
from geventcore.regular_files import read_file
from geventcore.repository.durable_writes import write_durably
from geventcore.storage.config import DatabaseConfig
from geventcore.storage.copying import copy_database, has_tables, restore_database

FORMAT = 1
MANIFEST = "manifest.json"

#: Directories of the repository that servers fill.
_DIRECTORIES = ("Ohai",)
#: Below the state directory: reports that wait.
_STATE_DIRECTORIES = ("Reporting",)
#: Single files that servers write.
_FILES = ("Metadata/clients.xml", "Probes/probed.xml")
#: The names of files that servers make for a host or group.
_OF_HOST_OR_GROUP = re.compile(r".*\.(?:H_.+|G[0-9]+_.+)")
#: A directory of Cfg with one of these has keys or certificates that servers make.
_CREATORS = ("privkey.xml", "pubkey.xml", "sslkey.xml", "sslcert.xml")
#: The beginnings of the names of members that are files.
_FILE_MEMBERS = ("repository/", "state/")
#: How many files an error names.
_SHOWN_FILES = 5
#: Temporary files of servers, and locks.
_LEFT_OUT = re.compile(r"\..*\.new|\.lock")
#: How long a file may change its place while it is read: it is tried again as often.
_ATTEMPTS = 3


@dataclass(frozen=True)
class Directories:
    """The directories that a server writes to; they may be the same.

    Attributes:
        repository: the repository.
        state: the directory of ``[server] state_directory``.
    """

    repository: Path
    state: Path

    def place(self, name: str) -> Path:
        """Return the place of a member of an archive: ``repository/<path>`` or ``state/<path>``."""
        top, _, path = name.partition("/")
        return (self.state if top == "state" else self.repository) / path


@dataclass
class Backup:
    """A written or restored archive.

    Attributes:
        databases: the roles of the databases in it.
        files: the number of files in it that are no databases.
    """

    path: Path
    databases: list[str] = field(default_factory=list)
    files: int = 0


def write_backup(path: Path, directories: Directories, databases: dict[str, DatabaseConfig]) -> Backup:
    """Write an archive, which only its owner may read, to a new file.

    Raises:
        GeventcoreError: the archive exists or cannot be written, or a database cannot be copied. Then there is none.
    """
    backup = Backup(path)
    temporary = path.with_name(f".{path.name}.new")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError as err:
        raise GeventcoreError(f"{temporary}: cannot be made: {err.strerror}") from err
    try:
        with open(descriptor, "wb") as file:
            with tarfile.open(fileobj=file, mode="w:gz") as tar, tempfile.TemporaryDirectory() as directory:
                _write(tar, Path(directory), directories, databases, backup)
            file.flush()
            os.fsync(file.fileno())
        # A link fails if the file exists, which a rename would replace.
        os.link(temporary, path)
    except OSError as err:
        raise GeventcoreError(f"{path}: cannot be written: {err.strerror or err}") from err
    finally:
        temporary.unlink()
    return backup


def _write(
    tar: tarfile.TarFile,
    directory: Path,
    directories: Directories,
    databases: dict[str, DatabaseConfig],
    backup: Backup,
) -> None:
    digests: dict[str, str] = {}
    engines: dict[str, str] = {}

    def add(name: str, data: bytes, mode: int = 0o600, uid: int = 0, gid: int = 0) -> None:
        member = tarfile.TarInfo(name)
        member.size, member.mode, member.mtime = len(data), mode, int(time.time())
        member.uid, member.gid = uid, gid
        tar.addfile(member, io.BytesIO(data))
        digests[name] = hashlib.sha256(data).hexdigest()

    for role, config in databases.items():
        copy = directory / role
        if copy_database(config, copy):
            name = f"database/{role}"
            tar.add(copy, arcname=name)
            with copy.open("rb") as file:
                digests[name] = _digest(file)
            engines[role] = config.engine
            backup.databases.append(role)
    for path in learnt_files(directories):
        found = _read(directories.place(path))
        if found is not None:
            data, status = found
            add(path, data, stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid)
            backup.files += 1
    manifest = {
        "format": FORMAT,
        "version": geventcore.__version__,
        "time": time.time(),
        "engines": engines,
        "sha256": dict(digests),
    }
    add(MANIFEST, json.dumps(manifest, indent=2).encode())


def _read(path: Path) -> tuple[bytes, os.stat_result] | None:
    """Return the content of a file as of one moment; None if it is gone."""
    for _ in range(_ATTEMPTS):
        try:
            with path.open("rb") as file:
                status = os.fstat(file.fileno())
                data = file.read()
                if os.fstat(file.fileno()).st_mtime_ns == status.st_mtime_ns:
                    return data, status
        except FileNotFoundError:
            return None
    raise GeventcoreError(f"{path} changes all the time; it is not replaced, but written in place")


def _digest(file: Any) -> str:
    digest = hashlib.sha256()
    while piece := file.read(1 << 20):
        digest.update(piece)
    return digest.hexdigest()


def learnt_files(directories: Directories) -> Iterator[str]:
    """Yield the files that servers have written, as the names of members of an archive."""
    repository = directories.repository
    for name in _FILES:
        if (repository / name).is_file():
            yield f"repository/{name}"
    probed = _probed_directories(repository)
    found = [path for top in _DIRECTORIES for path in _files_below(repository / top)]
    for path in (*_files_below(repository / "SSHbase"), *_files_below(repository / "Cfg")):
        is_made = path.parent.name == "SSHbase" or path.parent in probed or _has_creator(path.parent)
        if _OF_HOST_OR_GROUP.fullmatch(path.name) and is_made:
            found.append(path)
    for path in found:
        yield f"repository/{path.relative_to(repository)}"
    for top in _STATE_DIRECTORIES:
        for path in _files_below(directories.state / top):
            yield f"state/{path.relative_to(directories.state)}"


def _probed_directories(repository: Path) -> set[Path]:
    """Return the directories of Cfg that FileProbes writes files of clients to."""
    try:
        root = etree.fromstring(read_file(repository / "FileProbes/config.xml"))
    except (OSError, etree.XMLSyntaxError):
        return set()
    names = (element.get("name", "").strip("/") for element in root.iter("FileProbe"))
    return {repository / "Cfg" / name for name in names if name}


def _has_creator(directory: Path) -> bool:
    return any((directory / name).exists() for name in _CREATORS)


def _files_below(top: Path) -> Iterator[Path]:
    for directory, _, names in os.walk(top):
        for name in sorted(names):
            path = Path(directory) / name
            if not _LEFT_OUT.fullmatch(name) and path.is_file() and not path.is_symlink():
                yield path


def restore_backup(
    path: Path, directories: Directories, databases: dict[str, DatabaseConfig], *, overwrite: bool
) -> Backup:
    """Put everything of an archive back. Files that are not in the archive stay.

    Nothing is changed before the archive has been checked as a whole.

    Raises:
        GeventcoreError: the archive is damaged or does not fit, a database has tables already (without `overwrite`),
            or something cannot be written.
    """
    backup = Backup(path)
    try:
        with tarfile.open(path, "r:gz") as tar, tempfile.TemporaryDirectory() as directory:
            members = {member.name: member for member in tar.getmembers()}
            manifest = _manifest(path, tar, members)
            _check(path, tar, members, manifest)
            engines: dict[str, str] = manifest["engines"]
            for role, engine in engines.items():
                _check_database(path, role, engine, databases, overwrite)
            if not overwrite:
                _check_files(path, directories, tar, members)
            for role in engines:
                copy = Path(directory) / role
                copy.write_bytes(_content(tar, members[f"database/{role}"]))
                restore_database(databases[role], copy)
                backup.databases.append(role)
            for name, member in members.items():
                if name.startswith(_FILE_MEMBERS):
                    _restore_file(directories.place(name), _content(tar, member), member)
                    backup.files += 1
    except (tarfile.TarError, EOFError, OSError) as err:
        raise GeventcoreError(f"{path}: cannot be restored: {getattr(err, 'strerror', None) or err}") from err
    return backup


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = tar.extractfile(member)
    return b"" if file is None else file.read()


def _manifest(path: Path, tar: tarfile.TarFile, members: dict[str, tarfile.TarInfo]) -> dict[str, Any]:
    if MANIFEST not in members:
        raise GeventcoreError(f"{path}: this is no backup of geventcore, or it is incomplete")
    manifest: dict[str, Any] = json.loads(_content(tar, members[MANIFEST]))
    if manifest.get("format") != FORMAT:
        raise GeventcoreError(f"{path}: this version reads format {FORMAT}, not {manifest.get('format')}")
    return manifest


def _check(path: Path, tar: tarfile.TarFile, members: dict[str, tarfile.TarInfo], manifest: dict[str, Any]) -> None:
    digests: dict[str, str] = manifest["sha256"]
    if set(digests) != set(members) - {MANIFEST}:
        raise GeventcoreError(f"{path}: the backup is incomplete")
    for name, digest in digests.items():
        parts = PurePosixPath(name).parts
        file = tar.extractfile(members[name]) if members[name].isreg() else None
        if file is None or ".." in parts or parts[0] not in ("database", "repository", "state"):
            raise GeventcoreError(f"{path}: unexpected member {name!r}")
        if _digest(file) != digest:
            raise GeventcoreError(f"{path}: {name} is damaged")


def _check_database(path: Path, role: str, engine: str, databases: dict[str, DatabaseConfig], overwrite: bool) -> None:
    config = databases.get(role)
    if config is None:
        raise GeventcoreError(f"{path}: the backup has a separate database for reports, and the configuration has none")
    if config.engine != engine:
        raise GeventcoreError(f"{path}: the backup is of {engine}, and the configuration names {config}")
    if not overwrite and has_tables(config):
        raise GeventcoreError(f"{config} has data already; --overwrite replaces them")


def _check_files(
    path: Path, directories: Directories, tar: tarfile.TarFile, members: dict[str, tarfile.TarInfo]
) -> None:
    """Refuse to replace files that have another content."""
    changed = []
    for name, member in members.items():
        if name.startswith(_FILE_MEMBERS):
            place = directories.place(name)
            if place.exists() and (not place.is_file() or place.read_bytes() != _content(tar, member)):
                changed.append(str(place))
    if changed:
        shown = ", ".join(changed[:_SHOWN_FILES])
        more = f" and {len(changed) - _SHOWN_FILES} more" if len(changed) > _SHOWN_FILES else ""
        raise GeventcoreError(f"{path}: files exist with another content: {shown}{more}; --overwrite replaces them")


def _restore_file(path: Path, data: bytes, member: tarfile.TarInfo) -> None:
    made = [parent for parent in path.parents if not parent.exists()]
    path.parent.mkdir(parents=True, exist_ok=True)
    write_durably(path, data)
    path.chmod(member.mode)
    if os.geteuid() == 0:
        for changed in (path, *made):
            os.chown(changed, member.uid, member.gid)
