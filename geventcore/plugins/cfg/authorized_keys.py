"""``authorizedkeys.xml``: an authorized_keys file that is put together from keys in the repository.

``<Allow from="/root/.ssh/id_rsa.pub"/>`` takes the entry of that name, bound for this client, for ``host=…`` or for a
client that is only in ``group=…``; an ``Allow`` without ``from`` holds the key itself. ``Option`` elements in it are
the options of the key. A key that cannot be had is left out, which the log tells.
"""

from __future__ import annotations

import logging
from contextvars import ContextVar
from pathlib import Path

from lxml import etree

from geventcore.errors import GeventcoreError, PluginExecutionError
from geventcore.filemonitor import FileEvent
from geventcore.plugin.client_metadata import ClientMetadata
from geventcore.plugin.context import PluginContext
from geventcore.plugins.cfg.content import Content
from geventcore.plugins.cfg.handlers import CfgGenerator
from geventcore.plugins.cfg.options import SSHKEYS_CATEGORY
from geventcore.specfiles.specificity import Specificity
from geventcore.specfiles.structfile import StructFile

log = logging.getLogger(__name__)

#: What this thread is putting together: file, host and profile. One that needs itself has no end.
_in_progress: ContextVar[tuple[tuple[Path, str, str | None], ...]] = ContextVar("authorized_keys", default=())


class AuthorizedKeysGenerator(CfgGenerator):
    """One line for each key, without a newline at the end."""

    basenames = ("authorizedkeys.xml", "authorized_keys.xml")
    is_specific = False
    priority = 0

    def __init__(self, path: Path, specificity: Specificity, context: PluginContext) -> None:
        super().__init__(path, specificity, context)
        self._file = StructFile(path, context, monitor_self=False)

    def handle_event(self, event: FileEvent) -> None:
        self._file.handle_event(event)

    def get_content(self, entry: etree._Element, metadata: ClientMetadata) -> Content:
        this = (self.path, metadata.hostname, metadata.profile)
        if this in _in_progress.get():
            raise PluginExecutionError(f"{self.path} needs itself")
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
            log.warning("%s: an Allow element without a key and without from is left out", self.path)
        return key

    def _key_of_entry(self, source: str, allow: etree._Element, metadata: ClientMetadata) -> str:
        try:
            owner = self._owner(allow, metadata)
            if owner is None:
                return ""
            entry = etree.Element("Path", name=source)
            self.context.bind_entry(entry, owner)
        except GeventcoreError as err:
            log.info("%s: for %s there is no key %s: %s", self.path, metadata.hostname, source, err)
            return ""
        key = (entry.text or "").strip()
        if not key:
            log.warning("%s: for %s the key %s is empty; left out", self.path, metadata.hostname, source)
        return key

    def _owner(self, allow: etree._Element, metadata: ClientMetadata) -> ClientMetadata | None:
        """The client whose key is meant; None, with a warning, if a category decides and this client has no group."""
        host, group = allow.get("host"), allow.get("group")
        if host is not None:
            return self.context.build_metadata(host)
        if group is not None:
            return ClientMetadata("dummy", profile=group, groups={group}, query=metadata.query)
        category = allow.get("category") or self.context.settings[SSHKEYS_CATEGORY]
        if category and not metadata.group_in_category(category):
            log.warning(
                "%s: %s has no group in category %s; the key %s is left out",
                *(self.path, metadata.hostname, category, allow.get("from")),
            )
            return None
        return metadata


def _options(allow: etree._Element) -> str:
    """What stands before the key: ``name`` or ``name=value``, with commas between them."""
    return ",".join(
        f"{option.get('name')}={option.get('value')}" if option.get("value") else option.get("name", "")
        for option in allow.iter("Option")
    )
