"""The reader of reports in a Bcfg2 database, in batches ordered by report number.

A batch has a few hundred reports, or fewer if they have many entries or long details. The number of queries for a batch
does not depend on its size. Many reports share entries, so recent ones are cached. Memory stays bounded for any number
of reports.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, func, select

from geventcore.bcfg2_import import schema, values
from geventcore.bcfg2_import.entries import entry_state, failure_state
from geventcore.bcfg2_import.problems import Problems
from geventcore.bcfg2_import.schema import Bcfg2Table
from geventcore.bcfg2_import.source import Source, rows_by_id
from geventcore.bcfg2_import.values import UnreadableError, short_name
from geventcore.storage.report_model import EntryKind, EntryState, Interaction, sorted_names

#: The most reports in a batch, and the most entries.
MAX_REPORTS = 500
MAX_ENTRIES = 20_000
#: The most characters of details in a batch, and in the cache.
MAX_DETAILS = 16 << 20
#: The most entries in the cache.
MAX_KEPT = 50_000

#: The number of concurrent transactions of Bcfg2 servers, which may end in another order than they began.
MAX_UNDER_WAY = 100

_FAILURE = ""
#: Bcfg2's state of a report without problems. Other states, or none, mean dirty.
_CLEAN = "clean"

Found = tuple[EntryKind, EntryState] | None
Key = tuple[str, int]


@dataclass(frozen=True)
class Batch:
    """A batch of reports.

    Attributes:
        interactions: readable reports.
        rows: number of reports, including unreadable ones.
        position: number of the last report.
        mark: identification of the last report; see `Source.mark`.
        holes: unused numbers shortly before `position`, which a report of an open transaction may get.
    """

    interactions: Sequence[Interaction]
    rows: int
    position: int
    mark: bytes
    holes: Sequence[int]


class _Kept:
    """A bounded cache of recent entries."""

    def __init__(self) -> None:
        self._entries: OrderedDict[Key, Found] = OrderedDict()
        self._size = 0

    def get(self, keys: Iterable[Key]) -> dict[Key, Found]:
        """Return the cached entries."""
        found = {}
        for key in keys:
            if key in self._entries:
                self._entries.move_to_end(key)
                found[key] = self._entries[key]
        return found

    def add(self, found: Mapping[Key, Found]) -> None:
        """Add entries, and drop the least recent ones."""
        for key, entry in found.items():
            if key not in self._entries:
                self._entries[key] = entry
                self._size += _details(entry)
        while self._size > MAX_DETAILS or len(self._entries) > MAX_KEPT:
            _, entry = self._entries.popitem(last=False)
            self._size -= _details(entry)


def _details(entry: Found) -> int:
    return 0 if entry is None or entry[1].content is None else len(entry[1].content.data)


@dataclass
class _Parts:
    """The parts of the reports of a batch: report number -> parts."""

    entries: dict[int, list[Key]] = field(default_factory=dict)
    groups: dict[int, list[int]] = field(default_factory=dict)
    bundles: dict[int, list[int]] = field(default_factory=dict)
    stamps: dict[int, list[tuple[str, int]]] = field(default_factory=dict)


class ReportReader:
    """Reads the reports of a source. `zone` is the time zone of the server's clock; None for that of this machine."""

    def __init__(self, source: Source, zone: tzinfo | None, problems: Problems) -> None:
        self._source = source
        self._zone = zone
        self._problems = problems
        self._kept = _Kept()
        self._clients: dict[int, str | None] = {}
        self._groups: dict[int, str | None] = {}
        self._bundles: dict[int, str | None] = {}
        self._tags = [tag for tag in schema.ENTRIES if self._has(tag)] + [_FAILURE]

    def _has(self, tag: str) -> bool:
        return self._source.has(schema.ENTRIES[tag]) and self._source.has(schema.references(tag))

    def extent(self, after: int) -> tuple[int, int]:
        """Return the number of reports after a report number, and the last report number (or `after`)."""
        found = self._source.table(schema.INTERACTION)
        query = select(func.count(), func.max(found.c.id)).where(found.c.id > after)
        with self._source.reading() as connection:
            rows, last = connection.execute(query).one()
        return rows, last or after

    def batches(self, after: int, last: int) -> Iterator[Batch]:
        """Yield batches of the reports with numbers above `after` and up to `last`."""
        with self._source.reading() as connection:
            while after < last:
                with connection.begin():
                    batch = self._batch(connection, after, last)
                if batch is None:
                    return
                yield batch
                after = batch.position

    def _batch(self, connection: Connection, after: int, last: int) -> Batch | None:
        rows = self._reports(connection, after, last)
        if not rows:
            return None
        parts = self._parts(connection, rows[0]["id"], rows[-1]["id"])
        rows, entries = self._entries_within_bounds(connection, rows, parts)
        numbers = {row["id"] for row in rows}
        self._learn(connection, self._clients, schema.REPORT_CLIENT, {row["client_id"] for row in rows})
        groups = {group for number in numbers for group in parts.groups.get(number, ())}
        profiles = {row["profile_id"] for row in rows if row["profile_id"] is not None}
        self._learn(connection, self._groups, schema.GROUP, groups | profiles)
        bundles = {bundle for number in numbers for bundle in parts.bundles.get(number, ())}
        self._learn(connection, self._bundles, schema.BUNDLE, bundles)
        interactions = []
        for row in rows:
            try:
                interactions.append(self._interaction(row, parts, entries))
            except UnreadableError as err:
                self._problems.add(schema.INTERACTION.name, row["id"], err)
        position = rows[-1]["id"]
        mark, holes = self._source.mark(connection, position), self._holes(connection, position)
        return Batch(interactions, len(rows), position, mark, holes)

    def _holes(self, connection: Connection, position: int) -> list[int]:
        if self._source.config.is_file:
            # SQLite serialises transactions.
            return []
        found = self._source.table(schema.INTERACTION)
        start = max(1, position - MAX_UNDER_WAY)
        numbers = set(connection.scalars(select(found.c.id).where(found.c.id.between(start, position))))
        return sorted(set(range(start, position)) - numbers)

    def _reports(self, connection: Connection, after: int, last: int) -> list[Mapping[str, Any]]:
        """Return the rows of the next reports, limited by the number of their entries."""
        found = self._source.table(schema.INTERACTION)
        columns = [
            self._source.moment(each).label("timestamp") if each.name == "timestamp" else each for each in found.c
        ]
        query = select(*columns).where(found.c.id > after, found.c.id <= last).order_by(found.c.id).limit(MAX_REPORTS)
        rows: list[Mapping[str, Any]] = []
        entries = 0
        for row in connection.execute(query).mappings():
            for name in ("bad_count", "modified_count", "extra_count"):
                entries += row[name] if isinstance(row[name], int) else 0
            if rows and entries > MAX_ENTRIES:
                break
            rows.append(dict(row))
        return rows

    def _parts(self, connection: Connection, first: int, last: int) -> _Parts:
        parts = _Parts()
        for tag in self._tags:
            for report, number in connection.execute(self._of_reports(schema.references(tag), first, last)).all():
                parts.entries.setdefault(report, []).append((tag, number))
        for wanted, target in (
            (schema.INTERACTION_GROUPS, parts.groups),
            (schema.INTERACTION_BUNDLES, parts.bundles),
        ):
            for report, number in connection.execute(self._of_reports(wanted, first, last)).all():
                target.setdefault(report, []).append(number)
        for report, metric, value in connection.execute(self._of_reports(schema.PERFORMANCE, first, last)).all():
            try:
                stamp = values.name(metric), values.epoch_milliseconds(value)
            except UnreadableError as err:
                self._problems.add(schema.PERFORMANCE.name, f"of report {report}", err)
            else:
                parts.stamps.setdefault(report, []).append(stamp)
        return parts

    def _of_reports(self, wanted: Bcfg2Table, first: int, last: int) -> Select[Any]:
        found = self._source.table(wanted)
        return select(found).where(found.c.interaction_id.between(first, last))

    def _entries_within_bounds(
        self, connection: Connection, rows: list[Mapping[str, Any]], parts: _Parts
    ) -> tuple[list[Mapping[str, Any]], dict[Key, Found]]:
        """Return the first reports, limited by the length of their entries' details, and these entries."""
        wanted = {key for row in rows for key in parts.entries.get(row["id"], ())}
        found = self._kept.get(wanted)
        missing = wanted - set(found)
        sizes = self._detail_sizes(connection, [number for tag, number in missing if tag == "Path"])
        if sum(sizes.values()) > MAX_DETAILS:
            counted: set[Key] = set()
            size = 0
            for index, row in enumerate(rows):
                new = set(parts.entries.get(row["id"], ())) & missing - counted
                size += sum(sizes.get(number, 0) for tag, number in new if tag == "Path")
                if index and size > MAX_DETAILS:
                    rows, missing = rows[:index], counted
                    break
                counted |= new
        for tag in self._tags:
            numbers = [number for missing_tag, number in missing if missing_tag == tag]
            found.update(self._load(connection, tag, numbers))
        self._kept.add(found)
        return rows, found

    def _detail_sizes(self, connection: Connection, numbers: Sequence[int]) -> dict[int, int]:
        found = self._source.table(schema.ENTRIES["Path"])
        query: Select[Any] = select(found.c.id, func.length(found.c.details)).where(found.c.detail_type != 0)
        return {number: size or 0 for number, size in rows_by_id(connection, query, found.c.id, numbers)}

    def _load(self, connection: Connection, tag: str, numbers: Sequence[int]) -> dict[Key, Found]:
        """Return entries of a tag; None for unreadable and missing ones."""
        loaded: dict[Key, Found] = {(tag, number): None for number in numbers}
        where = schema.ENTRIES[tag] if tag else schema.FAILURE
        query, key = self._entry_query(tag)
        seen = set()
        for row in rows_by_id(connection, query, key, numbers):
            values_of_row = dict(row._mapping)
            number = values_of_row["id"]
            seen.add(number)
            try:
                loaded[tag, number] = entry_state(tag, values_of_row) if tag else failure_state(values_of_row)
            except UnreadableError as err:
                self._problems.add(where.name, number, err)
            if tag == "Path" and None in (values_of_row["target_mode"], values_of_row["current_mode"]):
                self._problems.add(where.name, number, "has invalid permissions")
        for number in sorted(set(numbers) - seen, key=repr):
            self._problems.add(where.name, number, "does not exist, but a report refers to it")
        return loaded

    def _entry_query(self, tag: str) -> tuple[Select[Any], Any]:
        found = self._source.table(schema.ENTRIES[tag] if tag else schema.FAILURE)
        if tag != "Path":
            return select(found), found.c.id
        link = self._source.table(schema.LINK)
        target = self._source.table(schema.PERMISSIONS).alias("target")
        current = self._source.table(schema.PERMISSIONS).alias("current")
        columns: list[ColumnElement[Any]] = [each for each in found.c if not each.name.endswith("_perms_id")]
        for prefix, permissions in (("target", target), ("current", current)):
            columns += [permissions.c[name].label(f"{prefix}_{name}") for name in ("owner", "group", "mode")]
        joined = found.outerjoin(target, target.c.id == found.c.target_perms_id)
        joined = joined.outerjoin(current, current.c.id == found.c.current_perms_id)
        joined = joined.outerjoin(link, link.c.pathentry_ptr_id == found.c.id)
        return select(*columns, link.c.target_path, link.c.current_path).select_from(joined), found.c.id

    def _learn(
        self, connection: Connection, known: dict[int, str | None], wanted: Bcfg2Table, numbers: Iterable[int]
    ) -> None:
        """Add the names of rows to `known`; None for rows without a valid name."""
        missing = [number for number in numbers if number not in known]
        found = self._source.table(wanted)
        known.update(dict.fromkeys(missing))
        query: Select[Any] = select(found.c.id, found.c.name)
        for number, value in rows_by_id(connection, query, found.c.id, missing):
            try:
                known[number] = short_name(value)
            except UnreadableError as err:
                self._problems.add(wanted.name, number, err)

    def _interaction(self, row: Mapping[str, Any], parts: _Parts, entries: Mapping[Key, Found]) -> Interaction:
        number = row["id"]
        client = self._clients[row["client_id"]]
        if client is None:
            raise UnreadableError(f"belongs to client {row['client_id']!r}, which cannot be read")
        stamps = sorted(parts.stamps.get(number, ()), key=lambda stamp: (stamp[1], stamp[0]))
        times = [at for _, at in stamps]
        found = [entries[key] for key in parts.entries.get(number, ())]
        return Interaction(
            client=client.lower(),
            timestamp=values.local_milliseconds(row["timestamp"], self._zone, times),
            server=values.text(row["server"]),
            state=_CLEAN if row["state"] == _CLEAN else "dirty",
            revision=values.text(row["repo_rev_code"]),
            total=values.count(row["total_count"]),
            good=values.count(row["good_count"]),
            dry_run=values.flag(row.get("dry_run", False)),
            only_important=values.flag(row.get("only_important", False)),
            profile=None if row["profile_id"] is None else self._groups[row["profile_id"]],
            groups=self._sorted(self._groups, parts.groups.get(number, ())),
            bundles=self._sorted(self._bundles, parts.bundles.get(number, ())),
            entries=tuple(entry for entry in found if entry is not None),
            stamps=tuple(stamps),
        )

    @staticmethod
    def _sorted(known: Mapping[int, str | None], numbers: Iterable[int]) -> tuple[str, ...]:
        return sorted_names(name for number in numbers if (name := known[number]) is not None)
