"""A site's own plugin, for tests: hosts whose metadata or structures are refused, each in its own way."""

from __future__ import annotations

from collections.abc import Sequence

from lxml import etree

from geventcore.errors import MetadataConsistencyError, MetadataRuntimeError, ValidationError
from geventcore.plugin.base import Plugin
from geventcore.plugin.client_metadata import ClientMetadata, MetadataGroup
from geventcore.plugin.interfaces import Connector, Structure, StructureValidator


class Refusing(Plugin, Connector, Structure, StructureValidator):
    """Refuses by the name of the host."""

    creates_directory = False

    def get_additional_groups(self, metadata: ClientMetadata) -> Sequence[str | MetadataGroup]:
        """No groups, or an error of the metadata."""
        if metadata.hostname == "contradictory":
            raise MetadataConsistencyError("its owner says two things")
        if metadata.hostname == "unready":
            raise MetadataRuntimeError("its owner says nothing yet")
        return []

    def build_structures(self, metadata: ClientMetadata) -> list[etree._Element]:
        """No structures, or an error."""
        if metadata.hostname == "unbuilt":
            raise ValueError("no structures")
        return []

    def validate_structures(self, metadata: ClientMetadata, structures: list[etree._Element]) -> None:
        """Nothing, or the refusal of a validator."""
        if metadata.hostname == "refused":
            raise ValidationError("two bundles for one port")
