"""The checkout that the tests are in."""

from pathlib import Path

PROJECT = Path(__file__).parents[2]
#: The plugins that the tests' servers load by their dotted names.
SITE_PLUGINS = PROJECT / "tests/support/site_plugins"
