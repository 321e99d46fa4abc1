"""Numbers, times and durations for people."""

from __future__ import annotations

from datetime import datetime, tzinfo

from geventcore.storage.report_queries import now_milliseconds
from geventcore.units import size_text as size_text

_DAY = 86_400_000
_UNITS = (("d", _DAY), ("h", 3_600_000), ("min", 60_000), ("s", 1000))


def moment(milliseconds: int, zone: tzinfo | None) -> datetime:
    """Return a time in milliseconds since the epoch as a datetime in a zone, or in that of the machine."""
    return datetime.fromtimestamp(milliseconds / 1000, zone).astimezone(zone)


def iso_text(milliseconds: int | None, zone: tzinfo | None) -> str:
    """Return a time for programs, to the second; an empty text for None."""
    return "" if milliseconds is None else moment(milliseconds, zone).isoformat(timespec="seconds")


def time_text(milliseconds: int, zone: tzinfo | None) -> str:
    """Return a time for people: the time of today, or the date and the time."""
    when, today = moment(milliseconds, zone), moment(now_milliseconds(), zone)
    if when.date() == today.date():
        return f"today, {when:%H:%M}"
    days = (today.date() - when.date()).days
    if days == 1:
        return f"yesterday, {when:%H:%M}"
    return f"{when.day} {when:%b %H:%M}" if when.year == today.year else f"{when.day} {when:%b %Y, %H:%M}"


def age_text(milliseconds: int) -> str:
    """Return how long ago a time was."""
    passed = now_milliseconds() - milliseconds
    return "just now" if passed < 5000 else f"{duration_text(passed)} ago"


def duration_text(milliseconds: float | None) -> str:
    """Return a duration with one unit, or seconds with one digit after the point."""
    if milliseconds is None:
        return "\N{EN DASH}"
    if milliseconds < 1000:
        return f"{milliseconds:.0f} ms"
    if milliseconds < 10_000:
        return f"{milliseconds / 1000:.1f} s"
    for unit, length in _UNITS:
        if milliseconds >= 2 * length or unit == "s":
            return f"{milliseconds / length:.0f} {unit}"
    return ""


def number_text(number: float) -> str:
    """Return a number with narrow spaces between thousands."""
    if isinstance(number, float) and not number.is_integer():
        return f"{number:,.1f}".replace(",", "\N{NARROW NO-BREAK SPACE}")
    return f"{number:,.0f}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def percent_text(part: float, whole: float) -> str:
    """Return a share in percent. Only a whole is 100 %, and only nothing is 0 %."""
    if not whole:
        return "\N{EN DASH}"
    share = 100 * part / whole
    if 0 < share < 1:
        return "< 1 %"
    if 99 < share < 100:
        return "> 99 %"
    return f"{share:.0f} %"
