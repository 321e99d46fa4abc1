"""The running servers and the repository, as the pages see them."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from geventcore.admin.client import ask
from geventcore.admin.options import ADMIN_OPTIONS
from geventcore.admin.sockets import addresses_to_try
from geventcore.errors import ConfigError, GeventcoreError
from geventcore.options import LoadedSettings
from geventcore.options.listen_address import ListenAddress, parse_address
from geventcore.options.server import REPOSITORY
from geventcore.web.options import SERVERS
from geventcore.web.site import BuiltConfiguration, ConfiguredEntry

ASK_SECONDS = 5.0
#: How long a build may take, in seconds: the repository is read first.
BUILD_SECONDS = 120.0
#: Builds at a time.
BUILDS = 1


class AdminSource:
    """The admin listeners of ``[web] servers``, or that of this machine."""

    def __init__(self, settings: LoadedSettings) -> None:
        settings.options.add(*ADMIN_OPTIONS)
        self._own = not settings[SERVERS]
        try:
            named = [parse_address(text) for text in settings[SERVERS]]
        except ValueError as err:
            raise ConfigError(
                f"{settings.source_of(SERVERS)}: {SERVERS.label}: {err or 'expected unix:/path or HOST:PORT'}"
            ) from err
        self._addresses = list(addresses_to_try(settings)) if self._own else named

    def addresses(self) -> Sequence[str]:
        """Return all addresses of ``[web] servers``, or the first address of this machine that answers."""
        if not self._own or len(self._addresses) < 2:
            return [str(address) for address in self._addresses]
        answering = [address for address in self._addresses if address.path is None or address.path.exists()]
        return [str(address) for address in (answering or self._addresses)[:1]]

    def ask(self, address: str, path: str) -> tuple[int, str]:
        """Return the status and the text of an answer; `OSError` if there is none."""
        known: dict[str, ListenAddress] = {str(each): each for each in self._addresses}
        try:
            reply = ask(known[address], path, timeout=ASK_SECONDS)
        except http.client.HTTPException as err:
            raise OSError(str(err) or type(err).__name__) from err
        return reply.status, reply.text


class RepositorySource:
    """The repository of ``bcfg2.conf``, read in processes of their own: plugins may block, and may need much memory."""

    def __init__(self, config_file: Path, repository: Path) -> None:
        self._files = str(config_file), str(repository)
        self._builds = threading.Semaphore(BUILDS)

    @classmethod
    def of(cls, settings: LoadedSettings, config_file: Path | None) -> RepositorySource | None:
        """Return the repository of a configuration file; None if it is not on this machine."""
        if config_file is None or not Path(settings[REPOSITORY]).is_dir():
            return None
        return cls(config_file, Path(settings[REPOSITORY]))

    def clients(self) -> Sequence[str]:
        """Return the names of the clients."""
        return list(self._ask("clients", ""))

    def probes(self, host: str) -> Mapping[str, str]:
        """Return the last results of a host's probes."""
        return {str(name): str(result) for name, result in self._ask("probes", host).items()}

    def broken_files(self) -> Sequence[str]:
        """Return a message for each file of the repository that cannot be used now."""
        return list(self._ask("broken", ""))

    def configuration(self, host: str) -> BuiltConfiguration:
        """Build the configuration of a host."""
        found = self._ask("configuration", host)
        entries = [ConfiguredEntry(**{**each, "reasons": tuple(each["reasons"])}) for each in found["entries"]]
        return BuiltConfiguration(host, found["revision"], entries)

    def _ask(self, what: str, host: str) -> Any:
        command = [sys.executable, "-m", "geventcore.cli.web.site_process", *self._files, what, host]
        with self._builds:
            try:
                done = subprocess.run(command, capture_output=True, timeout=BUILD_SECONDS, check=False)
            except subprocess.TimeoutExpired:
                raise GeventcoreError(f"the repository was not read within {BUILD_SECONDS:.0f} s") from None
        if done.returncode != 0:
            lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
            raise GeventcoreError(lines[-1] if lines else f"the process ended with status {done.returncode}")
        return json.loads(done.stdout)
