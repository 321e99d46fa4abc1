"""The command line: ``geventcore COMMAND``, one module for each command.

`geventcore.cli.main` has the table of commands, `geventcore.cli.command` their common parts. A command's module is
imported only when the command is called. Its top-level imports must be light: ``server`` patches the standard library
before other imports.
"""
