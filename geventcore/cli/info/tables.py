"""The commands of ``info`` that show clients, groups, bundles, entries and probes."""

from __future__ import annotations

from collections.abc import Sequence

import click
from lxml import etree

from geventcore.cli.command import start_logging, with_settings
from geventcore.cli.components import add_configured
from geventcore.cli.info.group import command
from geventcore.cli.local_core import HOST, create_flag, format_flag, local_core, print_json, register
from geventcore.errors import ConfigError
from geventcore.options import LoadedSettings
from geventcore.options.reference import value_text
from geventcore.tools import inspection
from geventcore.tools.site import select_hosts


def show(table: inspection.Table, as_json: bool) -> None:
    """Print a table."""
    if as_json:
        print_json(table.objects())
    else:
        click.echo(table.text())


@command.command("clients")
@click.argument("globs", nargs=-1, type=HOST)
@format_flag
@with_settings()
def clients(settings: LoadedSettings, globs: Sequence[str], as_json: bool) -> None:
    """List clients and their profiles."""
    with local_core(settings) as core:
        show(inspection.clients_table(core, globs), as_json)


@command.command("groups")
@click.argument("globs", nargs=-1)
@format_flag
@with_settings()
def groups(settings: LoadedSettings, globs: Sequence[str], as_json: bool) -> None:
    """List groups: whether each is a profile, and its category."""
    with local_core(settings) as core:
        show(inspection.groups_table(core, globs), as_json)


@command.command("bundles")
@click.argument("globs", nargs=-1)
@format_flag
@with_settings()
def bundles(settings: LoadedSettings, globs: Sequence[str], as_json: bool) -> None:
    """List groups and the bundles that each of them brings."""
    with local_core(settings) as core:
        show(inspection.bundles_table(core, globs), as_json)


@command.command("mappings")
@click.argument("tag", metavar="[TYPE]", required=False)
@click.argument("name", required=False)
@format_flag
@with_settings()
def mappings(settings: LoadedSettings, tag: str | None, name: str | None, as_json: bool) -> None:
    """List the entries that plugins bind, by type and name."""
    with local_core(settings) as core:
        show(inspection.mappings_table(core, tag, name), as_json)


@command.command("showentries")
@click.argument("host", type=HOST)
@click.argument("tag", metavar="[TYPE]", required=False)
@create_flag
@format_flag
@with_settings()
def showentries(settings: LoadedSettings, host: str, tag: str | None, create: bool, as_json: bool) -> None:
    """List the entries of a host's structures, before they are bound."""
    with local_core(settings) as core:
        register(core, [host], create)
        show(inspection.entries_table(core, host, tag), as_json)


@command.command("showclient")
@click.argument("hosts", nargs=-1, type=HOST)
@create_flag
@format_flag
@with_settings()
def showclient(settings: LoadedSettings, hosts: Sequence[str], create: bool, as_json: bool) -> None:
    """Show the metadata of hosts: groups, bundles, and the data of plugins.

    The data may contain secrets, such as decrypted properties.
    """
    with local_core(settings) as core:
        selected = select_hosts(core, hosts)
        register(core, selected, create)
        found = [core.build_metadata(host) for host in selected]
        if as_json:
            print_json([inspection.client_object(metadata) for metadata in found])
        else:
            for metadata in found:
                click.echo(inspection.client_text(metadata))


@command.command("query")
@click.option("-g", "--group", "group", metavar="NAMES", help="In all of these groups, separated by commas.")
@click.option("-p", "--profile", "profile", metavar="NAMES", help="With any of these profiles, separated by commas.")
@click.option("-b", "--bundle", "bundle", metavar="NAMES", help="With all of these bundles, separated by commas.")
@format_flag
@with_settings()
def query(settings: LoadedSettings, group: str | None, profile: str | None, bundle: str | None, as_json: bool) -> None:
    """List the clients of groups, profiles or bundles. Exactly one option is needed."""
    given = {kind: names for kind, names in (("group", group), ("profile", profile), ("bundle", bundle)) if names}
    if len(given) != 1:
        raise click.UsageError("pass exactly one of --group, --profile and --bundle")
    ((kind, names),) = given.items()
    with local_core(settings) as core:
        found = inspection.names_where(core, kind, [name.strip() for name in names.split(",") if name.strip()])
        if as_json:
            print_json(found)
        else:
            click.echo("\n".join(found))


@command.command("probes")
@click.option("-p", "--pretty", is_flag=True, help="Print each script under its name instead of XML.")
@click.argument("host", type=HOST)
@create_flag
@format_flag
@with_settings()
def probes(settings: LoadedSettings, pretty: bool, host: str, create: bool, as_json: bool) -> None:
    """Show the probes that a host gets."""
    with local_core(settings) as core:
        register(core, [host], create)
        found = inspection.probes_of(core, host)
        if as_json:
            print_json([{**dict(probe.attrib), "script": probe.text or ""} for probe in found])
        elif pretty:
            for probe in found:
                click.echo(inspection.probe_text(probe))
        else:
            root = etree.Element("probes")
            root.extend(found)
            click.echo(inspection.pretty(root) + "\n")


@command.command("config")
@click.option("--raw", is_flag=True, help="Show secrets, too.")
@format_flag
@with_settings()
def config(settings: LoadedSettings, raw: bool, as_json: bool) -> int:
    """Show the values of all options. See also geventcore config show."""
    start_logging(settings)
    errors = add_configured(settings)
    rows = []
    for option in settings.options:
        try:
            value = settings[option]
        except ConfigError as err:
            errors.append(err)
            continue
        shown = None if value is None else "(hidden)" if option.secret and not raw else value_text(option, value)
        rows.append((option.section, option.key, shown, settings.source_of(option)))
    show(inspection.Table(("Section", "Option", "Value", "Source"), rows), as_json)
    for error in errors:
        click.echo(f"error: {error}", err=True)
    return 1 if errors else 0
