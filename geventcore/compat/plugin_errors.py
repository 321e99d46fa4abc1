"""Exceptions of plugins. They are the server's own classes, so each side can catch the exceptions of the other."""

from geventcore.errors import (
    MetadataConsistencyError,
    MetadataRuntimeError,
    PluginExecutionError,
    PluginInitError,
    SpecificityError,
    ValidationError,
)

__all__ = [
    "MetadataConsistencyError",
    "MetadataRuntimeError",
    "PluginExecutionError",
    "PluginInitError",
    "SpecificityError",
    "ValidationError",
]
