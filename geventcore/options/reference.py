"""The manual of options, made from the options themselves: a reference page and a sample configuration file."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from typing import Any

from geventcore.options.option import Option
from geventcore.options.optionset import OptionSet
from geventcore.options.types import ValueType

#: Columns of the text that is made here.
WIDTH = 100


def value_text(option: Option[Any], value: Any) -> str:
    """The text of an option's value, such that a file with it gives that value."""
    if isinstance(option.type, ValueType):
        return option.type.format(value)
    return "" if value is None else str(value)


def default_text(option: Option[Any]) -> str:
    """The text of an option's default; empty if it is unset."""
    return option.default if isinstance(option.default, str) else value_text(option, option.default)


def reference_rst(options: Iterable[Option[Any]]) -> str:
    """The reference in reStructuredText: one section of the page for each section of the file, sorted by name."""
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
    """A configuration file that sets nothing: every option with its manual and its default, as comments."""
    lines = [
        "# Everything that can be set, with its default. Remove the # before an option to change it.",
        "# A literal % in a value is written %%.",
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
        yield ":a change counts: from the next start"
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
    """Text in which nothing is markup."""
    return "".join(f"\\{char}" if char in "\\*`|_<>" else char for char in text)


def _indented(texts: Iterable[str], indent: str) -> Iterator[str]:
    for text in texts:
        # A list item's or field's further lines have to be deeper than its first.
        further = indent + "    " if text.startswith(":") else indent
        yield from textwrap.wrap(
            text,
            WIDTH,
            initial_indent=indent,
            subsequent_indent=further,
            break_long_words=False,
            break_on_hyphens=False,
        )
