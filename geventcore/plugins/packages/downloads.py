"""Fetching the files of sources, and keeping what was fetched.

A file is replaced when a whole new one is there. Servers are asked whether a file has changed since it was fetched;
what they said of it, its entity tag and date, stands beside it in a file that ends in ``.state``.

This runs in a process of its own (`geventcore.plugins.packages.refreshing`), so it simply blocks. The server uses only
the paths of files, so the libraries that fetch are imported at their first use: that would delay its start.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import secrets
import stat
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from geventcore.errors import PackageSourceError
from geventcore.plugins.packages.urls import public_url, split_login
from geventcore.repository.durable_writes import write_durably

if TYPE_CHECKING:
    import urllib3

log = logging.getLogger(__name__)

CHUNK_BYTES = 1 << 18
#: Answers after which another attempt may succeed.
TEMPORARY_FAILURES = (429, 500, 502, 503, 504)
#: The pause before the second attempt, in seconds; each further one is twice as long.
FIRST_PAUSE_SECONDS = 0.5
#: The answer of an FTP server that has no such file (RFC 959, 4.2).
_FTP_MISSING = "550"
#: No file name is longer; that of a long URL ends in a digest of it instead.
MAX_NAME_BYTES = 240


class MissingFileError(PackageSourceError):
    """The server says that it does not have a file."""


@dataclass(frozen=True)
class DownloadSettings:
    """The settings of downloads.

    Attributes:
        timeout_seconds: the timeout while a server sends nothing.
        total_seconds: the timeout for a whole file.
        retries: the number of retries after a failed attempt.
        proxy: the URL of a proxy for all servers; if empty, the environment's (``https_proxy`` …).
        ca: a file of certificates to trust instead of the system's.
        certificate, key: the certificate and key with which this server identifies itself.
        max_bytes: the limit on the size of a file.
    """

    timeout_seconds: float = 30.0
    total_seconds: float = 600.0
    retries: int = 3
    proxy: str = ""
    ca: str | None = None
    certificate: str | None = None
    key: str | None = None
    max_bytes: int = 1 << 30


@dataclass(frozen=True)
class Expected:
    """The content that a file must have, as a signed or fetched list of files states it.

    Attributes:
        algorithm: a name that `hashlib` knows.
        digest: in hexadecimal digits.
        size: in bytes; None if it is not stated.
    """

    algorithm: str
    digest: str
    size: int | None = None


class Downloads:
    """The files fetched so far, in a directory, and the connections to the servers that have them."""

    def __init__(self, directory: Path, settings: DownloadSettings) -> None:
        self.directory = directory
        self._settings = settings
        self._pools: dict[str, urllib3.PoolManager] = {}
        self._lock = threading.Lock()

    def path(self, url: str) -> Path:
        """The file that holds what a URL leads to, whether it has been fetched or not.

        Its name is that of Bcfg2: the URL with ``@`` for ``/``.
        """
        name = url.replace("/", "@")
        encoded = os.fsencode(name)
        if len(encoded) > MAX_NAME_BYTES:
            digest = hashlib.sha256(encoded).hexdigest()[:32]
            name = f"{os.fsdecode(encoded[: MAX_NAME_BYTES - 40])}@{digest}"
        return self.directory / name

    def close(self) -> None:
        """Close the connections."""
        with self._lock:
            for pool in self._pools.values():
                pool.clear()
            self._pools.clear()

    def fetch(self, url: str, expected: Expected | None = None, address: str = "") -> Path:
        """Bring a file up to date; returns its path. `address` is where it is fetched from, if not at `url`.

        `PackageSourceError` if that fails, or if the content is not what is expected: then the old file stays.
        `MissingFileError` if the server does not have it.
        """
        path = self.path(url)
        if expected is not None and _has(path, expected):
            return path
        origin = address or url
        scheme = urlsplit(origin).scheme
        if scheme == "file":
            self._copy(origin, path, expected)
        elif scheme in ("http", "https"):
            self._download(origin, path, expected)
        elif scheme == "ftp":
            self._download_ftp(origin, path, expected)
        else:
            raise PackageSourceError(f"{public_url(origin)}: cannot fetch this; expected http:, https:, ftp: or file:")
        return path

    def forget(self, url: str) -> None:
        """Remove a file that no longer exists on the server."""
        for path in (self.path(url), _state_path(self.path(url))):
            path.unlink(missing_ok=True)

    def distrust(self, path: Path) -> None:
        """Have a file that cannot be read transferred again, even if the server says that it has not changed."""
        _state_path(path).unlink(missing_ok=True)

    # -- files

    def _copy(self, url: str, path: Path, expected: Expected | None) -> None:
        origin = Path(unquote(urlsplit(url).path))
        try:
            with origin.open("rb") as stream:
                status = os.fstat(stream.fileno())
                if not stat.S_ISREG(status.st_mode):
                    raise PackageSourceError(f"{url}: this is not a file")
                state = {"size": str(status.st_size), "changed": str(status.st_mtime_ns), "inode": str(status.st_ino)}
                if expected is None and path.is_file() and _read_state(path) == state:
                    return
                self._store(url, path, iter(lambda: stream.read(CHUNK_BYTES), b""), expected, state)
        except FileNotFoundError as err:
            raise MissingFileError(f"{url}: there is no such file") from err
        except OSError as err:
            raise PackageSourceError(f"{url}: cannot read this file: {err.strerror or err}") from err

    def _download_ftp(self, url: str, path: Path, expected: Expected | None) -> None:
        import ftplib

        address, login = split_login(url)
        deadline = time.monotonic() + self._settings.total_seconds
        try:
            parts = urlsplit(address)
            with ftplib.FTP(timeout=self._settings.timeout_seconds) as ftp:
                ftp.connect(parts.hostname or "", parts.port or ftplib.FTP_PORT)
                ftp.login(*(login or ()))
                ftp.voidcmd("TYPE I")
                # Relative to where the login leads to, as in RFC 1738.
                connection, size = ftp.ntransfercmd(f"RETR {unquote(parts.path.removeprefix('/'))}")
                with connection:
                    pieces = iter(lambda: connection.recv(CHUNK_BYTES), b"")
                    checked = pieces if size is None else _checked_size(address, pieces, size)
                    self._store(address, path, self._in_time(address, checked, deadline), expected, {})
        except ftplib.error_perm as err:
            if str(err).startswith(_FTP_MISSING):
                raise MissingFileError(f"{address}: the server answers {err}") from err
            raise PackageSourceError(f"{address}: the server answers {err}") from err
        except (ftplib.Error, OSError, EOFError, ValueError) as err:
            raise PackageSourceError(f"{address}: cannot fetch this: {err}") from err

    # -- HTTP

    def _pool(self, url: str) -> urllib3.PoolManager:
        proxy = self._settings.proxy or self._environment_proxy(url)
        with self._lock:
            pool = self._pools.get(proxy)
            if pool is None:
                pool = self._pools[proxy] = self._new_pool(proxy)
            return pool

    @staticmethod
    def _environment_proxy(url: str) -> str:
        parts = urlsplit(url)
        if parts.hostname is None or proxy_bypass(parts.hostname):
            return ""
        return getproxies().get(parts.scheme, "")

    def _new_pool(self, proxy: str) -> urllib3.PoolManager:
        import urllib3
        from urllib3.util import Retry, Timeout, make_headers

        settings = self._settings
        options: dict[str, Any] = {
            "timeout": Timeout(connect=settings.timeout_seconds, read=settings.timeout_seconds),
            "retries": Retry(
                settings.retries,
                backoff_factor=FIRST_PAUSE_SECONDS,
                status_forcelist=TEMPORARY_FAILURES,
                raise_on_status=False,
            ),
            "ca_certs": settings.ca,
            "cert_file": settings.certificate,
            "key_file": settings.key,
        }
        if not proxy:
            return urllib3.PoolManager(**options)
        address, login = split_login(proxy)
        headers = make_headers(proxy_basic_auth=":".join(login)) if login else None
        return urllib3.ProxyManager(address, proxy_headers=headers, **options)

    def _download(self, url: str, path: Path, expected: Expected | None) -> None:
        from urllib3.exceptions import HTTPError, MaxRetryError
        from urllib3.util import make_headers

        address, login = split_login(url)
        headers = dict(make_headers(basic_auth=":".join(login))) if login else {}
        headers["User-Agent"] = "geventcore"
        # A content encoding would give other bytes than those that checksums are about.
        headers["Accept-Encoding"] = "identity"
        if expected is None and path.is_file():
            headers.update(_conditions(path))
        deadline = time.monotonic() + self._settings.total_seconds
        pause = FIRST_PAUSE_SECONDS
        for attempt in range(self._settings.retries + 1):
            try:
                self._transfer(address, headers, path, expected, deadline)
                return
            except (HTTPError, OSError, ValueError) as err:
                # Attempts to connect have been repeated already.
                is_last = attempt == self._settings.retries or isinstance(err, MaxRetryError)
                if is_last or time.monotonic() + pause > deadline:
                    raise PackageSourceError(f"{address}: cannot fetch this: {_reason(err)}") from err
            time.sleep(pause)
            pause *= 2

    def _transfer(
        self, address: str, headers: Mapping[str, str], path: Path, expected: Expected | None, deadline: float
    ) -> None:
        response = self._pool(address).request("GET", address, headers=headers, preload_content=False)
        try:
            if response.status == 304:
                return
            if response.status in (404, 410):
                raise MissingFileError(f"{address}: the server answers {response.status} {response.reason}")
            if response.status != 200:
                raise PackageSourceError(f"{address}: the server answers {response.status} {response.reason}")
            state = {name: response.headers[name] for name in ("ETag", "Last-Modified") if name in response.headers}
            pieces = response.stream(CHUNK_BYTES, decode_content=False)
            self._store(address, path, self._in_time(address, pieces, deadline), expected, state)
            response.drain_conn()
        finally:
            response.close()

    def _in_time(self, url: str, pieces: Iterator[bytes], deadline: float) -> Iterator[bytes]:
        for piece in pieces:
            if time.monotonic() > deadline:
                raise PackageSourceError(f"{url}: it has not been fetched within {self._settings.total_seconds:.0f} s")
            yield piece

    def _store(
        self, url: str, path: Path, pieces: Iterator[bytes], expected: Expected | None, state: Mapping[str, str]
    ) -> None:
        """Write a file beside the old one, check it, and let it take the old one's place."""
        check = hashlib.new(expected.algorithm) if expected else None
        temporary = path.with_name(f".{secrets.token_hex(8)}.new")
        size = 0
        try:
            with temporary.open("xb") as stream:
                for piece in pieces:
                    size += len(piece)
                    if size > self._settings.max_bytes:
                        raise PackageSourceError(f"{url}: it has more than {self._settings.max_bytes} bytes")
                    stream.write(piece)
                    if check is not None:
                        check.update(piece)
                stream.flush()
                os.fsync(stream.fileno())
            if not size and expected is None:
                raise PackageSourceError(f"{url}: it is empty")
            if check is not None and expected is not None and check.hexdigest() != expected.digest.lower():
                raise PackageSourceError(f"{url}: its content is not the one that the repository states")
            os.replace(temporary, path)
        finally:
            with suppress(FileNotFoundError):
                temporary.unlink()
        _state_path(path).unlink(missing_ok=True)
        if state:
            write_durably(_state_path(path), json.dumps(state).encode())


