"""The plugin Metadata: the clients, their groups and bundles, and the authentication of callers."""

from geventcore.plugins.metadata.plugin import Metadata

__all__ = ["Metadata"]
