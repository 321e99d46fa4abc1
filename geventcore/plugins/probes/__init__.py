"""Probes: scripts that clients run before they get their configuration, and what became of them.

`plugin` serves the scripts and takes the results, `files` are the scripts, `probe_data` is a result as templates see
it, `store` is where results are kept.
"""

from geventcore.plugins.probes.plugin import Probes

__all__ = ["Probes"]
