"""Programs for which the rights of files count, whoever runs the tests."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence

import pytest


def obeying_rights(command: Sequence[str]) -> list[str]:
    """The same command; root's goes without what lets root pass over the rights of files."""
    if os.geteuid() != 0:
        return [*command]
    if shutil.which("setpriv") is None:
        pytest.skip("setpriv is not installed")
    return ["setpriv", "--bounding-set=-dac_override,-dac_read_search", *command]
