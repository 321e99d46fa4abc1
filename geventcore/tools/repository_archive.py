"""An archive of a repository."""

from __future__ import annotations

import os
import stat
import tarfile
from dataclasses import dataclass, field
from pathlib import Path

from geventcore.errors import GeventcoreError

_ENDING = ".tar.gz"


@dataclass
class Archive:
    """A written archive.

    Attributes:
        files: the number of files in it.
        skipped: what is not in it, each with the reason.
    """

    path: Path
    files: int = 0
    skipped: list[str] = field(default_factory=list)


def write_archive(repository: Path, path: Path) -> Archive:
    """Write a repository to a new ``.tar.gz`` file; its top directory is named as the repository.

    Special files, files that cannot be read, and archives at the top of the repository are left out.

    Raises:
        GeventcoreError: the repository does not exist, or the archive exists or cannot be written.
    """
    if not repository.is_dir():
        raise GeventcoreError(f"the repository {repository} is not a directory; see [server] repository")
    archive = Archive(path)
    temporary = path.with_name(f".{path.name}.new")
    try:
        # The repository has passwords and keys.
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as err:
        raise GeventcoreError(f"{temporary}: cannot be made: {err.strerror}") from err
    try:
        with open(descriptor, "wb") as file:
            with tarfile.open(fileobj=file, mode="w:gz") as tar:
                tar.add(repository, arcname=repository.name, recursive=False)
                _add(tar, repository, repository, archive)
            file.flush()
            os.fsync(file.fileno())
        # A link fails if the file exists, which a rename would replace.
        os.link(temporary, path)
    except OSError as err:
        raise GeventcoreError(f"{path}: cannot be written: {err.strerror}") from err
    finally:
        temporary.unlink()
    return archive


def _add(tar: tarfile.TarFile, directory: Path, top: Path, archive: Archive) -> None:
    for path in sorted(directory.iterdir()):
        mode = path.lstat().st_mode
        relative = path.relative_to(top)
        if directory == top and path.name.endswith((_ENDING, f"{_ENDING}.new")):
            archive.skipped.append(f"{relative}: an archive")
            continue
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISLNK(mode)):
            archive.skipped.append(f"{relative}: a special file")
            continue
        try:
            tar.add(path, arcname=str(Path(top.name) / relative), recursive=False)
            archive.files += not stat.S_ISDIR(mode)
            if stat.S_ISDIR(mode):
                _add(tar, path, top, archive)
        except OSError as err:
            archive.skipped.append(f"{relative}: {err.strerror}")
