"""Run one target with a coverage-guided fuzzer: ``python -m tests.fuzz.run TARGET [libFuzzer options] [corpus …]``.

An input that makes the target raise, or takes longer than ``-timeout``, is written to a file ``crash-…`` or
``timeout-…``, and the exit status is not 0. ``docs/development`` tells what to do with it.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import atheris


def main(arguments: Sequence[str]) -> None:
    """Import the target with coverage, and fuzz; does not return."""
    name, *options = arguments
    with atheris.instrument_imports(include=["geventcore"]):
        from tests.fuzz.targets import TARGETS, quiet
    quiet()
    atheris.Setup([sys.argv[0], *options], TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1:])
