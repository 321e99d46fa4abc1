"""``geventcore certificate``: show the certificates of the server, and renew those of the site's own authority."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from geventcore.cli.command import common_flags, with_settings
from geventcore.core.network_options import SECOND_CERTIFICATE, SECOND_KEY
from geventcore.errors import TLSError
from geventcore.options import LoadedSettings
from geventcore.options.server import CA, CERTIFICATE, KEY
from geventcore.tls.authority import CERTIFICATE_DAYS
from geventcore.tls.context import WARNING_DAYS
from geventcore.tls.renewal import CertificateFacts, facts, renew


@click.group()
@common_flags
def command() -> None:
    """Show and renew the certificates of the server."""


@command.command("show")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@with_settings()
def show(settings: LoadedSettings, as_json: bool) -> int:
    """Show the certificates that the configuration names: names, authority, and the days until they expire.

    The exit status is 1 if a certificate has expired or cannot be used.
    """
    found = _all_facts(settings)
    if as_json:
        click.echo(json.dumps([asdict(certificate) for certificate in found], indent=2))
    else:
        click.echo("\n\n".join(map(_text, found)))
    return 1 if any(certificate.days_left < 0 or certificate.problem for certificate in found) else 0


def _all_facts(settings: LoadedSettings) -> list[CertificateFacts]:
    settings.options.add(CERTIFICATE, KEY, CA, SECOND_CERTIFICATE, SECOND_KEY)
    found = facts("server", settings[CERTIFICATE], settings[KEY])
    second, second_key = settings[SECOND_CERTIFICATE], settings[SECOND_KEY]
    if second is not None and second_key is not None:
        found += facts("second", second, second_key)
    ca = settings[CA]
    return found if ca is None else found + facts("ca", ca)


def _text(certificate: CertificateFacts) -> str:
    days = certificate.days_left
    left = f"expired {int(-days)} days ago" if days < 0 else f"{int(days)} days left"
    lines = [
        f"{certificate.name}: {certificate.path}",
        f"  subject    {certificate.subject}",
        f"  issuer     {certificate.issuer}",
        *([f"  names      {', '.join(certificate.names)}"] if certificate.names else []),
        f"  valid      {certificate.not_before} to {certificate.not_after}: {left}"
        + (", renew it" if days < WARNING_DAYS else ""),
        f"  key        {certificate.key}",
        f"  SHA-256    {certificate.sha256}",
        *([f"  problem    {certificate.problem}"] if certificate.problem else []),
    ]
    return "\n".join(lines)


@command.command("renew")
@click.option(
    "--ca-key",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The private key of the authority.  [default: the file of [communication] ca, with .key at its end]",
)
@click.option(
    "--days",
    type=click.IntRange(1, 3650),
    default=CERTIFICATE_DAYS,
    show_default=True,
    help="Validity of the new certificate.",
)
@with_settings()
def renew_command(settings: LoadedSettings, ca_key: Path | None, days: int) -> None:
    """Renew the server's certificate by the site's own authority, as 'geventcore init' has made it.

    The new certificate has the same names, and a new key. The old files stay beside the new ones, with .old at the end
    of their names. A running server goes on with the old pair until it reloads. Clients need no change.
    """
    settings.options.add(CERTIFICATE, KEY, CA)
    ca = settings[CA]
    if ca is None:
        raise TLSError(f"{CA.label} is not set: only a certificate of the site's own authority can be renewed")
    kept = renew(settings[CERTIFICATE], settings[KEY], ca, ca_key or ca.with_suffix(".key"), days)
    click.echo(f"Renewed {settings[CERTIFICATE]} for {days} days. The old certificate is {kept}.")
    click.echo("Have the server use it: systemctl reload geventcore, or kill -HUP its process.")
