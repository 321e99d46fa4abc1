"""``geventcore explain``: where the values of a host's configuration come from, and why others lost."""

from __future__ import annotations

from collections.abc import Sequence

import click

from geventcore.cli.command import with_settings
from geventcore.cli.explain_text import print_explanation
from geventcore.cli.local_core import HOST, create_flag, format_flag, local_core, print_json, quiet_builds, register
from geventcore.cli.repository_names import BUNDLE_NAME, GROUP_NAME, SUBJECT
from geventcore.options import LoadedSettings
from geventcore.tools.explain import Question, explain, model


@click.command()
@click.argument("host", type=HOST)
@click.argument("what", nargs=-1, type=SUBJECT, metavar="[Tag:NAME | group NAME | bundle NAME]...")
@click.option(
    "--group",
    "groups",
    multiple=True,
    type=GROUP_NAME,
    metavar="GROUP",
    help="Explain a group, as group NAME; repeatable.",
)
@click.option(
    "--bundle",
    "bundles",
    multiple=True,
    type=BUNDLE_NAME,
    metavar="BUNDLE",
    help="Explain a bundle, as bundle NAME; repeatable.",
)
@create_flag
@format_flag
@with_settings()
def command(
    settings: LoadedSettings,
    host: str,
    what: Sequence[str],
    groups: Sequence[str],
    bundles: Sequence[str],
    create: bool,
    as_json: bool,
) -> int:
    """Explain why a host gets its configuration.

    With a host alone: its groups and bundles with the paths that lead to them, and the source of each entry. With an
    entry, such as Path:/etc/motd: the plugin, file and line of each attribute and of the text, the candidates that lost
    and why, or why the host does not get it. Names may have wildcards; /etc/motd is short for Path:/etc/motd.

    The exit status is 1 if the host does not get what was asked for.
    """
    question = Question.of_words([*what])
    question = Question(question.entries, (*question.groups, *groups), (*question.bundles, *bundles))
    # The explanation of an entry says why it fails.
    with local_core(settings) as core, quiet_builds(settings):
        register(core, [host], create)
        found = explain(core, host, question)
    if as_json:
        print_json(model.as_json(found))
    else:
        print_explanation(found)
    has_failed = not found.is_whole and any(entry.failure for entry in found.entries)
    return 1 if found.absences or found.error or has_failed else 0
