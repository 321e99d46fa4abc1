"""The base classes of the queries in a site's ``config.py``."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, ClassVar

from geventcore.errors import PluginExecutionError
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugins.ldap.connection import LdapConnection, Patience, Question

#: The characters with a meaning in filters.
_SPECIAL = re.compile(r"[\\*()\x00]")

SCOPES = ("base", "one", "sub")


@dataclass(frozen=True)
class Asking:
    """The context of a query while it is evaluated.

    Attributes:
        patience: the timeout and retries of requests.
        offload: calls a function that blocks.
        used: the servers that were used, whose connections have to be closed later.
    """

    patience: Patience
    offload: Callable[..., Any]
    used: set[LdapConnection]


#: Set by the plugin while it evaluates a query, so that a query may evaluate others.
asking: ContextVar[Asking] = ContextVar("asking")


class LdapQuery:
    """A query about a client. Each evaluation uses a new instance.

    Attributes:
        name: its name in ``metadata.Ldap``.
        base, scope, filter, attrs: the search; `scope` is ``base``, ``one`` or ``sub``; no `attrs` means all.
        connection: the server.
        result: the result of the search: ``[(distinguished name, {attribute: [value, …]}), …]``.
    """

    name: ClassVar[str] = ""
    base: str = ""
    scope: str = "sub"
    filter: str = "(objectClass=*)"
    attrs: Sequence[str] | None = None
    connection: LdapConnection | None = None
    result: Any = None

    @staticmethod
    def escape(text: str) -> str:
        """Escape a text for use as a value in a filter (RFC 4515, section 3)."""
        return _SPECIAL.sub(lambda match: f"\\{ord(match[0]):02x}", text)

    def is_applicable(self, metadata: ClientMetadata) -> bool:
        """Return true if the query applies to a client; otherwise ``metadata.Ldap`` does not have it."""
        return True

    def prepare_query(self, metadata: ClientMetadata, **kwargs: Any) -> None:
        """Set the attributes that depend on the client, such as the filter.

        The host name, uuid, profile, aliases, addresses and groups of this `metadata` are escaped for filters. Use
        `escape` for other texts, such as results of probes.
        """

    def process_result(self, metadata: ClientMetadata, **kwargs: Any) -> Any:
        """Convert `result` into the value for templates."""
        return self.result

    def get_result(self, metadata: ClientMetadata, **kwargs: Any) -> Any:
        """Evaluate the query and return the value for templates; `PluginExecutionError` if that fails."""
        self.prepare_query(_escaped(metadata), **kwargs)
        how = asking.get()
        if not isinstance(self.connection, LdapConnection):
            raise PluginExecutionError(f"query {type(self).__name__} has no connection")
        if self.scope not in SCOPES:
            raise PluginExecutionError(
                f"query {type(self).__name__}: invalid scope {self.scope!r}; expected base, one or sub"
            )
        attributes = None if self.attrs is None else tuple(self.attrs)
        question = Question(self.base, self.scope, self.filter, attributes)
        how.used.add(self.connection)
        self.result = self.connection.ask(question, how.patience, how.offload)
        self.result = self.process_result(metadata, **kwargs)
        return self.result


def _escaped(metadata: ClientMetadata) -> ClientMetadata:
    """Return a copy of metadata whose names are escaped for filters."""
    escape = LdapQuery.escape
    copy = metadata.copy()
    copy.hostname = escape(metadata.hostname)
    copy.uuid = None if metadata.uuid is None else escape(metadata.uuid)
    copy.profile = None if metadata.profile is None else escape(metadata.profile)
    copy.aliases = set(map(escape, metadata.aliases))
    copy.addresses = set(map(escape, metadata.addresses))
    copy.groups = set(map(escape, metadata.groups))
    return copy


class LdapSubQuery(LdapQuery):
    """A query that other queries evaluate with `get_result` and arguments. Templates do not see it."""
