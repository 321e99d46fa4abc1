"""Cases of ``geventcore lint`` (``tests/cases/tools/lint``), and repositories that tests write themselves."""

from __future__ import annotations

import collections
import io
import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from geventcore.cli.main import main
from tests.support.plugin_context import write_files

CASES = Path(__file__).parents[1] / "cases" / "tools" / "lint"
NAMES = sorted(path.name for path in CASES.iterdir())

#: A repository without faults.
CLEAN = {
    "Metadata/groups.xml": (
        '<Groups>\n  <Group name="base" profile="true" public="true" default="true">\n    <Bundle name="ward"/>\n'
        "  </Group>\n</Groups>\n"
    ),
    "Metadata/clients.xml": '<Clients>\n  <Client name="a.clinic.test" profile="base"/>\n</Clients>\n',
    "Bundler/ward.xml": '<Bundle>\n  <Path name="/etc/ward.conf"/>\n</Bundle>\n',
    "Cfg/etc/ward.conf/ward.conf": "level = 1\n",
    "Cfg/etc/ward.conf/info.xml": '<FileInfo>\n  <Info owner="root" group="root" mode="0644"/>\n</FileInfo>\n',
}


@dataclass(frozen=True)
class LintCase:
    """A repository that differs from `CLEAN`.

    Attributes:
        files: name -> content; None removes the file.
        expected: ``name severity``, or ``name severity file:line:column`` for each finding.
        plugins: the enabled plugins besides Metadata, Bundler and Cfg.
        config: more of the configuration file.
    """

    files: Mapping[str, str | bytes | None]
    expected: Sequence[str]
    plugins: str = ""
    config: str = ""


@dataclass
class LintRun:
    """What a run reported."""

    status: int
    findings: list[dict[str, Any]] = field(default_factory=list)
    err: str = ""

    def counts(self, severities: Iterable[str] = ("error", "warning")) -> collections.Counter[tuple[str, str]]:
        """Return how often each name and severity occurs."""
        return collections.Counter(
            (each["name"], each["severity"]) for each in self.findings if each["severity"] in severities
        )

    def places(self) -> list[str]:
        """Return ``name severity file:line:column`` of each finding; without what is unknown."""
        found = []
        for each in self.findings:
            place = ":".join(str(each[key]) for key in ("file", "line", "column") if each[key] is not None)
            found.append(f"{each['name']} {each['severity']} {place}".strip())
        return found


def copy_case(name: str, work: Path) -> tuple[Path, list[str], str]:
    """Copy a case; return the configuration file, the arguments and the standard input.

    ``links.json`` has the symbolic links of a case, path -> target: archives and editors do not always keep them.
    """
    copy = work / "case"
    shutil.copytree(CASES / name, copy)
    if (copy / "links.json").exists():
        for path, target in json.loads((copy / "links.json").read_text()).items():
            (copy / path).symlink_to(target)

    def filled(text: str) -> str:
        return text.replace("@REPO@", str(copy / "repo")).replace("@CASE@", str(copy))

    for path in (*copy.glob("*.conf"), copy / "stdin"):
        if path.exists():
            path.write_text(filled(path.read_text()))
    given = (copy / "stdin").read_text() if (copy / "stdin").exists() else ""
    arguments = [filled(each) for each in json.loads((copy / "expected.json").read_text()).get("args", [])]
    return copy / "bcfg2.conf", arguments, given


def write_site(work: Path, case: LintCase) -> Path:
    """Write the repository of a case; return the configuration file."""
    files = {**CLEAN, **case.files}
    write_files(work / "repo", {name: content for name, content in files.items() if content is not None})
    plugins = ",".join(["Metadata", "Bundler", "Cfg", *filter(None, case.plugins.split(","))])
    config = work / "bcfg2.conf"
    config.write_text(f"[server]\nrepository = {work}/repo\nplugins = {plugins}\n{case.config}")
    return config


def lint(
    config: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    *arguments: str,
    stdin: str = "",
) -> LintRun:
    """Run the command in this process."""
    monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
    capsys.readouterr()
    status = main(["lint", "-C", str(config), "--lint-config", "/dev/null", "--format", "json", *arguments])
    out, err = capsys.readouterr()
    return LintRun(status, json.loads(out) if out.strip() else [], err)
