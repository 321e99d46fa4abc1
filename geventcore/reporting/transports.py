"""How reports get from the server into the database: the contract of a transport, and the table of them.

A transport is loaded by its name, so that a missing library breaks only its user.
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
    """What a transport is given.

    Attributes:
        settings: says what the settings are as of now.
        directory: where the transport may have files, ``<repository>/Reporting/<name>``.
        database: opens the database for reports, or gives the one that is open.
        offload: calls something that blocks without holding up others.
    """

    settings: Callable[[], Settings]
    directory: Path
    database: Callable[[], Database]
    offload: Offload


class Transport(ABC):
    """Takes reports in the server."""

    def __init__(self, context: TransportContext) -> None:
        """`ConfigError` if it cannot work with these settings."""
        self.context = context

    @abstractmethod
    def store(self, interaction: Interaction) -> None:
        """Take a report. When this returns it is durable; `StatisticsNotStored` or `StorageError` if it is not."""

    def start(self) -> None:
        """Start threads, if there is something to do besides; called once, in the process that serves."""

    def waiting(self) -> Mapping[str, Waiting]:
        """Place -> what waits there on this machine; `OSError` if that cannot be looked at."""
        return {}

    def shutdown(self) -> None:
        """End the threads. Nothing that was taken is lost by it."""

    @classmethod
    def make_source(cls, context: TransportContext) -> Source:  # noqa: ARG003 - others need it
        """What the collector takes reports from. `ConfigError` if there is nothing for it to do."""
        raise ConfigError(f"[reporting] transport = {cls.__name__}: the server stores reports, no collector does")


def transport_class(name: str) -> type[Transport]:
    """The class of a transport. `ConfigError` if a library that it needs is missing."""
    module, _, class_name = TRANSPORTS[name].partition(":")
    try:
        found: type[Transport] = getattr(importlib.import_module(module), class_name)
    except ImportError as err:
        extra = "redis" if err.name == "redis" else "database"
        raise ConfigError(f"[reporting] transport = {name}: {err}; pip install 'geventcore[{extra}]'") from err
    return found
