"""The set of known options, in the order in which components add them.

Each place in the file (section and key), flag and environment variable belongs to one option. Two parts of the program
that need the same value import the same `Option` object.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from geventcore.options.option import Option


class OptionSet:
    """A set of options. Iteration yields them in the order in which they were added."""

    def __init__(self, options: Iterable[Option[Any]] = ()) -> None:
        self._options: dict[Option[Any], None] = {}
        self._owners: dict[object, Option[Any]] = {}
        self.add(*options)

    def add(self, *options: Option[Any]) -> None:
        """Add options. Options that the set already contains are skipped.

        Raises:
            ValueError: another option has the same place, flag or environment variable. This is an error in the program
                or in a site's plugin, not in a configuration.
        """
        for option in options:
            if option in self._options:
                continue
            claims = _claims(option)
            for claim in claims:
                if claim in self._owners:
                    raise ValueError(f"two options claim {claim}: {self._owners[claim].label} and {option.label}")
            self._owners.update(dict.fromkeys(claims, option))
            self._options[option] = None

    def __iter__(self) -> Iterator[Option[Any]]:
        return iter(tuple(self._options))

    def __len__(self) -> int:
        return len(self._options)

    def __contains__(self, option: object) -> bool:
        return option in self._options

    def by_section(self) -> dict[str, list[Option[Any]]]:
        """Return section -> its options. Options that no file can set are under ``""``."""
        sections: dict[str, list[Option[Any]]] = {}
        for option in self._options:
            sections.setdefault(option.section, []).append(option)
        return sections

    def keys_by_section(self) -> dict[str, set[str]]:
        """Return section -> its known keys, including synonyms."""
        sections: dict[str, set[str]] = {}
        for option in self._options:
            for section, key in option.places:
                sections.setdefault(section, set()).add(key)
        return sections


def _claims(option: Option[Any]) -> list[str]:
    """Yield what only one option may have. Synonyms are not claimed: an option may fall back to another one's value."""
    place = [f"[{option.section}] {option.key}"] if option.section else []
    return [*place, *option.flags, *([option.env] if option.env else [])]
