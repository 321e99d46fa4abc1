"""The entry point of the programs that have Bcfg2's names."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import geventcore
from geventcore.cli.aliases.programs import PROGRAMS
from geventcore.cli.main import run


def main(program: str | None = None, arguments: Sequence[str] | None = None) -> int:
    """Run the program of Bcfg2 with this name (that of the process if `None`); return the exit status."""
    name = os.path.basename(sys.argv[0]) if program is None else program
    given = sys.argv[1:] if arguments is None else arguments
    if name not in PROGRAMS:
        print(f"{name}: no such program; expected one of {', '.join(PROGRAMS)}", file=sys.stderr)
        return 2
    if PROGRAMS[name].asks_for_version(given):
        print(f"{name} {geventcore.__version__} (geventcore)")
        return 0
    return run(PROGRAMS[name].arguments(given), original=name)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
