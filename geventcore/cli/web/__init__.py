"""``geventcore web``: the web pages, and the users who may see them.

command        the commands
sources        the running servers and the repository, as the pages see them
site_process   the repository in a process of its own
"""

from geventcore.cli.web.command import command

__all__ = ["command"]
