"""The Bcfg2 1.3.4 client as a peer of the server under test."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass

from geventcore.testing.site_files import ClientSite
from tests.peers.environment import Environment, clean_environ, python2_environment, python3_environment


@dataclass(frozen=True)
class ClientPeer:
    """The real client, in one of the environments."""

    environment: Environment

    @property
    def name(self) -> str:
        """`py311`, `py27`, …"""
        return self.environment.name

    def run(self, site: ClientSite, *arguments: str, timeout: float = 120.0) -> subprocess.CompletedProcess[str]:
        """One client run with `site`'s configuration (written now).

        Useful arguments: `-n` change nothing, `-q` quick, `-v` or `-d` talk more (on standard error), `-l whitelist`,
        `-p PROFILE`, `-P` keep backups, `-c FILE` keep the configuration received.

        Returns:
            The finished process. Status 0: done, even if entries stayed bad; 1: given up before anything was applied;
            2: the statistics were not accepted.

        Raises:
            subprocess.TimeoutExpired: after `timeout` seconds; the client has been ended.
        """
        return subprocess.run(
            [*self.environment.command("bcfg2"), "-C", str(site.write()), *arguments],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            cwd=site.directory,
            env={**clean_environ(), "TMPDIR": str(site.temporary)},
            check=False,
        )


def available_clients() -> list[ClientPeer]:
    """The clients that this machine can run, on a current Python first; environments are built now if need be.

    Raises:
        PeerError: an environment can't be built.
    """
    environments = [python3_environment(), python2_environment()]
    return [ClientPeer(environment) for environment in environments if environment is not None]
