"""Access control: plugins decide in two phases which client may call which method (docs: reference/protocol, "ACLs").

The first phase knows only the address. The call is denied if a plugin returns False and allowed if all return True. If
a plugin returns None, the server builds the client's metadata, and in the second phase every plugin must agree.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.interfaces import ClientACLs

log = logging.getLogger(__name__)

#: An address that no rule trusts.
UNKNOWN_ADDRESS = ("", 0)


class AccessControl:
    """Asks the access-control plugins."""

    def __init__(
        self,
        plugins: Callable[[], Sequence[ClientACLs]],
        client_metadata: Callable[[tuple[Any, ...]], ClientMetadata],
    ) -> None:
        """Set up access control; `client_metadata` returns the metadata of the client at an address, or raises."""
        self._plugins = plugins
        self._client_metadata = client_metadata

    def by_address(self, address: tuple[Any, ...], method: str) -> bool | None:
        """Decide by address: True allows, False denies, None leaves the decision to the client's metadata."""
        answers = []
        for plugin in self._plugins():
            try:
                answer = plugin.check_acl_ip(address, method)
                if not (answer is None or isinstance(answer, bool)):
                    # Such as "no", which would be true.
                    raise TypeError(f"check_acl_ip returned {answer!r}; expected True, False or None")
                answers.append(answer)
            except Exception as err:  # noqa: BLE001 - a plugin that cannot decide must not let anyone in
                name = getattr(plugin, "name", plugin)
                log.error("access to %s denied for %s: plugin %s failed: %s", method, address[0], name, err)
                return False
        if any(answer is False for answer in answers):
            return False
        return None if any(answer is None for answer in answers) else True

    def by_metadata(self, metadata: ClientMetadata, method: str, address: tuple[Any, ...] = UNKNOWN_ADDRESS) -> bool:
        """Return whether every plugin allows the call of a client from an address."""
        for plugin in self._plugins():
            try:
                if not plugin.check_acl_caller(address, metadata, method):
                    return False
            except Exception as err:  # noqa: BLE001 - a plugin that cannot decide must not let anyone in
                name = getattr(plugin, "name", plugin)
                client = metadata.hostname
                log.error("access to %s denied for client %s: plugin %s failed: %s", method, client, name, err)
                return False
        return True

    def allows(self, address: tuple[Any, ...], method: str) -> bool:
        """Return whether the caller may call a method. Errors from building its metadata are passed on."""
        decision = self.by_address(address, method)
        if decision is None:
            return self.by_metadata(self._client_metadata(address), method, address)
        return decision
