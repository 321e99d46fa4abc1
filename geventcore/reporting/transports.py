"""Transports of reports from the server to the database: their contract and their table.

A transport is imported only if it is configured, so a missing library affects only its users.
"""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from geventcore.errors import ConfigError
from geventcore.options import Settings

if TYPE_CHECKING:
    from geventcore.reporting.sources import Source
    from geventcore.reporting.spool import Offload, Waiting
    from geventcore.storage.database import Database
    from geventcore.storage.report_model import Interaction

DEFAULT_TRANSPORT = "DirectStore"

#: Name in ``[reporting] transport`` -> ``module:class``.
TRANSPORTS: dict[str, str] = {
    "DirectStore": "geventcore.reporting.direct_store:DirectStore",
    "LocalFilesystem": "geventcore.reporting.local_filesystem:LocalFilesystem",
    "RedisTransport": "geventcore.reporting.redis_transport:RedisTransport",
}


@dataclass(frozen=True)
class TransportContext:
    """The environment of a transport.

    Attributes:
        settings: returns the current settings.
        directory: directory for the transport's files, ``<state>/Reporting/<name>``.
        database: returns the database for reports, which it opens at the first call.
        offload: calls a blocking function without blocking other requests.
    """

    settings: Callable[[], Settings]
    directory: Path
    database: Callable[[], Database]
    offload: Offload


class Transport(ABC):
    """The contract of a transport in the server."""

    def __init__(self, context: TransportContext) -> None:
        """Set up the transport.

        Raises:
            ConfigError: the settings are wrong for this transport.
        """
        self.context = context

    @abstractmethod
    def store(self, interaction: Interaction) -> None:
        """Accept a report. It is durable when this returns.

        Raises:
            StatisticsNotStored, StorageError: the report is not stored.
        """

    def start(self) -> None:
        """Start background threads, if needed. Called once in each process that serves clients."""

    def waiting(self) -> Mapping[str, Waiting]:
        """Return place -> waiting reports on this machine.

        Raises:
            OSError: the place cannot be read.
        """
        return {}

    def shutdown(self) -> None:
        """Stop the threads. Accepted reports are not lost."""

    @classmethod
    def make_source(cls, context: TransportContext) -> Source:  # noqa: ARG003 - other transports need it
        """Return the collector's source.

        Raises:
            ConfigError: this transport needs no collector.
        """
        raise ConfigError(
            f"[reporting] transport = {cls.__name__}: the server stores reports itself and needs no collector"
        )


def transport_class(name: str) -> type[Transport]:
    """Import the class of a transport.

    Raises:
        ConfigError: a library is missing.
    """
    module, _, class_name = TRANSPORTS[name].partition(":")
    try:
        found: type[Transport] = getattr(importlib.import_module(module), class_name)
    except ImportError as err:
        extra = "redis" if err.name == "redis" else "database"
        raise ConfigError(f"[reporting] transport = {name}: {err}; pip install 'geventcore[{extra}]'") from err
    return found
