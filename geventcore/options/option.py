"""The contract of options and of the settings that code reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class OptionType(Protocol[T_co]):
    """A parser for the text of a value. `geventcore.options.types` has the usual ones and their base class."""

    @property
    def accepts(self) -> str:
        """A description of the accepted values, to follow "expected": ``yes or no``, ``a whole number from 1 to 9``."""

    @property
    def is_flag(self) -> bool:
        """True if the command-line form takes no value."""

    def parse(self, text: str) -> T_co:
        """Parse the text of a value.

        Raises:
            ValueError: the text is not accepted. The caller adds file, section and key.
        """


@dataclass(frozen=True, eq=False)
class Option(Generic[T]):
    """One option.

    Attributes:
        section, key: place in ``bcfg2.conf``: the section as it is spelled there, the key in lower case. Options of the
            section ``""`` can only be set on the command line or in the environment.
        type: parser of the value's text.
        default: value if the option is not set. A ``str`` is parsed like any text and may contain ``<repository>`` or
            ``<state>``;
            other objects are used as they are.
        help: manual: the meaning of the option and when to change it. ``--help`` shows the first paragraph.
        flags: command-line forms, such as ``("-x", "--password")``. Flags of yes-or-no options mean "no" if they begin
            with ``--no-``, else "yes".
        env: name of an environment variable.
        synonyms: other ``(section, key)`` places of the same option; the main one wins.
        secret: whether the value must not be printed.
        at_start: whether a change takes effect only at the server's next start, and not at a reload.
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
        """The ``(section, key)`` places of the option in a file, the main one first."""
        return ((self.section, self.key), *self.synonyms) if self.section else self.synonyms

    @property
    def label(self) -> str:
        """The option's name in messages: ``[server] repository``, or its longest flag if no file can set it."""
        if self.section:
            return f"[{self.section}] {self.key}"
        return max(self.flags, key=len, default=self.env or self.key)


class Settings(Protocol):
    """The values of options, as code reads them."""

    def __getitem__(self, option: Option[T]) -> T:
        """Return the value of an option: from the command line, else environment, else file, else default."""

    def is_set(self, option: Option[Any]) -> bool:
        """Return whether a source sets the option."""

    def source_of(self, option: Option[Any]) -> str:
        """Return the source of a value for messages: ``/etc/bcfg2.conf:12``, ``command line``, ``default``."""

    def section(self, name: str) -> Mapping[str, str]:
        """Return a section of the configuration file as text, for sections with free keys such as ``[encryption]``."""
