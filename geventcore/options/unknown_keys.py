"""Warnings of keys in a configuration file that no option reads, most of them typing errors.

Unknown keys are not errors, because other programs may share the file. Only sections of known options are checked.
Other sections belong to other programs, unless their name is similar to a known one.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterator

from geventcore.options.bcfg2_keys import BCFG2_KEYS, FREE_SECTIONS, is_free
from geventcore.options.optionset import OptionSet
from geventcore.options.sources import ConfigFiles

#: The similarity above which an unknown section is taken for a misspelled known one; 1 is equal.
SECTION_LIKENESS = 0.85

#: Keys of parts of this program that not every command loads: section -> keys, in lower case.
KEYS_OF_PARTS: dict[str, tuple[str, ...]] = {
    "communication": ("crl", "second_certificate", "second_key"),
    "reporting": ("keep_days", "redis_password", "spool_limit"),
    "server": (
        *("drain_timeout", "gzip_level", "handshake_timeout", "idle_timeout", "max_body", "missing_plugins"),
        *("proxy_protocol", "request_timeout", "upload_memory"),
    ),
}


def unknown_key_warnings(files: ConfigFiles, options: OptionSet) -> list[str]:
    """List probable typing errors in the files, one line each, with file and line."""
    known = options.keys_by_section()
    warnings: list[str] = []
    for section in files.sections():
        if is_free(section):
            continue
        if section in known:
            keys = known[section].union(BCFG2_KEYS.get(section, ()), KEYS_OF_PARTS.get(section, ()))
            warnings += _unknown_keys(files, section, keys)
            warnings += _indented_keys(files, section, keys)
        else:
            warnings += _unknown_section(files, section, {*known, *BCFG2_KEYS, *FREE_SECTIONS})
    return warnings


def _unknown_keys(files: ConfigFiles, section: str, keys: Collection[str]) -> Iterator[str]:
    for key, spelled in files.spelled_keys(section).items():
        if key not in keys:
            hint = _did_you_mean(difflib.get_close_matches(key, sorted(keys), n=1))
            yield f"{files.location(section, key)}: unknown option [{section}] {spelled}{hint}"


def _indented_keys(files: ConfigFiles, section: str, keys: Collection[str]) -> Iterator[str]:
    """Warn of indented lines that look like keys: they belong to the value of the key before them."""
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
        yield f"{where}unknown section [{section}]{_did_you_mean([f'[{name}]' for name in close])}"


def _did_you_mean(names: list[str]) -> str:
    return f"; did you mean {names[0]}?" if names else ""
