"""What an option is, and what a set of values looks like to the code that reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class OptionType(Protocol[T_co]):
    """How the text of a value becomes a value."""

    @property
    def accepts(self) -> str:
        """What is accepted, to be read after "expected": ``yes or no``, ``a whole number from 1 to 65535``."""

    @property
    def is_flag(self) -> bool:
        """Whether the command-line form takes no value."""

    def parse(self, text: str) -> T_co:
        """The value of a text; `ValueError` if there is none (the caller adds file, section and key)."""


@dataclass(frozen=True, eq=False)
class Option(Generic[T]):
    """One thing that can be set.

    Attributes:
        section, key: where it stands in ``bcfg2.conf``; both lower case. A section of ``""`` means that it can only be
            given on the command line or in the environment.
        type: turns text into a value of type ``T``.
        default: the value if nothing is set. A default of type ``str`` for a path type may contain ``<repository>``;
            it is parsed like any text.
        help: the manual: what it means, and when to change it.
        flags: command-line forms, such as ``("-x", "--password")``.
        env: name of an environment variable.
        synonyms: other ``(section, key)`` places that mean the same; the main one wins.
        secret: the value is never printed.
    """

    section: str
    key: str
    type: OptionType[T]
    default: Any
    help: str
    flags: tuple[str, ...] = ()
    env: str | None = None
    synonyms: tuple[tuple[str, str], ...] = ()
    secret: bool = False


class Settings(Protocol):
    """Values of options, as the code that needs them sees them."""

    def __getitem__(self, option: Option[T]) -> T:
        """The value of an option: command line, else environment, else file, else default."""

    def section(self, name: str) -> Mapping[str, str]:
        """All keys of a section of the configuration file as text, for sections with free keys (``[encryption]``)."""
