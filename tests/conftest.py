"""Fixtures that tests of several directories use, and what several processes that run tests need."""

from collections.abc import Generator

import pytest

from tests.support.mariadb import mariadb as mariadb
from tests.support.postgresql import postgresql as postgresql


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let what a test has printed go from one process to another, also if it is about names that are not UTF-8."""
    report = yield
    report.sections = [
        (title, text.encode("utf-8", "backslashreplace").decode("utf-8")) for title, text in report.sections
    ]
    return report
