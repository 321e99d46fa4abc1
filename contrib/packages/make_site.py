"""A site of many packages and clients, made from this machine's own Debian package lists.

    apt-get update
    python -m contrib.packages.make_site OUT

Writes a tree of package lists (``OUT/tree``), a repository whose clients ask for packages drawn from it (``OUT/repo``,
``OUT/bcfg2.conf``), a private apt with the same sources (``OUT/apt``) and what each client asks for
(``OUT/clients.json``).

Packages are drawn from a common pool: a sample of the optional packages, without those that apt cannot install together
with the others. The same package lists and seed give the same site.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import random
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from contrib.packages.apt import AptError, PrivateApt, listed_files, read_list
from geventcore.plugins.packages.kinds.apt import stanzas

ARCHITECTURE = "amd64"
_LIST_NAME = re.compile(
    r"_dists_(?P<suite>[^_]+)_(?P<component>[^_]+)_binary-(?P<architecture>[^_]+)_Packages(\.\w+)?$"
)
_FIELD = re.compile(rb"^(Package|Essential|Priority|Section|Conflicts|Breaks):[ \t]*([^\n]*)", re.MULTILINE)
#: Nobody asks for packages of these sections by themselves.
_ODD_SECTIONS = frozenset({"debug", "metapackages", "oldlibs"})
_CONFIGURATION = """\
[server]
repository = {repository}
plugins = Metadata,Bundler,Packages
filemonitor = pseudo
[logging]
syslog = false
"""


@dataclass
class Lists:
    """The package lists of a machine.

    Attributes:
        texts: suite -> component -> text of the list.
        ordinary: optional packages that conflict with nothing.
        essential: packages that every machine has.
        count: the number of packages in all lists.
    """

    texts: dict[str, dict[str, bytes]] = field(default_factory=dict)
    ordinary: set[str] = field(default_factory=set)
    essential: set[str] = field(default_factory=set)
    count: int = 0


def read_lists(files: Sequence[Path]) -> Lists:
    """Read the lists of Debian's own archives for one architecture."""
    lists = Lists()
    for path in files:
        match = _LIST_NAME.search(path.name)
        if match is None or "debian" not in path.name or match["architecture"] != ARCHITECTURE:
            continue
        text = read_list(path)
        lists.texts.setdefault(match["suite"], {})[match["component"]] = text
        pieces = iter((text, b""))
        for stanza in stanzas(lambda _size, pieces=pieces: next(pieces)):  # type: ignore[misc]
            _sort_in(lists, {name.lower(): value.strip().decode() for name, value in _FIELD.findall(stanza)})
    return lists


def _sort_in(lists: Lists, fields: Mapping[bytes, str]) -> None:
    name = fields.get(b"package")
    if not name:
        return
    lists.count += 1
    if fields.get(b"essential") == "yes":
        lists.essential.add(name)
    is_ordinary = fields.get(b"section") not in _ODD_SECTIONS and b"conflicts" not in fields and b"breaks" not in fields
    if fields.get(b"priority") == "optional" and is_ordinary:
        lists.ordinary.add(name)


def write_tree(out: Path, lists: Lists) -> None:
    """Write an apt repository with the lists."""
    for suite, components in lists.texts.items():
        sums = []
        for component, text in components.items():
            packed = gzip.compress(text, 6, mtime=0)
            name = f"{component}/binary-{ARCHITECTURE}/Packages"
            path = out / "tree/dists" / suite / f"{name}.gz"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(packed)
            # apt also wants the checksum of the plain file.
            for listed, data in ((f"{name}.gz", packed), (name, text)):
                sums.append(f" {hashlib.sha256(data).hexdigest()} {len(data)} {listed}\n")
        release = (
            f"Origin: local\nLabel: local\nSuite: {suite}\nCodename: {suite}\nDate: Sat, 01 Jan 2000 00:00:00 UTC\n"
            f"Architectures: {ARCHITECTURE}\nComponents: {' '.join(components)}\nSHA256:\n{''.join(sums)}"
        )
        (out / "tree/dists" / suite / "Release").write_text(release)


def suites(lists: Lists) -> Iterator[tuple[str, Sequence[str]]]:
    """Each suite with its components, in the order in which clients have them: updates first."""
    return ((suite, list(components)) for suite, components in sorted(lists.texts.items(), reverse=True))


