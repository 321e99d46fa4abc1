"""``Bcfg2.Server.Plugins.Metadata``: the metadata classes that plugins create or check."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from geventcore.plugin import client_metadata as server
from geventcore.plugin.client_version import ClientVersion

__all__ = ["ClientMetadata", "MetadataGroup", "MetadataQuery"]


class _AnyClientMetadata(type):
    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, server.ClientMetadata)


class ClientMetadata(server.ClientMetadata, metaclass=_AnyClientMetadata):
    """The metadata of one client, with the arguments of Bcfg2's constructor."""

    def __init__(
        self,
        client: str,
        profile: str | None,
        groups: Iterable[str],
        bundles: Iterable[str],
        aliases: Iterable[str],
        addresses: Iterable[str],
        categories: dict[str, str],
        uuid: str | None,
        password: str | None,
        version: str | None,
        query: Any,
    ) -> None:
        super().__init__(
            client,
            profile,
            set(groups),
            set(bundles),
            set(aliases),
            set(addresses),
            dict(categories),
            uuid,
            password,
            version,
            ClientVersion.parse(version),
            query if isinstance(query, server.MetadataQuery) else None,
        )


class MetadataGroup(server.MetadataGroup):
    """A group that a connector declares."""

    def __init__(
        self,
        name: str,
        bundles: Iterable[str] | None = None,
        category: str | None = None,
        is_profile: bool = False,
        is_public: bool = False,
    ) -> None:
        super().__init__(name, frozenset(bundles or ()), category or None, is_profile, is_public)


MetadataQuery = server.MetadataQuery
