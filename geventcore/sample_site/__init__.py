"""A small site to start from: a repository with comments, and the two configuration files that belong to it.

The files are package data; `geventcore.cli.init` creates a site from them.
"""

from __future__ import annotations

from pathlib import Path
from string import Template

#: The plugins that the repository has files for.
PLUGINS = ("Metadata", "Bundler", "Rules", "Cfg", "Probes", "Properties", "Decisions", "Defaults")

#: What a server writes into the repository by itself, and keeps there for itself only.
GITIGNORE = """\
# Databases, reports that wait, caches, results of probes, and temporary files of the server.
/etc/*.sqlite*
/Reporting/
/Packages/cache/
/Probes/probed.xml*
.*.new
"""

_HERE = Path(__file__).parent


def copy_repository(destination: Path) -> None:
    """Create the directory `destination` and copy the repository into it; `OSError` if it cannot be written."""
    _copy(_HERE / "repository", destination)
    (destination / ".gitignore").write_text(GITIGNORE, encoding="utf-8")


def configuration(name: str, **values: str) -> str:
    """Return one of the configuration files, ``bcfg2.conf`` or ``client-bcfg2.conf``, with the site's values filled in.

    `KeyError` if a value is missing. Percent signs are doubled, as the file format requires.
    """
    template = Template((_HERE / f"{name}.template").read_text(encoding="utf-8"))
    return template.substitute({key: value.replace("%", "%%") for key, value in values.items()})


def _copy(source: Path, destination: Path) -> None:
    """Copy the content but not the mode: the mode of the installed package must not affect the site."""
    if source.is_dir():
        destination.mkdir()
        for child in source.iterdir():
            _copy(child, destination / child.name)
    else:
        destination.write_bytes(source.read_bytes())