def installable_pool(apt: PrivateApt, rng: random.Random, lists: Lists, size: int) -> list[str]:
    """A sample of ordinary packages that apt can install all at once: what it complains about is left out."""
    chosen = rng.sample(sorted(lists.ordinary), min(size, len(lists.ordinary)))
    while chosen:
        try:
            apt.installs({*chosen, *lists.essential})
        except AptError as err:
            chosen = _without_culprits(chosen, str(err), rng)
        else:
            break
    return sorted(chosen)


def _without_culprits(chosen: Sequence[str], complaint: str, rng: random.Random) -> list[str]:
    names = set(chosen)
    bad = names.intersection(re.findall(r"^ *(\S+?)(?::\w+)? : ", complaint, re.MULTILINE))
    # The culprit may be a dependency: what is named beside it goes, or else some at random.
    bad = bad or names.intersection(re.findall(r"[a-z0-9][a-z0-9+.-]+", complaint))
    bad = bad or set(rng.sample(sorted(names), max(1, len(names) // 50)))
    return [name for name in chosen if name not in bad]


def write_repository(out: Path, lists: Lists, hosts: Mapping[str, Sequence[str]]) -> None:
    """Write the repository and the configuration of the server."""
    clients, groups = [], []
    for host, names in hosts.items():
        number = host[1:]
        packages = "".join(f'  <Package name="{name}"/>\n' for name in names)
        _write(out / f"repo/Bundler/b{number}.xml", f"<Bundle>\n{packages}</Bundle>\n")
        clients.append(f'  <Client name="{host}" profile="p{number}"/>\n')
        groups.append(
            f'  <Group name="p{number}" profile="true"><Group name="debian"/><Group name="{ARCHITECTURE}"/>'
            f'<Bundle name="b{number}"/></Group>\n'
        )
    _write(out / "repo/Metadata/clients.xml", f"<Clients>\n{''.join(clients)}</Clients>\n")
    _write(out / "repo/Metadata/groups.xml", f"<Groups>\n{''.join(groups)}</Groups>\n")
    sources = "".join(
        f'    <Source type="apt" url="file://{out}/tree" version="{suite}">'
        f"{''.join(f'<Component>{name}</Component>' for name in components)}<Arch>{ARCHITECTURE}</Arch></Source>\n"
        for suite, components in suites(lists)
    )
    _write(out / "repo/Packages/sources.xml", f'<Sources>\n  <Group name="debian">\n{sources}  </Group>\n</Sources>\n')
    _write(out / "bcfg2.conf", _CONFIGURATION.format(repository=out / "repo"))
    _write(out / "clients.json", json.dumps(hosts, indent=0))


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    made = argparse.ArgumentParser(
        prog="python -m contrib.packages.make_site",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("out", type=Path, help="the directory")
    made.add_argument("--clients", type=int, default=50, help="clients (default: 50)")
    made.add_argument("--packages", type=int, default=300, help="packages that each asks for (default: 300)")
    made.add_argument("--pool", type=int, default=3000, help="size of the sample that they share (default: 3000)")
    made.add_argument("--seed", type=int, default=7, help="of the random numbers (default: 7)")
    made.add_argument("--no-check", action="store_true", help="do not leave out what apt cannot install")
    options = made.parse_args(arguments)
    out: Path = options.out.resolve()
    lists = read_lists(listed_files())
    if not lists.count:
        print("there are no Debian package lists of this machine: run apt-get update first", file=sys.stderr)
        return 1
    write_tree(out, lists)
    apt = PrivateApt(out / "apt")
    apt.create(
        (f"deb [trusted=yes] file:{out}/tree {suite} {' '.join(components)}" for suite, components in suites(lists)),
        ARCHITECTURE,
    )
    rng = random.Random(options.seed)
    if options.no_check:
        pool = rng.sample(sorted(lists.ordinary), options.pool)
    else:
        pool = installable_pool(apt, rng, lists, options.pool)
    if len(pool) < options.packages:
        print(f"the pool has only {len(pool)} packages: give a larger --pool or fewer --packages", file=sys.stderr)
        return 1
    hosts = {
        f"h{number:02d}": sorted(random.Random(f"{options.seed}/{number}").sample(pool, options.packages))
        for number in range(options.clients)
    }
    write_repository(out, lists, hosts)
    print(
        f"{out}: {lists.count} packages, {len(hosts)} clients that ask for {options.packages} of {len(pool)} packages"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
