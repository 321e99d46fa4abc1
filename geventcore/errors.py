"""The tree of errors.

There are four kinds, with different consequences:

* an error in the configuration (`ConfigError`, `PluginInitError`, `TLSError`, `CoreInitError`) stops the start with
  one line;
* an error in the repository (`RepositoryError` and below) affects only what depends on that file;
* an error of the database (`StorageError` and below) fails the call that needs the database;
* a bad request (`RPCError`, `RequestError`) gets an error response and a log line.

An error's text is one line that an administrator can act on: it names the file, the option or the entry.
"""

from __future__ import annotations


class GeventcoreError(Exception):
    """The root of every error that geventcore raises on purpose."""


class ConfigError(GeventcoreError):
    """A setting is wrong: the text names the file, the section, the key, the value and what is accepted."""


class CoreInitError(GeventcoreError):
    """The server cannot start."""


class TLSError(GeventcoreError):
    """A key, certificate or CA cannot be used, or a TLS connection failed."""


class PluginError(GeventcoreError):
    """The root of the errors that plugins raise."""


class PluginInitError(PluginError):
    """A plugin cannot be loaded. The server does not start."""


class PluginExecutionError(PluginError):
    """A plugin cannot do its work, for example bind an entry or write a file."""


class SpecificityError(PluginExecutionError):
    """A file name has an invalid ``.H_host`` or ``.Gnn_group`` suffix, or cannot be made for a host or group."""


class StatisticsNotStored(PluginError):
    """A client's report can neither be stored nor kept for later. The client gets a fault."""


class ValidationError(PluginError):
    """A validator refuses the structures or the bound configuration of a client. The client gets a fault."""


class MetadataError(PluginError):
    """The root of the errors that a metadata source raises."""


class MetadataConsistencyError(MetadataError):
    """The metadata of a client contradict each other, or the client is unknown."""


class MetadataRuntimeError(MetadataError):
    """The metadata source is not ready, or cannot write its data."""


class StorageError(GeventcoreError):
    """The root of database errors. The text names the database."""


class DatabaseUnavailable(StorageError):
    """The database cannot be reached or written at the moment. A later attempt may succeed."""


class DatabaseMisconfigured(DatabaseUnavailable):
    """The database refuses the configuration, for example the password.

    A server does not start. A running server waits until the cause is fixed, as in any outage.

    Attributes:
        key: the key of the wrong option in section ``[database]``, or an empty text.
    """

    def __init__(self, message: str, key: str = "") -> None:
        super().__init__(message)
        self.key = key


class SchemaMismatch(StorageError):
    """The tables of a database do not match this version. The text names the command that fixes them."""


class MetadataUnavailable(MetadataRuntimeError):
    """The metadata source cannot be read at the moment. The caller may retry."""


def is_outage(err: BaseException | None) -> bool:
    """Return whether an error was caused by an unavailable database.

    An outage is logged once, when it begins. Errors that it causes are not logged again.
    """
    while err is not None:
        if isinstance(err, DatabaseUnavailable):
            return True
        err = err.__cause__
    return False


class SourceUnavailable(PluginError):
    """A source outside the repository cannot be reached at the moment. `Connector.if_unavailable` says what follows."""


class PackageSourceError(GeventcoreError):
    """A source of packages cannot be fetched or read; its last data stay in use."""


class RepositoryError(GeventcoreError):
    """A repository file cannot be used. The text names the file and, where known, the line."""


class TemplateError(RepositoryError):
    """A template cannot be loaded or rendered."""


class RenderError(GeventcoreError):
    """A client's configuration cannot be built."""


class RequestError(GeventcoreError):
    """A request that violates HTTP or XML-RPC.

    Attributes:
        status: HTTP status code of the response.
    """

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


class RPCError(GeventcoreError):
    """A call that is answered with an XML-RPC fault.

    Attributes:
        fault_code: the fault's number (docs: reference/protocol, "Faults").
    """

    def __init__(self, fault_code: int, message: str) -> None:
        super().__init__(message)
        self.fault_code = fault_code


#: Fault number of failures that end the client's whole run.
FAULT_CRITICAL = -32500
#: Fault number of a call to an unknown or forbidden method.
FAULT_UNKNOWN_METHOD = -32601
#: Fault number of all other errors.
FAULT_OTHER = 1
