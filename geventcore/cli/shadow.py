"""``geventcore shadow``: compare with a running Bcfg2 server before clients change to this one."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import click

from geventcore.cli.command import start_logging, termination_as_interrupt, with_settings
from geventcore.cli.local_core import HOST, for_hosts_with_progress, processes_flag, quiet_builds
from geventcore.cli.repository_names import GROUP_NAME
from geventcore.core.base import Core
from geventcore.errors import ConfigError, GeventcoreError
from geventcore.options import LoadedSettings
from geventcore.options.server import CA, CERTIFICATE, KEY, PASSWORD, PLUGINS
from geventcore.options.types import DEFAULT_PORT
from geventcore.tools.options import CALL_RETRIES, CALL_RETRY_DELAY, CALL_TIMEOUT, SERVER_COMMON_NAMES
from geventcore.tools.server_calls import CallFailed, ServerAccess, connect
from geventcore.tools.shadow import FORMATS, Forwarder, OldServer, Outcome, Shadow
from geventcore.tools.shadow.asking import ACTING_PLUGINS
from geventcore.tools.shadow.outcome import HostResult
from geventcore.tools.site import open_core, select_hosts
from geventcore.units import counted

_EXIT_DIFFERENT = 1
_EXIT_NOT_COMPARED = 2
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("url", metavar="URL")
@click.argument("hosts", nargs=-1, type=HOST)
@click.option(
    "--group",
    "groups",
    multiple=True,
    type=GROUP_NAME,
    metavar="GROUP",
    help="Only clients in this group; repeatable.",
)
@click.option("--ca", "ca", type=_FILE, help=f"The CA of the old server's certificate. [default: {CA.label}]")
@click.option("--no-verify", is_flag=True, help="Do not check the old server's certificate.")
@click.option("--old-tls", is_flag=True, help="Also accept TLS 1.0 and 1.1, for a server on an old system.")
@click.option(
    "--certificates",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIRECTORY",
    help="A directory with HOST.crt and HOST.key of the clients that log in with a certificate.",
)
@click.option(
    "--declare-version",
    "version",
    metavar="VERSION",
    help="Declare this version of the client for each host, which the old server stores in its client list.",
)
@click.option("--probes/--no-probes", "with_probes", default=True, help="Compare the lists of probes. [default: yes]")
@click.option(
    "--listen",
    metavar="[HOST:]PORT",
    help="Do not ask for hosts: listen here, answer clients from the old server, and compare what they get.",
)
@click.option("--tls-certificate", type=_FILE, help=f"The certificate of --listen. [default: {CERTIFICATE.label}]")
@click.option("--tls-key", type=_FILE, help=f"The key of --listen. [default: {KEY.label}]")
@click.option(
    "--seconds", type=click.FloatRange(0, min_open=True), help="End --listen after this time. [default: at Ctrl-C]"
)
@click.option(
    "--format",
    "style",
    type=click.Choice(list(FORMATS)),
    default="text",
    show_default=True,
    help="The output: text for people, JSON for programs, or a page to hand to a colleague.",
)
@click.option(
    "-n", "--diff-lines", type=click.IntRange(0), metavar="NUMBER", help="At most so many lines of a difference."
)
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="Write the report to a file.")
@processes_flag
@with_settings(PASSWORD, CALL_TIMEOUT, CALL_RETRIES, CALL_RETRY_DELAY, SERVER_COMMON_NAMES)
def command(
    settings: LoadedSettings,
    url: str,
    hosts: Sequence[str],
    groups: Sequence[str],
    ca: Path | None,
    no_verify: bool,
    old_tls: bool,
    certificates: Path | None,
    version: str | None,
    with_probes: bool,
    listen: str | None,
    tls_certificate: Path | None,
    tls_key: Path | None,
    seconds: float | None,
    style: str,
    diff_lines: int | None,
    output: Path | None,
    processes: int,
) -> int:
    """Compare a running Bcfg2 server with this one, before clients change to it.

    URL is the old server's, such as https://bcfg2.example.com:6789. HOSTS are names or shell patterns; none means all
    clients. For each host, the old server is asked for its configuration as the host would ask, and the configuration
    that this server would give is compared with it.

    Nothing is changed here. The old server gets no report, no results of probes, and no version; what it does whenever
    it gives a configuration, such as making missing keys, it does here, too.

    The exit status is 0 if all hosts get the same, 1 if some differ, and 2 if a host could not be compared.
    """
    start_logging(settings)
    access = ServerAccess(
        url=_checked(url),
        password=settings[PASSWORD] or "",
        ca=None if no_verify else ca or settings[CA],
        common_names=settings[SERVER_COMMON_NAMES],
        timeout_seconds=settings[CALL_TIMEOUT],
        attempts=settings[CALL_RETRIES],
        retry_delay_seconds=settings[CALL_RETRY_DELAY],
        old_tls=old_tls,
    )
    if access.ca is None and not no_verify:
        raise ConfigError(
            f"the old server's certificate cannot be checked: pass --ca FILE or --no-verify, or set {CA.label}"
        )
    try:
        # Without a server, each host would take several attempts.
        connect(access)
    except CallFailed as err:
        hint = ": see --old-tls" if "TLS 1.0" in str(err) else ""
        click.echo(f"geventcore: error: {err}{hint}", err=True)
        return _EXIT_NOT_COMPARED
    if output is not None and not os.access(output.parent, os.W_OK):
        raise ConfigError(f"{output} cannot be written")
    outcome = Outcome(access.url)
    with quiet_builds(settings, "render", "plugins"), open_core(settings, watch=listen is not None) as core:
        shadow = Shadow(core, OldServer(access, certificates, version), with_probes)
        _add_notes(outcome, core)
        if listen is None:
            selected = _select(core, hosts, groups)
            for _, result in for_hosts_with_progress(shadow.compare, selected, processes, "comparing"):
                outcome.add(result)
        else:
            if hosts or groups:
                raise click.UsageError("--listen compares the clients that call: pass no hosts and no groups")
            pair = (tls_certificate or settings[CERTIFICATE], tls_key or settings[KEY])
            _capture(Forwarder(shadow, _address(listen), *pair), outcome, seconds)
    text = FORMATS[style](outcome) if diff_lines is None else FORMATS[style](outcome, diff_lines)
    if output is None:
        click.echo(text, nl=False)
    else:
        output.write_text(text, encoding="utf-8")
        click.echo(outcome.verdict(), err=True)
    if not outcome.compared or outcome.problems:
        return _EXIT_NOT_COMPARED
    return 0 if len(outcome.same) == len(outcome.compared) else _EXIT_DIFFERENT


def _checked(url: str) -> str:
    try:
        parts = urlsplit(url)
        port = parts.port or DEFAULT_PORT
    except ValueError:
        parts, port = urlsplit(""), 0
    if parts.scheme != "https" or not parts.hostname:
        raise click.BadParameter(f"{url!r}: expected a URL such as https://bcfg2.example.com:{DEFAULT_PORT}")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"https://{host}:{port}"


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not port.isdigit() or int(port) > 65535:
        raise click.BadParameter(f"--listen {text}: expected PORT or HOST:PORT")
    return host.strip("[]") or "127.0.0.1", int(port)


def _select(core: Core, hosts: Sequence[str], groups: Sequence[str]) -> list[str]:
    selected = select_hosts(core, hosts)
    # The old server would add an unknown host to its client list.
    unknown = sorted(set(selected) - set(core.metadata_source().list_clients()))
    if unknown:
        raise GeventcoreError(f"{', '.join(unknown)}: not in the client list; the old server would add such a host")
    if groups:
        missing = set(groups) - core.metadata_source().query.all_groups()
        if missing:
            raise GeventcoreError(f"--group: no group has the name {', '.join(sorted(missing))}")
        selected = [host for host in selected if set(groups) & core.build_metadata(host).groups]
    if not selected:
        raise GeventcoreError("there are no clients to compare")
    return selected


def _add_notes(outcome: Outcome, core: Core) -> None:
    for name in core.settings[PLUGINS]:
        if name in ACTING_PLUGINS:
            outcome.notes.append(
                f"when a client asks for its configuration, the old server's {name} {ACTING_PLUGINS[name]}"
            )


@contextmanager
def _until_interrupt() -> Iterator[None]:
    """End the block at Ctrl-C or SIGTERM, without an error."""
    with termination_as_interrupt():
        try:
            yield
        except KeyboardInterrupt:
            click.echo(err=True)


def _capture(forwarder: Forwarder, outcome: Outcome, seconds: float | None) -> None:
    host, port = forwarder.address
    click.echo(f"listening on {host}:{port}; point clients at it, and end with Ctrl-C for the report", err=True)

    def report(result: HostResult) -> None:
        outcome.add(result)
        if result.problem is not None:
            click.echo(f"{result.host}: not compared: {result.problem}", err=True)
        else:
            found = len(result.differences)
            click.echo(f"{result.host}: {counted(found, 'difference') if found else 'the same'}", err=True)

    with _until_interrupt():
        forwarder.serve(report, seconds)
