"""Tables for programs: CSV and JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

#: A spreadsheet would take a cell that begins so for a formula, and run what a client has sent.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True)
class Table:
    """Rows with the same keys.

    Attributes:
        name: name of the table, for file names.
        columns: the keys, in order.
        rows: the rows; values are texts, numbers, true or false, None, or lists of texts.
        total: number of all rows, if these are a part.
    """

    name: str
    columns: Sequence[str]
    rows: Sequence[Mapping[str, Any]]
    total: int | None = None

    def as_csv(self) -> str:
        """Return the table as CSV with a header. Lists are joined with blanks."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\r\n")
        writer.writerow(self.columns)
        for row in self.rows:
            writer.writerow([_cell(row.get(column)) for column in self.columns])
        return out.getvalue()

    def as_object(self) -> dict[str, Any]:
        """Return the table as the object of the JSON API."""
        rows = [{column: row.get(column) for column in self.columns} for row in self.rows]
        return {"total": len(rows) if self.total is None else self.total, "rows": rows}

    def as_json(self) -> str:
        """Return the table as JSON."""
        return json.dumps(self.as_object(), ensure_ascii=False)


def _cell(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        value = " ".join(map(str, value))
    if isinstance(value, dict):
        value = json.dumps(value, ensure_ascii=False)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return "" if value is None else value
