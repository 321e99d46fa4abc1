"""``geventcore admin minestruct``: a bundle of the entries that a client has and its configuration does not."""

from __future__ import annotations

from pathlib import Path

import click
from lxml import etree

from geventcore.cli.command import with_settings
from geventcore.cli.local_core import HOST, format_flag, is_original, print_json
from geventcore.cli.reports.asking import report_database
from geventcore.errors import GeventcoreError
from geventcore.options import LoadedSettings
from geventcore.repository.durable_writes import write_durably
from geventcore.storage.report_model import EntryKind, Interaction


@click.command("minestruct")
@click.argument("host", type=HOST)
@click.option("-f", "--file", "outfile", type=click.Path(path_type=Path), metavar="FILE", help="Write to a file.")
@click.option(
    "-g", "--groups", metavar="GROUPS", help="Put the entries into these groups, separated by colons, each in the last."
)
@format_flag
@with_settings()
def command(settings: LoadedSettings, host: str, outfile: Path | None, groups: str | None, as_json: bool) -> None:
    """Print the extra entries of a client's last report as a bundle, to be added to the repository.

    Extra entries are those that the client found on its machine, and that its configuration does not have.
    """
    interaction = _last_report(settings, host)
    extra = [] if interaction is None else interaction.of_kind(EntryKind.EXTRA)
    if interaction is None and not is_original():
        raise GeventcoreError(f"{host} has not reported yet; see geventcore reports clients")
    if as_json:
        print_json([{"tag": state.tag, "name": state.name, "type": state.get("type")} for state in extra])
        return
    root = place = etree.Element("Base" if is_original() else "Bundle")
    for group in filter(None, (groups or "").split(":")):
        place = etree.SubElement(place, "Group", name=group)
    for state in extra:
        etree.SubElement(place, state.tag, name=state.name)
    text = etree.tostring(root, encoding="unicode", pretty_print=True)
    if outfile is None:
        click.echo(text, nl=False)
    else:
        write_durably(outfile, text.encode())


def _last_report(settings: LoadedSettings, host: str) -> Interaction | None:
    from geventcore.storage.report_queries import last_interaction

    with report_database(settings) as database:
        return database.read(lambda connection: last_interaction(connection, host), snapshot=True)
