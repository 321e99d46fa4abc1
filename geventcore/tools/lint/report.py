"""Output of findings: text, JSON, the annotations of GitHub, and SARIF 2.1.0."""

from __future__ import annotations

import json
import shutil
import sys
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import geventcore
from geventcore.tools.lint.findings import Kind
from geventcore.tools.lint.runner import Result
from geventcore.units import counted

_LEVELS = {"error": "error", "warning": "warning", "note": "note"}


def relative(path: Path, repository: Path) -> str:
    """Return a path below the repository as it is written there, others in full."""
    try:
        return str(path.relative_to(repository))
    except ValueError:
        return str(path)


def summary(result: Result) -> str:
    """Return the counts of findings in one line."""
    counts = [counted(result.count(severity), severity) for severity in _LEVELS]
    return f"{counted(result.files, 'file')}, {', '.join(counts)}"


def finding_lines(result: Result, repository: Path) -> list[str]:
    """Return the findings for people: one line each, and one about how to mend it."""
    lines = []
    for finding in result.findings:
        where = ""
        if finding.place is not None:
            where = relative(finding.place.file, repository)
            if finding.place.line:
                where += f":{finding.place.line}:{finding.place.column}"
            where += ": "
        lines.append(f"{where}{finding.severity}: {finding.message} [{finding.name}]")
        lines += [f"    {detail}" for detail in finding.details]
        lines.append(f"    {finding.advice}")
    return lines


def as_text(result: Result, repository: Path, _kinds: Sequence[Kind]) -> str:
    """Return the findings for people, and their counts."""
    lines = finding_lines(result, repository)
    if result.is_cut:
        lines.append("The files have errors; the other checks come after these are mended.")
    lines.append(summary(result))
    return "\n".join(lines) + "\n"


def as_json(result: Result, repository: Path, _kinds: Sequence[Kind]) -> str:
    """Return the findings as a list of objects."""
    value = [
        {
            "name": finding.name,
            "severity": finding.severity,
            "file": None if finding.place is None else relative(finding.place.file, repository),
            "line": None if finding.place is None else finding.place.line or None,
            "column": None if finding.place is None else finding.place.column or None,
            "entry": finding.entry or None,
            "message": finding.message,
            "advice": finding.advice,
            "details": list(finding.details),
            "files": [relative(path, repository) for path in finding.files],
            "check": finding.check,
        }
        for finding in result.findings
    ]
    return f"{json.dumps(value, indent=2, ensure_ascii=False)}\n"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _escaped(text).replace(":", "%3A").replace(",", "%2C")


def as_github(result: Result, _repository: Path, _kinds: Sequence[Kind]) -> str:
    """Return workflow commands of GitHub Actions, which become annotations. Paths are relative to the directory."""
    lines = []
    for finding in result.findings:
        command = {"error": "error", "warning": "warning"}.get(finding.severity, "notice")
        properties = [f"title={_property(finding.name)}"]
        if finding.place is not None:
            properties.insert(0, f"file={_property(relative(finding.place.file, Path.cwd()))}")
            if finding.place.line:
                properties[1:1] = [f"line={finding.place.line}", f"col={finding.place.column}"]
        text = "\n".join([finding.message, *finding.details, finding.advice])
        lines.append(f"::{command} {','.join(properties)}::{_escaped(text)}")
    return "".join(f"{line}\n" for line in lines)


def as_sarif(result: Result, repository: Path, kinds: Sequence[Kind]) -> str:
    """Return a log in SARIF 2.1.0, which code hosts and editors read (OASIS, sarif-v2.1.0)."""
    rules = [
        {
            "id": kind.name,
            "shortDescription": {"text": kind.meaning},
            "help": {"text": kind.advice},
            "defaultConfiguration": {"level": _LEVELS.get(kind.severity, "none")},
        }
        for kind in kinds
    ]
    index = {kind.name: number for number, kind in enumerate(kinds)}
    results: list[dict[str, Any]] = []
    for finding in result.findings:
        one: dict[str, Any] = {
            "ruleId": finding.name,
            "ruleIndex": index[finding.name],
            "level": _LEVELS[finding.severity],
            "message": {"text": "\n".join([finding.message, *finding.details, finding.advice])},
            "locations": [],
        }
        for path in finding.files:
            is_below = repository in path.parents
            location: dict[str, Any] = {
                "artifactLocation": {"uri": relative(path, repository), "uriBaseId": "REPOSITORY"}
                if is_below
                else {"uri": path.as_uri()}
            }
            if finding.place is not None and path == finding.place.file and finding.place.line:
                location["region"] = {"startLine": finding.place.line, "startColumn": finding.place.column}
            one["locations"].append({"physicalLocation": location})
        results.append(one)
    driver = {"name": "geventcore", "version": geventcore.__version__, "rules": rules}
    value = {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": driver},
                "originalUriBaseIds": {"REPOSITORY": {"uri": f"{repository.absolute().as_uri()}/"}},
                "results": results,
            }
        ],
    }
    return f"{json.dumps(value, indent=2, ensure_ascii=False)}\n"


#: Name of a format -> its function.
FORMATS: dict[str, Callable[[Result, Path, Sequence[Kind]], str]] = {
    "text": as_text,
    "json": as_json,
    "github": as_github,
    "sarif": as_sarif,
}


def original_lines(result: Result, repository: Path, *, with_names: bool) -> str:
    """Return the findings as bcfg2-lint writes them to standard error, wrapped to the width of a terminal."""
    width = shutil.get_terminal_size().columns if sys.stderr.isatty() else None
    lines = []
    for finding in result.findings:
        where = "" if finding.place is None else f"{relative(finding.place.file, repository)}: "
        text = f"{finding.severity.upper()}: {where}{finding.message}"
        lines += textwrap.wrap(text, width) if width else [text]
        lines += finding.details
        if with_names:
            lines.append(f"    ({finding.name})")
    return "".join(f"{line}\n" for line in lines)
