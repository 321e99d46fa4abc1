"""Probes: scripts that clients run before they get their configuration, and their results.

`plugin` serves the scripts and receives the results, `files` has the scripts, `probe_data` has a result as templates
see it, `store` keeps the results.
"""

from geventcore.plugins.probes.plugin import Probes

__all__ = ["Probes"]
