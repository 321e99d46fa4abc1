"""``geventcore status``: how a running server does, from its admin listener."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict

import click

from geventcore.cli.common import with_settings
from geventcore.core.admin_client import Reply, ask
from geventcore.core.admin_options import ADMIN_OPTIONS, LISTEN, AdminAddress, parse_address
from geventcore.core.admin_sockets import addresses_to_try
from geventcore.errors import GeventcoreError
from geventcore.metrics.exposition import parse
from geventcore.metrics.families import Sample
from geventcore.metrics.summary import Summary, summarise
from geventcore.options import LoadedSettings


@click.command()
@click.option(
    "--address",
    metavar="ADDRESS",
    help=f"Where to ask: unix:/path, or an address and a port. [default: {LISTEN.label} of the configuration file]",
)
@click.option(
    "--interval",
    type=click.FloatRange(0.1, 3600),
    default=1.0,
    show_default=True,
    help="Over how many seconds rates are measured.",
)
@click.option("--watch", is_flag=True, help="Do it again and again, until interrupted.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, a line each time.")
@with_settings()
def command(settings: LoadedSettings, address: str | None, interval: float, watch: bool, as_json: bool) -> int:
    """Show how a running server does: its health, how full it is, and what it answers.

    The server is asked on its admin listener, which has to be on this machine unless --address names another. The exit
    status is 0 if the server is ready to serve clients, else 1.
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


def _parsed(text: str) -> AdminAddress:
    try:
        return parse_address(text)
    except ValueError as err:
        raise click.BadParameter(str(err) or f"{text}: expected unix:/path, or an IP address and a port") from err


def _find_server(addresses: Sequence[AdminAddress]) -> AdminAddress:
    """The first address that answers; `GeventcoreError` if none does."""
    reasons = []
    for address in addresses:
        try:
            ask(address, "/healthz")
        except (OSError, http.client.HTTPException) as err:
            reasons.append(f"{address}: {getattr(err, 'strerror', None) or err or type(err).__name__}")
        else:
            return address
    raise GeventcoreError(
        f"no server answers ({'; '.join(reasons)})" if reasons else f"the server cannot be asked; see {LISTEN.label}"
    )


def _get(address: AdminAddress, path: str) -> Reply:
    try:
        return ask(address, path)
    except (OSError, http.client.HTTPException) as err:
        raise GeventcoreError(f"{address} does not answer any more: {err}") from err


def _samples(address: AdminAddress) -> list[Sample]:
    reply = _get(address, "/metrics")
    try:
        if reply.status != 200:
            raise ValueError(f"status {reply.status}")
        return parse(reply.text)
    except ValueError as err:
        raise GeventcoreError(f"{address} does not answer with metrics: {err}") from err


def _lines(address: AdminAddress, readiness: Reply, summary: Summary) -> Iterator[str]:
    info = summary.info
    yield f"geventcore {info.get('version')}, core {info.get('core')}, Python {info.get('python')}, at {address}"
    state = "ready" if readiness.status == 200 else "not ready"
    yield f"{state}, up for {_duration(summary.uptime_seconds)}, revision {summary.revision} of the repository"
    if readiness.status != 200:
        yield from (f"  {line}" for line in readiness.text.splitlines() if not line.endswith(": ok"))
    yield ""
    connections = ", ".join(f"{count} {name}" for name, count in summary.connections.items())
    yield f"connections  {connections}; {summary.accept_queue} wait to be accepted"
    for name, pool in summary.pools.items():
        yield f"pool         {name}: {pool.used} of {pool.limit}" + (f", {pool.waiting} wait" if pool.waiting else "")
    rates = ", ".join(f"{rate:.1f}/s {outcome}" for outcome, rate in sorted(summary.per_second.items()))
    yield f"requests     {rates or 'none at the moment'}; {summary.requests} in all"
    for method, figures in sorted(summary.methods.items(), key=lambda item: -item[1].per_second):
        yield f"  {figures.per_second:8.1f}/s {1000 * figures.mean_seconds:9.1f} ms  {method or '(no such method)'}"
    if summary.handshake_failures:
        failures = ", ".join(f"{count} {reason}" for reason, count in summary.handshake_failures.items())
        yield f"handshakes   failed: {failures}"
    for pid, process in summary.processes.items():
        memory = process.resident_bytes if process.proportional_bytes is None else process.proportional_bytes
        files = f", {process.open_files} of {process.open_files_limit} descriptors" if process.open_files_limit else ""
        yield f"process      {pid}: {memory / 1e6:.0f} MB{files}"
    if summary.silent:
        yield f"             {summary.silent} of these did not answer: what they said last is shown"


def _duration(seconds: float) -> str:
    minutes, hours, days = int(seconds // 60), int(seconds // 3600), int(seconds // 86400)
    if days:
        return f"{days} d {hours % 24} h"
    if hours:
        return f"{hours} h {minutes % 60} min"
    return f"{minutes} min {int(seconds) % 60} s"