def _checked_size(url: str, pieces: Iterator[bytes], size: int) -> Iterator[bytes]:
    """All pieces; `PackageSourceError` after the last one if they have another size than the server has said."""
    found = 0
    for piece in pieces:
        found += len(piece)
        yield piece
    if found != size:
        raise PackageSourceError(f"{url}: the transfer ended after {found} of {size} bytes")


def _state_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.state")


def _conditions(path: Path) -> dict[str, str]:
    """The headers that ask a server for a file only if it has changed."""
    state = _read_state(path)
    names = {"ETag": "If-None-Match", "Last-Modified": "If-Modified-Since"}
    return {header: state[name] for name, header in names.items() if name in state}


def _read_state(path: Path) -> dict[str, str]:
    """The facts about a file from its last transfer; none if they are unknown."""
    try:
        state = json.loads(_state_path(path).read_bytes())
        return {str(name): str(value) for name, value in state.items()}
    except (OSError, ValueError, AttributeError):
        return {}


def _has(path: Path, expected: Expected) -> bool:
    """Return true if a file has been downloaded and is correct."""
    try:
        if expected.size is not None and path.stat().st_size != expected.size:
            return False
        with path.open("rb") as stream:
            digest = hashlib.new(expected.algorithm)
            while piece := stream.read(CHUNK_BYTES):
                digest.update(piece)
        return digest.hexdigest() == expected.digest.lower()
    except OSError:
        return False


def _reason(err: Exception) -> str:
    """The innermost reason of a failure, without the names of objects that urllib3 puts before it."""
    reason: object = getattr(err, "reason", None) or err
    while isinstance(getattr(reason, "reason", None), Exception):
        reason = getattr(reason, "reason", None)
    return str(reason).rpartition(">: ")[2] or type(err).__name__
