"""Values that are not shown: what is encrypted in the repository, sensitive entries, and private keys."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from lxml import etree

from geventcore.core.base import Core
from geventcore.errors import GeventcoreError
from geventcore.options.server import ENCODING
from geventcore.plugins.cfg.creators import XMLCreator
from geventcore.plugins.cfg.encrypted import Encrypted
from geventcore.plugins.cfg.plugin import FileGenerator
from geventcore.plugins.sshbase import SSHbase
from geventcore.specfiles.encrypted_elements import decrypt_elements
from geventcore.specfiles.xmlfile import repository_parser
from geventcore.tools.diff.model import HIDDEN

_PRIVATE_KEY = "PRIVATE KEY-----"
#: Shorter values would hide every other word.
_SHORTEST_VALUE = 4


@dataclass(frozen=True)
class Secrets:
    """The secrets of both sides.

    Attributes:
        paths: the names of files whose content is secret.
        values: texts that are replaced wherever they occur, longest first.
    """

    paths: frozenset[str] = frozenset()
    values: tuple[str, ...] = ()

    def __or__(self, other: Secrets) -> Secrets:
        values = sorted({*self.values, *other.values}, key=lambda value: (-len(value), value))
        return Secrets(self.paths | other.paths, tuple(values))

    def hides(self, entry: etree._Element) -> bool:
        """Return true if the content of an entry is secret."""
        return (
            entry.get("sensitive", "").lower() == "true"
            or (entry.tag == "Path" and entry.get("name") in self.paths)
            or _PRIVATE_KEY in (entry.text or "")
        )

    def masked(self, text: str) -> str:
        """Return a text without secrets."""
        for value in self.values:
            if value in text:
                text = text.replace(value, HIDDEN)
        return text

    def masked_lines(self, lines: Iterable[str]) -> tuple[str, ...]:
        """Return lines without secrets."""
        return tuple(map(self.masked, lines)) if self.values else tuple(lines)


def secrets_of(core: Core) -> Secrets:
    """Return the secrets of a site."""
    paths: set[str] = set()
    for plugin in core.plugins.by_type(FileGenerator):
        for name in plugin.entries.get("Path", {}):
            if any(
                isinstance(handler, Encrypted) or (isinstance(handler, XMLCreator) and handler.is_secret)
                for handler in plugin.handlers_of(name)
            ):
                paths.add(name)
    for ssh in core.plugins.by_type(SSHbase):
        paths.update(name for name in ssh.entries["Path"] if name.endswith("_key"))
    return Secrets(frozenset(paths)) | Secrets(values=tuple(_encrypted_values(core)))


def _encrypted_values(core: Core) -> Iterable[str]:
    """Yield the decrypted texts in the XML files of the repository, line by line."""
    for path in core.repository.path.rglob("*.xml"):
        try:
            if b"encrypted=" not in path.read_bytes():
                continue
            root = etree.parse(str(path), repository_parser()).getroot()
            decrypt_elements(root, path, core.settings, core.settings[ENCODING], skip_plain=True)
        except (OSError, etree.XMLSyntaxError, GeventcoreError):
            continue
        for element in root.iterfind(".//*[@encrypted]"):
            for line in (element.text or "").splitlines():
                if len(line.strip()) >= _SHORTEST_VALUE:
                    yield line.strip()
