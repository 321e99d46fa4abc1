"""What tests of parsers share."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest


@pytest.fixture
def quiet_log() -> Iterator[None]:
    """Nothing is logged: parsers name each of thousands of errors."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)
