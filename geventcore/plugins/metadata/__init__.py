"""The plugin Metadata: who the clients are, which groups and bundles they have, and whether a caller is one of them."""

from geventcore.plugins.metadata.plugin import Metadata

__all__ = ["Metadata"]
