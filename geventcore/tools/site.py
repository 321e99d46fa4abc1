"""A site as a command sees it: a core without a network, and the choice of hosts."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from geventcore.core.base import Core
from geventcore.errors import GeventcoreError
from geventcore.filemonitor import create_monitor
from geventcore.options import LoadedSettings
from geventcore.options.server import FILEMONITOR, IGNORE_FILES
from geventcore.plugins.metadata import Metadata

_WILDCARDS = frozenset("*?[")


@contextmanager
def open_core(settings: LoadedSettings, *, read_only: bool = True, watch: bool = False) -> Iterator[Core]:
    """Open a core without a network, load its plugins and read the repository.

    Args:
        read_only: change nothing in the repository.
        watch: notice files that change later, see `Core.handle_file_events`.

    Raises:
        GeventcoreError: the configuration, a plugin or the repository cannot be used.
    """
    settings.check()
    ignored = settings[IGNORE_FILES]
    core = Core(settings, create_monitor(settings[FILEMONITOR] if watch else "pseudo", ignored))
    core.read_only = read_only
    try:
        core.load()
        core.handle_file_events()
        yield core
    finally:
        core.shutdown()


def metadata_plugin(core: Core) -> Metadata:
    """Return the plugin Metadata.

    Raises:
        GeventcoreError: the site knows its clients from another plugin.
    """
    source = core.metadata_source()
    if not isinstance(source, Metadata):
        raise GeventcoreError("this needs the plugin Metadata; the site has another plugin that knows the clients")
    return source


def is_glob(word: str) -> bool:
    """Return true if a word has wildcards of the shell."""
    return not _WILDCARDS.isdisjoint(word)


def matching(names: Iterable[str], globs: Sequence[str]) -> list[str]:
    """Return the names that match one of the globs, sorted; all names without globs."""
    return sorted(name for name in names if not globs or any(fnmatch.fnmatchcase(name, glob) for glob in globs))


def select_hosts(core: Core, words: Sequence[str]) -> list[str]:
    """Return the hosts that words name: all clients without words, else names, or globs in the order of the clients.

    A name without wildcards need not be that of a client. If one word has wildcards, all words are globs.

    Raises:
        GeventcoreError: no client matches.
    """
    words = [word.lower() for word in words]
    clients = core.metadata_source().list_clients()
    if not words:
        return clients
    if not any(map(is_glob, words)):
        return list(dict.fromkeys(words))
    found = [name for name in clients if any(fnmatch.fnmatchcase(name, word) for word in words)]
    if not found:
        raise GeventcoreError(f"no client matches {' '.join(words)}")
    return found


def register_unknown(core: Core, hosts: Iterable[str]) -> list[str]:
    """Add the hosts that are not clients with the default profile; return them.

    Raises:
        MetadataError: there is no default profile, or the client list cannot be written.
    """
    metadata = metadata_plugin(core)
    return [host for host in hosts if metadata.register(host)]
