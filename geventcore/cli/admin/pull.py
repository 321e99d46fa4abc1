"""``geventcore admin pull``: store a file of a client in the repository."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

import click

from geventcore.cli.command import with_settings
from geventcore.cli.local_core import HOST, is_original, local_core
from geventcore.core.base import Core
from geventcore.errors import GeventcoreError
from geventcore.options import LoadedSettings
from geventcore.plugin.specificity import Specificity
from geventcore.tools.pulling import Chooser, NoCurrentState, describe, fetch


@click.command("pull")
@click.argument("host", metavar="[HOST]", type=HOST, required=False)
@click.argument("tag", metavar="[TYPE]", required=False)
@click.argument("name", metavar="[NAME]", required=False)
# Bcfg2 1.3 has it for what is the default.
@click.option("-f", "--force", is_flag=True, hidden=True, expose_value=False, help="Ask nothing; this is the default.")
@click.option("-I", "--interactive", is_flag=True, help="Ask for each place where the file can be stored.")
@click.option(
    "-s", "--stdin", "from_stdin", is_flag=True, help="Read lines HOST TYPE NAME from standard input instead."
)
@click.option(
    "--host-only", is_flag=True, help="Store the file for this host alone. [default: replace the file it gets]"
)
@click.option(
    "--replace-info",
    is_flag=True,
    help="Replace info.xml by one with the client's owner, group and mode. Without it, an existing one stays.",
)
@click.option("-n", "--dry-run", is_flag=True, help="Say what would be stored, and write nothing.")
@with_settings()
def command(
    settings: LoadedSettings,
    host: str | None,
    tag: str | None,
    name: str | None,
    interactive: bool,
    from_stdin: bool,
    host_only: bool,
    replace_info: bool,
    dry_run: bool,
) -> int:
    """Store a file as it is on a client in the repository, so that the client keeps it.

    The state of the file is that of the client's last report, which has it if it differs from the configuration. TYPE
    is Path, and NAME the path. The plugin that generates the file stores it: Cfg or SSHbase.
    """
    if not from_stdin and not (host and tag and name):
        if is_original():
            click.echo(
                "You must specify either --stdin or a hostname, entry type, and entry name on the command line.\n"
                + click.get_current_context().get_usage()
            )
            return 1
        raise click.UsageError("name a host, Path and a path, or pass --stdin")
    if from_stdin and interactive:
        raise click.UsageError("--interactive reads answers from standard input: pass it without --stdin")
    choose = _ask if interactive else _host if host_only else _current
    with local_core(settings) as core:
        job = _Job(core, choose, replace_info or is_original(), dry_run)
        if from_stdin:
            return job.pull_lines(sys.stdin)
        return job.pull(str(host), str(tag), str(name))


class _Job:
    """The import of entries, with the flags that apply to all of them."""

    def __init__(self, core: Core, choose: Chooser, replace_info: bool, dry_run: bool) -> None:
        self._core = core
        self._choose = choose
        self._replace_info = replace_info
        self._dry_run = dry_run

    def pull_lines(self, lines: Iterable[str]) -> int:
        """Pull the entries of lines ``HOST TYPE NAME``; one that fails does not stop the others."""
        status = 0
        for line in filter(None, map(str.strip, lines)):
            words = line.split(None, 2)
            try:
                if len(words) != 3:
                    raise GeventcoreError("expected HOST TYPE NAME")
                self._pull(words[0].lower(), words[1], words[2])
            except GeventcoreError as err:
                if is_original():
                    click.echo(f"Bad entry: {line}")
                else:
                    click.echo(f"{line}: {err}", err=True)
                    status = 1
        return status

    def pull(self, host: str, tag: str, name: str) -> int:
        """Pull one entry."""
        try:
            self._pull(host, tag, name)
        except NoCurrentState:
            if not is_original():
                raise
            click.echo("Pull Source failure; could not fetch current state")
            return 1
        return 0

    def _pull(self, host: str, tag: str, name: str) -> None:
        pulled = fetch(self._core, host, tag, name, replace_info=self._replace_info)
        specificity = self._choose(pulled.choices)
        if specificity is None:
            click.echo(f"{host}: {tag}:{name}: nothing is stored")
            return
        if not self._dry_run:
            pulled.store(specificity)
        if not is_original():
            what = "would be stored" if self._dry_run else "stored"
            entry = pulled.entry
            about = ", ".join(f"{key} {entry[key]}" for key in ("owner", "group", "mode") if entry[key])
            click.echo(
                f"{host}: {tag}:{name}: {what} for {describe(specificity)} ({len(entry['text'])} bytes"
                + (f"; on the client: {about})" if about else ")")
            )


def _current(choices: Sequence[Specificity]) -> Specificity | None:
    return choices[0] if choices else None


def _host(choices: Sequence[Specificity]) -> Specificity | None:
    return next((choice for choice in choices if choice.hostname is not None), None)


def _ask(choices: Sequence[Specificity]) -> Specificity | None:
    for number, choice in enumerate(choices):
        current = " (the file that the client gets now)" if number == 0 and len(choices) > 1 else ""
        if click.confirm(f"Store the file for {describe(choice)}{current}?", default=False):
            return choice
    return None
