"""``geventcore info``: inspect a repository and clients' configurations without a server.

tables     clients, groups, bundles, entries, probes
builds     configurations and files
packages   what the plugin Packages resolves
profiling  how long commands and templates take
shell      a prompt for all of them
"""

from geventcore.cli.info import builds, packages, profiling, shell, tables
from geventcore.cli.info.group import command

__all__ = ["builds", "command", "packages", "profiling", "shell", "tables"]
