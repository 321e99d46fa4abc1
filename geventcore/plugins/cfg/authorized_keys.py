"""``authorizedkeys.xml``: an authorized_keys file that is assembled from keys in the repository.

``<Allow from="/root/.ssh/id_rsa.pub"/>`` uses the entry of that name, bound for this client, for ``host=…`` or for a
client that is only in ``group=…``. An ``Allow`` without ``from`` contains the key itself. Its ``Option`` elements are
the options of the key. A missing key is left out and logged.
"""

from __future__ import annotations

import logging
import re
from contextvars import ContextVar
from pathlib import Path

from lxml import etree

from geventcore.errors import GeventcoreError, PluginExecutionError
from geventcore.filemonitor import FileEvent
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.context import PluginContext
from geventcore.plugin.specificity import Specificity
from geventcore.plugins.cfg.content import Content
from geventcore.plugins.cfg.handlers import CfgGenerator
from geventcore.plugins.cfg.options import SSHKEYS_CATEGORY
from geventcore.specfiles.structfile import StructFile

log = logging.getLogger(__name__)

#: One line of a ``.pub`` file (sshd(8)). An entry may come from a client, which must not get rid of the options of its
#: key, such as ``command``, by another line or by options of its own.
_PUBLIC_KEY = re.compile(r"(?:sk-)?(?:ssh|ecdsa)-[A-Za-z0-9@.-]+ [A-Za-z0-9+/=]+(?: [^\x00-\x08\x0a-\x1f\x7f]*)?")

#: The files that this thread is generating, as (file, host, profile), to detect a file that includes itself.
_in_progress: ContextVar[tuple[tuple[Path, str, str | None], ...]] = ContextVar("authorized_keys", default=())


class AuthorizedKeysGenerator(CfgGenerator):
    """A generator that writes one line for each key, without a newline at the end."""

    basenames = ("authorizedkeys.xml", "authorized_keys.xml")
    is_specific = False
    priority = 0

    def __init__(self, path: Path, specificity: Specificity, context: PluginContext) -> None:
        super().__init__(path, specificity, context)
        self._file = StructFile(path, context, monitor_self=False)

    @property
    def file(self) -> StructFile:
        """The structured file."""
        return self._file

    def handle_event(self, event: FileEvent) -> None:
        self._file.handle_event(event)

    def get_content(self, entry: etree._Element, metadata: ClientMetadata) -> Content:
        this = (self.path, metadata.hostname, metadata.profile)
        if this in _in_progress.get():
            raise PluginExecutionError(f"{self.path}: this file includes its own content")
        token = _in_progress.set((*_in_progress.get(), this))
        try:
            lines = []
            for allow in self._file.xml_match(metadata).iter("Allow"):
                key = self._key(allow, metadata)
                if key:
                    lines.append(f"{_options(allow)} {key}".strip())
        finally:
            _in_progress.reset(token)
        return Content.of_text("\n".join(lines), self.context.encoding, self.path)

    def _key(self, allow: etree._Element, metadata: ClientMetadata) -> str:
        source = allow.get("from")
        if source is not None:
            return self._key_of_entry(source, allow, metadata)
        key = (allow.text or "").strip()
        if not key:
            log.warning("%s: ignoring an Allow element with neither a key nor from", self.path)
        return key

    def _key_of_entry(self, source: str, allow: etree._Element, metadata: ClientMetadata) -> str:
        try:
            owner = self._owner(allow, metadata)
            if owner is None:
                return ""
            entry = etree.Element("Path", name=source)
            self.context.bind_entry(entry, owner)
        except GeventcoreError as err:
            log.info("%s: leaving out a key for %s: cannot bind %s: %s", self.path, metadata.hostname, source, err)
            return ""
        key = (entry.text or "").strip()
        if not key:
            log.warning("%s: leaving out a key for %s: %s is empty", self.path, metadata.hostname, source)
        elif allow.find("Option") is not None and not _PUBLIC_KEY.fullmatch(key):
            log.error(
                "%s: leaving out a key for %s: the options are for one key, and %s is something else",
                *(self.path, metadata.hostname, source),
            )
            return ""
        return key

    def _owner(self, allow: etree._Element, metadata: ClientMetadata) -> ClientMetadata | None:
        """Return the client whose key is used; None, with a warning, if this client has no group in the category."""
        host, group = allow.get("host"), allow.get("group")
        if host is not None:
            return self.context.build_metadata(host)
        if group is not None:
            return ClientMetadata("dummy", profile=group, groups={group}, query=metadata.query)
        category = allow.get("category") or self.context.settings[SSHKEYS_CATEGORY]
        if category and not metadata.group_in_category(category):
            log.warning(
                "%s: %s has no group in category %s; leaving out the key %s",
                *(self.path, metadata.hostname, category, allow.get("from")),
            )
            return None
        return metadata


def _options(allow: etree._Element) -> str:
    """Return the options before the key: ``name`` or ``name=value``, separated by commas."""
    return ",".join(
        f"{option.get('name')}={option.get('value')}" if option.get("value") else option.get("name", "")
        for option in allow.iter("Option")
    )
