"""One tree of errors.

Four kinds of mistakes are told apart, because they end differently:

* a mistake in the configuration (`ConfigError`, `PluginInitError`, `TLSError`, `CoreInitError`) stops the start with
  one line;
* a mistake in the repository (`RepositoryError` and below) harms only what depends on that file;
* what the database cannot do (`StorageError` and below) fails the call that needs it;
* a bad request (`RPCError`, `RequestError`) gets its answer and a log line.

An error's text is one line that a system administrator can act on: it names the file, the option or the entry.
"""

from __future__ import annotations


class GeventcoreError(Exception):
    """The root of every error that geventcore raises on purpose."""


class ConfigError(GeventcoreError):
    """A setting is wrong: the text names the file, the section, the key, the value and what is accepted."""


class CoreInitError(GeventcoreError):
    """The server cannot start."""


class TLSError(GeventcoreError):
    """A key, certificate or CA cannot be used, or a TLS conversation failed."""


class PluginError(GeventcoreError):
    """The root of what plugins raise."""


class PluginInitError(PluginError):
    """A plugin cannot be loaded; the start stops."""


class PluginExecutionError(PluginError):
    """A plugin cannot do what it was asked for: an entry cannot be bound, a file cannot be written."""


class StatisticsNotStored(PluginError):
    """What a client reported can neither be stored nor kept for later; the call gets a fault."""


class ValidationError(PluginError):
    """A validator refuses the structures or the bound configuration of a client; the call gets a fault."""


class SpecificityError(PluginError):
    """A file name's ``.H_host`` or ``.Gnn_group`` suffix makes no sense."""


class MetadataError(PluginError):
    """The root of what a metadata source raises."""


class MetadataConsistencyError(MetadataError):
    """What is known of a client contradicts itself, or the client is unknown."""


class MetadataRuntimeError(MetadataError):
    """The metadata source is not ready, or cannot write."""


class StorageError(GeventcoreError):
    """The database cannot do what it was asked for; the text names the database."""


class DatabaseUnavailable(StorageError):
    """The database cannot be reached, or cannot be written: it may be possible later."""


class DatabaseMisconfigured(DatabaseUnavailable):
    """The database refuses to be used as it is configured. The start of a server stops; one that runs waits, as for any
    database that is gone, for whoever mends it.

    `key` is the key of the option that is wrong, if one is.
    """

    def __init__(self, message: str, key: str = "") -> None:
        super().__init__(message)
        self.key = key


class SchemaMismatch(StorageError):
    """The tables of a database are not what this version needs; the text names the command that mends it."""


class MetadataUnavailable(MetadataRuntimeError):
    """Nothing is known of any client just now; whoever calls may try again."""


def is_outage(err: BaseException | None) -> bool:
    """Whether an error comes from a database that cannot be used just now.

    That it cannot is logged when it begins: what fails because of it meanwhile is no news.
    """
    while err is not None:
        if isinstance(err, DatabaseUnavailable):
            return True
        err = err.__cause__
    return False


class RepositoryError(GeventcoreError):
    """A repository file cannot be used; the text names the file and, where known, the line."""


class TemplateError(RepositoryError):
    """A template cannot be loaded or rendered."""


class RenderError(GeventcoreError):
    """A client's configuration cannot be built."""


class RequestError(GeventcoreError):
    """A request that HTTP or XML-RPC does not allow.

    `status` is the HTTP status code of the answer that it deserves.
    """

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


class RPCError(GeventcoreError):
    """A call that is answered with an XML-RPC fault.

    `fault_code` is the fault's number (docs: reference/protocol, "Faults").
    """

    def __init__(self, fault_code: int, message: str) -> None:
        super().__init__(message)
        self.fault_code = fault_code


#: Fault number of failures that mean the whole run cannot go on.
FAULT_CRITICAL = -32500
#: Fault number of a method that does not exist or may not be called.
FAULT_UNKNOWN_METHOD = -32601
#: Fault number of everything else that a method raises.
FAULT_OTHER = 1
