"""Generated documentation of the options: a reference page and a sample configuration file."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from typing import Any

from geventcore.options.option import Option
from geventcore.options.optionset import OptionSet
from geventcore.options.types import ValueType

#: Line length of the generated text, in columns.
WIDTH = 100


def value_text(option: Option[Any], value: Any) -> str:
    """Return the text of an option's value as it can be written in a configuration file."""
    if isinstance(option.type, ValueType):
        return option.type.format(value)
    return "" if value is None else str(value)


def default_text(option: Option[Any]) -> str:
    """Return the text of an option's default; empty if it is unset."""
    return option.default if isinstance(option.default, str) else value_text(option, option.default)


def reference_rst(options: Iterable[Option[Any]]) -> str:
    """Return the reference in reStructuredText, with a section for each section of the file, sorted by name."""
    lines: list[str] = []
    for section, members in _sorted_sections(options):
        title = f"[{section}]" if section else "Only on the command line"
        lines += [title, "-" * len(title), ""]
        for option in members:
            lines += [f"``{option.key if section else option.label}``", *_indented(_facts_rst(option), "    "), ""]
            for paragraph in _paragraphs(option.help):
                lines += [*_indented([_escape_rst(paragraph)], "    "), ""]
    return "\n".join(lines)


def sample_conf(options: Iterable[Option[Any]]) -> str:
    """Return a sample configuration file: every option with its help and its default, as comments."""
    lines = [
        "# All options with their defaults. Remove the # before an option to change it.",
        "# Write a literal % in a value as %%.",
    ]
    for section, members in _sorted_sections(option for option in options if option.section):
        lines += ["", f"[{section}]"]
        for option in members:
            lines.append("")
            for paragraph in _paragraphs(option.help):
                lines += _indented([paragraph], "# ")
            lines += _indented(_facts_plain(option), "# ")
            lines.append(f"#{option.key} = {default_text(option).replace('%', '%%')}".rstrip())
    return "\n".join(lines) + "\n"


def _sorted_sections(options: Iterable[Option[Any]]) -> list[tuple[str, list[Option[Any]]]]:
    return sorted(OptionSet(options).by_section().items())


def _facts_rst(option: Option[Any]) -> Iterator[str]:
    default = default_text(option)
    yield f":accepts: {_escape_rst(option.type.accepts)}"
    yield f":default: ``{default}``" if default else ":default: nothing"
    if option.at_start:
        yield ":takes effect: at the next start"
    if option.flags:
        yield ":command line: " + ", ".join(f"``{flag}``" for flag in option.flags)
    if option.env:
        yield f":environment: ``{option.env}``"
    if option.synonyms:
        yield ":also as: " + ", ".join(f"``[{section}] {key}``" for section, key in option.synonyms)


def _facts_plain(option: Option[Any]) -> Iterator[str]:
    yield f"Accepts: {option.type.accepts}"
    if option.flags:
        yield f"Command line: {', '.join(option.flags)}"
    if option.env:
        yield f"Environment: {option.env}"


def _paragraphs(text: str) -> list[str]:
    return [" ".join(paragraph.split()) for paragraph in text.split("\n\n")]


def _escape_rst(text: str) -> str:
    """Escape text so that nothing in it is markup."""
    return "".join(f"\\{char}" if char in "\\*`|_<>" else char for char in text)


def _indented(texts: Iterable[str], indent: str) -> Iterator[str]:
    for text in texts:
        # The continuation lines of a list item or field must be indented more than its first line.
        further = indent + "    " if text.startswith(":") else indent
        yield from textwrap.wrap(
            text,
            WIDTH,
            initial_indent=indent,
            subsequent_indent=further,
            break_long_words=False,
            break_on_hyphens=False,
        )
