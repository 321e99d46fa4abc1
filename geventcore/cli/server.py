"""``geventcore server``: serve the configuration to clients.

The top of this module imports nothing of the server: a core may have to prepare the process first.
"""

from __future__ import annotations

import importlib
import logging
import os
from typing import TYPE_CHECKING, Any

import click

from geventcore.cli.command import start_logging, with_settings
from geventcore.cli.components import core_name, load_core_class, program_options
from geventcore.core.network_options import PID_FILE
from geventcore.cores import PREPARATIONS
from geventcore.errors import GeventcoreError
from geventcore.metrics.definitions import FILE_EVENT_FAILURES
from geventcore.options import LoadedSettings, Option
from geventcore.options.server import FAM_BLOCKING, KEY, LISTEN_ALL, PASSWORD, SERVER_URL
from geventcore.units import counted

if TYPE_CHECKING:
    from geventcore.core.network import NetworkCore

log = logging.getLogger(__name__)


def prepare_process(name: str) -> None:
    """Prepare the process for the configured core, before other imports."""
    if name in PREPARATIONS:
        module, _, function = PREPARATIONS[name].partition(":")
        getattr(importlib.import_module(module), function)()


@click.command()
@click.option(
    "--check",
    is_flag=True,
    help="Check the configuration, keys and the whole repository, and exit; status 1 if a file cannot be used, or lint "
    "finds an error.",
)
@click.option(
    "--children", type=click.IntRange(1), metavar="NUMBER", help="The worker processes of the multiprocessing core."
)
@click.option(
    "--replace",
    is_flag=True,
    help="Take the sockets over from the running server, which ends when this one serves. If this one cannot start, "
    "the running one goes on.",
)
@click.option("--cfg-validation/--no-cfg-validation", default=None, help="Check generated files of Cfg.")
@with_settings(PID_FILE, SERVER_URL, PASSWORD, KEY, LISTEN_ALL, FAM_BLOCKING)
def command(
    settings: LoadedSettings, check: bool, replace: bool, children: int | None, cfg_validation: bool | None
) -> int:
    """Serve the configuration to clients.

    The server stays in the foreground unless -D names a pid file. On SIGTERM it finishes the current requests and
    stops. On SIGHUP it reloads configuration, keys and certificates. On SIGUSR1 it reopens the log file.
    """
    name = core_name(settings)
    prepare_process(name)
    core_class = load_core_class(name, settings)
    settings.options.add(*program_options(), *core_class.options)
    settings = _with_flags(settings, children, cfg_validation)
    settings.check()
    start_logging(settings, server=not check)
    if check:
        return _check(core_class(settings), click.get_current_context())
    from geventcore.admin.endpoints import AdminListener
    from geventcore.admin.handover import HandoverListener, find_predecessor
    from geventcore.core.tracing_options import configure_tracing

    predecessor = None
    try:
        configure_tracing(settings)
        if replace:
            predecessor = find_predecessor(settings)
        core = core_class(settings)
        core.predecessor = predecessor
        admin = AdminListener(core)
        core.side_services.add(admin)
        core.side_services.add(HandoverListener(core, admin.named_sockets))
        status = 0 if core.run() else 1
        if core.cut_off:
            # Otherwise Python would wait for threads that hang in a plugin.
            logging.shutdown()
            os._exit(status)
        return status
    except GeventcoreError as err:
        # The log includes standard error.
        still = f"; {predecessor} goes on serving" if predecessor is not None else ""
        log.critical("cannot run the server: %s%s", err, still)
        return 1


def _with_flags(settings: LoadedSettings, children: int | None, cfg_validation: bool | None) -> LoadedSettings:
    """Apply the flags whose options belong to a core or plugin, which are imported only now."""
    values: dict[Option[Any], Any] = {}
    if children is not None:
        # Other cores have no such option: Bcfg2 ignores the flag there, too.
        values |= {option: children for option in settings.options if option.flags == ("--children",)}
    if cfg_validation is not None:
        from geventcore.plugins.cfg.options import VALIDATION

        values[VALIDATION] = cfg_validation
    return settings.with_values(values) if values else settings


def _check(core: NetworkCore, ctx: click.Context) -> int:
    """Load everything, and do the checks of lint; a file that the server refuses, or an error of lint, is a failure."""
    from geventcore.cli.lint import errors_of_lint

    core.read_only = True
    before = _broken_files()
    try:
        core.load()
        plugins = counted(len(core.plugins.by_name), "plugin")
        clients = counted(len(core.metadata_source().list_clients()), "client")
        broken = _broken_files() - before
        text, errors = errors_of_lint(ctx)
    finally:
        core.shutdown()
    click.echo(text, nl=False)
    click.echo(f"The configuration is valid: {plugins}, {clients}.")
    if broken:
        click.echo(f"{counted(broken, 'file')} of the repository cannot be used; the messages above say why.")
    if errors:
        click.echo(f"The repository has {counted(errors, 'error')}; geventcore lint says more.")
    return 1 if broken or errors else 0


def _broken_files() -> int:
    return int(sum(value for _, _, value in FILE_EVENT_FAILURES.samples()))
