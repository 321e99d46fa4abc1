"""The repository generator of ``geventcore bench``, with a command line.

python -m tests.simulation.generate_repository DIRECTORY --clients 100 --entries 400
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from geventcore.simulation.repository import DOMAIN, GeneratedClient, Shape, generate, read_clients

__all__ = ["DOMAIN", "GeneratedClient", "Shape", "generate", "read_clients"]


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.simulation.generate_repository", description="Write a repository."
    )
    parser.add_argument("directory", type=Path, help="does not exist, or is empty")
    for attribute in fields(Shape):
        parser.add_argument(f"--{attribute.name.replace('_', '-')}", type=int, default=attribute.default)
    options = vars(parser.parse_args(arguments))
    directory = options.pop("directory")
    try:
        clients = generate(directory, Shape(**options))
    except (ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{len(clients)} clients in {directory}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
