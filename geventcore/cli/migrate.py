"""``geventcore migrate``: help for sites that come from Bcfg2."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from geventcore.cli.click_options import Invocation
from geventcore.cli.command import common_flags, settings_of, start_logging
from geventcore.cli.components import add_configured, all_components
from geventcore.errors import GeventcoreError
from geventcore.tools.migration import FORMATS, check_site


@contextmanager
def _uncompiled() -> Iterator[None]:
    """Have Python write no compiled files next to the site's modules."""
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        yield
    finally:
        sys.dont_write_bytecode = before


@click.group()
@common_flags
def command() -> None:
    """Help sites that come from Bcfg2."""


@command.command()
@click.argument("conf", required=False, type=click.Path(dir_okay=False))
@click.option(
    "--format",
    "form",
    type=click.Choice(list(FORMATS)),
    default="text",
    show_default=True,
    help="The output: text for people, JSON for programs, or a page to hand to a colleague.",
)
@click.option(
    "--output", metavar="FILE", type=click.Path(dir_okay=False), help="A file to write to. [default: standard output]"
)
@common_flags
@click.pass_context
def check(ctx: click.Context, conf: str | None, form: str, output: str | None) -> int:
    """Check a whole site, and print what will differ from Bcfg2.

    CONF is the site's bcfg2.conf. The command reports plugins that are missing, Python 2 code, files that are not
    understood, options without a counterpart, and what gives other results. It loads the plugins and a copy of the
    repository, and changes nothing. The exit status is 1 if something will not work.
    """
    if conf is not None:
        ctx.ensure_object(Invocation).config_file = Path(conf)
    settings = settings_of(ctx)
    start_logging(settings)
    if not settings.files:
        raise GeventcoreError(f"{settings.config_file}: the configuration file does not exist")
    with _uncompiled():
        errors = add_configured(settings)
        errors += [err for err in settings.errors() if str(err) not in map(str, errors)]
        differences = check_site(settings, errors, all_components(tuple(settings.options)).options.keys_by_section())
    text = FORMATS[form](differences)
    if output is None:
        click.echo(text, nl=False)
    else:
        try:
            Path(output).write_text(text, encoding="utf-8")
        except OSError as err:
            raise GeventcoreError(f"{output}: cannot be written: {err.strerror}") from err
    return 1 if differences.count("error") else 0
