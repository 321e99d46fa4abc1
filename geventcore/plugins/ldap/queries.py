"""Queries, which a site's ``config.py`` derives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, ClassVar

from geventcore.errors import PluginExecutionError
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugins.ldap.connection import LdapConnection, Patience, Question

SCOPES = ("base", "one", "sub")


@dataclass(frozen=True)
class Asking:
    """How questions are asked while a query is evaluated.

    Attributes:
        patience: how long and how often.
        offload: calls a function that blocks.
        used: the servers that were asked, for whoever has to close the conversations.
    """

    patience: Patience
    offload: Callable[..., Any]
    used: set[LdapConnection]


#: Set by the plugin while it evaluates a query, so that queries may ask further ones.
asking: ContextVar[Asking] = ContextVar("asking")


class LdapQuery:
    """A question about a client. An instance is made for each time it is asked.

    Attributes:
        name: what it is called in ``metadata.Ldap``.
        base, scope, filter, attrs: of the search; `scope` is ``base``, ``one`` or ``sub``, and no `attrs` means all.
        connection: the server.
        result: what the server found: ``[(distinguished name, {attribute: [value, …]}), …]``.
    """

    name: ClassVar[str] = ""
    base: str = ""
    scope: str = "sub"
    filter: str = "(objectClass=*)"
    attrs: Sequence[str] | None = None
    connection: LdapConnection | None = None
    result: Any = None

    def is_applicable(self, metadata: ClientMetadata) -> bool:
        """Whether there is an answer for a client; ``metadata.Ldap`` has no others."""
        return True

    def prepare_query(self, metadata: ClientMetadata, **kwargs: Any) -> None:
        """Set what depends on the client, such as the filter."""

    def process_result(self, metadata: ClientMetadata, **kwargs: Any) -> Any:
        """Turn `result` into what templates get."""
        return self.result

    def get_result(self, metadata: ClientMetadata, **kwargs: Any) -> Any:
        """Ask, and return what templates get; `PluginExecutionError` if that fails."""
        self.prepare_query(metadata, **kwargs)
        how = asking.get()
        if not isinstance(self.connection, LdapConnection):
            raise PluginExecutionError(f"query {type(self).__name__} has no connection")
        if self.scope not in SCOPES:
            raise PluginExecutionError(f"query {type(self).__name__}: scope {self.scope!r} is none of base, one, sub")
        attributes = None if self.attrs is None else tuple(self.attrs)
        question = Question(self.base, self.scope, self.filter, attributes)
        how.used.add(self.connection)
        self.result = self.connection.ask(question, how.patience, how.offload)
        self.result = self.process_result(metadata, **kwargs)
        return self.result


class LdapSubQuery(LdapQuery):
    """A question that other queries ask, with `get_result` and arguments of their own; templates do not see it."""
