"""The comparison of all hosts of two sides."""

from __future__ import annotations

import fnmatch
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from geventcore.errors import ConfigError, GeventcoreError
from geventcore.options import LoadedSettings, OptionSet, load_settings
from geventcore.options.server import COMMON_OPTIONS, PLUGINS, REPOSITORY
from geventcore.repository.presence import has_content
from geventcore.tools.diff.changes import CONTEXT_LINES, Differences, normal_form
from geventcore.tools.diff.model import ADDED, REMOVED, Change, Comparison
from geventcore.tools.diff.reach import Reach
from geventcore.tools.diff.sides import CoreSide, HostFacts, SavedSide, ServerSide, Side, SiteFacts
from geventcore.tools.diff.trees import Git, changed_files, complete
from geventcore.tools.host_processes import usable_processors
from geventcore.tools.site import is_glob

#: Words for the sides that are no path and no revision.
LIVE, SERVER = "live", "server"

#: Called with the number of hosts that are done and of all.
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Request:
    """The question of a comparison.

    Attributes:
        old, new: the sides: ``live``, ``server``, a directory, a configuration file, or a revision of git.
        hosts: names or globs; all clients of both sides if empty.
        groups: only hosts that are in one of these groups on one side.
        entries: only entries that match one of these patterns, ``Tag:name`` with wildcards.
        git: the git repository of revisions; None for that of the live repository, or the one of ``GIT_DIR``.
        processes: how many build configurations; 0 for one for each processor.
        builds_all: build every host, also those that the change cannot touch.
        context: the lines around a difference.
    """

    old: str
    new: str
    hosts: Sequence[str] = ()
    groups: Sequence[str] = ()
    entries: Sequence[str] = ()
    git: Path | None = None
    processes: int = 0
    builds_all: bool = False
    context: int = CONTEXT_LINES


def compare_sides(settings: LoadedSettings, request: Request, progress: Progress | None = None) -> Comparison:
    """Compare two sides for all hosts.

    Raises:
        GeventcoreError: a side does not exist or cannot be read, or a host or group is unknown.
    """
    start = time.perf_counter()
    with _opened(settings, request) as (old, new, facts):
        hosts = _selected(request, *facts)
        known = _HostFacts(old, new, hosts)
        if request.groups:
            hosts = _in_groups(hosts, request.groups, known.get())
        both, changes = _on_both(hosts, *facts)
        touched = both if request.builds_all else _touched(old, new, both, facts, known)
        differences = Differences(facts[0].secrets | facts[1].secrets, request.context)
        found: dict[Change, list[str]] = {change: [host] for change, host in changes}
        if progress is not None:
            progress(0, len(touched))
        for number, (host, documents) in enumerate(_documents(old, new, touched, request.processes), 1):
            for change in differences.of(*documents, host):
                if _is_wanted(change, request.entries):
                    found.setdefault(change, []).append(host)
            if progress is not None:
                progress(number, len(touched))
        shown = {change.for_hosts(names): sorted(names) for change, names in found.items()}
        ordered = sorted(shown.items(), key=lambda item: (-len(item[1]), item[0].what, item[0].kind, item[0].bundle))
        old_problems, new_problems = (facts[0].problems, facts[1].problems)
        return Comparison(
            old.name,
            new.name,
            len(hosts),
            len(touched),
            dict(ordered),
            tuple(each for each in new_problems if each not in old_problems),
            tuple(each for each in old_problems if each not in new_problems),
            time.perf_counter() - start,
        )


# -- opening the sides


@contextmanager
def _opened(settings: LoadedSettings, request: Request) -> Iterator[tuple[Side, Side, tuple[SiteFacts, SiteFacts]]]:
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="geventcore-diff-")))
        opener = _Opener(settings, request, directory)
        sides = []
        for number, word in enumerate((request.old, request.new)):
            side = opener.open(word, number)
            stack.callback(side.close)
            sides.append(side)
        for side in sides:
            if isinstance(side, CoreSide):
                side.begin()
        facts: dict[int, SiteFacts] = {}
        # The server has the clients of the other side: there is no call that lists them.
        for number in sorted((0, 1), key=lambda each: isinstance(sides[each], ServerSide)):
            other = facts.get(1 - number)
            if isinstance(sides[number], ServerSide) and other is not None:
                facts[number] = SiteFacts(other.clients)
            else:
                facts[number] = sides[number].facts()
        yield sides[0], sides[1], (facts[0], facts[1])


