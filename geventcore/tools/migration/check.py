"""The check of a whole site. It loads a copy of the repository, so it changes nothing."""

from __future__ import annotations

import logging
import re
from pathlib import Path

from geventcore.core.plugin_loading import load_configured
from geventcore.errors import GeventcoreError, PluginInitError
from geventcore.options import LoadedSettings
from geventcore.options.bcfg2_keys import BCFG2_KEYS, is_free
from geventcore.options.server import PLUGINS, REPOSITORY
from geventcore.plugin.registry import unique
from geventcore.plugins import PLUGINS as PLUGIN_TABLE
from geventcore.plugins.replaced import ReplacedPlugin
from geventcore.tools.log_recording import recorded_log
from geventcore.tools.migration.code import check_code, check_module
from geventcore.tools.migration.config_texts import check_texts
from geventcore.tools.migration.differences import Differences
from geventcore.tools.migration.site_copy import copied_repository
from geventcore.tools.site import open_core

#: Plugins that are imported, but not loaded: they would open databases.
_NOT_LOADED = frozenset({"Reporting"})
#: What messages of the log say that other parts of the check report better.
_KNOWN_MESSAGES = re.compile(r"in Python 3: |^plugin \w+ does nothing: |^Plugin \w+ is deprecated")


def check_site(settings: LoadedSettings, errors: list[GeventcoreError], known: dict[str, set[str]]) -> Differences:
    """Check a site; return the differences.

    Args:
        settings: the site's settings, with the options of its plugins.
        errors: what cannot be loaded or has a wrong value.
        known: section -> the keys that some part of this program reads.
    """
    differences = Differences(str(settings.config_file or ""))
    for err in errors:
        differences.add("plugins" if isinstance(err, PluginInitError) else "options", "error", "", str(err))
    for path in settings.files:
        check_texts(path, differences)
    _check_options(settings, known, differences)
    try:
        repository = Path(settings[REPOSITORY])
        listed = settings[PLUGINS]
        names = unique(listed)
    except GeventcoreError as err:
        differences.add("options", "error", "", str(err))
        return differences
    differences.repository, differences.plugins = str(repository), tuple(names)
    usable = _check_plugins(settings, names, differences)
    if not repository.is_dir():
        differences.add("options", "error", REPOSITORY.label, f"the repository {repository} does not exist")
        return differences
    check_code(repository, differences)
    with copied_repository(repository) as copy:
        _load(settings, copy, usable, differences)
    return differences


def _check_options(settings: LoadedSettings, known: dict[str, set[str]], differences: Differences) -> None:
    for warning in settings.warnings:
        differences.add("options", "warning", "", warning)
    for section, keys in BCFG2_KEYS.items():
        if is_free(section):
            continue
        for key in settings.section(section):
            if key.lower() in keys and key.lower() not in known.get(section, ()):
                differences.add("options", "note", f"[{section}] {key}", "Bcfg2 has this option; nothing here reads it")


def _check_plugins(settings: LoadedSettings, names: list[str], differences: Differences) -> list[str]:
    """Report plugins that cannot be used; return the names of the others."""
    usable = []
    for name in names:
        if name not in PLUGIN_TABLE:
            check_module(name, differences)
        try:
            plugin_class = load_configured(name, settings)
        except PluginInitError as err:
            differences.add("plugins", "error", "", str(err))
            continue
        if issubclass(plugin_class, ReplacedPlugin):
            differences.add("plugins", "warning", name, f"does nothing: {plugin_class.reason}")
        elif plugin_class.deprecated:
            differences.add("plugins", "note", name, "is deprecated, as in Bcfg2")
        if name not in _NOT_LOADED:
            usable.append(name)
    return usable


def _load(settings: LoadedSettings, copy: Path, names: list[str], differences: Differences) -> None:
    """Load the plugins and a copy of the repository, and report the messages of the log."""
    without_database = {option: False for option in settings.options if option.key == "use_database"}
    while names:
        values = {**without_database, REPOSITORY: copy, PLUGINS: tuple(names)}
        local = settings.with_values(values)
        with recorded_log() as records:
            failed = _load_once(local)
        _add_records(records, copy, differences)
        if failed is None:
            return
        differences.add("plugins", "error", "", _original(str(failed), copy, differences))
        match = re.match(r"plugin (\S+) cannot be loaded", str(failed))
        left = [name for name in names if match is None or name.rpartition(".")[2] != match[1].rpartition(".")[2]]
        names = [] if left == names else left


def _load_once(settings: LoadedSettings) -> GeventcoreError | None:
    try:
        with open_core(settings):
            return None
    except GeventcoreError as err:
        return err


def _add_records(records: list[logging.LogRecord], copy: Path, differences: Differences) -> None:
    for record in records:
        text = record.getMessage()
        if not _KNOWN_MESSAGES.search(text):
            severity = "error" if record.levelno >= logging.ERROR else "warning"
            differences.add("files", severity, "", _original(text, copy, differences))


def _original(text: str, copy: Path, differences: Differences) -> str:
    return text.replace(str(copy), differences.repository)
