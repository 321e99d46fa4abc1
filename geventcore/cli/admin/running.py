"""The commands of ``admin`` that ask a running server: ``perf``, ``expirecache`` and ``xcmd``."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from geventcore.cli.command import start_logging, with_settings
from geventcore.cli.local_core import HOST, format_flag, is_original, print_json
from geventcore.errors import ConfigError
from geventcore.options import LoadedSettings
from geventcore.options.server import CA, CERTIFICATE, KEY, PASSWORD, SERVER_URL
from geventcore.tools.inspection import plain
from geventcore.tools.options import (
    CALL_RETRIES,
    CALL_RETRY_DELAY,
    CALL_TIMEOUT,
    CALL_USER,
    SERVER_COMMON_NAMES,
)
from geventcore.tools.server_calls import CallFailed, CallFault, ServerAccess, call

F = TypeVar("F", bound=Callable[..., Any])

_OPTIONS = (
    SERVER_URL,
    CALL_USER,
    PASSWORD,
    CALL_TIMEOUT,
    CALL_RETRIES,
    CALL_RETRY_DELAY,
    SERVER_COMMON_NAMES,
    KEY,
)
_EXIT_ERROR = 1


def _call_flags(function: F) -> F:
    """Add the flags of a call; the argument `certificate` is the client certificate."""
    wrapped = click.option(
        "--certificate",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        metavar="FILE",
        help="A client certificate in PEM format; its key is that of --ssl-key, or in the same file.",
    )(function)
    return with_settings(*_OPTIONS)(wrapped)  # type: ignore[return-value]


def _call(settings: LoadedSettings, certificate: Path | None, method: str, arguments: Sequence[Any] = ()) -> Any:
    start_logging(settings)
    with _original_errors():
        if certificate is None and is_original() and settings.is_set(CERTIFICATE):
            # The certificate in a server's configuration is its own. Bcfg2's tools show it, where that is a client's.
            try:
                return call(_access(settings, settings[CERTIFICATE]), method, arguments)
            except (CallFailed, ConfigError):
                pass
        return call(_access(settings, certificate), method, arguments)


def _access(settings: LoadedSettings, certificate: Path | None) -> ServerAccess:
    key = settings[KEY] if settings.is_set(KEY) else None
    return ServerAccess(
        url=str(settings[SERVER_URL]),
        user=settings[CALL_USER],
        password=settings[PASSWORD] or "",
        ca=settings[CA],
        certificate=certificate,
        key=key if certificate is not None else None,
        common_names=settings[SERVER_COMMON_NAMES],
        timeout_seconds=settings[CALL_TIMEOUT],
        attempts=settings[CALL_RETRIES],
        retry_delay_seconds=settings[CALL_RETRY_DELAY],
    )


@contextmanager
def _original_errors() -> Iterator[None]:
    """Print a failed call as Bcfg2's tools do, under their names."""
    try:
        yield
    except (CallFailed, CallFault) as err:
        if not is_original():
            raise
        if isinstance(err, CallFault):
            click.echo(f"Proxy Error: XML-RPC Fault: {err} ({err.code})")
        else:
            click.echo(f"Proxy Error: XML-RPC Protocol Error: {err.reason} ({err.status})")
        click.get_current_context().exit(_EXIT_ERROR)


@click.command("xcmd")
@click.argument("method")
@click.argument("arguments", metavar="[ARGUMENT]...", nargs=-1)
@format_flag
@_call_flags
def xcmd(
    settings: LoadedSettings, method: str, arguments: Sequence[str], certificate: Path | None, as_json: bool
) -> None:
    """Call a method of a running server, and print its result.

    All arguments are sent as texts. The method system.listMethods lists the methods.
    """
    result = _call(settings, certificate, method, arguments)
    if as_json:
        print_json(plain(result))
    elif result is not None:
        click.echo(result if isinstance(result, str) or is_original() else json.dumps(plain(result), indent=2))


@click.command("expirecache")
@click.argument("hosts", nargs=-1, type=HOST)
@_call_flags
def expirecache(settings: LoadedSettings, hosts: Sequence[str], certificate: Path | None) -> None:
    """Make a running server forget the cached metadata of hosts, or of all."""
    _call(settings, certificate, "expire_metadata_cache", [list(hosts)] if hosts else [])
    if not is_original():
        click.echo(f"{', '.join(hosts) or 'all hosts'}: forgotten")


@click.command("perf")
@format_flag
@_call_flags
def perf(settings: LoadedSettings, certificate: Path | None, as_json: bool) -> None:
    """Show the durations that a running server has measured, by step and plugin, in seconds."""
    found = _call(settings, certificate, "get_statistics")
    # Name -> the shortest, longest and mean duration, and the number.
    rows = sorted(found.items())
    if as_json:
        print_json(
            {
                name: dict(zip(("min_seconds", "max_seconds", "mean_seconds", "count"), values, strict=False))
                for name, values in rows
            }
        )
        return
    width = max([20, *(len(name) for name, _ in rows)]) + 1
    rule = " ".join("=" * columns for columns in (width, 10, 10, 10, 7))
    click.echo("\n".join([rule, f"{'Name':{width}} {'Min':10} {'Max':10} {'Mean':10} {'Count':7}", rule]))
    for name, (shortest, longest, mean, count) in rows:
        click.echo(f"{name:{width}} {shortest:<10.6f} {longest:<10.6f} {mean:<10.6f} {int(count):<7}")
