"""Write a repository as production sites have them; see `geventcore.simulation.site_repository`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from geventcore.simulation.site_repository import SiteShape, generate_site


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.repositories", description=(__doc__ or "").split(";")[0])
    parser.add_argument("directory", type=Path, help="does not exist, or is empty")
    for attribute in fields(SiteShape):
        parser.add_argument(f"--{attribute.name.replace('_', '-')}", type=int, default=attribute.default)
    options = vars(parser.parse_args(arguments))
    directory = options.pop("directory")
    try:
        clients = generate_site(directory, SiteShape(**options))
    except OSError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{len(clients)} clients in {directory}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
