"""The fixtures of the test kit, which pytest loads by itself where geventcore is installed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from geventcore.testing.site import Site

#: The cores for which the contract is run; all cores of the table if there are none.
CHOSEN_CORES: list[str] = []


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that chooses a core."""
    parser.getgroup("geventcore").addoption(
        "--geventcore-core",
        metavar="MODULE:CLASS",
        action="append",
        default=[],
        help="A core for the tests of geventcore.testing.contract, instead of all cores; may be repeated.",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Remember the cores before the tests are collected."""
    CHOSEN_CORES[:] = config.getoption("--geventcore-core")


@pytest.fixture
def geventcore_site(tmp_path: Path) -> Iterator[Callable[..., Site]]:
    """Makes and starts sites in a temporary directory; takes what `Site` takes after the directory."""
    # Tests that use no site need not load the server.
    from geventcore.testing.site import Site

    with ExitStack() as sites:
        count = 0

        def make(*arguments: Any, **named: Any) -> Site:
            nonlocal count
            count += 1
            return sites.enter_context(Site(tmp_path / f"site{count}", *arguments, **named))

        yield make
