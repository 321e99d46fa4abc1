"""The keys and certificates of a server, and reading them again."""

from __future__ import annotations

from geventcore.core.configuration import Configuration
from geventcore.core.network_options import CRL, SECOND_CERTIFICATE, SECOND_KEY
from geventcore.errors import TLSError
from geventcore.options.server import CA, CERTIFICATE, KEY, PROTOCOL
from geventcore.tls.context import ServerContext, TLSFiles, build_server_context


class Certificates:
    """The keys and certificates that new connections use.

    Attributes:
        context: these and the parameters of TLS; replaced by a reload.
    """

    def __init__(self, configuration: Configuration) -> None:
        """Read the files that the settings name; `TLSError` if they cannot be used."""
        self._configuration = configuration
        self.context = self._load(None)

    def reload(self) -> None:
        """Read the files again. After a mistake, which is logged, the server goes on with what it has."""
        try:
            self.context = self._load(self.context)
        except TLSError as err:
            self._configuration.log_once(f"Certificates are not reloaded: {err}")

    def _load(self, predecessor: ServerContext | None) -> ServerContext:
        settings = self._configuration.settings
        return build_server_context(
            TLSFiles(
                settings[CERTIFICATE],
                settings[KEY],
                settings[CA],
                settings[CRL],
                settings[SECOND_CERTIFICATE],
                settings[SECOND_KEY],
            ),
            protocol=settings[PROTOCOL],
            protocol_is_explicit=settings.is_set(PROTOCOL),
            predecessor=predecessor,
        )
