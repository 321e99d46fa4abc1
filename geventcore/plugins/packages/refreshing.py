"""Fetching sources and making their indexes: ``python -m``, with a `geventcore.plugins.packages.jobs.Job` as input.

This is a process of its own, so that no request waits for transfers, decompression and parsing, and the memory that
these take is given back. It writes what it finds into the cache and ends with status 0, however many sources fail: that
is part of their states.
"""

from __future__ import annotations

import dataclasses
import gc
import hashlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from pathlib import Path

from geventcore.errors import GeventcoreError, PackageSourceError
from geventcore.plugins.packages.cache import INDEX_VERSION, PackageCache, SourceState
from geventcore.plugins.packages.downloads import Downloads, DownloadSettings
from geventcore.plugins.packages.index_writing import encode_index
from geventcore.plugins.packages.jobs import Job, JobSource, parse_job
from geventcore.plugins.packages.keys import read_key
from geventcore.plugins.packages.kinds import load_kind
from geventcore.plugins.packages.kinds.base import Fetching, Origin, Verifier
from geventcore.plugins.packages.signatures import verifier
from geventcore.plugins.packages.urls import public_url
from geventcore.repository.durable_writes import write_durably

#: How many sources are fetched at a time. Their servers are usually few, and should not feel attacked.
FETCHING_THREADS = 6

#: The beginning of notes about keys.
KEY_NOTE = "its key is not up to date: "

#: Added to the niceness of the process; 19 would starve it on a busy machine.
NICENESS = 5


