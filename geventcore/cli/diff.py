"""``geventcore diff``: what a change does to all hosts, before it is live."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click

from geventcore.cli.command import start_logging, termination_as_interrupt, with_settings
from geventcore.cli.diff_html import html_page
from geventcore.cli.diff_text import markdown, text
from geventcore.cli.local_core import FEWEST_HOSTS_FOR_PROGRESS, HOST, print_json, processes_flag
from geventcore.cli.repository_names import ENTRY_NAME, GROUP_NAME
from geventcore.cli.terminal import progress_bar
from geventcore.errors import GeventcoreError
from geventcore.options import LoadedSettings
from geventcore.options.server import PASSWORD, SERVER_URL
from geventcore.tools.diff import Comparison, Request, as_json, compare_sides
from geventcore.tools.diff.changes import CONTEXT_LINES
from geventcore.tools.diff.comparing import LIVE

EXIT_EQUAL, EXIT_DIFFERENT, EXIT_ERROR = 0, 1, 2


@click.command()
@click.argument("old", metavar="[OLD]", default="HEAD")
@click.argument("new", metavar="[NEW]", default=LIVE)
@click.option("--host", "hosts", multiple=True, type=HOST, metavar="HOST", help="Only this host; may have wildcards.")
@click.option(
    "--group",
    "groups",
    multiple=True,
    type=GROUP_NAME,
    metavar="GROUP",
    help="Only hosts that are in this group on one side.",
)
@click.option(
    "--entry",
    "entries",
    multiple=True,
    type=ENTRY_NAME,
    metavar="Tag:NAME",
    help="Only changes of these entries; may have wildcards.",
)
@click.option(
    "--git", "git", type=click.Path(exists=True, file_okay=False, path_type=Path), metavar="DIR",
    help="The git repository of revisions. [default: GIT_DIR, or that of the live repository]",
)  # fmt: skip
@click.option(
    "--format",
    "style",
    type=click.Choice(["text", "json", "html", "markdown"]),
    default="text",
    show_default=True,
    help="The output: text for people, JSON for programs, a page, or Markdown for a comment.",
)
@click.option("-q", "--quiet", is_flag=True, help="Show one line for each change, without its details.")
@click.option(
    "-U",
    "--context",
    type=click.IntRange(0),
    default=CONTEXT_LINES,
    show_default=True,
    metavar="NUMBER",
    help="The lines around a difference of texts.",
)
@click.option(
    "--all-hosts", "builds_all", is_flag=True, help="Build all hosts, also those that no changed file touches."
)
@processes_flag
@with_settings(SERVER_URL, PASSWORD)
def command(
    settings: LoadedSettings,
    old: str,
    new: str,
    hosts: Sequence[str],
    groups: Sequence[str],
    entries: Sequence[str],
    git: Path | None,
    style: str,
    quiet: bool,
    context: int,
    builds_all: bool,
    processes: int,
) -> int:
    """Show what a change does to the configurations of all hosts.

    OLD and NEW are the two sides. Each is the word live (the repository of the configuration file), a revision or
    branch of git, the directory of a repository, a configuration file, a directory of saved configurations (of info
    buildall), or the word server (the running server). By default HEAD is compared with the live repository.

    Results of probes, keys and other files that the server writes come from the live repository for both sides. Nothing
    is written. Equal changes of several hosts are shown once, and secrets are hidden.

    The exit status is 0 without differences, 1 with differences, and 2 after an error.
    """
    start_logging(settings)
    request = Request(old, new, hosts, groups, [*map(_entry_pattern, entries)], git, processes, builds_all, context)
    try:
        with termination_as_interrupt(), _progress() as progress:
            found = compare_sides(settings, request, progress)
    except (GeventcoreError, OSError) as err:
        message = f"{err.filename}: {err.strerror}" if isinstance(err, OSError) and err.strerror else str(err)
        click.echo(f"geventcore: error: {' '.join(message.split())}", err=True)
        return EXIT_ERROR
    _print(found, style, quiet)
    return EXIT_EQUAL if found.is_equal else EXIT_DIFFERENT


@contextmanager
def _progress() -> Iterator[Callable[[int, int], None]]:
    """Show a progress bar if standard error is a terminal."""
    with progress_bar("comparing") as show:

        def show_many(done: int, total: int) -> None:
            if total >= FEWEST_HOSTS_FOR_PROGRESS:
                show(done, total, "")

        yield show_many


def _entry_pattern(word: str) -> str:
    """Return a pattern for ``Tag:name``; ``/path`` is short for ``Path:/path``."""
    if word.startswith("/"):
        return f"Path:{word}"
    if ":" not in word and not any(mark in word for mark in "*?["):
        raise click.BadParameter(f"{word}: expected Tag:name, such as Path:/etc/motd", param_hint="--entry")
    return word


def _print(found: Comparison, style: str, quiet: bool) -> None:
    if style == "json":
        print_json(as_json(found))
    elif style == "html":
        click.echo(html_page(found), nl=False)
    elif style == "markdown":
        click.echo(markdown(found, quiet))
    else:
        is_coloured = sys.stdout.isatty()
        for line in text(found, quiet):
            click.echo(_coloured(line) if is_coloured else line)


def _coloured(line: str) -> str:
    colour = {"-": "red", "+": "green", "@": "cyan"}.get(line.strip()[:1]) if line.startswith(" ") else None
    return click.style(line, fg=colour, bold=not line.startswith(" "))
