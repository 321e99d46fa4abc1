"""Reports of a fleet with a history, for measurements, pictures and tests of the web pages.

The hosts report every half an hour until now. Most are clean; some differ in ways of their own, some in the same way.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass

from geventcore.storage.database import Database
from geventcore.storage.report_model import EntryKind, EntryState, FileContent, Interaction
from geventcore.storage.report_writing import store_interactions

HALF_AN_HOUR = 1_800_000
BATCH = 1000
#: Kinds of hosts: the beginning of the name, the profile, how many of a hundred hosts, groups, bundles.
KINDS = (
    ("web", "web-server", 40, ("debian", "server", "web-server"), ("base", "ssh", "time-sync", "web-server")),
    ("db", "database", 12, ("debian", "server", "database"), ("base", "database", "ssh", "time-sync")),
    ("build", "build-host", 18, ("redhat", "server", "build-host"), ("base", "compiler", "ssh", "time-sync")),
    ("desk", "workstation", 30, ("debian", "workstation"), ("base", "desktop", "time-sync")),
)
PACKAGES = ("nmap", "telnet", "tcpdump", "libssl1.1", "linux-image-6.1.0-18", "python3-tk", "xterm", "gcc-12")
_PHASES = (("start", 0), ("config_download", 350), ("inventory", 9000), ("install", 500), ("finished", 10))


@dataclass(frozen=True)
class FleetHost:
    """One host: its name, profile, groups and bundles."""

    name: str
    profile: str
    groups: tuple[str, ...]
    bundles: tuple[str, ...]


def fleet_hosts(count: int) -> list[FleetHost]:
    """Return hosts of all kinds."""
    found = []
    for prefix, profile, share, groups, bundles in KINDS:
        for number in range(1, max(1, count * share // 100) + 1):
            site = f"site-{('berlin', 'oslo', 'turin')[number % 3]}"
            found.append(FleetHost(f"{prefix}{number:02}.example.com", profile, (*sorted((*groups, site)),), bundles))
    return found[:count]


def path_state(name: str, was: str, wanted: str, diff: str | None = None, **more: str) -> EntryState:
    """Return a file whose mode or content differs."""
    attributes = {"type": "file", "owner": "root", "group": "root", "mode": wanted, "current_mode": was, **more}
    content = None if diff is None else FileContent("diff", diff, len(diff))
    return EntryState("Path", name, tuple(sorted(attributes.items())), content=content)


def package_state(name: str, was: str, wanted: str) -> EntryState:
    """Return a package with another version."""
    values = {"type": "deb", "version": wanted, "current_version": was}
    return EntryState("Package", name, tuple(sorted(values.items())))


_SSHD = """  # This file is managed by Bcfg2.
  Port 22
- PermitRootLogin yes
?                 ^^^
+ PermitRootLogin no
?                 ^^
  PasswordAuthentication no
- X11Forwarding yes
  Subsystem sftp /usr/lib/openssh/sftp-server
"""

#: What many hosts have in common, and in how many of a thousand reports: kind and state.
COMMON = (
    (90, EntryKind.BAD, path_state("/etc/ssh/sshd_config", "0644", "0600", _SSHD)),
    (50, EntryKind.BAD, EntryState("Service", "chronyd", (("current_status", "off"), ("status", "on")))),
    (60, EntryKind.BAD, package_state("openssl", "3.0.14-1", "3.0.15-1")),
    (30, EntryKind.BAD, EntryState("Package", "auditd", (("current_exists", "false"), ("version", "any")))),
    (25, EntryKind.BAD, EntryState("Path", "/etc/backup.key", (("current_mode", "0644"), ("mode", "0600"),
                                                              ("sensitive", "true"), ("type", "file")))),
    (70, EntryKind.MODIFIED, path_state("/etc/motd", "0644", "0644", "- Welcome to web\n+ Welcome\n")),
    (80, EntryKind.MODIFIED, package_state("tzdata", "2026a", "2026b")),
)  # fmt: skip


def report(host: FleetHost, timestamp: int, run: int) -> Interaction:
    """Return the report of a host at a time. The same arguments give the same report."""
    seed = int.from_bytes(hashlib.blake2b(host.name.encode(), digest_size=6).digest(), "big")
    # What a host has stays for some runs.
    rare, own = random.Random(f"{seed} {(run + seed) // 12}"), random.Random(f"{seed} {run}")
    entries: list[tuple[EntryKind, EntryState]] = []
    for share, kind, state in COMMON:
        chooser = own if kind is EntryKind.MODIFIED else rare
        if chooser.randrange(1000) < share:
            entries.append((kind, state))
    if rare.randrange(1000) < 40:
        mode = f"0{rare.randrange(8)}{rare.randrange(8)}4"
        entries.append((EntryKind.BAD, path_state(f"/etc/{host.profile}/{host.name}.conf", mode, "0644")))
    entries += [
        (EntryKind.EXTRA, EntryState("Package", name, (("version", f"1.{len(name)}"),)))
        for position, name in enumerate(PACKAGES)
        if seed % 97 < 40 and (seed >> position) % 5 == 0
    ]
    bad = sum(kind is EntryKind.BAD for kind, _ in entries)
    total = 380 + 10 * len(host.bundles)
    at = timestamp - 11_000 - own.randrange(6000)
    stamps = []
    for phase, milliseconds in _PHASES:
        at += milliseconds + (own.randrange(4000) if phase == "inventory" else 0)
        stamps.append((phase, at))
    return Interaction(
        client=host.name,
        timestamp=timestamp,
        server=f"bcfg2-{seed % 2 + 1}.example.com",
        state="dirty" if bad else "clean",
        revision=hashlib.blake2b(str(run // 9).encode(), digest_size=20).hexdigest(),
        total=total,
        good=total - bad,
        profile=host.profile,
        version="1.3.4",
        groups=host.groups,
        bundles=host.bundles,
        entries=tuple(entries),
        stamps=tuple(stamps),
    )


def reports(hosts: int, count: int, now: int) -> Iterator[Interaction]:
    """Yield reports until `now`, in milliseconds since the epoch. One host in sixty has gone silent on the way."""
    fleet = fleet_hosts(hosts)
    runs = max(1, count // len(fleet))
    for run in range(runs):
        for position, host in enumerate(fleet):
            is_silent = position % 60 == 17 and run > runs // 3
            timestamp = now - (runs - run - 1) * HALF_AN_HOUR - (position * 7919) % HALF_AN_HOUR
            if not is_silent:
                yield report(host, timestamp, now // HALF_AN_HOUR - runs + run)


def fill(database: Database, hosts: int, count: int, now: int) -> None:
    """Store the reports."""
    batch: list[Interaction] = []
    for each in reports(hosts, count, now):
        batch.append(each)
        if len(batch) == BATCH:
            _store(database, batch)
            batch = []
    if batch:
        _store(database, batch)


def _store(database: Database, batch: list[Interaction]) -> None:
    database.write(lambda connection: store_interactions(connection, batch))
