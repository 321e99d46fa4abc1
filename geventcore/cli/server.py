"""``geventcore server``: serve the configuration to clients.

Nothing of the server is imported at the top: a core may have to prepare the process first, before other imports.
"""

from __future__ import annotations

import importlib
import logging
import os
from typing import TYPE_CHECKING, Any

import click

from geventcore.cli.common import start_logging, with_settings
from geventcore.core.network_options import NETWORK_OPTIONS, PID_FILE
from geventcore.cores import BEST_CORE, CORES, PREPARATIONS
from geventcore.errors import ConfigError, GeventcoreError
from geventcore.options import LoadedSettings
from geventcore.options.common import CORE, FAM_BLOCKING, KEY, LISTEN_ALL, PASSWORD, SERVER_URL

if TYPE_CHECKING:
    from geventcore.core.network import NetworkCore

log = logging.getLogger(__name__)


def _load(path: str) -> Any:
    """The object at ``module:name`` or ``module.name``."""
    module, _, name = path.replace(":", ".").rpartition(".")
    return getattr(importlib.import_module(module), name)


def prepare_process(name: str) -> None:
    """Do what a core needs done before other imports."""
    if name in PREPARATIONS:
        _load(PREPARATIONS[name])()


def load_core_class(name: str, settings: LoadedSettings) -> type[NetworkCore]:
    """The class of a core, by its name in the table or, for a site's own, as ``package.module:Class``.

    `ConfigError` if there is none, or a library that it needs is missing.
    """
    from geventcore.core.network import NetworkCore

    where = f"{settings.source_of(CORE)}: {CORE.label} = {name}"
    if name not in CORES and "." not in name and ":" not in name:
        raise ConfigError(
            f"{where}: expected one of {', '.join(sorted(CORES))}, best, or package.module:Class for a core of your own"
        )
    try:
        core_class = _load(CORES.get(name, name))
    except (ImportError, AttributeError, TypeError, ValueError) as err:
        raise ConfigError(f"{where}: this core cannot be used here: {err}") from err
    if not (isinstance(core_class, type) and issubclass(core_class, NetworkCore)):
        raise ConfigError(f"{where}: {core_class!r} is not a class that derives from NetworkCore")
    return core_class


@click.command()
@click.option("--check", is_flag=True, help="Check the configuration, keys and repository, and end.")
@with_settings(PID_FILE, SERVER_URL, PASSWORD, KEY, LISTEN_ALL, FAM_BLOCKING)
def command(settings: LoadedSettings, check: bool) -> int:
    """Serve the configuration to clients.

    The server stays in the foreground unless -D names a pid file. SIGTERM ends it when the requests that are under way
    are answered; SIGHUP has it read the configuration, keys and certificates again; SIGUSR1 reopens the log file.
    """
    name = settings[CORE] or BEST_CORE
    if name in CORES:
        prepare_process(name)
    core_class = load_core_class(name, settings)
    settings.options.add(*NETWORK_OPTIONS, *core_class.options)
    settings.check()
    start_logging(settings, server=not check)
    if check:
        return _check(core_class(settings))
    try:
        core = core_class(settings)
        status = 0 if core.run() else 1
        if core.cut_off:
            # Python would wait for threads that are stuck in a plugin's call.
            logging.shutdown()
            os._exit(status)
        return status
    except GeventcoreError as err:
        # Standard error is one of the places that this goes to.
        log.critical("The server cannot run: %s", err)
        return 1


def _check(core: NetworkCore) -> int:
    try:
        core.load()
        clients = len(core.metadata_source().list_clients())
        click.echo(f"The configuration is usable: {len(core.plugins.by_name)} plugins, {clients} clients.")
    finally:
        core.shutdown()
    return 0
