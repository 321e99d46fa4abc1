"""Numbers with units, as people read them."""

from __future__ import annotations

#: Unit -> its bytes, smallest first. They are the powers of 1024 that options accept as k, m, g and t.
_UNITS = {"KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30, "TB": 1 << 40}


def size_text(size_bytes: float) -> str:
    """Return a number of bytes for people, such as ``256 MB``, ``1.5 GB`` or ``7 bytes``."""
    for name, unit in reversed(_UNITS.items()):
        if size_bytes >= unit:
            amount = size_bytes / unit
            return f"{amount:.0f} {name}" if amount >= 10 or amount == int(amount) else f"{amount:.1f} {name}"
    return f"{size_bytes:.0f} byte{'' if size_bytes == 1 else 's'}"


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, such as ``1 report`` or ``2 reports``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
