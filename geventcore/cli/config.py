"""``geventcore config``: check, show and explain the configuration file."""

from __future__ import annotations

from typing import Any

import click

from geventcore.cli.command import common_flags, with_settings
from geventcore.cli.components import add_configured, all_components
from geventcore.cli.local_core import format_flag, print_json
from geventcore.core.start_checks import replaced_plugins, start_problems, start_warnings
from geventcore.errors import ConfigError
from geventcore.options import LoadedSettings, Option
from geventcore.options.reference import reference_rst, sample_conf, value_text
from geventcore.tools.log_recording import recorded_log
from geventcore.units import counted


@click.group()
@common_flags
def command() -> None:
    """Check, show and explain the configuration file."""


@command.command()
@format_flag
@with_settings()
def check(settings: LoadedSettings, as_json: bool) -> int:
    """Check the configuration file, and everything else that keeps a server from starting.

    The command imports the configured core and plugins to check their options, too, reads keys and certificates, and
    prepares the plugins. It prints all errors; the exit status is 1 if there is one. A wrong value is only a warning if
    no core or plugin in use reads it. The output names cores and plugins whose options cannot be checked, because a
    library is missing. ``geventcore server --check`` also reads the whole repository.
    """
    errors = add_configured(settings)
    errors += [err for err in settings.errors() if str(err) not in map(str, errors)]
    with recorded_log():
        for problem in start_problems(settings):
            if str(problem) not in map(str, errors):
                errors.append(problem)
        idle = replaced_plugins(settings)
    used = tuple(settings.options)
    components = all_components(used)
    unused = [option for option in components.options if option not in used]
    settings.options.add(*unused)
    warnings = [
        *start_warnings(settings),
        *idle,
        *(f"{err}; nothing in use reads this value" for err in settings.errors(unused)),
    ]
    missing = [str(each) for each in components.missing if settings.section(each.name.lower())]
    if as_json:
        print_json(
            {
                "files": [str(path) for path in settings.files],
                "errors": [str(err) for err in errors],
                "warnings": warnings,
                "not_checked": missing,
            }
        )
        return 1 if errors else 0
    files = ", ".join(map(str, settings.files))
    click.echo(f"checked: {files or f'only defaults, since {settings.config_file} does not exist'}")
    for err in errors:
        click.echo(f"error: {err}")
    for warning in warnings:
        click.echo(f"warning: {warning}")
    for each in missing:
        click.echo(f"not checked: the options of {each}")
    click.echo(f"{counted(len(errors), 'error')}, {counted(len(warnings), 'warning')}")
    return 1 if errors else 0


@command.command()
@click.option(
    "--all/--changed", "everything", default=True, help="Show options with default values, too. [default: all]"
)
@format_flag
@with_settings()
def show(settings: LoadedSettings, everything: bool, as_json: bool) -> int:
    """Print the value of every option that the server reads, and its source. Secrets are hidden."""
    errors = add_configured(settings)
    shown = []
    for option in settings.options:
        if not everything and not settings.is_set(option):
            continue
        try:
            value, source = _shown(settings, option), str(settings.source_of(option))
        except ConfigError as err:
            errors.append(err)
            continue
        if as_json:
            shown.append({"section": option.section, "option": option.key, "value": value, "source": source})
        else:
            click.echo(f"{option.label} = {value}  ({source})")
    if as_json:
        print_json(shown)
    for error in errors:
        click.echo(f"error: {error}", err=True)
    return 1 if errors else 0


@command.command()
@click.option(
    "--format",
    "form",
    type=click.Choice(["rst", "conf"]),
    default="rst",
    show_default=True,
    help="The output: a page in reStructuredText, or a commented configuration file.",
)
def reference(form: str) -> None:
    """Print the manual of all options, those of all cores and plugins included. No configuration file is read."""
    components = all_components()
    for missing in components.missing:
        click.echo(f"left out: the options of {missing}", err=True)
    click.echo((reference_rst if form == "rst" else sample_conf)(components.options), nl=False)


def _shown(settings: LoadedSettings, option: Option[Any]) -> str:
    value = settings[option]
    if value is None:
        return "(unset)"
    return "(hidden)" if option.secret else value_text(option, value).replace("\n", "\\n")
