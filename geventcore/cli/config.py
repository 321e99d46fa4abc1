"""``geventcore config``: check, show and explain the configuration file."""

from __future__ import annotations

from typing import Any

import click

from geventcore.cli.common import common_flags, with_settings
from geventcore.cli.components import load_components
from geventcore.errors import ConfigError, GeventcoreError
from geventcore.options import LoadedSettings, Option
from geventcore.options.common import PLUGINS
from geventcore.options.reference import reference_rst, sample_conf, value_text


@click.group()
@common_flags
def command() -> None:
    """Check, show and explain the configuration file."""


@command.command()
@with_settings()
def check(settings: LoadedSettings) -> int:
    """Check the configuration file and all values in it.

    The plugins in it are loaded, because their options are checked too. Everything that is wrong is printed. The exit
    status is 1 if there is an error; warnings are no errors.
    """
    errors = _add_components(settings)
    errors += [err for err in settings.errors() if str(err) not in map(str, errors)]
    warnings = settings.warnings
    files = ", ".join(map(str, settings.files))
    click.echo(f"checked: {files or f'only defaults, since {settings.config_file} does not exist'}")
    for err in errors:
        click.echo(f"error: {err}")
    for warning in warnings:
        click.echo(f"warning: {warning}")
    click.echo(f"{_count(len(errors), 'error')}, {_count(len(warnings), 'warning')}")
    return 1 if errors else 0


@command.command()
@click.option("--all/--changed", "everything", default=True, help="Whether defaults are shown as well. [default: all]")
@with_settings()
def show(settings: LoadedSettings, everything: bool) -> int:
    """Print the value of every option and where it comes from. Secrets are not shown."""
    errors = _add_components(settings)
    for option in settings.options:
        if not everything and not settings.is_set(option):
            continue
        try:
            click.echo(f"{option.label} = {_shown(settings, option)}  ({settings.source_of(option)})")
        except ConfigError as err:
            errors.append(err)
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
    help="A page in reStructuredText, or a commented configuration file.",
)
def reference(form: str) -> None:
    """Print the manual of all options, those of all plugins included. No configuration file is read."""
    from geventcore.plugins import PLUGINS as PLUGIN_TABLE

    components = load_components(PLUGIN_TABLE)
    for reason in [*components.missing_libraries, *components.plugin_errors]:
        click.echo(f"left out: {reason}", err=True)
    click.echo((reference_rst if form == "rst" else sample_conf)(components.options), nl=False)


def _add_components(settings: LoadedSettings) -> list[GeventcoreError]:
    """Tell settings of all options that the configuration makes relevant; returns why some are missing."""
    try:
        names = settings[PLUGINS]
    except ConfigError as err:
        return [err]
    return [*load_components(names, settings.options).plugin_errors]


def _shown(settings: LoadedSettings, option: Option[Any]) -> str:
    value = settings[option]
    if value is None:
        return "(unset)"
    return "(hidden)" if option.secret else value_text(option, value).replace("\n", "\\n")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
