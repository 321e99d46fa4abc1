"""The parameters of a request: a moment, a selection of hosts, a page and an order.

All of them are in the address, so that an address shows the same to everybody.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Generic, TypeVar

from flask import request, url_for
from werkzeug.exceptions import BadRequest

from geventcore.storage.report_model import EntryKind
from geventcore.web.current import services
from geventcore.web.fleet import Selection, State

T = TypeVar("T")

KINDS = {kind.label: kind for kind in EntryKind}
STATES = (*(state.value for state in State), "problem")
#: The years that a moment may be in.
_YEARS = (1971, 9998)
_TO_THE_MINUTE = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?!:)")
#: The latest time that is asked for, in milliseconds since the epoch.
_LATEST = 253_370_764_800_000


def moment_arg(name: str = "at") -> int | None:
    """Return a moment in milliseconds since the epoch, or None: the present.

    A time without seconds means the end of its minute: the fields of the pages have no seconds.

    Raises:
        BadRequest: it is neither a number nor a date with a time.
    """
    text = request.args.get(name, "").strip()
    if not text:
        return None
    if text.isascii() and text.isdigit():
        number = int(text[:20])
        if number > _LATEST:
            raise BadRequest(f"{name}: expected milliseconds since 1970")
        return number
    try:
        parsed = datetime.fromisoformat(text.replace("Z", "+00:00"))
        if not _YEARS[0] <= parsed.year <= _YEARS[1]:
            raise ValueError
        if parsed.tzinfo is None:
            zone = services().zone
            parsed = parsed.replace(tzinfo=zone) if zone is not None else parsed.astimezone()
        rest_of_minute = 59_999 if _TO_THE_MINUTE.match(text) else 0
        return int(parsed.timestamp() * 1000) + rest_of_minute
    except (ValueError, OverflowError):
        raise BadRequest(f"{name}: expected a date and a time such as 2026-11-30T16:00") from None


def selection_arg() -> Selection:
    """Return the selection of hosts; `BadRequest` for an unknown state."""
    values: dict[str, Any] = {}
    for field in fields(Selection):
        text = request.args.get("q" if field.name == "text" else field.name, "").strip()
        if field.name in ("expired", "marked"):
            values[field.name] = text.lower() in ("yes", "true", "1", "on")
        else:
            values[field.name] = text[:300]
    if values["state"] and values["state"] not in STATES:
        raise BadRequest(f"state: expected one of {', '.join(STATES)}")
    return Selection(**values)


def kinds_arg() -> list[EntryKind]:
    """Return the kinds of entries, all by default; `BadRequest` for an unknown kind."""
    text = request.args.get("kind", "").strip()
    if not text:
        return list(EntryKind)
    if text not in KINDS:
        raise BadRequest(f"kind: expected one of {', '.join(KINDS)}")
    return [KINDS[text]]


def number_arg(name: str, default: int, least: int, most: int) -> int:
    """Return a number; `BadRequest` if it is none, or not in the range."""
    text = request.args.get(name, "").strip()
    if not text:
        return default
    try:
        number = int(text) if len(text) < 20 and text.isascii() else None
    except ValueError:
        number = None
    if number is None or not least <= number <= most:
        raise BadRequest(f"{name}: expected a number from {least} to {most}")
    return number


@dataclass(frozen=True)
class Page(Generic[T]):
    """A part of a list.

    Attributes:
        items: the items of this page.
        number, pages: this page, from 1, and the number of pages.
        total: number of all items.
        order: what the list is sorted by; with a ``-`` in front, in descending order.
    """

    items: Sequence[T]
    number: int
    pages: int
    total: int
    order: str = ""

    @property
    def first(self) -> int:
        """The position of the first item in the whole list, from 1."""
        return (self.number - 1) * max(1, -(-self.total // self.pages)) + 1 if self.items else 0


def page_of(items: Sequence[T], size: int | None = None, order: str = "") -> Page[T]:
    """Return the page that the request asks for; a page after the last is the last."""
    size = services().page_size if size is None else size
    pages = max(1, math.ceil(len(items) / size))
    number = min(number_arg("page", 1, 1, 1_000_000), pages)
    return Page(items[(number - 1) * size : number * size], number, pages, len(items), order)


def sorted_by(items: Sequence[T], keys: Mapping[str, Callable[[T], Any]], default: str) -> tuple[Sequence[T], str]:
    """Sort items as the request asks for, by one of the keys; return them and the order."""
    order = request.args.get("sort", "").strip() or default
    name = order.removeprefix("-")
    if name not in keys:
        raise BadRequest(f"sort: expected one of {', '.join(keys)}, with a - in front for descending")
    return sorted(items, key=keys[name], reverse=order.startswith("-")), order


def same_page(**changes: Any) -> str:
    """Return the address of this page with other parameters; None removes one."""
    values: dict[str, Any] = {**(request.view_args or {}), **request.args.to_dict()}
    if "page" not in changes:
        values.pop("page", None)
    values.update(changes)
    given: dict[str, Any] = {name: value for name, value in values.items() if value}
    return url_for(request.endpoint or "fleet.index", **given)


def same_arguments(*without: str) -> dict[str, Any]:
    """Return the parameters of this request, for the address of another view of the same."""
    return {name: value for name, value in request.args.to_dict().items() if value and name not in without}
