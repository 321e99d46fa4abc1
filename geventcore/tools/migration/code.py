"""The search for Python 2 code in the files of a repository."""

from __future__ import annotations

import importlib.util
import os
import re
from collections.abc import Iterator
from pathlib import Path

from geventcore.python2_code import Finding, findings_in_python, findings_in_template
from geventcore.regular_files import read_text
from geventcore.tools.migration.differences import Differences

_TEMPLATE = re.compile(r".*\.(genshi|jinja2|cheetah)(?:_include)?")
_TGENSHI = re.compile(r"template\.(newtxt|txt|xml)\b.*")
_PY_NAMESPACE = "http://genshi.edgewall.org/"
_SKIPPED = frozenset({".git", ".svn", ".hg", ".bzr", "_darcs", "CVS", "Packages/cache"})


def check_code(repository: Path, differences: Differences) -> None:
    """Report the Python 2 code in templates, bundles and modules of a repository."""
    for path in _files(repository):
        try:
            source = read_text(path, "utf-8", "replace")
        except OSError:
            continue
        report(path, _findings(path, path.relative_to(repository), source), differences)


def check_module(name: str, differences: Differences) -> None:
    """Report the Python 2 code in the module of a site's plugin, and in the other modules of its package."""
    root = name.partition(".")[0]
    try:
        spec = importlib.util.find_spec(root)
    except (ImportError, ValueError):
        spec = None
    if spec is None or spec.origin is None:
        return
    origin = Path(spec.origin)
    files = sorted(origin.parent.rglob("*.py")) if spec.submodule_search_locations else [origin]
    for path in files:
        if path.suffix == ".py":
            report(path, findings_in_python(read_text(path, "utf-8", "replace")), differences)


def report(path: Path, findings: list[Finding], differences: Differences) -> None:
    """Add what was found in a file."""
    for finding in findings:
        kind, severity = ("python2", "error") if finding.is_error else ("results", "warning")
        text = str(finding).partition(": ")[2]
        differences.add(kind, severity, f"{path}:{finding.line}", text)


def _files(repository: Path) -> Iterator[Path]:
    for directory, names, files in os.walk(repository):
        relative = os.path.relpath(directory, repository)
        names[:] = sorted(
            name for name in names if name not in _SKIPPED and os.path.join(relative, name) not in _SKIPPED
        )
        yield from (Path(directory, name) for name in sorted(files))


def _findings(path: Path, relative: Path, source: str) -> list[Finding]:
    plugin = relative.parts[0]
    match = _TEMPLATE.match(path.name)
    if plugin == "TGenshi" and _TGENSHI.fullmatch(path.name):
        return findings_in_template("genshi-tgenshi", source)
    if plugin == "TCheetah" and path.name.startswith("template"):
        return findings_in_template("cheetah", source)
    if plugin == "Cfg":
        return findings_in_template(match[1], source) if match is not None else []
    if path.suffix == ".py" and plugin in ("TemplateHelper", "Ldap"):
        return findings_in_python(source)
    if path.suffix in (".xml", ".genshi") and _PY_NAMESPACE in source:
        return findings_in_template("genshi", source)
    return []
