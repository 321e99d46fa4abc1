"""``geventcore admin client``: the client list, and the clients that wait for approval."""

from __future__ import annotations

import csv
import difflib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

import click

from geventcore.cli.command import common_flags, with_settings
from geventcore.cli.local_core import HOST, format_flag, is_original, local_core
from geventcore.errors import MetadataConsistencyError, MetadataError, PluginInitError
from geventcore.options import LoadedSettings
from geventcore.options.server import PLUGINS
from geventcore.tools.inspection import Table
from geventcore.tools.site import matching

if TYPE_CHECKING:
    from geventcore.core.base import Core
    from geventcore.plugins.metadata.plugin import Metadata

F = TypeVar("F", bound=Callable[..., Any])

#: The attributes of a client, as Bcfg2 lists them.
ATTRIBUTES = ("profile", "uuid", "password", "floating", "secure", "address", "auth")
#: Other words for the commands, which Bcfg2 knows.
SYNONYMS = {"up": "update", "del": "delete", "remove": "delete", "rm": "delete"}


class _Commands(click.Group):
    """A group whose commands have synonyms."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return super().get_command(ctx, SYNONYMS.get(cmd_name, cmd_name))


@click.group(cls=_Commands)
@common_flags
def client() -> None:
    """Add, change, delete, list and approve clients.

    An attribute is written KEY=VALUE; an empty value removes it. The keys are profile, uuid, password, floating,
    secure, address and auth. Comments, order and indentation of clients.xml stay as they are.
    """


def _metadata(core: Core) -> Metadata:
    from geventcore.plugins.metadata.plugin import Metadata

    source = core.metadata_source()
    if not isinstance(source, Metadata):
        raise PluginInitError("[server] plugins: this command needs the plugin Metadata")
    return source


@client.command("list")
@click.argument("globs", nargs=-1)
@click.option("--pending", is_flag=True, help="List the clients that wait for approval instead.")
@format_flag
@click.option("--json", "short_json", is_flag=True, help="The same as --format json.")
@with_settings()
def list_clients(
    settings: LoadedSettings, globs: Sequence[str], pending: bool, as_json: bool, short_json: bool
) -> None:
    """List clients and their profiles, or the clients that wait for approval."""
    as_json = as_json or short_json
    with local_core(settings) as core:
        source = _metadata(core)
        rows: list[dict[str, str | None]]
        heads: tuple[str, ...]
        if pending:
            waiting = source.registration.pending
            known = set(source.list_clients())
            # A client that called just after its approval may have been noted once more.
            wanted = {found.name: found for found in waiting.all() if found.name not in known}
            rows = [
                {"name": name, "address": wanted[name].address, "since": waiting.time_of(wanted[name])}
                for name in matching(wanted, globs)
            ]
            heads = ("name", "address", "since")
        else:
            rows = [{"name": name, "profile": _profile(core, name)} for name in matching(source.list_clients(), globs)]
            heads = ("name", "profile")
            if is_original():
                click.echo("\n".join(str(row["name"]) for row in rows))
                return
    if as_json:
        click.echo(json.dumps(rows, indent=2))
    else:
        lines = [[_printable(row[head] or "") for head in heads] for row in rows]
        click.echo(Table([head.capitalize() for head in heads], lines).text())


def _attributes(words: Sequence[str]) -> dict[str, str | None]:
    """Read words ``key=value``; an empty value is None.

    Raises:
        MetadataConsistencyError: a word is something else.
    """
    found: dict[str, str | None] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals:
            raise MetadataConsistencyError(f"{word!r} is not KEY=VALUE, such as profile=web")
        if key not in ATTRIBUTES:
            if is_original():
                raise MetadataConsistencyError(f"Attribute {key} unknown. Valid attributes: {list(ATTRIBUTES)}")
            close = difflib.get_close_matches(key, ATTRIBUTES, n=1)
            hint = f"; did you mean {close[0]}?" if close else f"; expected one of {', '.join(ATTRIBUTES)}"
            raise MetadataConsistencyError(f"a client has no attribute {key!r}{hint}")
        found[key] = value or None
    return found


def _check_profile(source: Metadata, attributes: Mapping[str, str | None]) -> None:
    profile = attributes.get("profile")
    if profile and not source.is_profile(profile) and not is_original():
        raise MetadataConsistencyError(
            f"{profile} is not a profile in groups.xml; 'geventcore info groups' lists the profiles"
        )


def _require_client(source: Metadata, name: str) -> None:
    if name not in source.list_clients():
        close = difflib.get_close_matches(name, source.list_clients(), n=1)
        raise MetadataConsistencyError(f"{name} is not a client" + (f"; did you mean {close[0]}?" if close else ""))


@contextmanager
def _client_list(settings: LoadedSettings, name: str = "", doing: str = "") -> Iterator[Metadata]:
    """Open the client list: only the plugin Metadata is loaded. `name` and `doing` are for the original's messages."""
    with local_core(settings.with_values({PLUGINS: ("Metadata",)})) as core:
        try:
            yield _metadata(core)
        except MetadataError as err:
            if not is_original():
                raise
            text = str(err)
            if doing:
                text = f"Error {name} client {doing}" + (f": {err}" if doing == "updating" else "")
            click.echo(text)
            click.get_current_context().exit(1)


def _csv_flag(what: str) -> Callable[[F], F]:
    """Return a decorator that adds ``--csv``, which becomes the argument `csv_file`."""
    return click.option(
        "--csv",
        "csv_file",
        type=click.File("r", encoding="utf-8-sig"),
        metavar="FILE",
        help=f"{what} the clients of a table instead. Its first line names the columns: name, and attributes.",
    )


