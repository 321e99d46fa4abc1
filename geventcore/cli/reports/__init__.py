"""``geventcore reports``: show the reports of clients.

command   the commands
output    tables for people, JSON and CSV for programs
asking    common flags, and access to the database
original  the commands of ``bcfg2-reports``, with its output
"""

from geventcore.cli.reports.command import command

__all__ = ["command"]
