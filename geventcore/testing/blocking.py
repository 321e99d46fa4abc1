"""Code of plugins that blocks the event loop of the gevent core.

Under the gevent core all clients wait while one plugin computes, or waits in C code. `blocking` builds a client's
configuration in a process of its own, as the gevent core would, and returns the places that block.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from geventcore.options.settings import load_settings
from geventcore.testing.site import Site
from geventcore.tools.site import open_core

#: The program of the process. The standard library must be cooperative before anything else is imported.
_PROGRAM = """
import json, pathlib, sys
sys.path[:] = json.loads(sys.argv[1])
from geventcore.cores.cooperation import patch_standard_library
patch_standard_library()
from geventcore.testing.blocking import print_blocking
print_blocking(pathlib.Path(sys.argv[2]), sys.argv[3], float(sys.argv[4]))
"""

#: The time in seconds that the process may take.
PATIENCE_SECONDS = 120


@dataclass(frozen=True)
class Blocking:
    """A place in the code that blocks.

    Attributes:
        plugin, hook: the plugin and its method; empty if it is no plugin.
        line: the file and line, as ``file:line``.
        seconds: the time for which it has blocked.
    """

    plugin: str
    hook: str
    line: str
    seconds: float


def blocking(site: Site, hostname: str, seconds: float = 0.1) -> list[Blocking]:
    """Return the places that block the event loop for some time while a client's configuration is built.

    Args:
        site: its files are read anew, so it need not be started.
        seconds: the shortest time that counts.

    Raises:
        AssertionError: the configuration cannot be built; the text has the output of the process.
    """
    path = [str(site.directory), *map(str, filter(None, sys.path))]
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, json.dumps(path), str(site.configuration_file), hostname, str(seconds)],
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert done.returncode == 0, f"cannot build the configuration of {hostname} under gevent:\n{done.stderr}"
    return [Blocking(**found) for found in json.loads(done.stdout)]


def print_blocking(configuration_file: Path, hostname: str, seconds: float) -> None:
    """Build a configuration under gevent, and print the places that block as JSON; the standard library is patched."""
    from geventcore.cores.gevent.watchdog import blocking_places

    with open_core(load_settings(config_file=configuration_file, environ={}), read_only=False) as core:
        places = blocking_places(lambda: core.write_configuration(hostname), seconds)
    print(json.dumps([asdict(Blocking(*place, blocked)) for place, blocked in places.items()]))
