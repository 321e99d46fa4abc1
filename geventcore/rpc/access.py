"""Who may call what: the access-control plugins are asked in two phases (docs: reference/protocol, "ACLs").

By address: any False denies, all True allow. If one leaves the decision open (None), the client's metadata are built
and every plugin must agree.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.interfaces import ClientACLs

log = logging.getLogger(__name__)


class AccessControl:
    """Asks the access-control plugins."""

    def __init__(
        self,
        plugins: Callable[[], Sequence[ClientACLs]],
        client_metadata: Callable[[tuple[Any, ...]], ClientMetadata],
    ) -> None:
        """`client_metadata` gives the metadata of the client at an address, or raises."""
        self._plugins = plugins
        self._client_metadata = client_metadata

    def by_address(self, address: tuple[Any, ...], method: str) -> bool | None:
        """What the addresses decide: True allowed, False denied, None left to the client's metadata."""
        answers = []
        for plugin in self._plugins():
            try:
                answers.append(plugin.check_acl_ip(address, method))
            except Exception as err:  # noqa: BLE001 - a plugin that cannot decide must not let anyone in
                log.error("%s cannot decide by address, denied: %s", getattr(plugin, "name", plugin), err)
                return False
        if any(answer is False for answer in answers):
            return False
        return None if any(answer is None for answer in answers) else True

    def by_metadata(self, metadata: ClientMetadata, method: str) -> bool:
        """Whether every plugin lets this client call."""
        for plugin in self._plugins():
            try:
                if not plugin.check_acl_metadata(metadata, method):
                    return False
            except Exception as err:  # noqa: BLE001 - a plugin that cannot decide must not let anyone in
                log.error("%s cannot decide by client, denied: %s", getattr(plugin, "name", plugin), err)
                return False
        return True

    def allows(self, address: tuple[Any, ...], method: str) -> bool:
        """Whether the caller may call a method; raises what finding out who it is raises."""
        decision = self.by_address(address, method)
        if decision is None:
            return self.by_metadata(self._client_metadata(address), method)
        return decision
