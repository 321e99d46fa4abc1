"""``python -m geventcore``: the command line."""

import sys

from geventcore.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
