"""Commands of bcfg2-admin that do not exist here: each says what replaces it."""

from __future__ import annotations

import click

from geventcore.errors import GeventcoreError

#: Name -> what to do instead.
REPLACED = {
    "makemigrations": "the changes of tables come with the program; geventcore db upgrade applies them",
    "shell": "there is no Django; geventcore info debug opens a Python prompt on the site, and geventcore admin "
    "dbshell the prompt of the database",
    "load_stats": "reports are stored as clients send them; geventcore report-collector stores those that wait in a "
    "directory or in Redis, and geventcore db import takes over those of a Bcfg2 database",
    "reset": "geventcore reports purge removes reports, by host, age or state",
    "snapshots": "Snapshots has no successor in Bcfg2 either; geventcore reports history shows the reports of a host, "
    "and geventcore diff the changes of the repository",
    "tidy": "clients that are gone: geventcore admin client delete; geventcore lint finds files that nobody uses",
    "query": "geventcore info query lists the clients of groups, profiles and bundles",
    "group": "edit Metadata/groups.xml; geventcore lint checks it, and geventcore info groups lists its groups",
    "bundle": "geventcore info bundles lists the bundles of groups, and geventcore info buildbundle shows one",
    "web": "geventcore web serves the pages about reports",
}


def refusing(name: str, reason: str) -> click.Command:
    """Return a hidden command that ends with a sentence."""

    @click.command(name, hidden=True, context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
    @click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
    def refuse(arguments: tuple[str, ...]) -> None:  # noqa: ARG001 - of any kind
        raise GeventcoreError(f"{name} is not a command here: {reason}")

    refuse.help = f"Not available: {reason}."
    return refuse


#: The modes of ``bcfg2-admin reports`` in Bcfg2 1.3 -> the command here.
REPORT_MODES = {
    "init": "syncdb",
    "update": "updatereports",
    "purge": "purgereports",
    "scrub": "scrubreports",
    "sqlall": "reportssqlall",
    "stats": "reportsstats",
}


@click.command("reports", hidden=True, context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
@click.argument("mode", metavar="MODE", required=False)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def reports(ctx: click.Context, mode: str | None, arguments: tuple[str, ...]) -> object:
    """Run a mode of bcfg2-admin reports of Bcfg2 1.3: init, update, purge, scrub, sqlall or stats."""
    if mode in REPLACED:
        raise GeventcoreError(f"reports {mode} is not a command here: {REPLACED[mode]}")
    group = ctx.parent.command if ctx.parent is not None else None
    if mode not in REPORT_MODES or not isinstance(group, click.Group):
        raise click.UsageError(f"expected one of {', '.join(REPORT_MODES)}; see also geventcore reports")
    found = group.commands[REPORT_MODES[mode]]
    with found.make_context(f"reports {mode}", list(arguments), parent=ctx) as inner:
        return found.invoke(inner)
