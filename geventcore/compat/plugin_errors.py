"""Exceptions of plugins: those of the server itself, so that each side catches what the other raises."""

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
