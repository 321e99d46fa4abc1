"""Fixtures that tests of several directories use, and what several processes that run tests need."""

import os
import signal
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from geventcore.render.guard import FAILURES
from geventcore.testing import contract, live_site
from tests.support import live_guard
from tests.support.mariadb import mariadb as mariadb
from tests.support.postgresql import postgresql as postgresql
from tests.support.project import SITE_PLUGINS


def pytest_configure(config: pytest.Config) -> None:
    """Let property-based tests take their time, hold a run without servers to that, and let Ctrl-C be heard.

    A shell without job control starts background jobs with SIGINT ignored, and the processes of tests would inherit it.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    too_slow = [hypothesis.HealthCheck.too_slow]
    hypothesis.settings.register_profile("busy machine", deadline=None, suppress_health_check=too_slow)
    hypothesis.settings.load_profile("busy machine")
    live_site.PYTHON_PATH.append(str(SITE_PLUGINS))
    if config.option.markexpr == live_guard.PURE:
        live_guard.refuse_servers()


#: Directories of tests that all start servers.
LIVE_DIRECTORIES = (
    *(Path(__file__).parent / name for name in ("attacks", "contract", "peers")),
    Path(contract.__file__).parent,
)
#: Fixtures that are servers; also as parameters of tests that run with every kind of database.
LIVE_FIXTURES = frozenset({"mariadb", "postgresql"})


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark and sort tests.

    Tests that can be told by their directory or fixtures get the mark ``live``; others have it in their file. They are
    run first, so that none of the long ones begins when everything else is done.
    """
    for item in items:
        if isinstance(item, pytest.Function):
            parameters = item.callspec.params.values() if hasattr(item, "callspec") else ()
            used = {*item.fixturenames, *(value for value in parameters if isinstance(value, str))}
            if used & LIVE_FIXTURES or any(item.path.is_relative_to(directory) for directory in LIVE_DIRECTORIES):
                item.add_marker(pytest.mark.live)
    items.sort(key=lambda item: item.get_closest_marker("live") is None)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """The number of processes for ``--numprocesses auto``."""
    from tests.support import scheduling

    return scheduling.processes()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Share the tests among processes by file and core, unless the command line asks for something else."""
    from tests.support import scheduling

    return scheduling.ByFileAndCore(config, log) if config.option.dist == "loadfile" else None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let what a test has printed go from one process to another, also if it is about names that are not UTF-8."""
    report = yield
    report.sections = [
        (title, text.encode("utf-8", "backslashreplace").decode("utf-8")) for title, text in report.sections
    ]
    return report


@pytest.fixture(autouse=True)
def own_umask() -> Iterator[None]:
    """Restore the umask, which commands that run in the test's process set."""
    before = os.umask(0o022)
    os.umask(before)
    yield
    os.umask(before)


@pytest.fixture(autouse=True)
def no_failures_of_plugins() -> None:
    """Forget the failures of plugins in other tests, so that each is logged again."""
    FAILURES.clear()
