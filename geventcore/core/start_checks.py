"""The reasons why a server would not start, and the warnings that it would log: for commands that start none.

Everything is asked of the code that the start itself runs, so that all give the same verdict in the same words.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from geventcore.core.base import Core
from geventcore.core.certificates import Certificates
from geventcore.core.configuration import Configuration
from geventcore.core.plugin_loading import plugin_classes
from geventcore.errors import ConfigError, CoreInitError, GeventcoreError
from geventcore.filemonitor import create_monitor
from geventcore.options.server import CA, IGNORE_FILES, PASSWORD
from geventcore.options.settings import LoadedSettings
from geventcore.plugins.replaced import ReplacedPlugin
from geventcore.repository.presence import has_content


def check_content(core: Core) -> None:
    """Raise `CoreInitError` if the repository has no files of any plugin."""
    if not has_content(core.repository.path, core.plugins.imported_names):
        raise CoreInitError(
            f"the repository {core.repository.path} has no files of any plugin; is its file system mounted? "
            "geventcore init creates a new repository"
        )


def start_problems(settings: LoadedSettings) -> Iterator[GeventcoreError]:
    """Yield the reasons why a server with these settings, whose values are valid, would not start.

    The plugins are instantiated, and change nothing. Whether the port is free is not asked.
    """
    try:
        Certificates(Configuration(settings))
    except GeventcoreError as err:
        yield err
    ignored = settings[IGNORE_FILES]
    try:
        core = Core(settings, create_monitor("pseudo", ignored))
    except GeventcoreError as err:
        yield err
        return
    core.read_only = True
    try:
        core.plugins.import_classes(settings)
        check_content(core)
        core.plugins.load(core.plugin_context)
    except GeventcoreError as err:
        yield err
    finally:
        core.shutdown()


def start_warnings(settings: LoadedSettings) -> list[str]:
    """Return the warnings about the settings of a server that starts nevertheless."""
    warnings = list(settings.warnings)
    with contextlib.suppress(ConfigError):
        if not settings[PASSWORD]:
            whom = "a password of their own" + ("" if settings[CA] is None else ", or a certificate,")
            warnings.append(f"{PASSWORD.label} is not set: only clients with {whom} can log in; set it, or pass -x")
    return warnings


def replaced_plugins(settings: LoadedSettings) -> list[str]:
    """Return a sentence about each configured plugin that does nothing here."""
    try:
        classes = plugin_classes(settings)
    except GeventcoreError:
        return []
    return [each.sentence() for each in classes if issubclass(each, ReplacedPlugin)]
