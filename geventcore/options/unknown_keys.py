"""Keys and sections of a configuration file that nothing reads: most often a slip of the pen.

They are no errors, because the file may be shared with programs that are not known here. Only sections of known
options are looked at; other sections are somebody else's, unless their name is nearly that of a known one.
"""

from __future__ import annotations

import difflib

from geventcore.options.bcfg2_keys import BCFG2_KEYS, FREE_SECTIONS, is_free
from geventcore.options.optionset import OptionSet
from geventcore.options.sources import ConfigFiles

#: How alike two sections have to be (1 is equal), so that one may be meant by the other.
SECTION_LIKENESS = 0.85


def unknown_key_warnings(files: ConfigFiles, options: OptionSet) -> list[str]:
    """One line for each unknown key of a known section, with file, line and the known key that is nearest."""
    known = options.keys()
    warnings = []
    for section in files.sections():
        if is_free(section):
            continue
        if section not in known:
            warnings += _unknown_section(section, {*known, *BCFG2_KEYS, *FREE_SECTIONS})
            continue
        keys = known[section].union(BCFG2_KEYS.get(section, ()))
        for key, spelled in files.spelled_keys(section).items():
            if key not in keys:
                hint = _did_you_mean(difflib.get_close_matches(key, sorted(keys), n=1))
                warnings.append(f"{files.location(section, key)}: [{section}] {spelled} is no known option{hint}")
    return warnings


def _unknown_section(section: str, known: set[str]) -> list[str]:
    if section in known:
        return []
    same = [name for name in sorted(known) if name.lower() == section.lower()]
    close = same or difflib.get_close_matches(section, sorted(known), n=1, cutoff=SECTION_LIKENESS)
    return [f"[{section}] is no known section{_did_you_mean([f'[{name}]' for name in close])}"] if close else []


def _did_you_mean(names: list[str]) -> str:
    return f"; did you mean {names[0]}?" if names else ""
