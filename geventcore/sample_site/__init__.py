"""A small site to start from: a repository that explains itself, and the two configuration files that go with it.

The files are data of the package; `geventcore.cli.init` makes a site of them.
"""

from __future__ import annotations

from pathlib import Path
from string import Template

#: The plugins that the repository has files for.
PLUGINS = ("Metadata", "Bundler", "Rules", "Cfg", "Probes", "Properties", "Decisions", "Defaults")

_HERE = Path(__file__).parent


def copy_repository(destination: Path) -> None:
    """Make the directory `destination` and copy the repository into it; `OSError` if it cannot be written."""
    _copy(_HERE / "repository", destination)


def configuration(name: str, **values: str) -> str:
    """One of the configuration files, ``bcfg2.conf`` or ``client-bcfg2.conf``, with the site's values in it.

    `KeyError` if a value is missing. Percent signs are doubled, as these files want it.
    """
    template = Template((_HERE / f"{name}.template").read_text(encoding="utf-8"))
    return template.substitute({key: value.replace("%", "%%") for key, value in values.items()})


def _copy(source: Path, destination: Path) -> None:
    """Contents only: who installed the package must not decide on the modes of the copy."""
    if source.is_dir():
        destination.mkdir()
        for child in source.iterdir():
            _copy(child, destination / child.name)
    else:
        destination.write_bytes(source.read_bytes())
