"""The comparison of a host: the old server is asked as the host itself would ask, and this program builds its own.

The calls are ``GetProbes`` and ``GetConfig``. The results of probes are not sent, because they would replace those that
the client has sent; nor is a report, nor (unless it is asked for) a version. So the old server answers as it would have
answered in the client's last run. What it does for ``GetConfig`` it does here, too: it makes keys that do not exist,
and its plugin Trigger runs its programs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from lxml import etree

from geventcore.core.base import Core
from geventcore.errors import GeventcoreError
from geventcore.plugin.interfaces import Probing
from geventcore.tools.diff.model import OWN_NAME
from geventcore.tools.diff.secrets import secrets_of
from geventcore.tools.server_calls import ServerAccess, call
from geventcore.tools.shadow.comparison import (
    CarefulSecrets,
    Difference,
    compare_configurations,
    compare_probes,
    parse_document,
)
from geventcore.tools.shadow.outcome import HostResult

#: Plugins that act when a client asks -> what they do.
ACTING_PLUGINS: Mapping[str, str] = {
    "Trigger": "runs its programs for each host",
    "SSHbase": "makes host keys that do not exist",
    "SSLCA": "makes keys and certificates that do not exist",
}


@dataclass(frozen=True)
class OldServer:
    """The server to compare with.

    Attributes:
        access: its address, the password that all clients share, and TLS.
        certificates: a directory with ``HOST.crt`` and ``HOST.key`` of hosts that need a certificate, or None.
        version: the version that is declared for each host before it asks, or None.
    """

    access: ServerAccess
    certificates: Path | None = None
    version: str | None = None

    def access_for(self, host: str, password: str | None) -> ServerAccess:
        """Return how to log in as a host, with its own password if it has one."""
        access = replace(self.access, user=host)
        if password:
            access = replace(access, password=password)
        if self.certificates is not None:
            certificate = self.certificates / f"{host}.crt"
            key = certificate.with_suffix(".key")
            if certificate.is_file():
                return replace(access, certificate=certificate, key=key if key.is_file() else None)
        return access

    def configuration(self, access: ServerAccess) -> etree._Element:
        """Return the configuration of the host that `access` logs in as.

        Raises:
            GeventcoreError: there is none.
        """
        if self.version is not None:
            call(access, "DeclareVersion", (self.version,))
        root = parse_document(document_text(call(access, "GetConfig")), "configuration of the old server")
        if root.tag == "error":
            raise GeventcoreError(f"the old server gives no configuration: {root.get('type') or 'it does not say why'}")
        return root

    def probes(self, access: ServerAccess) -> etree._Element:
        """Return the probes of the host that `access` logs in as."""
        return parse_document(document_text(call(access, "GetProbes")), "list of probes of the old server")


def document_text(value: object) -> str | bytes:
    """Return the document in an answer; `GeventcoreError` if it is something else."""
    if isinstance(value, str | bytes):
        return value
    raise GeventcoreError(f"the old server answers with {type(value).__name__} in place of a document")


class Shadow:
    """The comparison with one server.

    Attributes:
        core: the site here.
        server: the old server.
    """

    def __init__(self, core: Core, server: OldServer, with_probes: bool = True) -> None:
        """Set up; `with_probes` also compares the lists of probes."""
        self.core = core
        self.server = server
        self._with_probes = with_probes
        secrets = secrets_of(core)
        self._secrets = CarefulSecrets(secrets.paths, secrets.values)

    def compare(self, host: str) -> HostResult:
        """Compare what both servers give a host."""
        try:
            access = self.server.access_for(host, self.core.build_metadata(host).password)
            differences: list[Difference] = []
            if self._with_probes:
                differences += compare_probes(self.server.probes(access), self._own_probes(host))
            old = self.server.configuration(access)
        except GeventcoreError as err:
            return HostResult(host, problem=str(err))
        return self.result(host, old, differences)

    def result(self, host: str, old: etree._Element, differences: list[Difference]) -> HostResult:
        """Compare the old server's configuration of a host with the one that is built here."""
        try:
            new = self.core.build_configuration(host)
        # A plugin of the site may raise anything; the other hosts are still compared.
        except Exception as err:  # noqa: BLE001
            new = etree.Element("error", type=f"{type(err).__name__}: {err}")
        entries = sum(len(structure) for structure in old)
        found = [*differences, *compare_configurations(old, new, self._secrets)]
        # Hosts that differ in their own names only have the same difference.
        own = tuple(each.with_name(host, OWN_NAME) for each in found)
        return HostResult(host, own, entries=entries)

    def _own_probes(self, host: str) -> list[etree._Element]:
        metadata = self.core.build_metadata(host)
        return [probe for plugin in self.core.plugins.by_type(Probing) for probe in plugin.get_probes(metadata)]
