"""Metadata of a client that does not exist."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from geventcore.plugin.client_metadata import ClientMetadata, MetadataQuery


def client_metadata(
    hostname: str = "client.example.com",
    *,
    groups: Iterable[str] = (),
    bundles: Iterable[str] = (),
    data: Mapping[str, Any] | None = None,
    others: Iterable[ClientMetadata] = (),
    **attributes: Any,
) -> ClientMetadata:
    """Return the metadata of a client, to call a plugin with.

    Args:
        data: name of a connector -> its data, for ``metadata.<name>``.
        others: the metadata of other clients, for ``metadata.query``.
        attributes: other attributes of `ClientMetadata`, such as ``profile`` and ``categories``.
    """
    metadata = ClientMetadata(hostname, groups=set(groups), bundles=set(bundles), **attributes)
    for name, value in (data or {}).items():
        setattr(metadata, name, value)
        metadata.connectors.append(name)
    clients = {each.hostname: each for each in (metadata, *others)}
    metadata.query = MetadataQuery(
        by_name=clients.__getitem__,
        names_by_groups_set=lambda wanted: [name for name, each in clients.items() if each.groups.issuperset(wanted)],
        names_by_profiles_set=lambda wanted: [name for name, each in clients.items() if each.profile in set(wanted)],
        all_clients=lambda: list(clients),
        all_groups=lambda: {group for each in clients.values() for group in each.groups},
        all_groups_in_category=lambda category: {
            each.categories[category] for each in clients.values() if category in each.categories
        },
    )
    return metadata
