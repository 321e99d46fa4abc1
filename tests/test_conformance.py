"""The conformance cases: small repositories with the outputs that clients must get (tests/cases/README.md)."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from geventcore.plugins import PLUGINS
from tests.support import case_compare

TESTS = Path(__file__).parent
CASES = [Path(case) for case in case_compare.find_cases([str(TESTS / "cases")])]


def unknown_plugins(case: Path) -> set[str]:
    """Plugins of the project's list that a case needs and that do not exist yet."""
    wanted = set(case_compare.load_case(str(case))["plugins"])
    return wanted - set(PLUGINS) - {"NoSuchPlugin"}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[Path, list[str]]:
    """The differences of every case that can be run; all are run by a few processes."""
    runnable = [str(case) for case in CASES if not unknown_plugins(case)]
    driver = f"{sys.executable} {TESTS / 'support' / 'case_driver.py'}"
    work = tmp_path_factory.mktemp("cases")
    return {Path(case): differences for case, differences in case_compare.run_cases(runnable, driver, str(work))}


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case.relative_to(TESTS / "cases")))
def test_case(case: Path, results: dict[Path, list[str]]) -> None:
    missing = unknown_plugins(case)
    if missing:
        pytest.skip(f"plugins that geventcore does not have: {', '.join(sorted(missing))}")
    assert not results[case], "\n".join(results[case])


def test_the_cases_are_well_formed() -> None:
    problems = [problem for case in CASES for problem in case_compare.lint(str(case))]
    assert not problems


def test_the_driver_reports_what_it_cannot_run(tmp_path: Path) -> None:
    (tmp_path / "bcfg2.conf").write_text("[server]\nrepository = /nonexistent/repository\n")
    (tmp_path / "plan.json").write_text(json.dumps({"clients": []}))
    done = subprocess.run(
        [sys.executable, str(TESTS / "support" / "case_driver.py"), str(tmp_path)], capture_output=True, check=False
    )
    assert done.returncode == 1
    assert not (tmp_path / "results.json").exists()
