"""The options that are known: what components contributed, in their order.

A place in the file (section and key), a flag and an environment variable belong to one option each. Two parts of the
program that need the same value import the same `Option` object.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from geventcore.options.option import Option


class OptionSet:
    """Options, each once. Iteration gives them in the order in which they were added."""

    def __init__(self, options: Iterable[Option[Any]] = ()) -> None:
        self._options: dict[Option[Any], None] = {}
        self._owners: dict[object, Option[Any]] = {}
        self.add(*options)

    def add(self, *options: Option[Any]) -> None:
        """Add options; those that are in it already are skipped.

        Raises `ValueError` if another option has the same place, flag or environment variable. That is a mistake in
        the program (or in a site's plugin), not in a configuration.
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
        """Section -> its options. Those that no file can set are under ``""``."""
        sections: dict[str, list[Option[Any]]] = {}
        for option in self._options:
            sections.setdefault(option.section, []).append(option)
        return sections

    def keys_by_section(self) -> dict[str, set[str]]:
        """Section -> keys that mean something in it, those of synonyms included."""
        sections: dict[str, set[str]] = {}
        for option in self._options:
            for section, key in option.places:
                sections.setdefault(section, set()).add(key)
        return sections


def _claims(option: Option[Any]) -> list[str]:
    """What no other option may have. Synonyms are free: one option may fall back to the value of another."""
    place = [f"[{option.section}] {option.key}"] if option.section else []
    return [*place, *option.flags, *([option.env] if option.env else [])]
