"""``geventcore lint``: check the files of a repository."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from geventcore.cli.click_options import Invocation, click_option
from geventcore.cli.command import common_flags, start_logging
from geventcore.cli.local_core import is_original
from geventcore.errors import GeventcoreError
from geventcore.options import LoadedSettings, OptionSet, load_settings
from geventcore.options.server import COMMON_OPTIONS, DEBUG, REPOSITORY, VERBOSE, WEB_CONFIG
from geventcore.tools.lint import changed_files
from geventcore.tools.lint.base import Check
from geventcore.tools.lint.documents import forget_positions
from geventcore.tools.lint.fixes import FixedFile, fixes, write_fixes
from geventcore.tools.lint.report import FORMATS, finding_lines, original_lines
from geventcore.tools.lint.runner import Result, choose_checks, run_checks, severities, unknown_errors
from geventcore.tools.lint.schema_writer import SCHEMA_DIRECTORY
from geventcore.tools.lint.site import LintSite
from geventcore.tools.options import LINT_CONFIG, LINT_PLUGINS, MERGE_THRESHOLD, REQUIRED_INFO, SCHEMAS_OPTION
from geventcore.units import counted

_OPTIONS = (LINT_CONFIG, LINT_PLUGINS, SCHEMAS_OPTION, REQUIRED_INFO, MERGE_THRESHOLD)


@dataclass(frozen=True)
class _Flags:
    """The flags of the command that are not options of the configuration file."""

    style: str
    list_errors: bool
    stdin: bool
    changed_since: str | None
    fix: bool
    diff: bool
    processes: int


@click.command()
@click_option(LINT_CONFIG)
@click_option(LINT_PLUGINS)
@click_option(SCHEMAS_OPTION)
@click.option("--list-errors", is_flag=True, help="List the names of findings with their severities, and exit.")
@click.option("--stdin", is_flag=True, help="Check only the files whose names stand on standard input, one a line.")
@click.option(
    "--changed-since",
    metavar="REVISION",
    help="Report only faults of files that have changed since a revision of git, committed or not.",
)
@click.option(
    "--fix",
    is_flag=True,
    help="Mend what is mechanical: names in bundles, and deprecated attributes. Comments, order and blanks stay.",
)
@click.option("--diff", is_flag=True, help="With --fix: show the changes, and write nothing.")
@click.option("--schemas", is_flag=True, help="Print the directory of the XML Schemas, and exit.")
@click.option(
    "--format",
    "style",
    type=click.Choice(list(FORMATS)),
    default="text",
    show_default=True,
    help="The output: text for people, JSON for programs, annotations for GitHub, or SARIF for editors and code hosts.",
)
@click.option(
    "--processes",
    type=click.IntRange(0),
    default=0,
    metavar="NUMBER",
    help="How many processes do the checks. [default: one for each processor]",
)
@common_flags
@click.pass_context
def command(
    ctx: click.Context,
    style: str,
    list_errors: bool,
    stdin: bool,
    changed_since: str | None,
    fix: bool,
    diff: bool,
    schemas: bool,
    processes: int,
) -> int:
    """Check the files of a repository.

    Each finding has a name, which [errors] may give another severity: error, warning, note or silent. The exit status
    is 2 if there are errors, 3 if there are only warnings, and 0 without either; notes do not count. A check changes
    nothing in the repository. --fix mends, and then reports what is left.
    """
    if diff and not fix:
        raise click.UsageError("--diff shows the changes of --fix: pass both")
    if stdin and changed_since is not None:
        raise click.UsageError("--stdin and --changed-since both choose files: pass one of them")
    if schemas:
        click.echo(SCHEMA_DIRECTORY)
        return 0
    settings = _settings(ctx)
    start_logging(settings)
    return _run(settings, _Flags(style, list_errors, stdin, changed_since, fix, diff, processes))


def errors_of_lint(ctx: click.Context) -> tuple[str, int]:
    """Do the checks that a site has chosen; return the errors as text, and their number."""
    settings = _settings(ctx)
    site = LintSite(settings)
    result = run_checks(site, choose_checks(settings, site.plugins, with_own=True))
    result.findings = [finding for finding in result.findings if finding.severity == "error"]
    text = "".join(f"{line}\n" for line in finding_lines(result, site.repository))
    return text, len(result.findings)


def _settings(ctx: click.Context) -> LoadedSettings:
    """Load the settings; the file of --lint-config comes last, so that its values win."""
    invocation = ctx.ensure_object(Invocation)
    return load_settings(
        options=OptionSet([*COMMON_OPTIONS, *_OPTIONS]),
        config_file=invocation.config_file,
        command_line=invocation.command_line,
        supplements=(WEB_CONFIG, LINT_CONFIG),
    )


def _run(settings: LoadedSettings, flags: _Flags) -> int:
    settings.check()
    repository = settings[REPOSITORY]
    site = LintSite(settings, _listed(repository) if flags.stdin else None)
    checks = choose_checks(settings, site.plugins, with_own=not is_original())
    if not checks:
        raise GeventcoreError("No lint plugins loaded!" if is_original() else "[lint] plugins is empty: no check to do")
    kinds = severities(settings, checks)
    if flags.list_errors:
        _list_errors(checks, {name: severity for name, (_, severity) in kinds.items()})
        return 0
    if not repository.is_dir():
        raise GeventcoreError(f"the repository {repository} does not exist; see {REPOSITORY.label}")
    for warning in unknown_errors(settings):
        click.echo(f"warning: {warning}", err=True)
    if flags.changed_since is not None:
        site = LintSite(settings, changed_files.changed_since(repository, flags.changed_since), reads_others=True)
    if flags.fix:
        fixed = fixes(site, [name for name, (_, severity) in kinds.items() if severity != "silent"])
        if flags.diff:
            _show_fixes(fixed, site)
            return 0
        write_fixes(fixed)
        for file in fixed:
            click.echo(f"fixed {site.relative(file.path)}: {', '.join(file.changes)}", err=True)
        forget_positions()
        site = LintSite(settings, site.listed, reads_others=site.reads_others)
    result = run_checks(site, checks, flags.processes)
    if is_original():
        _print_like_the_original(result, site, settings)
    else:
        click.echo(FORMATS[flags.style](result, repository, [kind for kind, _ in kinds.values()]), nl=False)
    return result.exit_status


def _show_fixes(fixed: Sequence[FixedFile], site: LintSite) -> None:
    for file in fixed:
        click.echo(file.diff(site.relative(file.path)), nl=False)
    click.echo(f"{counted(len(fixed), 'file')} would change", err=True)


def _listed(repository: Path) -> list[Path]:
    """Return the files on standard input: absolute, or relative to the repository."""
    return [repository / line.strip() for line in sys.stdin.read().splitlines() if line.strip()]


def _list_errors(checks: Sequence[type[Check]], severity_of: dict[str, str]) -> None:
    if is_original():
        words = {"warning": "warn", "error": "error"}
        for name in sorted(severity_of):
            click.echo(f"{name:<35} {words.get(severity_of[name], 'debug')}")
        return
    width = max(map(len, severity_of))
    for check in checks:
        click.echo(check.name)
        for kind in check.kinds:
            click.echo(f"  {kind.name:<{width}}  {severity_of[kind.name]:<7}  {kind.meaning}")


def _print_like_the_original(result: Result, site: LintSite, settings: LoadedSettings) -> None:
    if result.is_cut:
        click.echo("Serverless plugins encountered errors, skipping server plugins")
    click.echo(original_lines(result, site.repository, with_names=settings[DEBUG]), err=True, nl=False)
    if result.exit_status or settings[VERBOSE]:
        click.echo(f"{result.count('error')} errors")
        click.echo(f"{result.count('warning')} warnings")
