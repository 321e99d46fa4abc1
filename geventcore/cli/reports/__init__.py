"""``geventcore reports``: show what clients have reported.

command   the commands
output    tables for people, JSON and CSV for programs
asking    from settings and flags to questions to the database
"""

from geventcore.cli.reports.command import command

__all__ = ["command"]
