"""``geventcore status``: the state of a running server, from its admin listener."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict

import click

from geventcore.admin.client import Reply, ask
from geventcore.admin.options import ADMIN_OPTIONS, LISTEN
from geventcore.admin.sockets import addresses_to_try
from geventcore.cli.command import with_settings
from geventcore.errors import GeventcoreError
from geventcore.metrics.exposition import parse
from geventcore.metrics.families import Sample
from geventcore.metrics.summary import Summary, summarise
from geventcore.options import LoadedSettings
from geventcore.options.listen_address import ListenAddress, parse_address
from geventcore.units import size_text


@click.command()
@click.option(
    "--address",
    metavar="ADDRESS",
    help=f"Address of the admin listener: unix:/path or HOST:PORT. [default: {LISTEN.label} in the configuration file]",
)
@click.option(
    "--interval",
    type=click.FloatRange(0.1, 3600),
    default=1.0,
    show_default=True,
    help="Measure rates over this many seconds.",
)
@click.option("--watch", is_flag=True, help="Repeat until interrupted.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one line for each measurement.")
@with_settings()
def command(settings: LoadedSettings, address: str | None, interval: float, watch: bool, as_json: bool) -> int:
    """Show the state of a running server: health, use of its limits, and requests.

    The command queries the server's admin listener, on this machine unless --address names another. The exit status is
    0 if the server is ready to serve clients, else 1.
    """
    settings.options.add(*ADMIN_OPTIONS)
    found = _find_server([_parsed(address)] if address is not None else addresses_to_try(settings))
    earlier, since = _samples(found), time.monotonic()
    while True:
        time.sleep(interval)
        samples, moment = _samples(found), time.monotonic()
        readiness = _get(found, "/readyz")
        summary = summarise(earlier, samples, moment - since, time.time())
        earlier, since = samples, moment
        if as_json:
            checks = dict(line.split(": ", 1) for line in readiness.text.splitlines())
            click.echo(json.dumps({"ready": readiness.status == 200, "checks": checks, **asdict(summary)}))
        else:
            if watch:
                click.clear()
            click.echo("\n".join(_lines(found, readiness, summary)))
        if not watch:
            return 0 if readiness.status == 200 else 1


def _parsed(text: str) -> ListenAddress:
    try:
        return parse_address(text)
    except ValueError as err:
        raise click.BadParameter(str(err) or f"{text}: expected unix:/path, or an IP address and a port") from err


def _find_server(addresses: Sequence[ListenAddress]) -> ListenAddress:
    """Return the first address that answers.

    Raises:
        GeventcoreError: none answers.
    """
    reasons = []
    for address in addresses:
        try:
            ask(address, "/healthz")
        except (OSError, http.client.HTTPException) as err:
            reasons.append(f"{address}: {getattr(err, 'strerror', None) or err or type(err).__name__}")
        else:
            return address
    raise GeventcoreError(
        f"no server answers ({'; '.join(reasons)})"
        if reasons
        else f"the server has no admin listener; see {LISTEN.label}"
    )


def _get(address: ListenAddress, path: str) -> Reply:
    try:
        return ask(address, path)
    except (OSError, http.client.HTTPException) as err:
        raise GeventcoreError(f"{address} stopped answering: {err}") from err


def _samples(address: ListenAddress) -> list[Sample]:
    reply = _get(address, "/metrics")
    try:
        if reply.status != 200:
            raise ValueError(f"status {reply.status}")
        return parse(reply.text)
    except ValueError as err:
        raise GeventcoreError(f"{address} does not return metrics: {err}") from err


def _lines(address: ListenAddress, readiness: Reply, summary: Summary) -> Iterator[str]:
    info = summary.info
    yield f"geventcore {info.get('version')}, core {info.get('core')}, Python {info.get('python')}, at {address}"
    state = "ready" if readiness.status == 200 else "not ready"
    serves = f"{_revision(summary.revision)}, content {summary.content}"
    yield f"{state}, up for {_duration(summary.uptime_seconds)}, {serves}"
    yield from (f"  {line}" for line in readiness.text.splitlines() if not line.endswith(": ok"))
    yield ""
    connections = ", ".join(f"{count} {name}" for name, count in summary.connections.items())
    yield f"connections  {connections}; {summary.accept_queue} waiting to be accepted"
    for name, pool in summary.pools.items():
        shown = size_text if name.endswith("_bytes") else str
        use = f"{name.removesuffix('_bytes')}: {shown(pool.used)} of {shown(pool.limit)}"
        yield f"pool         {use}" + (f", {pool.waiting} waiting" if pool.waiting else "")
    rates = ", ".join(f"{rate:.1f}/s {outcome}" for outcome, rate in sorted(summary.per_second.items()))
    yield f"requests     {rates or 'none at the moment'}; {summary.requests} in total"
    for method, figures in sorted(summary.methods.items(), key=lambda item: -item[1].per_second):
        yield f"  {figures.per_second:8.1f}/s {1000 * figures.mean_seconds:9.1f} ms  {method or '(no such method)'}"
    if summary.handshake_failures:
        failures = ", ".join(f"{count} {reason}" for reason, count in summary.handshake_failures.items())
        yield f"handshakes   failed: {failures}"
    yield f"hosts        {', '.join(f'{count} {state}' for state, count in summary.hosts.items())}"
    if summary.certificate_days:
        days = ", ".join(f"{name} {int(left)} days" for name, left in summary.certificate_days.items())
        yield f"certificates left: {days}"
    for pid, process in summary.processes.items():
        memory = process.resident_bytes if process.proportional_bytes is None else process.proportional_bytes
        files = f", {process.open_files} of {process.open_files_limit} descriptors" if process.open_files_limit else ""
        yield f"process      {pid}: {size_text(memory)}{files}"
    if summary.silent:
        yield f"             {summary.silent} of these did not answer: their last values are shown"


def _revision(revision: str) -> str:
    # As in Bcfg2, clients and metrics get -1 without a version control plugin.
    if revision in ("", "-1"):
        return "no version control plugin"
    return f"revision {revision} of the repository"


def _duration(seconds: float) -> str:
    minutes, hours, days = int(seconds // 60), int(seconds // 3600), int(seconds // 86400)
    if days:
        return f"{days} d {hours % 24} h"
    if hours:
        return f"{hours} h {minutes % 60} min"
    return f"{minutes} min {int(seconds) % 60} s"
