"""``geventcore test`` and ``bcfg2-test``: which clients pass, and why others do not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from lxml import etree

from geventcore.cli.main import main
from tests.support.tool_cases import ToolCase, cases_of, check, copy_site, run_program


@pytest.mark.parametrize("case", cases_of("info/cases", "bcfg2-test"), ids=lambda case: case.name)
def test_the_results_are_those_of_the_original(case: ToolCase, tmp_path: Path) -> None:
    config = copy_site(tmp_path, case.entry["config"])
    check(case, run_program("bcfg2-test", ["-C", str(config), *case.entry["argv"]], tmp_path))


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return copy_site(tmp_path)


def _failures(site: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, list[str]]:
    status = main(["test", "-C", str(site), "--format", "json", *arguments])
    answer = json.loads(capsys.readouterr().out)
    found = {result["host"]: result["failures"] for result in answer["results"]}
    assert status == (1 if any(found.values()) else 0)
    assert answer["failed"] == sum(map(bool, found.values()))
    return found


def test_all_clients_are_built(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = _failures(site, capsys, "--processes", "2")
    assert len(found) == 15
    assert {host for host, failures in found.items() if failures} == {"hulk.harbor.test", "raft.harbor.test"}
    assert any(failure.startswith("Path:/etc/legacy/broken: ") for failure in found["hulk.harbor.test"])
    assert found["raft.harbor.test"] == ["raft.harbor.test has no content: no bundle"]


def test_hosts_are_chosen(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert list(_failures(site, capsys, "quay*", "dock1.harbor.test")) == [
        "quay1.harbor.test",
        "quay2.harbor.test",
        "quay3.harbor.test",
        "dock1.harbor.test",
    ]
    assert list(_failures(site, capsys, "--group", "web")) == [f"quay{number}.harbor.test" for number in (1, 2, 3)]
    sample = list(_failures(site, capsys, "--sample", "4", "--seed", "1"))
    assert len(sample) == 4
    assert sample == list(_failures(site, capsys, "--sample", "4", "--seed", "1"))
    assert main(["test", "-C", str(site), "--group", "nosuch"]) == 1
    assert "nosuch" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("file", "old", "new", "expected"),
    [
        ("Metadata/clients.xml", 'profile="web"', 'profile="wbe"', "the profile wbe is not a profile in groups.xml"),
        ("Bundler/web.xml", "</Bundle>", '<Package name="x" type="unknown"/></Bundle>', "unknown packages: x"),
    ],
)
def test_mistakes_are_failures(
    file: str, old: str, new: str, expected: str, site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = site.parent / "repo" / file
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    if "Package" in new:
        path.write_text(path.read_text().replace('<Package name="x"', '<BoundPackage name="x"'))
    found = _failures(site, capsys, "quay1.harbor.test")
    assert expected in found["quay1.harbor.test"]


def test_a_missing_bundle_is_a_failure(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (site.parent / "repo" / "Bundler" / "web.xml").unlink()
    failures = _failures(site, capsys, "quay1.harbor.test")["quay1.harbor.test"]
    assert failures == ["gets no configuration: no plugin provides these bundles: web"]


def test_a_host_that_is_no_client_fails_and_is_not_added(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clients = site.parent / "repo" / "Metadata" / "clients.xml"
    before = clients.read_text()
    found = _failures(site, capsys, "quay9.harbor.test")
    assert found["quay9.harbor.test"] == ["quay9.harbor.test is not a client"]
    assert clients.read_text() == before


def test_ignored_entries_may_fail(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _failures(site, capsys, "--ignore", "Path:/etc/legacy/*,Service:antique", "hulk.harbor.test") == {
        "hulk.harbor.test": []
    }
    assert main(["test", "-C", str(site), "--ignore", "nonsense", "hulk.harbor.test"]) == 1
    assert "--ignore nonsense: expected Tag:name" in capsys.readouterr().err


def test_the_junit_report_names_hosts_and_failures(site: Path, tmp_path: Path) -> None:
    file = tmp_path / "report.xml"
    assert main(["test", "-C", str(site), "--junit", str(file), "hulk.harbor.test", "quay1.harbor.test"]) == 1
    suite = etree.parse(file).getroot()[0]
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")
    failed = {case.get("name"): case.find("failure") is not None for case in suite}
    assert failed == {"hulk.harbor.test": True, "quay1.harbor.test": False}
