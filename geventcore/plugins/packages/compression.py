"""Opening files of sources that may be compressed, whatever their names say."""

from __future__ import annotations

import lzma
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import IO, Any

from geventcore.errors import PackageSourceError

#: The first bytes of a compressed file -> the end of its name, ``module:function`` that opens it.
_FORMATS: dict[bytes, tuple[str, str]] = {
    b"\x1f\x8b": (".gz", "gzip:open"),
    b"\xfd7zXZ\x00": (".xz", "lzma:open"),
    b"BZh": (".bz2", "bz2:open"),
    b"\x28\xb5\x2f\xfd": (".zst", "zstandard:open"),
    b"\x04\x22\x4d\x18": (".lz4", "lz4.frame:open"),
}

#: The ends of names that can be read, in the order in which one of several is fetched: what is read fastest first, but
#: files that are not compressed at all last.
COMPRESSIONS = (".gz", ".zst", ".lz4", ".xz", ".bz2", "")


def _open(path: Path) -> Any:
    with path.open("rb") as stream:
        beginning = stream.read(8)
    for magic, (_, opener) in _FORMATS.items():
        if beginning.startswith(magic):
            module, _, function = opener.partition(":")
            return getattr(import_module(module), function)(path)
    return path.open("rb")


@contextmanager
def opened(path: Path, name: str) -> Iterator[IO[bytes]]:
    """A file as it was before it was compressed.

    Whatever goes wrong while it is read in the block is a `PackageSourceError` that begins with `name`.
    """
    try:
        with _open(path) as stream:
            yield stream
    except ImportError as err:
        raise PackageSourceError(
            f"{name}: the library {err.name} is missing to read this file; pip install 'geventcore[packages]'"
        ) from err
    except (OSError, EOFError, ValueError, RuntimeError, zlib.error, lzma.LZMAError) as err:
        raise PackageSourceError(f"{name}: cannot read this file: {err}") from err
    except Exception as err:
        # The error of the library for zstd derives from nothing else, and cannot be named where it is missing.
        if type(err).__module__ != "zstandard" and type(err).__name__ != "ZstdError":
            raise
        raise PackageSourceError(f"{name}: cannot read this file: {err}") from err