class _Opener:
    """Makes sides from words."""

    def __init__(self, settings: LoadedSettings, request: Request, directory: Path) -> None:
        self._settings = settings
        self._directory = directory
        self._live = Path(settings[REPOSITORY])
        git_dir = os.environ.get("GIT_DIR")
        if request.git is None and git_dir:
            self._git = Git(Path(git_dir), is_of_environment=True)
        else:
            self._git = Git(request.git or self._live)

    def open(self, word: str, number: int) -> Side:
        path = Path(word)
        if word == SERVER:
            return ServerSide(self._settings, ())
        if word == LIVE:
            return self._core("the live repository", self._live, number)
        if path.is_dir():
            if _is_saved(path):
                return SavedSide(word, path)
            names = self._settings[PLUGINS]
            if not has_content(path, names):
                raise GeventcoreError(
                    f"{word}: the directory has no files of any plugin and no saved configurations; expected a "
                    "repository, or the output of geventcore info buildall"
                )
            # Paths in a configuration are absolute. A relative one is a word that any text may have.
            return self._core(word, path.absolute(), number)
        if path.is_file():
            settings = load_settings(options=OptionSet(COMMON_OPTIONS), config_file=path)
            return self._core(word, Path(settings[REPOSITORY]), number, settings)
        commit = self._git.commit(word)
        if commit is None:
            if not self._git.exists():
                raise GeventcoreError(
                    f"{word}: no such directory or configuration file, and {self._git.directory} is not in git; "
                    f"expected one of these, {LIVE} or {SERVER}, or name the git repository with --git"
                )
            raise GeventcoreError(
                f"{word}: no such directory, configuration file or git revision in {self._git.directory}; "
                f"expected one of these, {LIVE} or {SERVER}"
            )
        prefix = Git(self._live).prefix()
        tree = self._git.extract(commit, prefix, self._directory / f"tree{number}")
        name = word if commit.startswith(word) else f"{word} ({commit[:12]})"
        return self._core(name, tree, number, copy=tree)

    def _core(
        self,
        name: str,
        tree: Path,
        number: int,
        settings: LoadedSettings | None = None,
        copy: Path | None = None,
    ) -> Side:
        if not self._live.is_dir():
            raise ConfigError(f"the repository {self._live} is not a directory; see [server] repository")
        if settings is None:
            tree = complete(tree, self._live, copy or self._directory / f"tree{number}")
        documents = self._directory / f"documents{number}"
        documents.mkdir(mode=0o700)
        shown_as = self._live if settings is None else tree
        return CoreSide(name, settings or self._settings, tree, shown_as, documents)


def _is_saved(directory: Path) -> bool:
    """Return true if a directory has saved configurations and is no repository."""
    if (directory / "Metadata").is_dir() or (directory / "Bundler").is_dir():
        return False
    return any(directory.glob("*.xml"))


# -- choosing hosts


def _selected(request: Request, old: SiteFacts, new: SiteFacts) -> list[str]:
    clients = list(dict.fromkeys([*old.clients, *new.clients]))
    words = [word.lower() for word in request.hosts]
    if not words:
        return clients
    unknown = [word for word in words if not is_glob(word) and word not in clients]
    found = [name for name in clients if any(fnmatch.fnmatchcase(name, word) for word in words)]
    if unknown or not found:
        raise GeventcoreError(f"no client has the name {', '.join(unknown or words)} on either side")
    return found


class _HostFacts:
    """The facts of hosts on both sides, asked for at most once."""

    def __init__(self, old: Side, new: Side, hosts: Sequence[str]) -> None:
        self._sides = (old, new)
        self._hosts = hosts
        self._found: tuple[Mapping[str, HostFacts], Mapping[str, HostFacts]] | None = None

    def get(self) -> tuple[Mapping[str, HostFacts], Mapping[str, HostFacts]]:
        if self._found is None:
            self._found = (self._sides[0].host_facts(self._hosts), self._sides[1].host_facts(self._hosts))
        return self._found


def _in_groups(
    hosts: Sequence[str], groups: Sequence[str], facts: tuple[Mapping[str, HostFacts], Mapping[str, HostFacts]]
) -> list[str]:
    wanted = set(groups)
    found = [host for host in hosts if any(host in side and not wanted.isdisjoint(side[host].groups) for side in facts)]
    if not found:
        raise GeventcoreError(f"--group: no host is in {', '.join(groups)} on either side")
    return found


def _on_both(hosts: Sequence[str], old: SiteFacts, new: SiteFacts) -> tuple[list[str], list[tuple[Change, str]]]:
    """Return the hosts that both sides have, and a change for each other one."""
    before, after = set(old.clients), set(new.clients)
    changes = [(Change(ADDED, f"host {host}"), host) for host in hosts if host not in before]
    changes += [(Change(REMOVED, f"host {host}"), host) for host in hosts if host not in after]
    return [host for host in hosts if host in before and host in after], changes


def _touched(
    old: Side, new: Side, hosts: Sequence[str], facts: tuple[SiteFacts, SiteFacts], known: _HostFacts
) -> list[str]:
    """Return the hosts that a change of files can touch; all if the sides are no repositories with equal settings."""
    if not isinstance(old, CoreSide) or not isinstance(new, CoreSide) or not old.has_settings_of(new):
        return list(hosts)
    assert old.tree is not None
    assert new.tree is not None
    reach = Reach(changed_files(old.tree, new.tree), (old.tree, new.tree), facts[0].plugins | facts[1].plugins)
    return reach.hosts(hosts, known.get)


# -- building


def _documents(old: Side, new: Side, hosts: Sequence[str], processes: int) -> Iterator[tuple[str, tuple[bytes, bytes]]]:
    """Yield the documents of both sides, which build at the same time."""
    if not hosts:
        return
    each = max(1, (processes or usable_processors()) // 2)
    for side in (old, new):
        if isinstance(side, CoreSide):
            side.begin_documents(hosts, each)
    is_normal = old.is_normal and new.is_normal
    for host, *documents in zip(hosts, old.documents(hosts, each), new.documents(hosts, each), strict=True):
        first, second = documents
        if not is_normal:
            first, second = (_normal(document, side) for document, side in zip(documents, (old, new), strict=True))
        yield host, (first, second)


def _normal(document: bytes, side: Side) -> bytes:
    return normal_form(document) if side.is_normal else document


def _is_wanted(change: Change, patterns: Sequence[str]) -> bool:
    return not patterns or any(fnmatch.fnmatchcase(change.what, pattern) for pattern in patterns)
