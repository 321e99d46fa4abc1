"""A private apt, with sources, state and an empty list of installed packages of its own: the system is not touched."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

#: Where apt keeps the lists of packages that ``apt-get update`` has fetched.
SYSTEM_LISTS = Path("/var/lib/apt/lists")
_DIRECTORIES = (
    "etc/apt.conf.d",
    "etc/preferences.d",
    "etc/trusted.gpg.d",
    "etc/sources.list.d",
    "state/lists/partial",
    "cache/archives/partial",
    "log",
)
_CONFIGURATION = """\
Dir "{root}/";
Dir::State "{root}/state/";
Dir::State::status "{root}/status";
Dir::Cache "{root}/cache/";
Dir::Etc "{root}/etc/";
Dir::Log "{root}/log/";
Dir::Bin::methods "/usr/lib/apt/methods/";
Dir::Bin::dpkg "/usr/bin/dpkg";
APT::Architecture "{architecture}";
APT::Architectures {{ "{architecture}"; }};
APT::Sandbox::User "root";
Acquire::Languages "none";
Debug::NoLocking "true";
"""
_FILE_NAME = re.compile(r"^'\S+' ([^_\s]+)_", re.MULTILINE)


class AptError(Exception):
    """The reason why apt refuses to install packages: its output."""


class PrivateApt:
    """An apt whose files are all in one directory."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def create(self, sources: Iterable[str], architecture: str = "amd64") -> None:
        """Write its configuration, with the lines of ``sources.list``, and fetch lists; `AptError` if that fails."""
        for name in _DIRECTORIES:
            (self._root / name).mkdir(parents=True, exist_ok=True)
        (self._root / "status").write_text("")
        (self._root / "etc/sources.list").write_text("".join(f"{line}\n" for line in sources))
        (self._root / "apt.conf").write_text(_CONFIGURATION.format(root=self._root, architecture=architecture))
        self._run("update")

    def installs(self, names: Iterable[str], *, recommends: bool = False) -> frozenset[str]:
        """The packages that it would install for some; `AptError` if it refuses. Nothing is installed."""
        option = f"APT::Install-Recommends={'true' if recommends else 'false'}"
        # The choice is that of "-s", which then spends most of its time on finding an order of unpacking.
        return frozenset(_FILE_NAME.findall(self._run("--print-uris", "-o", option, "install", *sorted(names))))

    def _run(self, *arguments: str) -> str:
        done = subprocess.run(
            ["apt-get", "-q", *arguments],
            env={**os.environ, "APT_CONFIG": str(self._root / "apt.conf"), "LC_ALL": "C"},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise AptError(done.stdout + done.stderr)
        return done.stdout


def listed_files() -> Sequence[Path]:
    """The package lists of the system's sources; empty if ``apt-get update`` has not run."""
    return sorted(SYSTEM_LISTS.glob("*_Packages*"))


def read_list(path: Path) -> bytes:
    """The content of a package list, however it is compressed."""
    return subprocess.run(["/usr/lib/apt/apt-helper", "cat-file", str(path)], check=True, capture_output=True).stdout
