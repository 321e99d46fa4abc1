"""What in a configuration file is read by nothing: most often a slip of the pen.

These are no errors, because the file may be shared with programs that are not known here. Only sections of known
options are looked at; other sections are somebody else's, unless their name is nearly that of a known one.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterator

from geventcore.options.bcfg2_keys import BCFG2_KEYS, FREE_SECTIONS, is_free
from geventcore.options.optionset import OptionSet
from geventcore.options.sources import ConfigFiles

#: How alike two sections have to be (1 is equal), so that one may be meant by the other.
SECTION_LIKENESS = 0.85


def unknown_key_warnings(files: ConfigFiles, options: OptionSet) -> list[str]:
    """One line for each thing in the files that is probably meant to be read and is not; with file and line."""
    known = options.keys_by_section()
    warnings: list[str] = []
    for section in files.sections():
        if is_free(section):
            continue
        if section in known:
            keys = known[section].union(BCFG2_KEYS.get(section, ()))
            warnings += _unknown_keys(files, section, keys)
            warnings += _indented_keys(files, section, keys)
        else:
            warnings += _unknown_section(files, section, {*known, *BCFG2_KEYS, *FREE_SECTIONS})
    return warnings


def _unknown_keys(files: ConfigFiles, section: str, keys: Collection[str]) -> Iterator[str]:
    for key, spelled in files.spelled_keys(section).items():
        if key not in keys:
            hint = _did_you_mean(difflib.get_close_matches(key, sorted(keys), n=1))
            yield f"{files.location(section, key)}: [{section}] {spelled} is no known option{hint}"


def _indented_keys(files: ConfigFiles, section: str, keys: Collection[str]) -> Iterator[str]:
    """An indented line belongs to the value of the key before it, also if it looks like another key."""
    for key in files.spelled_keys(section):
        for line in files.raw(section, key).splitlines()[1:]:
            match = re.match(r"([\w-]+)\s*[=:]", line)
            if match and match[1].lower() in keys:
                where = files.location(section, key)
                yield f"{where}: [{section}] {match[1]} is indented and so belongs to the value of {key}"


def _unknown_section(files: ConfigFiles, section: str, known: Collection[str]) -> Iterator[str]:
    if section in known:
        return
    same = [name for name in sorted(known) if name.lower() == section.lower()]
    close = same or difflib.get_close_matches(section, sorted(known), n=1, cutoff=SECTION_LIKENESS)
    locations = (files.location(section, key) for key in files.spelled_keys(section))
    where = next((f"{location}: " for location in locations), "")
    if close:
        yield f"{where}[{section}] is no known section{_did_you_mean([f'[{name}]' for name in close])}"


def _did_you_mean(names: list[str]) -> str:
    return f"; did you mean {names[0]}?" if names else ""
