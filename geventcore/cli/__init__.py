"""The command line: ``geventcore COMMAND``, one module for each command.

`geventcore.cli.main` has the table of commands, `geventcore.cli.common` what their modules need. A command's module is
imported only when the command is called, and at its top imports only what is light: ``server`` has to patch the
standard library before anything else is loaded.
"""
