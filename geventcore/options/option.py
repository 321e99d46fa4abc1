"""What an option is, and what a set of values looks like to the code that reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class OptionType(Protocol[T_co]):
    """How the text of a value becomes a value. `geventcore.options.types` has the usual ones and their base class."""

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
        section, key: where it stands in ``bcfg2.conf``: the section as it is spelled there, the key in lower case. A
            section of ``""`` means that it can only be given on the command line or in the environment.
        type: turns text into a value of type ``T``.
        default: the value if nothing is set. A ``str`` is parsed like any text and may contain ``<repository>``;
            anything else is the value itself.
        help: the manual: what it means, and when to change it. The first paragraph is what ``--help`` shows.
        flags: command-line forms, such as ``("-x", "--password")``. The flag of a yes-or-no option that is called
            ``--no-…`` means "no", any other means "yes".
        env: name of an environment variable.
        synonyms: other ``(section, key)`` places that mean the same; the main one wins.
        secret: the value is never printed.
        at_start: a change counts from the server's next start only, and not when it reads its configuration again.
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
    at_start: bool = False

    @property
    def places(self) -> tuple[tuple[str, str], ...]:
        """The ``(section, key)`` places where it may stand in a file, the main one first."""
        return ((self.section, self.key), *self.synonyms) if self.section else self.synonyms

    @property
    def label(self) -> str:
        """What it is called in messages: ``[server] repository``, or its longest flag if no file can set it."""
        if self.section:
            return f"[{self.section}] {self.key}"
        return max(self.flags, key=len, default=self.env or self.key)


class Settings(Protocol):
    """Values of options, as the code that needs them sees them."""

    def __getitem__(self, option: Option[T]) -> T:
        """The value of an option: command line, else environment, else file, else default."""

    def is_set(self, option: Option[Any]) -> bool:
        """Whether anything but the default gives the value."""

    def source_of(self, option: Option[Any]) -> str:
        """Who gives a value, as messages say it: ``/etc/bcfg2.conf:12``, ``command line``, ``default``."""

    def section(self, name: str) -> Mapping[str, str]:
        """All keys of a section of the configuration file as text, for sections with free keys (``[encryption]``)."""
