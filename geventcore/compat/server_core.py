"""``Bcfg2.Server.Core``: its exceptions. Cores for Bcfg2 do not run here."""

from geventcore.errors import CoreInitError

__all__ = ["CoreInitError", "NoExposedMethod"]


class NoExposedMethod(Exception):
    """A method that does not exist is called."""