@client.command("add")
@click.argument("name", metavar="[HOST]", type=HOST, required=False)
@click.argument("attributes", nargs=-1, metavar="[KEY=VALUE]...")
@_csv_flag("Add")
@with_settings()
def add(settings: LoadedSettings, name: str | None, attributes: Sequence[str], csv_file: TextIO | None) -> None:
    """Add a client, or the clients of a table. A listed client stays as it is.

    Without a profile, the client gets the default profile of groups.xml.
    """
    if (name is None) == (csv_file is None):
        raise click.UsageError("name a host, or a table with --csv")
    with _client_list(settings) as source:
        wanted = _of_table(csv_file) if csv_file is not None else {str(name): _attributes(attributes)}
        # Check all before the first one is added.
        for host, values in wanted.items():
            source.registration.check_name(host)
            _check_profile(source, values)
        for host, values in wanted.items():
            if "profile" not in values and not is_original() and source.default_profile:
                values["profile"] = source.default_profile
            is_new = source.client_list.add(host, {key: value for key, value in values.items() if value is not None})
            source.registration.pending.discard(host)
            if not is_original():
                click.echo(f"{host}: {'added' if is_new else 'is already a client'}")


def _of_table(file: TextIO) -> dict[str, dict[str, str | None]]:
    """Read a table: name -> attributes; an empty cell is no attribute."""
    rows = csv.DictReader(file)
    try:
        return _clients_of_rows(rows, file.name)
    except (UnicodeDecodeError, csv.Error) as err:
        raise MetadataConsistencyError(f"{file.name}: not a table of comma-separated values in UTF-8: {err}") from err


def _clients_of_rows(rows: csv.DictReader[str], file: str) -> dict[str, dict[str, str | None]]:
    columns = rows.fieldnames or ()
    if "name" not in columns:
        found_columns = f"it has {', '.join(map(_printable, columns))}" if columns else "the file is empty"
        raise MetadataConsistencyError(f"{file}: the first line must name the column 'name'; {found_columns}")
    found: dict[str, dict[str, str | None]] = {}
    for row in rows:
        name = (row.pop("name") or "").strip().lower()
        if None in row:
            raise MetadataConsistencyError(f"{file}: line {rows.line_num} has more values than the first line")
        if name in found:
            raise MetadataConsistencyError(f"{file}: line {rows.line_num}: {name} is in the table twice")
        if name:
            found[name] = _attributes([f"{key}={value.strip()}" for key, value in row.items() if value])
    if not found:
        raise MetadataConsistencyError(f"{file}: the table has no clients")
    return found


@client.command("update")
@click.argument("name", metavar="[HOST]", type=HOST, required=False)
@click.argument("attributes", nargs=-1, metavar="[KEY=VALUE]...")
@_csv_flag("Change")
@with_settings()
def update(settings: LoadedSettings, name: str | None, attributes: Sequence[str], csv_file: TextIO | None) -> None:
    """Change attributes of a client, or of those of a table; the others stay. The synonym is up.

    An empty value removes the attribute; an empty cell of a table leaves it as it is.
    """
    if (name is None) == (csv_file is None):
        raise click.UsageError("name a host, or a table with --csv")
    with _client_list(settings) as source:
        wanted = _of_table(csv_file) if csv_file is not None else {str(name): _attributes(attributes)}
        for values in wanted.values():
            _check_profile(source, values)
    with _client_list(settings, name or "", "updating") as source:
        for host in wanted:
            _require_client(source, host)
        for host, values in wanted.items():
            source.update_client(host, values)
    if not is_original():
        for host in wanted:
            click.echo(f"{host}: changed")


@client.command("delete")
@click.argument("names", metavar="[HOST]...", type=HOST, nargs=-1)
@_csv_flag("Remove")
@with_settings()
def delete(settings: LoadedSettings, names: Sequence[str], csv_file: TextIO | None) -> None:
    """Remove clients from the client list, with their aliases. The synonyms are del, remove and rm."""
    if (not names) == (csv_file is None):
        raise click.UsageError("name hosts, or a table with --csv")
    with _client_list(settings, names[0] if names else "", "deleting") as source:
        doomed = list(names) if csv_file is None else list(_of_table(csv_file))
        for name in doomed:
            _require_client(source, name)
        for name in doomed:
            source.remove_client(name)
    if not is_original():
        for name in doomed:
            click.echo(f"{name}: removed from the client list")


def _profile(core: Core, name: str) -> str | None:
    try:
        return core.build_metadata(name).profile
    except MetadataError as err:
        return f"({err})"


def _printable(text: str) -> str:
    """Escape what would control a terminal."""
    return text if text.isprintable() else ascii(text)[1:-1]


@client.command()
@click.argument("names", nargs=-1, required=True)
@click.option("--profile", metavar="GROUP", help="The profile of the clients. [default: the default profile]")
@with_settings()
def approve(settings: LoadedSettings, names: Sequence[str], profile: str | None) -> None:
    """Add clients that wait for approval to the client list.

    NAMES may also be clients that have not called yet. Listed clients stay as they are.
    """
    with local_core(settings) as core:
        source = _metadata(core)
        group = profile or source.default_profile
        if group is None:
            raise MetadataConsistencyError("groups.xml has no default profile; name one with --profile")
        if not source.is_profile(group):
            raise MetadataConsistencyError(
                f"{group} is not a profile in groups.xml; 'geventcore info groups' lists the profiles"
            )
        for name in names:
            source.registration.check_name(name.lower())
        for name in names:
            is_new = source.client_list.add(name.lower(), {"profile": group})
            source.registration.pending.discard(name.lower())
            click.echo(f"{name.lower()}: " + (f"added with profile {group}" if is_new else "is already a client"))
