"""The usual comparison: one process of geventcore beside both servers of Bcfg2 1.3.4, with 64 and with 1000 clients.

    python -m contrib.bench.levels

It is `contrib.bench.compare` with these servers and levels, and takes its options: the servers take turns, twice at
each level, on hosts with 400 entries. It takes some twelve minutes.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from contrib.bench import compare

SERVERS = ("geventcore", "bcfg2-builtin", "bcfg2-multiprocessing")
LEVELS = "64:30,1000:90"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    given = sys.argv[1:] if arguments is None else arguments
    return compare.main([*SERVERS, "--levels", LEVELS, "--report", "bench-levels.html", *given])


if __name__ == "__main__":
    sys.exit(main())
