"""The choice of checks, their order, and the severities of what they find."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace

from geventcore.errors import ConfigError, GeventcoreError
from geventcore.options import LoadedSettings
from geventcore.tools.host_processes import for_hosts
from geventcore.tools.lint.base import Check
from geventcore.tools.lint.checks.server_verdict import SERVER_KIND
from geventcore.tools.lint.findings import SEVERITIES, Finding, Kind
from geventcore.tools.lint.site import LintSite
from geventcore.tools.lint.table import check_classes
from geventcore.tools.log_recording import recorded_log
from geventcore.tools.options import LINT_PLUGINS
from geventcore.tools.site import open_core

#: Words in ``[errors]`` for a finding that is not reported.
_SILENT = frozenset({"silent", "ignore", "ignored", "none", "off", "no", "debug", "quiet"})
#: With fewer files, starting processes takes longer than the checks.
FEWEST_FILES_FOR_PROCESSES = 400


@dataclass
class Result:
    """The result of the checks.

    Attributes:
        findings: those that are not silent, in the order of files and lines.
        is_cut: true if the checks that need a server were skipped because of errors in files.
        checks: the names of the checks that were done.
        files: the number of files in the repository.
    """

    findings: list[Finding] = field(default_factory=list)
    is_cut: bool = False
    checks: list[str] = field(default_factory=list)
    files: int = 0

    def count(self, severity: str) -> int:
        """Return the number of findings with a severity."""
        return sum(finding.severity == severity for finding in self.findings)

    @property
    def exit_status(self) -> int:
        """Return 2 if there are errors, 3 if there are only warnings, else 0."""
        return 2 if self.count("error") else 3 if self.count("warning") else 0


def choose_checks(settings: LoadedSettings, plugins: Sequence[str], *, with_own: bool) -> list[type[Check]]:
    """Return the checks that ``[lint] plugins`` names, by default all that concern the site.

    `ConfigError` for an unknown name. Without `with_own`, the default has no checks that Bcfg2 does not have.
    """
    table = check_classes()
    if not settings.is_set(LINT_PLUGINS):
        return [
            check
            for check in table.values()
            if (check.plugin is None or check.plugin in plugins) and (with_own or not check.is_own)
        ]
    names = settings[LINT_PLUGINS]
    for name in names:
        if name not in table:
            close = difflib.get_close_matches(name, table, n=1)
            hint = f"did you mean {close[0]}?" if close else f"expected some of {', '.join(table)}"
            raise ConfigError(f"{settings.source_of(LINT_PLUGINS)}: {LINT_PLUGINS.label}: unknown check {name}; {hint}")
    chosen = {name: table[name] for name in names}
    return [check for name, check in table.items() if name in chosen]


def severities(settings: LoadedSettings, checks: Sequence[type[Check]]) -> dict[str, tuple[Kind, str]]:
    """Return the kinds of findings of checks: name -> the kind, and its severity after ``[errors]``.

    `ConfigError` if ``[errors]`` has a severity that does not exist.
    """
    section = settings.section("errors")
    found = {}
    for check in checks:
        for kind in check.kinds:
            text = section.get(kind.name)
            found[kind.name] = (kind, kind.severity if text is None else _severity(settings, kind.name, text))
    return found


def _severity(settings: LoadedSettings, name: str, text: str) -> str:
    word = text.strip().lower()
    if "warn" in word:
        return "warning"
    if "err" in word:
        return "error"
    if word in _SILENT:
        return "silent"
    if word == "note":
        return "note"
    where = ", ".join(map(str, settings.files))
    raise ConfigError(f"{where}: [errors] {name} = {text}: expected {', '.join(SEVERITIES)}")


def unknown_errors(settings: LoadedSettings) -> Iterator[str]:
    """Yield warnings of names in ``[errors]`` that no check has."""
    known = {kind.name for check in check_classes().values() for kind in check.kinds}
    for name in settings.section("errors"):
        if name.lower() not in known:
            close = difflib.get_close_matches(name.lower(), sorted(known), n=1)
            yield f"[errors] {name}: no check has this name" + (f"; did you mean {close[0]}?" if close else "")


def run_checks(site: LintSite, checks: Sequence[type[Check]], processes: int = 0) -> Result:
    """Do the checks: those that need only files first. If these find errors, the others are not done."""
    kinds = severities(site.settings, checks)
    result = Result(files=len(site.files))
    if len(site.files) < FEWEST_FILES_FOR_PROCESSES:
        processes = 1
    for is_serverless in (True, False):
        group = [check for check in checks if check.is_serverless == is_serverless]
        if not is_serverless and group and result.count("error"):
            result.is_cut = True
            break
        with _core_for(site, group):
            found = [replace(finding, severity=kinds[finding.name][1]) for finding in _findings(site, group, processes)]
        result.findings += [finding for finding in found if finding.severity != "silent" and _concerns(site, finding)]
        result.checks += [check.name for check in group]
    result.findings = sorted(_without_repetitions(result.findings), key=_order)
    return result


def _concerns(site: LintSite, finding: Finding) -> bool:
    """Return true if a finding is about a file to look at. As in Bcfg2, --stdin does not limit all checks."""
    is_limited = site.listed is not None and site.reads_others
    return not is_limited or not finding.files or any(map(site.concerns, finding.files))


@contextmanager
def _core_for(site: LintSite, checks: Sequence[type[Check]]) -> Iterator[None]:
    """Load the server without a network if a check needs it. Its messages are the findings of `Server`."""
    if not any(check.needs_core for check in checks):
        yield
        return
    with ExitStack() as stack, recorded_log():
        try:
            site.core = stack.enter_context(open_core(site.settings))
        except GeventcoreError as err:
            site.core_problem = str(err)
        yield
    site.core = None


def _without_repetitions(findings: Sequence[Finding]) -> list[Finding]:
    """Leave out what the server says of a file if a check says more."""
    told = {
        path
        for finding in findings
        if finding.name != SERVER_KIND and finding.severity in ("error", "warning")
        for path in finding.files
    }
    return [
        finding for finding in dict.fromkeys(findings) if finding.name != SERVER_KIND or told.isdisjoint(finding.files)
    ]


def _order(finding: Finding) -> tuple[str, int, int, str]:
    place = finding.place
    return ("", 0, 0, finding.name) if place is None else (str(place.file), place.line, place.column, finding.name)


def _findings(site: LintSite, checks: Sequence[type[Check]], processes: int) -> Iterator[Finding]:
    if len(checks) == 0:
        return
    by_name = {check.name: check for check in checks}

    def work(task: str) -> list[Finding]:
        name, _, shard = task.partition("/")
        check = by_name[name](site, int(shard))
        return [replace(finding, check=name) for finding in check.run()]

    tasks = [f"{check.name}/{shard}" for check in checks for shard in range(check.shards)]
    for _, found in for_hosts(work, tasks, processes, longest_chunk=1):
        yield from found