class Refresh:
    """One run of a job."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._cache = PackageCache(Path(job.cache))
        settings = DownloadSettings(**job.settings)
        self._downloads = Downloads(self._cache.directory, settings)
        self._key_downloads = Downloads(self._cache.keys, settings)
        self._has_changed = False
        self._key_errors: dict[str, str] = {}

    def run(self) -> None:
        """Bring the cache up to date."""
        with self._cache.lock():
            try:
                self._run()
            finally:
                if self._has_changed:
                    self._cache.announce_change()

    def make_missing_only(self) -> None:
        """Make the indexes that are missing of files that are there, in the job's output directory."""
        output = PackageCache(Path(self._job.output))
        output.create()
        states = {source.origin: self._cache.state(source.origin) for source in self._job.sources}
        for origin, state in states.items():
            self._note_paths(origin, state)
        wanted = self._wanted_paths(states)
        for source in self._job.sources:
            for architecture in source.origin.architectures:
                path = self._cache.index(source.origin, architecture)
                if not path.is_file() and self._can_read(source.origin, architecture):
                    target = output.index(source.origin, architecture)
                    try:
                        self._write_index(source.origin, architecture, target, wanted)
                    except (GeventcoreError, ImportError) as err:
                        self._report(f"{public_url(source.origin.rawurl or source.origin.url)}: {err}")

    def _run(self) -> None:
        job, cache = self._job, self._cache
        self._fetch_keys()
        if not job.reads_data:
            return
        states = {source.origin: cache.state(source.origin) for source in job.sources}
        due = [
            source
            for source in job.sources
            if not source.origin.is_empty
            and (states[source.origin].checked < source.fetch_before or self._lacks_data(source.origin))
        ]
        done: set[Origin] = set()
        # A source that stalls holds up no other: each is read when it is there.
        with ThreadPoolExecutor(FETCHING_THREADS) as pool:
            running = {pool.submit(self._fetch, source, states[source.origin]): source for source in due}
            for future in as_completed(running):
                source = running[future]
                done.add(source.origin)
                self._read(source, states, future.result())
        for source in job.sources:
            self._finish(source, states, fetched=source.origin in done)
        cache.remove_old_files(
            states.keys(), [self._key_downloads.path(key) for source in job.sources for key in source.keys]
        )

    def _read(self, source: JobSource, states: Mapping[Origin, SourceState], problems: Sequence[str]) -> None:
        """Make the indexes of a source that has just been fetched, and store how that went."""
        origin, state = source.origin, states[source.origin]
        self._note_paths(origin, state)
        self._judge(state, origin, [*problems, *self._make_indexes(origin, state, self._wanted_paths(states))])
        self._cache.store_state(origin, state)

    def _finish(self, source: JobSource, states: Mapping[Origin, SourceState], *, fetched: bool) -> None:
        """Make the indexes that are missing, or that lack paths which another source requires."""
        origin, state = source.origin, states[source.origin]
        if origin.is_empty:
            return
        before = dataclasses.asdict(state)
        if not fetched:
            others = [note for note in state.notes if not note.startswith(KEY_NOTE)]
            state.notes = [*others, *self._key_notes(source)]
        if not state.paths:
            self._note_paths(origin, state)
        problems = self._make_indexes(origin, state, self._wanted_paths(states))
        if problems and not fetched:
            # The files from earlier are damaged.
            self._read(source, states, self._fetch(source, state))
        elif not state.place:
            # The files are from Bcfg2, or their state was lost.
            state.place = public_url(origin.rawurl or origin.url)
            state.fetched = self._age(origin)
        if dataclasses.asdict(state) != before:
            self._cache.store_state(origin, state)

    def _age(self, origin: Origin) -> float:
        """The time at which the oldest file of a source was fetched."""
        try:
            files = [
                path
                for architecture in origin.architectures
                for path in load_kind(origin.kind).files(origin, architecture, self._downloads)
            ]
        except GeventcoreError:
            return 0.0
        return min((path.stat().st_mtime for path in files if path.is_file()), default=0.0)

    def _lacks_data(self, origin: Origin) -> bool:
        """True if a source has neither an index nor files to make one of."""
        return not self._cache.has_indexes(origin) and not all(
            self._can_read(origin, architecture) for architecture in origin.architectures
        )

    def _can_read(self, origin: Origin, architecture: str) -> bool:
        """True if all files have been fetched that an index is made of, and can be read as far as anybody knows."""
        try:
            files = load_kind(origin.kind).files(origin, architecture, self._downloads)
        except (GeventcoreError, ImportError):
            return False
        return all(path.is_file() for path in files)

    # -- fetching

    def _fetch_keys(self) -> None:
        urls = dict.fromkeys(key for source in self._job.sources for key in source.keys)
        for url in urls:
            old = read_key(self._key_downloads, url, urls)
            if old and not self._job.fetches_keys:
                continue
            try:
                self._key_downloads.fetch(url)
            except GeventcoreError as err:
                self._key_errors[url] = str(err)
                self._report(f"key {public_url(url)}: {err}")
            if read_key(self._key_downloads, url, urls) != old:
                self._has_changed = True

    def _fetch(self, source: JobSource, state: SourceState) -> list[str]:
        """Fetch the files of a source; returns why some could not be fetched."""
        origin, problems = source.origin, []
        state.place = public_url(origin.rawurl or origin.url)
        try:
            fetching = Fetching(
                self._downloads, self._verifier(source), must_be_signed=self._job.signatures == "require"
            )
            kind = load_kind(origin.kind)
        except (GeventcoreError, ImportError) as err:
            return [str(err)]
        for architecture in origin.architectures:
            try:
                kind.fetch(origin, architecture, fetching)
            except GeventcoreError as err:
                problems.append(str(err))
            # A boundary, as below.
            except Exception as err:  # noqa: BLE001 - the state tells it
                problems.append(f"it cannot be fetched: {type(err).__name__}: {err}")
        state.notes = [*fetching.notes, *self._key_notes(source)]
        self._report(f"{state.place}: {'; '.join(problems) or 'fetched'}")
        return problems

    def _key_notes(self, source: JobSource) -> list[str]:
        return [f"{KEY_NOTE}{self._key_errors[url]}" for url in source.keys if url in self._key_errors]

    def _verifier(self, source: JobSource) -> Verifier | None:
        if source.origin.kind != "apt" or not source.keys or self._job.signatures == "ignore":
            return None
        urls = list(source.keys)
        keys = [key for url in urls if (key := read_key(self._key_downloads, url, urls))]
        if len(keys) < len(urls):
            missing = next(url for url in urls if not read_key(self._key_downloads, url, urls))
            reason = self._key_errors.get(missing, public_url(missing))
            raise PackageSourceError(f"its signature cannot be checked without its key: {reason}")
        return verifier(keys)

    # -- indexes

    def _note_paths(self, origin: Origin, state: SourceState) -> None:
        if origin.kind != "yum":
            return
        paths: set[str] = set()
        for architecture in origin.architectures:
            # What cannot be read is found out when the index is made.
            with suppress(GeventcoreError):
                paths |= load_kind(origin.kind).required_paths(origin, architecture, self._downloads)
        state.paths = sorted(paths)

    @staticmethod
    def _wanted_paths(states: Mapping[Origin, SourceState]) -> frozenset[str]:
        return frozenset(path for state in states.values() for path in state.paths)

    def _make_indexes(self, origin: Origin, state: SourceState, wanted: frozenset[str]) -> list[str]:
        """Make the indexes whose files have changed; returns why some could not be made."""
        problems = []
        for architecture in origin.architectures:
            try:
                self._make_index(origin, architecture, state, wanted)
            except (GeventcoreError, ImportError) as err:
                problems.append(str(err))
            # A boundary: whatever a source's data do to a parser, other sources are not affected.
            except Exception as err:  # noqa: BLE001 - the state tells it
                problems.append(f"its data cannot be read: {type(err).__name__}: {err}")
        return problems

    def _make_index(self, origin: Origin, architecture: str, state: SourceState, wanted: frozenset[str]) -> None:
        files = load_kind(origin.kind).files(origin, architecture, self._downloads)
        there = [path for path in files if path.is_file()]
        path = self._cache.index(origin, architecture)
        if len(there) < len(files) and (path.is_file() or not there):
            # Part of the data is worse than all of the last ones.
            return
        fingerprint = _fingerprint(there, wanted if origin.kind == "yum" else ())
        if state.fingerprints.get(architecture) == fingerprint and path.is_file():
            return
        try:
            state.packages[architecture] = self._write_index(origin, architecture, path, wanted)
        except GeventcoreError:
            for file in there:
                self._downloads.distrust(file)
            raise
        state.fingerprints[architecture] = fingerprint
        self._has_changed = True
        self._report(
            f"{public_url(origin.rawurl or origin.url)}: {state.packages[architecture]} packages for {architecture}"
        )

    def _write_index(self, origin: Origin, architecture: str, path: Path, wanted: frozenset[str]) -> int:
        records = load_kind(origin.kind).read(origin, architecture, self._downloads, wanted)
        write_durably(path, encode_index(origin.kind, records, time.time()))
        return len(records.packages)

    @staticmethod
    def _judge(state: SourceState, origin: Origin, problems: Sequence[str]) -> None:
        """Note how an attempt went."""
        state.place = public_url(origin.rawurl or origin.url)
        state.checked = time.time()
        state.error = "; ".join(dict.fromkeys(problems))
        if problems:
            state.failing_since = state.failing_since or state.checked
        else:
            state.fetched, state.failing_since = state.checked, 0.0

    def _report(self, text: str) -> None:
        if self._job.reports_progress:
            print(text, file=sys.stderr, flush=True)


def _fingerprint(files: Iterable[Path], wanted: Iterable[str]) -> str:
    """A text that differs if an index is to be made again."""
    parts: list[object] = [INDEX_VERSION, sorted(wanted)]
    for path in files:
        status = path.stat()
        parts.append((path.name, status.st_size, status.st_mtime_ns, status.st_ino))
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def main() -> int:
    """Run the job that comes on standard input."""
    # It makes millions of objects without circles, and then ends: looking for circles takes a fifth of its time.
    gc.disable()
    # Clients of the server that are waiting go first.
    os.nice(NICENESS)
    try:
        job = parse_job(sys.stdin.read())
        refresh = Refresh(job)
        action: Callable[[], None] = refresh.make_missing_only if job.output else refresh.run
        action()
    except (GeventcoreError, OSError) as err:
        print(err, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
